package git

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// entry is a name in a tree.
type entry struct {
	name string
	mode filemode.FileMode // Dir, Regular, Executable, Symlink or Submodule
	id   plumbing.Hash
}

// isDir says whether the entry is a directory to those who read files.
func (e entry) isDir() bool { return e.mode == filemode.Dir || e.mode == filemode.Submodule }

// fileMode is the entry's mode as a file system has it.
func (e entry) fileMode() fs.FileMode {
	switch e.mode {
	case filemode.Dir, filemode.Submodule:
		return fs.ModeDir | 0o755
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	case filemode.Executable:
		return 0o755
	}
	return 0o644
}

// tree is a directory of a commit, its entries in the order of their names. It
// does not change.
type tree struct{ entries []entry }

func (t *tree) find(name string) (entry, bool) {
	i, ok := slices.BinarySearchFunc(t.entries, name, func(e entry, name string) int { return cmp.Compare(e.name, name) })
	if !ok {
		return entry{}, false
	}
	return t.entries[i], true
}

// parseTree reads git's format: mode, space, name, zero, 20 bytes of id.
func parseTree(content []byte) (*tree, error) {
	t := &tree{}
	text := string(content) // all names share one string
	for at := 0; at < len(content); {
		space := strings.IndexByte(text[at:], ' ')
		zero := bytes.IndexByte(content[at:], 0)
		if space < 0 || zero < space || at+zero+1+len(plumbing.Hash{}) > len(content) {
			return nil, errors.New("it ends too early")
		}
		mode, err := strconv.ParseUint(text[at:at+space], 8, 32)
		if err != nil {
			return nil, fmt.Errorf("mode %q", text[at:at+space])
		}
		e := entry{name: text[at+space+1 : at+zero], mode: canonical(uint32(mode))}
		// Such names would lead somewhere else.
		if e.name == "" || e.name == "." || e.name == ".." || strings.Contains(e.name, "/") {
			return nil, fmt.Errorf("an entry has the name %q", e.name)
		}
		at += zero + 1
		at += copy(e.id[:], content[at:])
		t.entries = append(t.entries, e)
	}
	// git sorts directories as if their names ended in a slash.
	slices.SortFunc(t.entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	for i := range t.entries[min(1, len(t.entries)):] {
		if t.entries[i].name == t.entries[i+1].name {
			return nil, fmt.Errorf("the name %q is there twice", t.entries[i].name)
		}
	}
	return t, nil
}

// canonical is the mode that git makes of any: only the owner's right to execute
// counts.
func canonical(mode uint32) filemode.FileMode {
	switch mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		return filemode.Dir
	case syscall.S_IFLNK:
		return filemode.Symlink
	case uint32(filemode.Submodule):
		return filemode.Submodule
	}
	if mode&0o100 != 0 {
		return filemode.Executable
	}
	return filemode.Regular
}

// known is a tree that was read before, or nil.
func (r *Repository) known(id plumbing.Hash) *tree {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.trees[id]
}

// tree returns a tree; what tells where it is, for errors.
func (r *Repository) tree(id plumbing.Hash, what string) (*tree, error) {
	if t := r.known(id); t != nil {
		return t, nil
	}
	content, err := r.object(plumbing.TreeObject, id, what)
	if err != nil {
		return nil, err
	}
	t, err := parseTree(content)
	if err != nil {
		return nil, r.corrupt(id, what, err)
	}
	r.mu.Lock()
	r.trees[id] = t
	r.mu.Unlock()
	return t, nil
}
