package ansible

import (
	"regexp"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// Sets reports whether a file sets a variable of this name, wherever in it. It is for
// messages: no analysis asks it.
func (p *Project) Sets(file, name string) bool {
	if p.files.Kind(file) != tree.File {
		return false
	}
	if d := p.files.Document(file); d.Err == nil && d.Value.Kind != value.String {
		return sets(d.Value, name)
	}
	text, err := p.files.Text(file)
	return err == nil && regexp.MustCompile(`(^|\s)`+regexp.QuoteMeta(name)+`\s*=`).Match(text)
}

// sets looks for a key in a value and all that is in it.
func sets(v value.Value, name string) bool {
	for _, p := range v.Pairs() {
		if p.Key.Text == name || sets(p.Value, name) {
			return true
		}
	}
	for _, item := range v.Items() {
		if sets(item, name) {
			return true
		}
	}
	return false
}
