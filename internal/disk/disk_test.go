package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

const canary = "canary-of-another-place"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// make writes files; "-> x" is a link to x.
func write(t *testing.T, dir string, contents map[string]string) {
	t.Helper()
	for name, content := range contents {
		file := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			must(t, os.Symlink(target, file))
		} else {
			must(t, os.WriteFile(file, []byte(content), 0o644))
		}
	}
}

// both runs a test with openat2 and without.
func both(t *testing.T, top, below string, do func(t *testing.T, f *FS)) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("old=%t", old), func(t *testing.T) {
			f, err := Open(top, filepath.Join(top, below))
			must(t, err)
			f.root.old = old
			do(t, f)
		})
	}
}

func TestIsAFileSystem(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/b/c": "1", "d": "2", "link": "-> a/b", "a/up": "-> ../d", ".git/config": "secret", ".hidden/.f": "5", ".hidden/up": "-> ../.hidden/.f", "a/.git/x": "y", "with space/ü": "3"})
	both(t, dir, "", func(t *testing.T, f *FS) {
		must(t, fstest.TestFS(f, "a/b/c", "d", "with space/ü", ".hidden/.f"))
		for _, name := range []string{".hidden", ".hidden/.f", ".hidden/up"} {
			if _, err := f.Real(name); err != nil {
				t.Error(err)
			}
		}
		for _, name := range []string{".git", ".git/config", "a/.git/x", "a/.git"} {
			if _, err := f.Stat(name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
		}
		sub, err := f.Directory("link")
		must(t, err)
		if sub.Below() != "a/b" || sub.Top() != f.Top() {
			t.Errorf("link is %s in %s", sub.Below(), sub.Top())
		}
		for name, want := range map[string]string{"a/b/c": "a/b/c", "link/c": "a/b/c", "a/up": "d", "link": "a/b", ".": ""} {
			if got, err := f.Real(name); err != nil || got != want {
				t.Errorf("%s is really %q, not %q: %v", name, got, want, err)
			}
		}
	})
}

// TestLinksAreFollowedAsByLinux compares with package os, for links that stay inside.
func TestLinksAreFollowedAsByLinux(t *testing.T) {
	dir := t.TempDir()
	contents := map[string]string{
		"a/f": "1", "b/c/d/e": "2", "top": "3",
		"l/file": "-> ../a/f", "l/dir": "-> ../b/c", "l/through": "-> dir/d/e", "l/chain": "-> through", "l/dot": "-> ./../a/./f",
		"l/dangling": "-> nothing", "l/loop1": "-> loop2", "l/loop2": "-> loop1", "l/self": "-> self", "l/top": "-> ..",
		"l/slash": "-> ../b/c/", "l/below-file": "-> ../a/f/x", "l/file-slash": "-> ../a/f/", "l/up-from-link": "-> dir/../../a/f",
		"l/double": "-> ..//a///f", ".dots/.f": "4", ".dots/up": "-> ../.dots/.f", ".l": "-> .dots/../.dots/./.f", "l/under-self": "-> self/x", "l/up-from-file": "-> ../a/f/../f",
	}
	for i := range 45 {
		contents[fmt.Sprintf("n/%d", i)] = fmt.Sprintf("-> %d", i+1)
	}
	contents["n/45"] = "end"
	write(t, dir, contents)
	names := []string{"l/dir/d/e", "l/dir/nothing", "l/top/l/top/a/f", "a/f/x", "l/loop1/x", "l/dangling/x", "l", ".", "l/dir/d/e/f", "l/top/l/dir/d"}
	for name := range contents {
		names = append(names, name)
	}
	both(t, dir, "", func(t *testing.T, f *FS) {
		for _, name := range names {
			want, wantErr := os.Stat(filepath.Join(dir, name))
			got, err := f.Stat(name)
			if !sameError(err, wantErr) || err == nil && !os.SameFile(want, got) {
				t.Errorf("stat %s: %v, %v", name, err, wantErr)
			}
			want, wantErr = os.Lstat(filepath.Join(dir, name))
			if got, err = f.Lstat(name); !sameError(err, wantErr) || err == nil && !os.SameFile(want, got) {
				t.Errorf("lstat %s: %v, %v", name, err, wantErr)
			}
			wantText, wantErr := os.ReadFile(filepath.Join(dir, name))
			if text, err := f.ReadFile(name); !sameError(err, wantErr) || string(text) != string(wantText) {
				t.Errorf("read %s: %q %v, %v", name, text, err, wantErr)
			}
			wantLink, wantErr := os.Readlink(filepath.Join(dir, name))
			if link, err := f.ReadLink(name); !sameError(err, wantErr) || link != wantLink {
				t.Errorf("readlink %s: %q %v, %v", name, link, err, wantErr)
			}
		}
	})
}

func sameError(a, b error) bool {
	for _, errno := range []error{nil, syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP, syscall.EISDIR, syscall.EINVAL} {
		if errno == nil && (a == nil) != (b == nil) || errno != nil && errors.Is(a, errno) != errors.Is(b, errno) {
			return false
		}
	}
	return true
}

// TestNothingLeadsOut tries every way out at every method.
func TestNothingLeadsOut(t *testing.T) {
	parent := t.TempDir()
	write(t, parent, map[string]string{"secret": canary, "top/.git/config": canary, "top/site/f": "1", "top/other/f": "2"})
	top := filepath.Join(parent, "top")
	out := map[string]string{
		"absolute": filepath.Join(parent, "secret"), "above": "../../secret", "far": "../../../../../../../../../../etc/passwd",
		"exactly": "../..", "root": "/", "magic": "/proc/self/root", "cwd": "/proc/self/cwd", "fd": "/proc/self/fd/0",
		"git": "../.git/config", "gitdir": "../.git", "chain": "absolute", "through": "exactly/secret", "back": "../../top/site/f",
		"inside": filepath.Join(top, "site/f"), "detour": "../other/../../secret",
	}
	for name, target := range out {
		write(t, top, map[string]string{"site/" + name: "-> " + target})
	}
	write(t, top, map[string]string{"site/beside": "-> ../other", "site/beside-file": "-> ../other/f"})
	both(t, top, "site", func(t *testing.T, f *FS) {
		if text, err := f.ReadFile("beside/f"); string(text) != "2" {
			t.Errorf("a link to beside the directory: %v", err)
		}
		for name := range out {
			for _, name := range []string{name, name + "/secret", name + "/top/secret", "beside/../" + name, "beside/" + name} {
				for what, try := range map[string]func() (string, error){
					"read": func() (string, error) { b, err := f.ReadFile(name); return string(b), err },
					"open": func() (string, error) {
						file, err := f.Open(name)
						if err != nil {
							return "", err
						}
						defer file.Close()
						b, err := io.ReadAll(file)
						return string(b), err
					},
					"list": func() (string, error) { l, err := f.ReadDir(name); return fmt.Sprint(l), err },
					"stat": func() (string, error) { _, err := f.Stat(name); return "", err },
					"real": func() (string, error) { return f.Real(name) },
					"sub":  func() (string, error) { _, err := f.Directory(name); return "", err },
				} {
					got, err := try()
					if err == nil || strings.Contains(fmt.Sprint(got, err), canary) {
						t.Errorf("%s %s: %q, %v", what, name, got, err)
					}
				}
			}
			link := name
			if name == "chain" {
				link = "absolute"
			} else if name == "through" {
				link = "exactly"
			}
			_, err := f.Stat(name)
			var said *fault.Error
			if !errors.As(err, &said) || said.Hint == "" || said.Kind != fault.Input ||
				said.Message != fmt.Sprintf("the link %s leads to %s, which is no part of the project", link, out[link]) {
				t.Errorf("%s: %v", name, err)
			}
			if target, err := f.ReadLink(name); err != nil || target != out[name] {
				t.Errorf("the link %s itself is %q: %v", name, target, err)
			}
			if info, err := f.Lstat(name); err != nil || info.Mode()&fs.ModeSymlink == 0 {
				t.Errorf("lstat %s: %v", name, err)
			}
		}
	})
}

// TestSwapsDoNotLeadOut exchanges a directory and a link to another place, as fast as
// it can, while files are read through it.
func TestSwapsDoNotLeadOut(t *testing.T) {
	parent := t.TempDir()
	write(t, parent, map[string]string{"outside/f": canary, "top/dir/f": "inside", "top/real/f": "inside"})
	top := filepath.Join(parent, "top")
	must(t, os.Symlink(filepath.Join(parent, "outside"), filepath.Join(top, "link")))
	must(t, os.Symlink("real", filepath.Join(top, "good")))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(top, "dir"), unix.AT_FDCWD, filepath.Join(top, "link"), unix.RENAME_EXCHANGE)
			_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(top, "good"), unix.AT_FDCWD, filepath.Join(top, "link"), unix.RENAME_EXCHANGE)
		}
	}()
	defer func() { close(stop); <-done }()
	both(t, top, "", func(t *testing.T, f *FS) {
		seen := map[bool]int{}
		for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
			for _, name := range []string{"dir/f", "good/f", "link/f"} {
				text, err := f.ReadFile(name)
				if strings.Contains(string(text), canary) || err != nil && strings.Contains(err.Error(), canary) {
					t.Fatalf("%s: %q, %v", name, text, err)
				}
				seen[err == nil]++
			}
		}
		if seen[true] == 0 || seen[false] == 0 {
			t.Errorf("nothing was exchanged: %v", seen)
		}
	})
}

