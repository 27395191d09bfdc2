package git

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// deepCommit makes a commit with a file so many directories deep, which no disk needs
// to take.
func deepCommit(t *testing.T, dir string, depth int) string {
	t.Helper()
	hash := func(kind string, content []byte) plumbing.Hash {
		object := append(fmt.Appendf(nil, "%s %d\x00", kind, len(content)), content...)
		id := sha1.Sum(object)
		var packed bytes.Buffer
		to := zlib.NewWriter(&packed)
		_, err := to.Write(object)
		must(t, errors.Join(err, to.Close()))
		name := hex.EncodeToString(id[:])
		write(t, filepath.Join(dir, ".git", "objects"), map[string]string{name[:2] + "/" + name[2:]: packed.String()})
		return plumbing.Hash(id)
	}
	entry := func(mode filemode.FileMode, name string, id plumbing.Hash) []byte {
		return append(fmt.Appendf(nil, "%o %s\x00", uint32(mode), name), id[:]...)
	}
	id := hash("tree", entry(filemode.Regular, "f", hash("blob", []byte("deep"))))
	for range depth {
		id = hash("tree", entry(filemode.Dir, "d", id))
	}
	return git(t, dir, "commit-tree", "-m", "deep", id.String())
}

// TestDeepTrees: what a plan does with a commit takes time in proportion to its depth,
// and ends where no disk could take it.
func TestDeepTrees(t *testing.T) {
	dir := create(t, map[string]string{"a": "1"})
	for _, c := range []struct{ depth, reach int }{{1200, 1200}, {2100, 2047}} {
		f := at(t, open(t, dir), deepCommit(t, dir, c.depth), "").(*files)
		began, depth := time.Now(), 0
		err := fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				depth = max(depth, strings.Count(name, "d"))
			}
			return err
		})
		if too := c.depth > c.reach; too != errors.Is(err, syscall.ENAMETOOLONG) || !too && err != nil || depth < c.reach-1 || len(fmt.Sprint(err)) > 1000 {
			t.Errorf("%d deep: %d directories deep, %v", c.depth, depth, err)
		}
		if took := time.Since(began); took > 20*time.Second { // a minute, when paths were made anew for each part
			t.Errorf("%d deep: %s", c.depth, took)
		}
	}
}

// TestLongLinks: the target of a link is no longer than Linux has any.
func TestLongLinks(t *testing.T) {
	dir := create(t, map[string]string{"a": "1"})
	write(t, dir, map[string]string{"long": strings.Repeat("x/", 3000)})
	id := git(t, dir, "hash-object", "-w", "long")
	git(t, dir, "update-index", "--add", "--cacheinfo", "120000,"+id+",link")
	git(t, dir, "commit", "-qm", "link")
	if _, err := at(t, open(t, dir), "HEAD", "").(*files).ReadFile("link"); !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Error(err)
	}
}
