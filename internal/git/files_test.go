package git

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/fault"
)

func TestFilesIsAFileSystem(t *testing.T) {
	dir := create(t, map[string]string{
		"README": "hello", "run.sh": "#!/bin/sh\n", "empty": "", "roles/a/tasks/main.yml": "x", "roles/a/files/deep/er/f": "y",
		"with space/ü/日本": "z", "-dash": "d", "new\nline": "n", "link": "-> README", "to-dir": "-> roles/a", "roles/up": "-> ../README",
		"a.b": "1", "a/b": "2", "a-b": "3",
	})
	git(t, dir, "gc", "-q")
	f := at(t, open(t, dir), "HEAD", "")
	must(t, fstest.TestFS(f, "README", "run.sh", "empty", "roles/a/tasks/main.yml", "with space/ü/日本", "-dash", "new\nline", "a/b", "link"))
	sub, err := fs.Sub(f, "roles/a")
	must(t, err)
	must(t, fstest.TestFS(sub, "tasks/main.yml", "files/deep/er/f"))
	w, err := open(t, dir).Worktree(dir)
	must(t, err)
	must(t, fstest.TestFS(w, "README", "run.sh", "with space/ü/日本", "-dash", "a/b"))
}

// TestFilesAreAsOnDisk compares what a commit's files say with what the kernel says
// of the same files checked out, links above all.
func TestFilesAreAsOnDisk(t *testing.T) {
	contents := map[string]string{
		"a/f": "1", "a/g": "#!x", "b/c/d/e": "2", "top": "3",
		"l/file": "-> ../a/f", "l/dir": "-> ../b/c", "l/through": "-> dir/d/e", "l/chain": "-> through", "l/dot": "-> ./../a/./f",
		"l/dangling": "-> nothing", "l/loop1": "-> loop2", "l/loop2": "-> loop1", "l/self": "-> self", "l/top": "-> ..",
		"l/slash": "-> ../b/c/", "l/below-file": "-> ../a/f/x", "l/file-slash": "-> ../a/f/", "l/up-from-link": "-> dir/../../a/f",
		"l/double": "-> ..//a///f", "l/under-self": "-> self/x",
	}
	for i := range 45 {
		contents[fmt.Sprintf("n/%d", i)] = fmt.Sprintf("-> %d", i+1)
	}
	contents["n/45"] = "end"
	dir := create(t, contents)
	f := at(t, open(t, dir), "HEAD", "").(*files)
	disk := os.DirFS(dir).(interface {
		fs.StatFS
		fs.ReadLinkFS
	})
	names := []string{"l/dir/d", "l/dir/d/e", "l/dir/nothing", "l/top/l/top/a/f", "a/f/x", "l/loop1/x", "l/dangling/x", "l", ".", "l/dir/d/e/f"}
	for name := range contents {
		names = append(names, name)
	}
	for _, name := range names {
		want, got := read(disk, name), read(f, name)
		if circle := "<" + syscall.ELOOP.Error() + ">"; want == circle && strings.Contains(got, "leads in a circle, or over more than") {
			got = circle // with the link that is to blame
		}
		if want != got {
			t.Errorf("read %s: %q, on disk %q", name, got, want)
		}
		describe := func(info fs.FileInfo, err error) string {
			if err != nil {
				return fmt.Sprint(errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENOTDIR))
			}
			size := info.Size()
			if !info.Mode().IsRegular() {
				size = 0
			}
			return fmt.Sprint(info.Name(), info.Mode()&^0o022, size, info.IsDir())
		}
		if want, got := describe(disk.Stat(name)), describe(f.Stat(name)); want != got {
			t.Errorf("stat %s: %s, on disk %s", name, got, want)
		}
		if want, got := describe(disk.Lstat(name)), describe(f.Lstat(name)); want != got {
			t.Errorf("lstat %s: %s, on disk %s", name, got, want)
		}
		want, _ = disk.ReadLink(name)
		if got, _ := f.ReadLink(name); want != got {
			t.Errorf("readlink %s: %q, on disk %q", name, got, want)
		}
	}
}

