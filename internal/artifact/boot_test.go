package artifact

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

func TestConsole(t *testing.T) {
	for _, c := range []struct{ name, in, trouble, tail string }{
		{"plain", "one\r\ntwo\r\n", "", "one\ntwo"},
		{"colours", "[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mssh\x1b[0m.\r\n", "", "[  OK  ] Started ssh."},
		{"bar", " 10% |*  |\r 99% |***|\r\nsaved\n", "", " 99% |***|\nsaved"},
		{"panic", "x\n[ 1.0] Kernel panic - not syncing: VFS\nmore\n", "the kernel panicked", "x\n[ 1.0] Kernel panic - not syncing: VFS\nmore"},
		{"prompt", "BusyBox\n(initramfs) ", "the initrd gave up and started its emergency shell", "BusyBox\n(initramfs)"},
		{"invalid", "a\xff\x00b\n", "", "a?b"},
	} {
		for _, whole := range []bool{true, false} {
			var out bytes.Buffer
			var alarms []string
			con := &console{next: &out, alarm: func(s string) { alarms = append(alarms, s) }}
			if whole {
				_, _ = io.WriteString(con, c.in)
			} else {
				for i := range len(c.in) {
					_, _ = con.Write([]byte{c.in[i]})
				}
			}
			if con.Tail() != c.tail || out.String() != c.in {
				t.Errorf("%s: tail %q, passed on %q", c.name, con.Tail(), out.String())
			}
			if got := strings.Join(alarms, "|"); got != c.trouble {
				t.Errorf("%s: alarm %q", c.name, got)
			}
		}
	}
	con := &console{}
	for range 100 {
		_, _ = io.WriteString(con, "line\n")
	}
	_, _ = io.WriteString(con, strings.Repeat("x", 10000))
	if lines := strings.Split(con.Tail(), "\n"); len(lines) != consoleLines+1 || len(lines[consoleLines]) != consoleLength {
		t.Errorf("the tail has %d lines", len(lines))
	}
}

func TestBootCmdline(t *testing.T) {
	const url = "http://10.0.2.2:1/x/rootfs.squashfs"
	for _, c := range []struct {
		cmdline, fetch, want string
		tty                  int
	}{
		{"", liveBoot, "console=ttyS0 boot=live fetch=" + url + " ip=dhcp systemd.debug_shell=ttyS1", 1},
		{"quiet console=ttyS0,115200n8", dracutLive, "quiet console=ttyS0,115200n8 root=live:" + url + " ip=dhcp rd.neednet=1 systemd.debug_shell=ttyS1", 1},
		{"console=tty0 console=ttyS1", liveBoot, "console=tty0 console=ttyS1 console=ttyS0 boot=live fetch=" + url + " ip=dhcp systemd.debug_shell=ttyS2", 2},
	} {
		got, tty, err := bootCmdline(c.cmdline, c.fetch, url)
		if err != nil || got != c.want || tty != c.tty {
			t.Errorf("%q: %q, %d, %v", c.cmdline, got, tty, err)
		}
	}
	if _, _, err := bootCmdline("console=ttyS1 console=ttyS2 console=ttyS3", liveBoot, url); err == nil {
		t.Error("no serial line is left, and no error")
	}
}

// fakeGuest is a shell of this machine in the guest's place: on a terminal of
// its own, as the debug shell is, where script(1) is installed.
func fakeGuest(t *testing.T, args ...string) *guest {
	t.Helper()
	needTools(t, args[0])
	ctx, cancel := context.WithCancel(context.Background())
	ours, theirs := net.Pipe()
	p, err := sandbox.StartHost(ctx, sandbox.Cmd{Args: args, Stdin: theirs, Stdout: theirs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); ours.Close(); theirs.Close(); _ = p.Wait() })
	return newGuest(ctx, ours, t.TempDir())
}

