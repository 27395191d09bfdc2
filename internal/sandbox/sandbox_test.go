package sandbox

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/tarball"
)

func TestMain(m *testing.M) {
	Init()
	// As an ordinary user, the tests run in a user namespace as a build does.
	if status, done, err := Rootless(); done {
		os.Exit(status)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "rootless:", err)
	}
	os.Exit(m.Run())
}

// busyboxTree makes a tree that can run a shell.
func busyboxTree(t *testing.T) string {
	t.Helper()
	path, ok := LookPath("busybox")
	if !ok {
		t.Fatal("the tests need Debian's busybox-static")
	}
	if !HasAdmin() {
		t.Skip("needs the right to mount")
	}
	tree := t.TempDir()
	for _, dir := range []string{"bin", "etc", "proc", "sys", "dev", "run", "tmp", "var/tmp", "root"} {
		if err := os.MkdirAll(filepath.Join(tree, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "bin/busybox"), content, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "ls", "cat", "uname", "sleep", "mount", "id", "readlink", "stat", "rm", "ip", "setsid", "mknod", "head", "wc", "grep", "su", "usleep", "tr", "hostname", "mkdir", "mv", "ln", "date", "touch", "chmod", "sed", "cp"} {
		if err := os.Symlink("busybox", filepath.Join(tree, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

func start(t *testing.T, spec Spec) *Sandbox {
	t.Helper()
	if spec.Scratch == "" {
		spec.Scratch = t.TempDir()
	}
	s, err := Start(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

// sh runs a shell command in the sandbox, with arguments from $0 on, and returns
// what it printed.
func sh(t *testing.T, s *Sandbox, command string, opts RunOptions, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := s.Run(context.Background(), Cmd{Args: append([]string{"sh", "-ec", command}, args...), Stdout: &out}, opts)
	return strings.TrimSpace(out.String()), err
}

func TestRunReportsStatusAndOutput(t *testing.T) {
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: t.TempDir()})
	out, err := sh(t, s, "echo $$; uname -n; cat /proc/1/comm >/dev/null; ls /dev/null", RunOptions{})
	if err != nil || !strings.Contains(out, "localhost") {
		t.Fatalf("got %q, %v", out, err)
	}
	_, err = sh(t, s, "echo broken >&2; exit 107", RunOptions{})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Status != 107 || exit.Output != "broken" {
		t.Fatalf("got %v", err)
	}
	if err := s.Run(context.Background(), Cmd{Args: []string{"no-such-program"}}, RunOptions{}); !errors.As(err, &exit) || exit.Status != 127 {
		t.Fatalf("got %v", err)
	}
}

func TestNetworkAndCapabilities(t *testing.T) {
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: t.TempDir()})
	out, err := sh(t, s, "ip -o link", RunOptions{NoNetwork: true})
	if err != nil || strings.Count(out, "\n") != 0 || !strings.Contains(out, "lo: <LOOPBACK,UP") {
		t.Errorf("network none: got %q, %v", out, err)
	}
	for _, opts := range []RunOptions{{}, {NoNetwork: true}} {
		if out, err := sh(t, s, "mount -t tmpfs x /root", opts); err == nil {
			t.Errorf("a step could mount: %s", out)
		}
	}
	if _, err := sh(t, s, "echo 1 > /proc/sys/kernel/sysrq", RunOptions{}); err == nil {
		t.Error("a step could write to the machine's sysctls")
	}
}

func TestNothingOfTheSandboxStaysInTheLayer(t *testing.T) {
	lower, upper := busyboxTree(t), t.TempDir()
	if err := os.Symlink("../run/systemd/resolve/stub-resolv.conf", filepath.Join(lower, "etc/resolv.conf")); err != nil {
		t.Fatal(err)
	}
	s := start(t, Spec{
		Lower: []string{lower}, Upper: upper,
		Substitutes: []Placeholder{
			{Path: "/etc/resolv.conf", Content: "nameserver 192.0.2.1\n", Mode: 0o644},
			{Path: "/usr/sbin/policy-rc.d", Content: "#!/bin/sh\nexit 101\n", Mode: 0o755},
		},
	})
	out, err := sh(t, s, "cat /etc/resolv.conf; echo x >/tmp/a; echo x >/run/b; /usr/sbin/policy-rc.d || echo $?; setsid sleep 1000 &", RunOptions{})
	if err != nil || out != "nameserver 192.0.2.1\n101" {
		t.Fatalf("got %q, %v", out, err)
	}
	if err := s.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(upper, "usr")); err == nil {
		t.Error("the directory made for policy-rc.d stayed")
	}
	link, err := os.Readlink(filepath.Join(upper, "etc/resolv.conf"))
	if err == nil && link != "../run/systemd/resolve/stub-resolv.conf" {
		t.Errorf("resolv.conf is %q", link)
	}
	for _, dir := range []string{"tmp", "run", "proc", "dev"} {
		entries, _ := os.ReadDir(filepath.Join(upper, dir))
		if len(entries) > 0 {
			t.Errorf("/%s of the layer has %v", dir, entries)
		}
	}
}

func TestAStepsOwnResolvConfStays(t *testing.T) {
	upper := t.TempDir()
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: upper,
		Substitutes: []Placeholder{{Path: "/etc/resolv.conf", Content: "nameserver 192.0.2.1\n", Mode: 0o644}}})
	if _, err := sh(t, s, "rm /etc/resolv.conf; echo mine >/etc/resolv.conf", RunOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(upper, "etc/resolv.conf")); err != nil || string(content) != "mine\n" {
		t.Errorf("got %q, %v", content, err)
	}
}

