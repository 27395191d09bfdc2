package git

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"io/fs"
	"slices"
	"testing"

	"github.com/strata-hpc/strata/internal/fault"
)

// TestOutline: a clone without a commit tells by its outline how it differs from the
// commits that it has, as a whole clone does, and reads of it what they have, too.
func TestOutline(t *testing.T) {
	dir := create(t, map[string]string{
		"same": "same", "content": "old", "gone": "gone", "mode": "m", "run.sh": "#!old", "type": "-> content", "link": "-> same", "d/e/f": "f", "d/e/g": "g", "d/same": "same",
	})
	old := git(t, dir, "rev-parse", "HEAD")
	commit(t, dir, "second", map[string]string{
		"content": "new", "gone": "<gone>", "mode": "#!m", "run.sh": "#!new", "type": "no link", "d/e/g": "other", "d/new/h": "h",
	})
	whole := open(t, dir)
	outline, err := whole.Outline(Commit{ID: old})
	must(t, err)

	clone := t.TempDir()
	git(t, dir, "clone", "-q", "--depth", "1", "file://"+dir, clone)
	r := open(t, clone)
	_, err = r.Commit(old)
	wantFault(t, err, fault.Input, "")
	for _, below := range []string{"", "d"} {
		want := paths(t, at(t, whole, old, below), at(t, whole, "HEAD", below))
		was, err := r.Outlined(old, outline, below)
		must(t, err)
		if got := paths(t, was, at(t, r, "HEAD", below)); !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("below %q: %v differ, want %v", below, got, want)
		}
	}
	was, err := r.Outlined(old, outline, "")
	must(t, err)
	for name, want := range map[string]string{"same": "same", "link": "same", "d/e/f": "f"} {
		if got := read(was, name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	_, err = fs.ReadFile(was, "content")
	wantFault(t, err, fault.Input, "content", "shallow")
	for name, runs := range map[string]bool{"run.sh": true, "mode": false} { // which are not here as they were
		info, err := fs.Stat(was, name)
		must(t, err)
		if info.Mode()&0o100 != 0 != runs {
			t.Errorf("%s has mode %s", name, info.Mode())
		}
	}

	whatever := func(outline []byte) error {
		was, err := open(t, clone).Outlined(old, outline, "")
		if err == nil {
			_, err = Changed(was, at(t, r, "HEAD", ""))
		}
		return err
	}
	for n := range outline {
		if whatever(outline[:n]) == nil {
			t.Errorf("the first %d bytes of %d are taken for an outline", n, len(outline))
		}
	}
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(outline)))
	must(t, err)
	top := 4 + int(binary.LittleEndian.Uint32(text))
	for what, text := range map[string][]byte{"only the top": text[:top], "without the top": text[top:], "a length of 4 GiB": {255, 255, 255, 255, 1}} {
		err := whatever(deflated(t, text))
		if want := what != "without the top"; want != (err != nil) { // that is the outline of something else
			t.Errorf("%s: %v", what, err)
		}
	}
}

func deflated(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 1)
	must(t, err)
	_, err = w.Write(text)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}
