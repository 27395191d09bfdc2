package git

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/fault"
)

func TestOpenFindsTheRepository(t *testing.T) {
	dir := create(t, map[string]string{"a": "1", "sub/deep/b": "2"})
	linked := filepath.Join(t.TempDir(), "linked")
	git(t, dir, "worktree", "add", "-q", "-b", "other", linked)
	write(t, linked, map[string]string{"sub/deep/b": "other"})
	git(t, linked, "commit", "-qam", "in the linked one")
	bare := filepath.Join(t.TempDir(), "bare.git")
	git(t, dir, "clone", "-q", "--bare", dir, bare)
	super := create(t, map[string]string{"x": "y"})
	git(t, super, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", dir, "mods/one")
	git(t, super, "commit", "-qm", "with a submodule")
	separate := filepath.Join(t.TempDir(), "elsewhere")
	git(t, dir, "clone", "-q", "--separate-git-dir", filepath.Join(t.TempDir(), "s.git"), dir, separate)
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(filepath.Join(dir, "sub"), link))

	for _, c := range []struct{ name, dir, prefix, file, content string }{
		{"top", dir, "", "a", "1"},
		{"subdirectory", filepath.Join(dir, "sub", "deep"), "sub/deep", "sub/deep/b", "2"},
		{"by a link", link, "sub", "a", "1"},
		{"linked work tree", filepath.Join(linked, "sub"), "sub", "sub/deep/b", "other"},
		{"bare", bare, "", "a", "1"},
		{"inside a bare one", filepath.Join(bare, "refs"), "", "a", "1"},
		{"the .git directory", filepath.Join(dir, ".git"), "", "a", "1"},
		{"submodule", filepath.Join(super, "mods", "one", "sub"), "sub", "a", "1"},
		{"separate git directory", separate, "", "a", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, c.dir)
			if r.Prefix() != c.prefix {
				t.Errorf("prefix %q, want %q", r.Prefix(), c.prefix)
			}
			if got := read(at(t, r, "HEAD", ""), c.file); got != c.content {
				t.Errorf("%s is %q, want %q", c.file, got, c.content)
			}
		})
	}
	_, err := open(t, bare).Worktree(bare)
	wantFault(t, err, fault.Input, "bare")
	_, err = open(t, dir).Worktree(super)
	wantFault(t, err, fault.Input, "is not in "+dir)
}

func TestOpenRefuses(t *testing.T) {
	nothing := t.TempDir()
	_, err := Open(nothing)
	wantFault(t, err, fault.Input, "no git repository", "init")
	_, err = Open(filepath.Join(nothing, "not-there"))
	wantFault(t, err, fault.Input, "not-there")

	write(t, nothing, map[string]string{"a/.git": "gitdir: /nowhere/at/all\n", "b/.git": "rubbish"})
	_, err = Open(filepath.Join(nothing, "a"))
	wantFault(t, err, fault.Input, "/nowhere/at/all", "repair")
	_, err = Open(filepath.Join(nothing, "b"))
	wantFault(t, err, fault.Input, "does not say")

	sha256 := t.TempDir()
	git(t, sha256, "init", "-q", "--object-format=sha256")
	_, err = Open(sha256)
	wantFault(t, err, fault.Input, "sha256", "sha1")

	for setting, want := range map[string]string{
		"extensions.refstorage": "reftable", "extensions.newfangled": "newfangled", "core.repositoryformatversion": "7",
	} {
		dir := create(t, nil)
		git(t, dir, "config", "core.repositoryformatversion", "1")
		git(t, dir, "config", setting, want)
		_, err = Open(dir)
		wantFault(t, err, fault.Input, want)
	}
}

func TestEmptyRepository(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "trunk")
	r := open(t, dir)
	_, err := r.Commit("HEAD")
	wantFault(t, err, fault.Input, "there is no revision HEAD", "trunk has no commit yet")
	_, err = r.Commit("trunk")
	wantFault(t, err, fault.Input, "there is no revision trunk")
	w, err := r.Worktree(dir)
	must(t, err)
	write(t, dir, map[string]string{"a": "1"})
	if read(w, "a") != "1" {
		t.Error("the work tree can be read")
	}
	// A commit without files, and objects that come while the repository is open.
	commit(t, dir, "empty", map[string]string{"a": "<gone>"})
	list, err := at(t, r, "HEAD", "").(*files).ReadDir(".")
	if err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAlternates(t *testing.T) {
	dir := create(t, map[string]string{"a": "1"})
	git(t, dir, "gc", "-q")
	commit(t, dir, "loose", map[string]string{"b": "2"})
	shared := filepath.Join(t.TempDir(), "shared")
	git(t, dir, "clone", "-q", "--shared", dir, shared)
	again := filepath.Join(t.TempDir(), "again")
	git(t, dir, "clone", "-q", "--shared", shared, again)
	f := at(t, open(t, again), "HEAD", "")
	if read(f, "a")+read(f, "b") != "12" {
		t.Errorf("a is %s, b is %s", read(f, "a"), read(f, "b"))
	}
	// Relative ones count from the directory of objects.
	beside := filepath.Join(filepath.Dir(dir), "beside")
	git(t, dir, "clone", "-q", "--shared", dir, beside)
	defer os.RemoveAll(beside)
	rel, err := filepath.Rel(filepath.Join(beside, ".git", "objects"), filepath.Join(dir, ".git", "objects"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(beside, ".git", "objects", "info", "alternates"), []byte("# here\n"+rel+"\n"), 0o644))
	if f := at(t, open(t, beside), "HEAD", ""); read(f, "a")+read(f, "b") != "12" {
		t.Error("relative alternates are not followed")
	}
}