func TestHostileLinksStayInside(t *testing.T) {
	lower, upper, outside := busyboxTree(t), t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(lower, "out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../../../../../../.."+outside, filepath.Join(lower, "up")); err != nil {
		t.Fatal(err)
	}
	s := start(t, Spec{Lower: []string{lower}, Upper: upper})
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"out/a", "up/b", "../../../../../../../.." + outside + "/c"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: 1}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("x"))
	}
	w.Close()
	_ = s.Unpack(context.Background(), &b) // whether it fails or writes inside is its choice
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("written outside: %v", entries)
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if content, err := ReadFileIn(lower, "/out/secret"); err == nil {
		t.Errorf("read from outside: %q", content)
	}
}

func TestALinkAsMountPointIsRefused(t *testing.T) {
	lower, outside := busyboxTree(t), t.TempDir()
	if err := os.Remove(filepath.Join(lower, "run")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(lower, "run")); err != nil {
		t.Fatal(err)
	}
	s, err := Start(context.Background(), Spec{Lower: []string{lower}, Upper: t.TempDir(), Scratch: t.TempDir()})
	if err == nil {
		_ = s.Stop()
		t.Fatal("started")
	}
	if !strings.Contains(err.Error(), "/run of the tree is not a directory") {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("written outside: %v", entries)
	}
}

func TestEverythingEndsWithTheSandbox(t *testing.T) {
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: t.TempDir()})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, Cmd{Args: []string{"sleep", "1000"}}, RunOptions{})
	}()
	time.Sleep(50 * time.Millisecond)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	const list = `i=0; while [ $i -lt 100 ] && cat /proc/[0-9]*/comm 2>/dev/null | grep -q sleep; do i=$((i + 1)); usleep 50000; done; cat /proc/[0-9]*/comm`
	if out, err := sh(t, s, list, RunOptions{}); err != nil || strings.Contains(out, "sleep") {
		t.Errorf("still there: %s, %v", out, err)
	}
	pid := s.cmd.Process.Pid
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(pid, 0); err == nil {
		t.Error("the agent is still there")
	}
}

func TestUnpackKeepsEverything(t *testing.T) {
	upper := t.TempDir()
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: upper})
	if _, err := sh(t, s, "echo 'daemon:x:7:8:::' >/etc/passwd; echo 'staff:x:50:' >/etc/group", RunOptions{}); err != nil {
		t.Fatal(err)
	}
	when := time.Unix(1_000_000_000, 0)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for _, e := range []struct {
		hdr     tar.Header
		content []byte
	}{
		{tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o1777}, nil},
		{tar.Header{Name: "d/f", Typeflag: tar.TypeReg, Mode: 0o4755, Size: int64(len(zeros)),
			PAXRecords: map[string]string{PaxOwner: "daemon", PaxGroup: "staff", paxXattr + "user.x": "y"}}, zeros},
		{tar.Header{Name: "d/l", Typeflag: tar.TypeLink, Linkname: "d/f"}, nil},
		{tar.Header{Name: "d/s", Typeflag: tar.TypeSymlink, Linkname: "/nowhere", Uid: 3}, nil},
	} {
		e.hdr.ModTime = when
		if err := w.WriteHeader(&e.hdr); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(e.content)
	}
	w.Close()
	if err := s.Unpack(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	var f, l unix.Stat_t
	if err := errors.Join(unix.Lstat(upper+"/d/f", &f), unix.Lstat(upper+"/d/l", &l)); err != nil {
		t.Fatal(err)
	}
	if f.Mode&0o7777 != 0o4755 || f.Uid != 7 || f.Gid != 50 || f.Ino != l.Ino || f.Blocks*512 < f.Size || f.Mtim.Sec != when.Unix() {
		t.Errorf("got %+v", f)
	}
	value := make([]byte, 8)
	if n, err := unix.Lgetxattr(upper+"/d/f", "user.x", value); err != nil || string(value[:n]) != "y" {
		t.Errorf("xattr: %q, %v", value[:n], err)
	}
	var d unix.Stat_t
	if err := unix.Lstat(upper+"/d", &d); err != nil || d.Mtim.Sec != when.Unix() || d.Mode&0o7777 != 0o1777 {
		t.Errorf("directory: %+v, %v", d, err)
	}
}

// The length of a request plays no part. Where its end is that of the decoder's
// buffer, the line end after it stays behind; it was once taken for the
// client's end.
func TestRequestsThatFillABuffer(t *testing.T) {
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: t.TempDir()})
	for _, size := range []int{512, 1536, 3584} {
		req := request{Op: "run", Args: []string{"sh", "-c", "sleep 0.2", ""}, Env: []string{"PATH=/bin"}}
		content, err := json.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		req.Args[3] = strings.Repeat("x", size-len(content))
		if err := s.Run(context.Background(), Cmd{Args: req.Args, Env: req.Env}, RunOptions{}); err != nil {
			t.Errorf("a request of %d bytes: %v", size, err)
		}
	}
}

func TestUnpackKeepsSparseFilesSparse(t *testing.T) {
	upper, from := t.TempDir(), t.TempDir()
	path := filepath.Join(from, "lastlog")
	if err := errors.Join(os.WriteFile(path, []byte("first"), 0o644), os.Truncate(path, 1<<40)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tarball.Write(t.Context(), &b, from, tarball.Options{}); err != nil {
		t.Fatal(err)
	}
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: upper})
	if err := s.Unpack(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(upper+"/lastlog", &st); err != nil || st.Size != 1<<40 || st.Blocks > 64 {
		t.Errorf("%+v, %v", st, err)
	}
	if out, err := sh(t, s, "exec /bin/busybox head -c 8 /lastlog | /bin/busybox od -c", RunOptions{}); err != nil || !strings.Contains(out, "f   i   r   s   t  \\0") {
		t.Errorf("%q, %v", out, err)
	}
}
