package tree

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/strata-hpc/strata/internal/trace"
)

// TestSeenNoticesWhatDiffers asks single questions about trees that differ.
func TestSeenNoticesWhatDiffers(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	link := func(to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
	}
	before := fstest.MapFS{
		"roles/a/tasks/main.yml": file("[]"), "roles/a/README": file("a"), "shared/x/y.yml": file("x: 1"),
		"roles/b": link("../shared/x"), "gone/file": file(""), "dangling": link("later"),
		"comment.yml": file("a: 1\n"), "lines.yml": file("a: 1\n"),
		"linked/still": link("../shared"), "far/on": link("../way/station"), "way/station": link("../roles/a/tasks"),
		"more/on": link("../roles"), "moved/on": link("../roles/a/tasks"), "made/tasks/main.yml": file("[]"),
		"waiting/for": link("../later"), "out/of": link("../../other"), "only/here": link("../roles/a/tasks"), "superset/main.yml": file("[]"), "superset/more.yml": file("[]"),
	}
	after := fstest.MapFS{
		"roles/a/tasks/main.yml": file("[{}]"), "roles/a/README": file("a"), "roles/a/vars/main.yml": file("{}"), "shared/x/y.yml": file("x: 2"),
		"roles/b": link("../shared/x"), "dangling": link("later"), "later": file(""),
		"linked/still": link("../shared"), "far/on": link("../way/station"), "way/station": link("../roles/a"),
		"more/on": link("../roles"), "moved/on": link("../shared/x"), "made/tasks": link("../superset"), "shared/z.yml": file("[]"),
		"waiting/for": link("../later"), "out/of": link("../../other"), "only/here": link("../roles/a/tasks"), "superset/main.yml": file("[]"), "superset/more.yml": file("[]"),
		"comment.yml": file("a: 1 # it is\n# The end.\n"), "lines.yml": file("# The beginning.\na: 1\n"),
	}
	changed := []string{"roles/a/tasks/main.yml", "roles/a/vars/main.yml", "shared/x/y.yml", "gone/file", "later", "comment.yml", "lines.yml",
		"way/station", "moved/on", "made/tasks", "made/tasks/main.yml", "shared/z.yml"}
	for _, c := range []struct {
		what    string
		ask     func(s *Seen)
		touched bool
	}{
		{"content that changed", func(s *Seen) { s.Document("roles/a/tasks/main.yml") }, true},
		{"a document with other comments", func(s *Seen) { s.Document("comment.yml") }, false},
		{"a document on other lines", func(s *Seen) { s.Document("lines.yml") }, false},
		{"the digest of one with other comments", func(s *Seen) { s.Digest("comment.yml") }, true},
		{"content that did not", func(s *Seen) { s.Digest("roles/a/README") }, false},
		{"kind of a file with other content", func(s *Seen) { s.Kind("roles/a/tasks/main.yml") }, false},
		{"a file that came", func(s *Seen) { s.Kind("roles/a/vars/main.yml") }, true},
		{"the directory of a file that came", func(s *Seen) { s.Kind("roles/a/vars") }, true},
		{"a name that is in neither", func(s *Seen) { s.Kind("roles/a/files") }, false},
		{"names that are others", func(s *Seen) { s.Names("roles/a") }, true},
		{"names that are not", func(s *Seen) { s.Names("roles/a/tasks") }, false},
		{"files below", func(s *Seen) { s.Below("roles/a") }, true},
		{"files below, of other content only", func(s *Seen) { s.Below("roles/a/tasks") }, false},
		{"files below a link, of other content only", func(s *Seen) { s.Below("only/here") }, false},
		{"files below, and a link that leads nowhere else", func(s *Seen) { s.Below("only") }, false},
		{"files below a link to a directory that gained some", func(s *Seen) { s.Below("linked") }, true},
		{"the same by its own name", func(s *Seen) { s.Below("linked/still") }, true},
		{"files below links to links", func(s *Seen) { s.Below("more") }, true},
		{"a link on the way that leads elsewhere", func(s *Seen) { s.Below("far") }, true},
		{"a link below that leads elsewhere", func(s *Seen) { s.Below("moved") }, true},
		{"a directory that became a link", func(s *Seen) { s.Below("made") }, true},
		{"a link below that leads somewhere now", func(s *Seen) { s.Below("waiting") }, true},
		{"links that lead out", func(s *Seen) { s.Below("out") }, true},
		{"a directory that went", func(s *Seen) { s.Names("gone") }, true},
		{"content through a link to a directory", func(s *Seen) { s.Document("roles/b/y.yml") }, true},
		{"names through a link, of what is there still", func(s *Seen) { s.Names("roles/b") }, false},
		{"files below, some of them through a link", func(s *Seen) { s.Below("roles") }, true},
		{"a link that leads somewhere now", func(s *Seen) { s.Kind("dangling") }, true},
	} {
		once := NewOnce()
		base, head := New(before, once), New(after, once)
		s := NewSeen(base)
		c.ask(s)
		differences, touched := Compare(base, head, changed), false
		s.Asked.All(func(q trace.Question) { touched = touched || differences.Differs(q.Kind, q.Name) })
		if touched != c.touched {
			t.Errorf("%s: touched is %v", c.what, touched)
		}
	}
}
