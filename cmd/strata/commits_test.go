package main

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// entry is what a commit has of a path, as git has it: a file, one that may be
// executed, or a link.
type entry struct {
	mode string // 100644, 100755, 120000
	text string
}

// written is a git repository to which a test adds commits by the hundred: it
// writes the objects itself, as starting git for each would take most of the time.
type written struct {
	dir  string
	have map[string]bool // objects
}

func newWritten(t *testing.T, dir string) *written {
	t.Helper()
	for _, sub := range []string{"objects", "refs/heads"} {
		if err := os.MkdirAll(filepath.Join(dir, ".git", sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w := &written{dir: dir, have: map[string]bool{}}
	w.write(t, "HEAD", "ref: refs/heads/main\n")
	w.write(t, "config", "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n")
	return w
}

func (w *written) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, ".git", name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// commit adds a commit, which the branch is at then, and returns its id.
func (w *written) commit(t *testing.T, files map[string]entry, parents ...string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "tree %s\n", w.tree(t, files))
	for _, p := range parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	b.WriteString("author a <a@example.org> 1700000000 +0000\ncommitter a <a@example.org> 1700000000 +0000\n\nedit\n")
	id := w.object(t, "commit", b.String())
	w.write(t, "refs/heads/main", id+"\n")
	return id
}

// tree writes a directory with all below it.
func (w *written) tree(t *testing.T, files map[string]entry) string {
	t.Helper()
	lines := map[string]string{} // by name; git sorts directories as if they ended in a slash
	below := map[string]map[string]entry{}
	for name, e := range files {
		dir, rest, deeper := strings.Cut(name, "/")
		if !deeper {
			lines[name] = treeLine(e.mode, name, w.object(t, "blob", e.text))
			continue
		}
		if below[dir] == nil {
			below[dir] = map[string]entry{}
		}
		below[dir][rest] = e
	}
	for dir, files := range below {
		lines[dir+"/"] = treeLine("40000", dir, w.tree(t, files))
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		b.WriteString(lines[name])
	}
	return w.object(t, "tree", b.String())
}

func treeLine(mode, name, id string) string {
	raw, _ := hex.DecodeString(id)
	return mode + " " + name + "\x00" + string(raw)
}

func (w *written) object(t *testing.T, kind, content string) string {
	t.Helper()
	data := fmt.Sprintf("%s %d\x00%s", kind, len(content), content)
	sum := sha1.Sum([]byte(data))
	id := hex.EncodeToString(sum[:])
	if w.have[id] {
		return id
	}
	w.have[id] = true
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(data))
	z.Close()
	dir := filepath.Join(w.dir, ".git", "objects", id[:2])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, id[2:]), b.Bytes(), 0o444); err != nil {
		t.Fatal(err)
	}
	return id
}
