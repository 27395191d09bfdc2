package sandbox

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// mark ends the lines of a placeholder, by which they are known again: blanks that
// mean nothing in the files that have such lines. They are so many because every
// text of a tree is searched for them: a few do stand at ends of lines that somebody
// has written.
const mark = "\t \t  \t \t\t  \t \t  \t"

// Marked makes lines for a Placeholder with Lines, and one above them that says
// to a reader what they are.
func Marked(about string, lines []string) string {
	var b strings.Builder
	b.WriteString("# " + about + mark + "\n")
	for _, line := range lines {
		b.WriteString(strings.TrimSpace(line) + mark + "\n")
	}
	return b.String()
}

// Unmarked takes the marked lines out of a text, and says whether there were any.
func Unmarked(text string) (rest string, ours bool) {
	if !strings.Contains(text, mark+"\n") {
		return text, false
	}
	return withoutMarked(text, "")
}

// withoutMarked takes marked lines out of a text, also those that an edit has
// changed in the middle, and says whether there were any. An edit may have made
// one line of several of them: a line that the text did not have before is there
// once.
func withoutMarked(text, before string) (rest string, ours bool) {
	had := slices.Collect(strings.Lines(before))
	seen := map[string]bool{}
	var kept []string
	for line := range strings.Lines(text) {
		if strings.HasSuffix(strings.TrimSuffix(line, "\n"), mark) {
			ours = true
			continue
		}
		if !slices.Contains(had, line) {
			if seen[line] && strings.TrimSpace(line) != "" {
				continue
			}
			seen[line] = true
		}
		kept = append(kept, line)
	}
	if !ours {
		return text, false
	}
	return strings.Join(kept, ""), true
}

// cleanCopies takes marked lines out of the files below dir that have changed
// since then, such as the backup that a package makes. Where a layer is sealed, such
// lines are taken out of all files, without its being known what was there before.
func cleanCopies(dir string, since time.Time, before string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // a directory that cannot be read has no copies
		}
		st, err := d.Info()
		if err != nil || st.Size() > maxText || changed(st).Before(since.Add(-time.Second)) {
			return nil
		}
		content, err := readAtMost(path, maxText)
		if err != nil || !strings.Contains(content, mark+"\n") {
			return nil
		}
		text, _ := withoutMarked(content, before)
		if text == "" {
			return os.Remove(path)
		}
		return os.WriteFile(path, []byte(text), 0o600)
	})
}

// changed is when the kernel last saw a file change, which nobody can set.
func changed(st fs.FileInfo) time.Time {
	t := st.Sys().(*syscall.Stat_t).Ctim
	return time.Unix(t.Unix())
}
