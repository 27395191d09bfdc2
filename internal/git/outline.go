package git

import (
	"bytes"
	"compress/flate"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// An outline is the directories of a commit: the names in it, and the ids of what they
// name. A clone that lacks the commit, as a shallow one does, can tell with it which
// files differ from those of commits that it has.
//
// It is the commit's tree objects as git has them, each once, with its length before it
// (32 bits, little-endian), the top first, and all of it compressed.

const largestOutline = 128 << 20 // in bytes, not compressed: of some million files

// Outline makes that of a commit. A submodule is in it by its commit only.
func (r *Repository) Outline(c Commit) ([]byte, error) {
	full, err := r.commit(plumbing.NewHash(c.ID), "commit "+c.Short())
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err != nil {
		return nil, err
	}
	seen := map[plumbing.Hash]bool{full.tree: true}
	for next := []plumbing.Hash{full.tree}; len(next) > 0; {
		id := next[0]
		next = next[1:]
		text, err := r.object(plumbing.TreeObject, id, "a directory of commit "+c.Short())
		if err != nil {
			return nil, err
		}
		t, err := parseTree(text)
		if err != nil {
			return nil, r.corrupt(id, "a directory of commit "+c.Short(), err)
		}
		for _, e := range t.entries {
			if e.mode == filemode.Dir && !seen[e.id] {
				seen[e.id], next = true, append(next, e.id)
			}
		}
		if _, err := w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)); err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return packed.Bytes(), err
}

// Outlined is Files of a commit of which there is only the outline, Hollow: contents are
// there if they are part of another commit that is here.
func (r *Repository) Outlined(id string, outline []byte, below string) (fs.FS, error) {
	if !plumbing.IsHash(id) {
		return nil, unknown(id, "")
	}
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(outline)), largestOutline+1))
	if err != nil || len(text) > largestOutline {
		return nil, errors.New("read outline: it is damaged, or too large")
	}
	trees, top, err := readOutline(text)
	if err != nil {
		return nil, fmt.Errorf("read outline: %w", err)
	}
	r.mu.Lock()
	for id, t := range trees {
		r.trees[id] = t
	}
	r.mu.Unlock()
	f := &files{repo: r, commit: Commit{ID: id}, hollow: true}
	f.at = &place{entry: entry{name: ".", mode: filemode.Dir, id: top}}
	if below == "" || below == "." {
		return f, nil
	}
	return f.Sub(below)
}

// readOutline reads trees that are named by what they say, so that none can be another.
func readOutline(text []byte) (trees map[plumbing.Hash]*tree, top plumbing.Hash, err error) {
	trees = map[plumbing.Hash]*tree{}
	for len(text) > 0 {
		if len(text) < 4 || uint64(len(text)-4) < uint64(binary.LittleEndian.Uint32(text)) {
			return nil, top, errors.New("it ends too early")
		}
		object := text[4 : 4+binary.LittleEndian.Uint32(text)]
		text = text[4+len(object):]
		t, err := parseTree(object)
		if err != nil {
			return nil, top, err
		}
		id := plumbing.Hash(sha1.Sum(append(fmt.Appendf(nil, "tree %d\x00", len(object)), object...)))
		if len(trees) == 0 {
			top = id
		}
		trees[id] = t
	}
	if len(trees) == 0 {
		return nil, top, errors.New("it is empty")
	}
	return trees, top, nil
}