func TestLinksDoNotLeaveTheRepository(t *testing.T) {
	dir := create(t, map[string]string{
		"sub/absolute": "-> /etc/passwd", "sub/above": "-> ../../../../../../etc/passwd", "sub/exactly": "-> ../..", "sub/beside": "-> ../other/f",
		"other/f": "1", "sub/x": "2",
	})
	f := at(t, open(t, dir), "HEAD", "sub").(*files)
	for _, name := range []string{"absolute", "above", "exactly"} {
		_, err := f.Stat(name)
		target, linkErr := f.ReadLink(name)
		if linkErr != nil || target == "" {
			t.Errorf("%s: %v", name, linkErr)
		}
		if want := "the link " + name + " leads to " + target; errors.Is(err, fs.ErrNotExist) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := read(f, "beside"); got != "1" {
		t.Errorf("a link to beside the directory reads as %s", got)
	}
	for _, name := range []string{"../other/f", "/x", "x/", "", "./x", "x/../x"} {
		if _, err := f.Open(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestFilesBelow(t *testing.T) {
	dir := create(t, map[string]string{"a/b/c": "1", "link": "-> a/b", "file": "2"})
	r := open(t, dir)
	c, err := r.Commit("HEAD")
	must(t, err)
	for below, want := range map[string]string{"": "1", ".": "1", "a": "1", "a/b": "1", "link": "1"} {
		f, err := r.Files(c, below)
		must(t, err)
		name := map[string]string{"a": "b/c", "a/b": "c", "link": "c"}[below]
		if name == "" {
			name = "a/b/c"
		}
		if got := read(f, name); got != want {
			t.Errorf("below %q: %s", below, got)
		}
	}
	for _, below := range []string{"nothing", "file"} {
		_, err := r.Files(c, below)
		wantFault(t, err, fault.Input, "has no directory "+below)
	}
	_, err = r.Files(Commit{ID: "rubbish"}, "")
	wantFault(t, err, fault.Input, "there is no revision rubbish")
}

// TestSubmoduleThatWasNotFetched is an empty directory, as git leaves it, and in which
// any name is an error that tells how to get it.
func TestSubmoduleThatWasNotFetched(t *testing.T) {
	one := create(t, map[string]string{"x": "y"})
	dir := create(t, map[string]string{"a": "1"})
	git(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", one, "mod")
	git(t, dir, "commit", "-qm", "with a submodule")
	must(t, os.RemoveAll(filepath.Join(dir, ".git", "modules")))
	f := at(t, open(t, dir), "HEAD", "").(*files)
	info, err := f.Stat("mod")
	if err != nil || !info.IsDir() {
		t.Errorf("%v, %v", info, err)
	}
	_, err = f.ReadDir("mod")
	wantFault(t, err, fault.Input, "submodule was not fetched: mod, which is commit")
	if list, err := fs.ReadDir(Checkout(f), "mod"); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	_, err = f.ReadFile("mod/x")
	wantFault(t, err, fault.Input, "submodule was not fetched: mod, which is commit", "submodule update --init --recursive -- mod")
	must(t, fstest.TestFS(Checkout(f), "a", "mod", ".gitmodules"))
	w, err := open(t, dir).Worktree(dir)
	must(t, err)
	if read(w, "mod/x") != "y" {
		t.Error("on disk, a submodule has its files")
	}
	if _, err := fs.Stat(w, "mod/.git"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestNamesThatAreNotUTF8(t *testing.T) {
	name := "latin-\xfc"
	dir := create(t, map[string]string{name: "1"})
	w, err := open(t, dir).Worktree(dir)
	must(t, err)
	for _, f := range []fs.FS{at(t, open(t, dir), "HEAD", ""), w} {
		list, err := fs.ReadDir(f, ".")
		if err != nil || len(list) != 1 || list[0].Name() != name || read(f, name) != "1" {
			t.Errorf("%v, %v, %s", list, err, read(f, name))
		}
	}
}

func TestReadFileGivesACopy(t *testing.T) {
	dir := create(t, map[string]string{"a": strings.Repeat("line\n", 100), "b": strings.Repeat("line\n", 100) + "x"})
	git(t, dir, "gc", "-q")
	f := at(t, open(t, dir), "HEAD", "").(*files)
	for _, name := range []string{"a", "b", "a", "b"} {
		content, err := f.ReadFile(name)
		must(t, err)
		if !strings.HasPrefix(string(content), "line\nline\n") {
			t.Fatal("what a caller changed is in the repository's memory")
		}
		for i := range content {
			content[i] = 0
		}
	}
}

func TestObjectIDIsGits(t *testing.T) {
	dir := create(t, map[string]string{"a": "1", "b/same": "1", "c": "other", "link": "-> b", "to-a": "-> a", "crlf": "x\r\n"})
	f := at(t, open(t, dir), "HEAD", "").(*files)
	w, err := open(t, dir).Worktree(filepath.Join(dir, "b"))
	must(t, err)
	id := git(t, dir, "rev-parse", "HEAD:a")
	for _, name := range []string{"a", "b/same", "link/same", "to-a"} {
		if got, err := f.ObjectID(name); err != nil || got != id {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if got, err := w.(*worktree).ObjectID("same"); err != nil || got != id {
		t.Errorf("on disk: %s, %v", got, err)
	}
	for _, name := range []string{"b", "."} {
		if _, err := f.ObjectID(name); !errors.Is(err, syscall.EISDIR) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyReaders reads everything from several goroutines, packed and loose.
func TestManyReaders(t *testing.T) {
	contents := map[string]string{}
	for i := range 300 {
		contents[fmt.Sprintf("d%d/f%d", i%17, i)] = strings.Repeat(fmt.Sprintf("line %d\n", i%5), 50) + fmt.Sprint(i)
	}
	dir := create(t, contents)
	git(t, dir, "gc", "-q")
	commit(t, dir, "loose", map[string]string{"d3/new": "n"})
	contents["d3/new"] = "n"
	f := at(t, open(t, dir), "HEAD", "")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			seen := 0
			err := fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				seen++
				file, err := f.Open(name)
				if err != nil {
					return err
				}
				content, err := io.ReadAll(file)
				if err != nil || string(content) != contents[name] {
					return fmt.Errorf("%s is %q: %w", name, content, err)
				}
				info, err := d.Info()
				if err != nil || info.Size() != int64(len(content)) {
					return fmt.Errorf("%s: %v, %w", name, info, err)
				}
				return nil
			})
			if err != nil || seen != len(contents) {
				t.Errorf("%d files, %v", seen, err)
			}
		})
	}
	wg.Wait()
}

// TestBadTrees: names that git itself never writes.
func TestBadTrees(t *testing.T) {
	id := strings.Repeat("x", 20)
	for _, bad := range []string{
		"100644 ..\x00" + id, "100644 .\x00" + id, "100644 \x00" + id, "100644 a/b\x00" + id, "100644 a\x00short", "100644 a", "x a\x00" + id,
		"100644 a\x00" + id + "100644 a\x00" + id, "40000 a\x00" + id + "100644 a\x00" + id,
	} {
		if tr, err := parseTree([]byte(bad)); err == nil {
			t.Errorf("%q is %v", bad, tr)
		}
	}
	tr, err := parseTree([]byte("100664 b\x00" + id + "40000 a\x00" + id))
	must(t, err)
	if !slices.IsSortedFunc(tr.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) }) || tr.entries[1].fileMode() != 0o644 {
		t.Errorf("%v", tr)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("100644 a\x0012345678901234567890"))
	f.Add([]byte("tree " + strings.Repeat("a", 40) + "\ncommitter X <y> 1 +0100\n\nsubject"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseTree(b)
		_, _ = parseCommit(string(b))
		_, _ = parseRevision(string(b))
		_ = remoteURL(b).shown()
	})
}
