package plan

import (
	"fmt"

	"github.com/strata-hpc/strata/internal/printable"
)

// Since says how the commit that was to be compared with stands to what is planned,
// if it has commits that are not in that.
type Since struct {
	Ref    string `json:"ref"`    // as it was asked for
	Commit string `json:"commit"` // that it names
	Newer  int    `json:"newer"`  // how many commits it has that what is planned lacks
	Undone bool   `json:"undone"` // what they changed counts as undone: it is compared with as it is
}

// SinceText is a sentence about it, "" if there is nothing to tell.
func (p *Plan) SinceText() string {
	s := p.Since
	if s == nil {
		return ""
	}
	ref := printable.Line(s.Ref)
	has := fmt.Sprintf("%s has %d commits that are not in what is planned", ref, s.Newer)
	if s.Newer == 1 {
		has = fmt.Sprintf("%s has 1 commit that is not in what is planned", ref)
	}
	if s.Undone {
		return has + ": what was changed there counts as undone\n"
	}
	return has + ": what was changed there does not count\n"
}