// TestWhatIsNoFile: what would wait for somebody, or never end, is an error at once.
func TestWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"d/f": "1", "log": "begin"})
	must(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	defer unix.Close(socket)
	t.Chdir(dir)
	must(t, unix.Bind(socket, &unix.SockaddrUnix{Name: "socket"}))
	names := []string{"pipe", "socket"}
	if os.Getuid() == 0 && unix.Mknod(filepath.Join(dir, "zero"), unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))) == nil {
		names = append(names, "zero")
	}
	both(t, dir, "", func(t *testing.T, f *FS) {
		for _, name := range names {
			if _, err := f.ReadFile(name); err == nil {
				t.Errorf("%s was read", name)
			}
			if _, err := f.Open(name); err == nil {
				t.Errorf("%s was opened", name)
			}
			if info, err := f.Stat(name); err != nil || info.Mode().IsRegular() {
				t.Errorf("stat %s: %v", name, err)
			}
		}
		if _, err := f.ReadFile("d"); !errors.Is(err, syscall.EISDIR) {
			t.Error(err)
		}
	})
}

func TestAFileThatGrows(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"log": "begin"})
	f, err := Open(dir, dir)
	must(t, err)
	file, err := f.Open("log")
	must(t, err)
	defer file.Close()
	more, err := os.OpenFile(filepath.Join(dir, "log"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	defer more.Close()
	_, err = more.WriteString(strings.Repeat("more", 1000))
	must(t, err)
	if text, err := io.ReadAll(file); string(text) != "begin" || err == nil || !strings.Contains(err.Error(), "grows") {
		t.Errorf("%q, %v", text, err)
	}
}

// TestDeep: as deep as Linux opens, and an error below that.
func TestDeep(t *testing.T) {
	dir := t.TempDir()
	at := dir
	t.Chdir(dir)
	for range 2100 { // further down than a path can say
		must(t, os.Mkdir("d", 0o755))
		must(t, os.Chdir("d"))
		at = path.Join(at, "d")
	}
	must(t, os.Chdir(dir))
	f, err := Open(dir, dir)
	must(t, err)
	depth := 0
	err = fs.WalkDir(f, ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil {
			depth++
		}
		return err
	})
	if !errors.Is(err, unix.ENAMETOOLONG) || depth < 2000 {
		t.Errorf("%d deep: %.100v", depth, err)
	}
}