func TestObjectsMoveWhileOpen(t *testing.T) {
	dir := create(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	git(t, dir, "gc", "-q")
	r := open(t, dir)
	f := at(t, r, "HEAD", "")
	if read(f, "a") != "1" {
		t.Fatal("a")
	}
	commit(t, dir, "second", map[string]string{"b": "new"})
	git(t, dir, "repack", "-q", "-a", "-d", "-f")
	git(t, dir, "prune-packed")
	if read(f, "c") != "3" || read(at(t, r, "main", ""), "b") != "new" {
		t.Error("a pack that git gc replaced is not found again")
	}
}

func TestDamage(t *testing.T) {
	dir := create(t, map[string]string{"whole": "1", "broken": strings.Repeat("line of text\n", 100), "gone": "3", "swapped": "4"})
	loose := func(name string) string {
		id := git(t, dir, "rev-parse", "HEAD:"+name)
		file := filepath.Join(dir, ".git", "objects", id[:2], id[2:])
		must(t, os.Chmod(file, 0o644))
		return file
	}
	content, err := os.ReadFile(loose("broken"))
	must(t, err)
	must(t, os.WriteFile(loose("broken"), content[:len(content)-8], 0o644))
	must(t, os.Remove(loose("gone")))
	other, err := os.ReadFile(loose("whole"))
	must(t, err)
	must(t, os.WriteFile(loose("swapped"), other, 0o644))

	f := at(t, open(t, dir), "HEAD", "").(*files)
	if read(f, "whole") != "1" {
		t.Error("the whole one is read")
	}
	_, err = f.ReadFile("broken")
	wantFault(t, err, fault.Failed, "broken of commit", "damaged", "fsck")
	_, err = f.ReadFile("swapped")
	wantFault(t, err, fault.Failed, "swapped of commit", "not what its name says")
	_, err = f.ReadFile("gone")
	wantFault(t, err, fault.Input, "gone of commit", "is missing from", git(t, dir, "rev-parse", "HEAD:gone"))
	_, err = f.Stat("gone")
	wantFault(t, err, fault.Input, "is missing from")
	if list, err := f.ReadDir("."); err != nil || len(list) != 4 {
		t.Errorf("listing needs no blobs: %v, %v", list, err)
	}
	_, err = f.Open("gone")
	wantFault(t, err, fault.Input, "is missing from")
}

// TestDamagedPack: every byte of a pack and its index is changed in turn; nothing
// may panic, and no wrong content may come out.
func TestDamagedPack(t *testing.T) {
	dir := create(t, map[string]string{"a": strings.Repeat("many lines\n", 40), "b": strings.Repeat("many lines\n", 40) + "more", "d/c": "3"})
	git(t, dir, "gc", "-q")
	want := map[string]string{}
	for _, name := range []string{"a", "b", "d/c"} {
		want[name] = read(at(t, open(t, dir), "HEAD", ""), name)
	}
	id := git(t, dir, "rev-parse", "HEAD")
	for _, ext := range []string{".pack", ".idx"} {
		found, err := filepath.Glob(filepath.Join(dir, ".git", "objects", "pack", "*"+ext))
		must(t, err)
		must(t, os.Chmod(found[0], 0o644))
		content, err := os.ReadFile(found[0])
		must(t, err)
		step := max(1, len(content)/400)
		for i := 0; i < len(content); i += step {
			content[i] ^= 0xff
			must(t, os.WriteFile(found[0], content, 0o644))
			content[i] ^= 0xff
			r := open(t, dir)
			c, err := r.Commit(id)
			if err != nil {
				continue
			}
			f, err := r.Files(c, "")
			if err != nil {
				continue
			}
			for name, text := range want {
				if got, err := f.(*files).ReadFile(name); err == nil && string(got) != text {
					t.Errorf("byte %d of %s: %s reads as %q", i, ext, name, got)
				}
			}
		}
		must(t, os.WriteFile(found[0], content, 0o644))
		for _, size := range []int{0, 7, len(content) / 2, len(content) - 30} {
			must(t, os.WriteFile(found[0], content[:size], 0o644))
			if r, err := Open(dir); err == nil {
				if c, err := r.Commit(id); err == nil {
					if f, err := r.Files(c, ""); err == nil {
						_, _ = f.(*files).ReadFile("b")
					}
				}
			}
		}
		must(t, os.WriteFile(found[0], content, 0o644))
	}
}
