package artifact

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
	"golang.org/x/sys/unix"
)

// run runs a program and returns its output.
func run(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := sandbox.Host(context.Background(), sandbox.Cmd{Args: args, Stdout: &out}); err != nil {
		t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return out.String()
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes device nodes and file capabilities")
	}
}

func needTools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, ok := sandbox.LookPath(name); !ok {
			t.Skipf("%s is not installed", name)
		}
	}
}

// awkwardTree holds one of everything that is easily lost. With reverse, the
// inodes are made in another order.
func awkwardTree(t *testing.T, reverse bool) string {
	t.Helper()
	needRoot(t)
	needTools(t, "setfacl", "setcap")
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	steps := []func(){
		func() { put(t, dir, "usr/lib/tmpfiles.d/x.conf", "d /run/x\n") },
		func() {
			put(t, dir, "bin/ping", strings.Repeat("code ", 1000))
			run(t, "setcap", "cap_net_raw=ep", in("bin/ping"))
		},
		func() { put(t, dir, "hard/one", "shared"); must(os.Link(in("hard/one"), in("hard/two"))) },
		func() {
			put(t, dir, "acl/file name", "x")
			must(os.Mkdir(in("acl/dir"), 0o2750))
			run(t, "setfacl", "-m", "u:1000:rw,g:50:r", in("acl/file name"))
			run(t, "setfacl", "-m", "g:50:rx,d:g:50:rx", in("acl/dir"))
		},
		func() {
			put(t, dir, "attr", "x")
			must(unix.Setxattr(in("attr"), "trusted.one", []byte("a\x00b"), 0))
			must(unix.Setxattr(in("attr"), "user.two", []byte("c"), 0))
		},
		func() {
			must(unix.Mknod(in("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
			must(unix.Mknod(in("disk"), unix.S_IFBLK|0o660, int(unix.Mkdev(8, 17))))
			must(unix.Mkfifo(in("fifo"), 0o640))
		},
		func() {
			f, err := os.Create(in("sparse"))
			must(err)
			_, err = f.WriteAt([]byte("end"), 16<<20)
			must(errors.Join(err, f.Close()))
		},
		func() {
			symlink(t, "/etc/shadow", dir, "link")
			put(t, dir, "owned", "x")
			must(os.Chown(in("owned"), 70000, 70001))
			must(os.Chmod(in("owned"), 0o6711|os.ModeSetuid|os.ModeSetgid))
		},
		func() {
			for i := range 40 {
				put(t, dir, fmt.Sprintf("many/%02d", i), strings.Repeat(fmt.Sprint(i, " "), 3000))
			}
		},
	}
	for i := range steps {
		if reverse {
			i = len(steps) - 1 - i
		}
		steps[i]()
	}
	must(filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		ts := []unix.Timespec{{Sec: 1600000000}, {Sec: 1600000000}}
		if path == dir { // as after a mount
			ts[1].Sec = time.Now().Unix()
		}
		return errors.Join(err, unix.UtimesNanoAt(unix.AT_FDCWD, path, ts, unix.AT_SYMLINK_NOFOLLOW))
	}))
	must(os.Chmod(dir, 0o755))
	return dir
}

func export(t *testing.T, tree string, opts Options, artifacts ...layer.Artifact) (string, *Manifest) {
	t.Helper()
	dir := t.TempDir()
	m, err := Export(context.Background(), Tree{Dir: tree}, layer.Image{Name: "test", Node: "base", Artifacts: artifacts}, dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

// mounted mounts a file system image until the test ends.
func mounted(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	err := sandbox.Host(context.Background(), sandbox.Cmd{Args: []string{"mount", "-o", "loop,ro", file, dir}})
	if err != nil {
		t.Skipf("cannot mount %s through a loop device here: %v", filepath.Base(file), err)
	}
	t.Cleanup(func() { run(t, "umount", dir) })
	return dir
}

// facts is the canonical tar of a tree as text: all that it tells of each file.
func facts(t *testing.T, dir string, attribute func(path, name string) bool) map[string]string {
	t.Helper()
	all := map[string]string{}
	out, _ := export(t, dir, Options{}, layer.Artifact{Type: layer.Tar})
	f, err := os.Open(filepath.Join(out, "rootfs.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for tr := tar.NewReader(f); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("%c %o %d:%d %d:%d %q %d %q", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Devmajor, h.Devminor, h.Linkname, len(content), strings.Trim(string(content), "\x00"))
		if h.Name != "./" {
			text += fmt.Sprint(" ", h.ModTime.Unix())
		}
		for k, v := range h.PAXRecords {
			if name, ok := strings.CutPrefix(k, "SCHILY.xattr."); ok && attribute(h.Name, name) {
				all[h.Name+" "+name] = fmt.Sprintf("%q", v)
			}
		}
		all[h.Name] = text
	}
}

func sameFacts(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s: %.200s, want %.200s", name, got[name], w)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is new", name)
		}
	}
}

func anyAttribute(string, string) bool { return true }
func notACL(_, attribute string) bool  { return !strings.HasPrefix(attribute, "system.") }
func isSparse(t *testing.T, f string) bool {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(f, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks*512 < st.Size/2
}

func TestSquashfsKeepsEverything(t *testing.T) {
	needTools(t, "mksquashfs")
	tree := awkwardTree(t, false)
	for _, a := range []layer.Artifact{{}, {Compression: "gzip", Level: 6}, {Compression: "xz", BlockSize: 65536}, {Compression: "lz4"}} {
		a.Type = layer.Squashfs
		dir, m := export(t, tree, Options{}, a)
		got := mounted(t, filepath.Join(dir, "rootfs.squashfs"))
		want := facts(t, tree, notACL)
		// The ACLs are in a file of their own.
		snippet, err := os.ReadFile(filepath.Join(got, aclFile))
		if err != nil {
			t.Fatal(err)
		}
		wantSnippet := "# POSIX ACLs of this image, which squashfs cannot store. Written by Strata.\n" +
			"t \"/acl/di[r]\" - - - - trusted.strata.acl=1\n" +
			"a \"/acl/dir\" - - - - u::rwx,g::r-x,g:50:r-x,m::r-x,o::---,default:u::rwx,default:g::r-x,default:g:50:r-x,default:m::r-x,default:o::---\n" +
			"t \"/acl/file nam[e]\" - - - - trusted.strata.acl=1\n" +
			"a \"/acl/file name\" - - - - u::rw-,u:1000:rw-,g::r--,g:50:r--,m::rw-,o::r--\n"
		if string(snippet) != wantSnippet {
			t.Errorf("snippet:\n%s", snippet)
		}
		want[aclFile] = fmt.Sprintf("0 644 0:0 0:0 \"\" %d %q 0", len(snippet), snippet)
		sameFacts(t, facts(t, got, anyAttribute), want)
		if !isSparse(t, filepath.Join(got, "sparse")) {
			t.Errorf("%s: the sparse file became a full one", m.Files[0].Settings)
		}
	}
}

func TestErofsKeepsEverything(t *testing.T) {
	needTools(t, "mkfs.erofs")
	tree := awkwardTree(t, false)
	for _, a := range []layer.Artifact{{}, {Compression: "none"}, {Compression: "lz4hc", Level: 9}} {
		a.Type = layer.Erofs
		dir, _ := export(t, tree, Options{}, a)
		got := mounted(t, filepath.Join(dir, "rootfs.erofs"))
		sameFacts(t, facts(t, got, anyAttribute), facts(t, tree, anyAttribute))
	}
}

func TestDirKeepsEverything(t *testing.T) {
	tree := awkwardTree(t, false)
	dir, m := export(t, tree, Options{}, layer.Artifact{Type: layer.Dir}, layer.Artifact{Type: layer.Tar})
	got := filepath.Join(dir, "rootfs")
	sameFacts(t, facts(t, got, anyAttribute), facts(t, tree, anyAttribute))
	if !isSparse(t, filepath.Join(got, "sparse")) {
		t.Error("the sparse file became a full one")
	}
	if m.Files[0].SHA256 != m.Files[1].SHA256 || m.Files[0].SHA256 == "" {
		t.Errorf("the digests of rootfs and rootfs.tar differ: %+v", m.Files)
	}
}

func TestReproducible(t *testing.T) {
	needTools(t, "mksquashfs", "mkfs.erofs")
	all := []layer.Artifact{{Type: layer.Squashfs}, {Type: layer.Erofs}, {Type: layer.Tar}}
	_, first := export(t, awkwardTree(t, false), Options{Processors: 1}, all...)
	time.Sleep(1100 * time.Millisecond) // the clock must not matter, nor this:
	t.Setenv("SOURCE_DATE_EPOCH", "12345")
	tree := awkwardTree(t, true)
	// Through a magic link, as a sandbox's root is; and with another time of the
	// root directory, which is of no account but in a tar.
	t.Chdir(tree)
	_, second := export(t, fmt.Sprintf("/proc/%d/cwd", os.Getpid()), Options{Processors: 4}, all[:2]...)
	for i, f := range second.Files {
		if f.SHA256 != first.Files[i].SHA256 {
			t.Errorf("%s differs between two equal trees", f.Name)
		}
	}
}

func TestACLWithoutTmpfiles(t *testing.T) {
	needTools(t, "setfacl", "mksquashfs")
	tree := t.TempDir()
	put(t, tree, "srv/data", "x")
	run(t, "setfacl", "-m", "u:1000:rw", filepath.Join(tree, "srv/data"))
	image := layer.Image{Name: "test", Artifacts: []layer.Artifact{{Type: layer.Squashfs}}}
	_, err := Export(context.Background(), Tree{Dir: tree}, image, t.TempDir(), Options{})
	var f *fault.Error
	if !errors.As(err, &f) || !strings.Contains(f.Message, "/srv/data has a POSIX ACL") || !strings.Contains(f.Hint, "erofs") {
		t.Errorf("error: %v", err)
	}
}

func TestEarlierSnippet(t *testing.T) {
	needTools(t, "setfacl", "mksquashfs", "unsquashfs")
	tree := t.TempDir()
	put(t, tree, "srv/data", "x")
	put(t, tree, aclFile, "a \"/old\" - - - - u::rw-\n")
	run(t, "setfacl", "-m", "u:1000:rw", filepath.Join(tree, "srv/data"))
	dir, _ := export(t, tree, Options{}, layer.Artifact{Type: layer.Squashfs})
	got := run(t, "unsquashfs", "-cat", filepath.Join(dir, "rootfs.squashfs"), aclFile)
	if !strings.Contains(got, "/srv/data") || !strings.Contains(got, "/old") {
		t.Errorf("the snippet is\n%s", got)
	}
}

func TestEarlierACLsStay(t *testing.T) {
	raw := []byte{2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255}
	got, err := tmpfilesACL([]aclSet{{Path: `odd "50%" [a]\*`, Access: raw}}, "# comment\na \"/old\" - - - - u::rw-\na \"/odd \\\"50%%\\\" [[]a][\\\\\\\\][*]\" - - - - u::r--\n")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got, "\n")
	want := []string{`t "/odd \"50%%\" [[][a]][\\\\][*]" - - - - trusted.strata.acl=1`, `a "/odd \"50%%\" [[]a][\\\\][*]" - - - - u::rwx`, `t "/ol[d]" - - - - trusted.strata.acl=1`, `a "/old" - - - - u::rw-`, ""}
	if !reflect.DeepEqual(lines[1:], want) {
		t.Errorf("%q", lines[1:])
	}
	if _, err := aclText([]byte{1, 0, 0, 0}, ""); err == nil {
		t.Error("an unknown version was accepted")
	}
}

func TestSettingsThatDoNotExist(t *testing.T) {
	for _, c := range []struct {
		artifact layer.Artifact
		want     string
	}{
		{layer.Artifact{Type: layer.Squashfs, Compression: "lz4", Level: 3}, "lz4 has no levels"},
		{layer.Artifact{Type: layer.Squashfs, Level: 23}, "level 23 of zstd does not exist"},
		{layer.Artifact{Type: layer.Squashfs, Compression: "brotli"}, `cannot be compressed with "brotli"`},
		{layer.Artifact{Type: layer.Squashfs, BlockSize: 5000}, "block size 5000"},
		{layer.Artifact{Type: layer.Erofs, BlockSize: 4096}, "no block size"},
		{layer.Artifact{Type: layer.Erofs, Compression: "gzip"}, `cannot be compressed with "gzip"`},
		{layer.Artifact{Type: layer.Erofs, Compression: "lz4", Level: 3}, "lz4 has no levels"},
		{layer.Artifact{Type: "iso"}, `unknown artifact "iso"`},
	} {
		image := layer.Image{Name: "test", Artifacts: []layer.Artifact{c.artifact}}
		_, err := Export(context.Background(), Tree{Dir: t.TempDir()}, image, t.TempDir(), Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Input {
			t.Errorf("%+v: %v", c.artifact, err)
		}
	}
	twice := layer.Image{Artifacts: []layer.Artifact{{Type: layer.Tar}, {Type: layer.Tar}}}
	if _, err := Export(context.Background(), Tree{Dir: t.TempDir()}, twice, t.TempDir(), Options{}); err == nil {
		t.Error("one artifact twice was accepted")
	}
}

func TestErofsCompressors(t *testing.T) {
	for help, want := range map[string][]string{
		"\nAvailable compressors are: lz4hc, lz4\n":                                 {"lz4hc", "lz4"},
		" -zX[,level=Y]\n    lz4\n    lz4hc\n      [,level=<0-12>]\n    lzma [x]\n": {"lz4", "lz4hc", "lzma"},
		"nothing": nil,
	} {
		if got := erofsCompressors(help); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v", help, got)
		}
	}
}

func TestManifest(t *testing.T) {
	tree := goodTree(t)
	put(t, tree, "usr/lib/systemd/systemd", "")
	symlink(t, "../usr/lib/systemd/systemd", tree, "sbin/init")
	image := squashfsImage
	image.Artifacts = []layer.Artifact{{Type: layer.Kernel}, {Type: layer.Initrd}, {Type: layer.OCI}}
	image.Cmdline = "console=ttyS0 a<b"
	dir := t.TempDir()
	m, err := Export(context.Background(), Tree{Dir: tree}, image, dir, Options{
		Key: "aa", Digest: "sha256:bb", Layers: []layer.Digest{"sha256:cc"},
		Origin: []Origin{{"slurm-compute", "aa", "sha256:bb"}},
		OCI: func(_ context.Context, dir string) error {
			return errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "index.json"), []byte("{}"), 0o644))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if m.Kernel != version || m.Init != "systemd" {
		t.Errorf("%+v", m)
	}
	again, err := ReadManifest(dir)
	if err != nil || !reflect.DeepEqual(m, again) {
		t.Errorf("read back: %+v, %v", again, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"cmdline": "console=ttyS0 a<b"`, `"unverified": []`, `"name": "oci"`, `"size": 2,`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the manifest lacks %s:\n%s", want, data)
		}
	}
	if _, err := ReadManifest(t.TempDir()); fault.KindOf(err) != fault.Input {
		t.Errorf("no manifest: %v", err)
	}
}

// TestForeignAttributeEndsThePacking wants the survey's fault, whatever became
// of the program that packs meanwhile.
func TestForeignAttributeEndsThePacking(t *testing.T) {
	x := &exporter{survey: &survey{Foreign: []string{"/a: system.odd"}}}
	_, err := x.surveyed(context.Background(), func(*survey) bool { return true }, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if err == nil || !strings.Contains(err.Error(), "/a: system.odd") {
		t.Errorf("error %v", err)
	}
}