func TestGuest(t *testing.T) {
	for name, args := range map[string][]string{
		"pipe":     {"sh"},
		"terminal": {"script", "-qfec", "bash -i", "/dev/null"},
	} {
		t.Run(name, func(t *testing.T) {
			g := fakeGuest(t, args...)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := g.Ready(ctx); err != nil {
				t.Fatal(err)
			}
			long := strings.Repeat("# a long script\n", 1000)
			for _, c := range []struct {
				script, output string
				status         int
				limit          time.Duration
			}{
				{"echo hello", "hello\n", 0, time.Minute},
				{"echo out; echo err >&2; exit 3", "out\nerr\n", 3, time.Minute},
				{"printf 'a\\000b\\377'", "a\x00b\xff", 0, time.Minute},
				{"cat", "", 0, time.Minute}, // must not eat the protocol
				{long + "echo end", "end\n", 0, time.Minute},
				{"sleep 300 & echo left one behind", "left one behind\n", 0, time.Minute},
				{"echo started; sleep 300", "started\n", 124, time.Second},
				{"echo '" + g.mark + "> 0'", g.mark + "> 0\n", 0, time.Minute},
				{"exit 1", "", 1, time.Minute},
			} {
				r, err := g.Run(ctx, c.script, c.limit)
				if err != nil {
					t.Fatalf("%.40s: %v", c.script, err)
				}
				if r.Status != c.status || string(r.Output) != c.output {
					t.Errorf("%.40s: status %d, output %.100q", c.script, r.Status, r.Output)
				}
			}
			r, err := g.Run(ctx, "head -c 1000000 /dev/zero", time.Minute)
			if err != nil || len(r.Output) != guestOutput {
				t.Errorf("much output: %v", err)
			}
		})
	}
}

// lossy is a line that loses every so manieth byte, in both directions.
type lossy struct {
	io.ReadWriter
	every, read, written int
}

func lose(p []byte, every int, count *int) []byte {
	kept := make([]byte, 0, len(p))
	for _, b := range p {
		if *count++; *count%every != 0 {
			kept = append(kept, b)
		}
	}
	return kept
}

func (l *lossy) Write(p []byte) (int, error) {
	_, err := l.ReadWriter.Write(lose(p, l.every, &l.written))
	return len(p), err
}

func (l *lossy) Read(p []byte) (int, error) {
	n, err := l.ReadWriter.Read(p)
	return copy(p, lose(p[:n], l.every, &l.read)), err
}

