package git

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// site is a repository of 10,000 files in 2,000 directories, of which the last
// commit changed one.
func site(b *testing.B) string {
	b.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	contents := map[string]string{}
	for role := range 400 {
		for _, part := range []string{"tasks", "defaults", "templates", "handlers", "files"} {
			for file := range 5 {
				var text strings.Builder
				text.WriteString("---\n")
				for range 5 + random.IntN(75) {
					fmt.Fprintf(&text, "%x_%x: %x\n", random.IntN(4000), random.IntN(4000), random.Uint32())
				}
				contents[fmt.Sprintf("roles/g%d/r%d/%s/f%d.yml", role%20, role, part, file)] = text.String()
			}
		}
	}
	dir := create(b, contents)
	commit(b, dir, "change", map[string]string{"roles/g5/r5/tasks/f2.yml": "changed: true\n"})
	return dir
}

// names lists all files of a file system.
func names(b *testing.B, f fs.FS) []string {
	b.Helper()
	var list []string
	var walk func(dir string)
	walk = func(dir string) {
		found, err := fs.ReadDir(f, dir)
		must(b, err)
		for _, e := range found {
			if name := path.Join(dir, e.Name()); e.IsDir() {
				walk(name)
			} else {
				list = append(list, name)
			}
		}
	}
	walk(".")
	return list
}

func readAll(b *testing.B, f fs.FS, list []string) {
	b.Helper()
	var wg sync.WaitGroup
	const readers = 2
	for i := range readers {
		wg.Go(func() {
			for n := i; n < len(list); n += readers {
				if _, err := fs.ReadFile(f, list[n]); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkSite measures each operation from an unopened repository on.
func BenchmarkSite(b *testing.B) {
	dir := site(b)
	for _, form := range []string{"loose", "packed"} {
		if form == "packed" {
			git(b, dir, "gc", "-q")
		}
		b.Run(form+"/list-and-compare", func(b *testing.B) {
			for b.Loop() {
				r := open(b, dir)
				base, head := at(b, r, "HEAD~1", ""), at(b, r, "HEAD", "")
				if len(names(b, base)) != 10000 || len(names(b, head)) != 10000 {
					b.Fatal("not all files are listed")
				}
				if list, err := Changed(base, head); err != nil || len(list) != 1 {
					b.Fatal(list, err)
				}
			}
		})
		b.Run(form+"/compare", func(b *testing.B) {
			for b.Loop() {
				r := open(b, dir)
				if list, err := Changed(at(b, r, "HEAD~1", ""), at(b, r, "HEAD", "")); err != nil || len(list) != 1 {
					b.Fatal(list, err)
				}
			}
		})
		b.Run(form+"/read", func(b *testing.B) {
			for b.Loop() {
				f := at(b, open(b, dir), "HEAD", "")
				readAll(b, f, names(b, f))
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	git(b, dir, "update-index", "-q", "--really-refresh")
	write(b, dir, map[string]string{"roles/g7/r7/tasks/f1.yml": "changed: true\n"})
	b.Run("worktree/compare", func(b *testing.B) {
		for b.Loop() {
			r := open(b, dir)
			w, err := r.Worktree(dir)
			must(b, err)
			if list, err := Changed(at(b, r, "HEAD", ""), w); err != nil || len(list) != 1 {
				b.Fatal(list, err)
			}
		}
	})
	b.Run("worktree/ids", func(b *testing.B) {
		for b.Loop() {
			w, err := open(b, dir).Worktree(dir)
			must(b, err)
			for _, name := range names(b, w) {
				if _, err := w.(*worktree).ObjectID(name); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("files/ids", func(b *testing.B) {
		for b.Loop() {
			f := at(b, open(b, dir), "HEAD", "")
			for _, name := range names(b, f) {
				if _, err := f.(*files).ObjectID(name); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("peer/git-diff-commits", func(b *testing.B) {
		for b.Loop() {
			git(b, dir, "diff", "--name-only", "HEAD~1", "HEAD")
		}
	})
	b.Run("peer/git-diff-worktree", func(b *testing.B) {
		for b.Loop() {
			git(b, dir, "diff", "--name-only", "HEAD")
		}
	})
	b.Run("peer/cat-file-all", func(b *testing.B) {
		for b.Loop() {
			git(b, filepath.Join(dir, "roles"), "cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer")
		}
	})
}