// TestGuestBehindALossyLine runs each script once, whatever has to be asked again.
func TestGuestBehindALossyLine(t *testing.T) {
	g := fakeGuest(t, "sh")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := g.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	line := &lossy{ReadWriter: &joined{g}, every: 997}
	l := newGuest(ctx, line, g.dir)
	l.mark, l.patience = g.mark, 100*time.Millisecond
	count := filepath.Join(t.TempDir(), "count")
	script := "echo run >>" + count + "; head -c 300 /dev/zero | tr '\\0' x; exit 3\n" + strings.Repeat("# long\n", 200)
	const runs = 8
	for range runs {
		r, err := l.Run(ctx, script, time.Second)
		if err != nil || r.Status != 3 || string(r.Output) != strings.Repeat("x", 300) {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	ran, err := os.ReadFile(count)
	if err != nil || strings.Count(string(ran), "run") != runs {
		t.Errorf("%d runs: %s, %v", runs, ran, err)
	}
	if line.read < 4*line.every || line.written < 4*line.every {
		t.Errorf("nothing was lost: %+v", line)
	}
}

// joined is the line of a guest that was made ready.
type joined struct{ *guest }

func (j *joined) Write(p []byte) (int, error) { return j.line.Write(p) }

func (j *joined) Read(p []byte) (int, error) {
	line, ok := <-j.lines
	if !ok {
		return 0, io.EOF
	}
	return copy(p, line+"\n"), nil
}

func TestGuestThatDoesNotAnswer(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	defer ours.Close()
	gone := errors.New("the kernel panicked")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(100*time.Millisecond, func() { cancel(gone) })
	if err := newGuest(ctx, ours, "/run").Ready(ctx); !errors.Is(err, gone) {
		t.Errorf("error: %v", err)
	}
}

func TestJUnit(t *testing.T) {
	r := &BootReport{Image: "compute", Accel: "tcg", Seconds: 81.5, FailedUnits: []string{"nfs.service"},
		Failure: "units failed: nfs.service", Detail: "nfs.service:\nno <server>",
		Tests: []TestResult{
			{Name: "slurmd is enabled", Passed: true, Seconds: 0.25, Output: "enabled\n"},
			{Name: "it is 5 o'clock & more", Seconds: 60, Output: "\x1b[1mred\x00\xff\n", Cause: "timed out after 60 s"},
		}}
	want, err := os.ReadFile(filepath.Join("testdata", "junit.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.JUnit(); !bytes.Equal(got, want) {
		t.Errorf("JUnit:\n%s", got)
	}
	if r.Passed() || !(&BootReport{Tests: []TestResult{{Passed: true}}}).Passed() {
		t.Error("Passed is wrong")
	}
}

func TestBootChecks(t *testing.T) {
	file := func(types ...layer.ArtifactType) (files []File) {
		for _, typ := range types {
			files = append(files, File{Name: string(typ), Type: typ})
		}
		return files
	}
	all := file(layer.Squashfs, layer.Kernel, layer.Initrd)
	for _, c := range []struct {
		manifest Manifest
		want     string
		kind     fault.Kind
	}{
		{Manifest{Files: all[:2], Init: "systemd", Fetch: liveBoot}, "without the artifact initrd", fault.Input},
		{Manifest{Files: all[1:], Init: "systemd", Fetch: liveBoot}, "without the artifact squashfs", fault.Input},
		{Manifest{Files: all, Init: "other", Fetch: liveBoot}, "needs systemd", fault.Failed},
		{Manifest{Files: all, Init: "systemd"}, "cannot fetch the root", fault.Failed},
		{Manifest{Files: file(layer.Erofs, layer.Kernel, layer.Initrd), Init: "systemd", Fetch: liveBoot}, "fetches no erofs", fault.Failed},
	} {
		_, err := Boot(context.Background(), t.TempDir(), &c.manifest, layer.Image{Name: "compute"}, BootOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != c.kind {
			t.Errorf("want %q: %v", c.want, err)
		}
	}
}

func TestMachineArgs(t *testing.T) {
	m := machine{Accel: tcg, Memory: 1024, CPUs: 2, Kernel: "/a/vmlinuz", Initrd: "/a/initrd.img", Cmdline: "x fetch=http://h/secret", ShellTTY: 2}
	line := strings.Join(m.args(), " ")
	if strings.Contains(line, "secret") || !strings.Contains(line, "-serial null -chardev socket,id=shell") {
		t.Errorf("arguments: %s", line)
	}
	if config, err := m.config(); err != nil || !strings.Contains(config, m.Cmdline) {
		t.Errorf("config: %s, %v", config, err)
	}
	m.Cmdline = `a="b"`
	if _, err := m.config(); err == nil {
		t.Error("a quote was accepted")
	}
}

// TestBoot boots a small Debian, which takes a minute or more: it runs only
// with STRATA_TEST_BOOT=1. STRATA_TEST_TREE names a tree to boot instead, whose
// /srv user 1234 may write by an ACL.
func TestBoot(t *testing.T) {
	if os.Getenv("STRATA_TEST_BOOT") != "1" {
		t.Skip("boots a guest; set STRATA_TEST_BOOT=1")
	}
	needRoot(t)
	tree := os.Getenv("STRATA_TEST_TREE")
	if tree == "" {
		needTools(t, "mmdebstrap", "setfacl")
		tree = filepath.Join(t.TempDir(), "tree")
		run(t, "mmdebstrap", "--variant=minbase", "--include=linux-image-cloud-amd64,systemd-sysv,dbus,udev,live-boot", "bookworm", tree)
		run(t, "setfacl", "-m", "u:1234:rwx", filepath.Join(tree, "srv"))
	}
	image := layer.Image{Name: "test", Node: "base",
		Artifacts: []layer.Artifact{{Type: layer.Squashfs}, {Type: layer.Kernel}, {Type: layer.Initrd}},
		Tests: []layer.Test{
			{Name: "the root is an overlay", Run: "findmnt -n -o FSTYPE / | tee /dev/stderr | grep -qx overlay"},
			{Name: "ACLs are set", Run: "ls -ld /srv | tee /dev/stderr | grep -q '^drwxrwxr-x+'"},
			{Name: "this fails", Run: "echo oh no >&2; exit 7"},
			{Name: "this hangs", Run: "sleep 1000", Timeout: 2},
		}}
	dir := t.TempDir()
	m, err := Export(context.Background(), Tree{Dir: tree}, image, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var console bytes.Buffer
	r, err := Boot(context.Background(), dir, m, image, BootOptions{Console: &console, Progress: func(s string) { t.Log(s) }})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the console:\n%s", console.String())
		}
	})
	if r != nil {
		t.Logf("%s", r.JUnit())
	}
	if err == nil || !strings.Contains(err.Error(), "2 of 4 tests failed in the booted guest: this fails, this hangs") {
		t.Fatalf("error: %v", err)
	}
	for i, cause := range []string{"", "", "exit status 7", "timed out after 2 s"} {
		if got := r.Tests[i]; got.Cause != cause || got.Passed != (cause == "") {
			t.Errorf("%+v", got)
		}
	}
}
