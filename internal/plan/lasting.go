package plan

import (
	"io/fs"
	"strings"
)

// reasons are the differences from the last build. What was there then is known by
// name only: of a variable that is told no more, not where it was set.
func (m *maker) reasons(last, now []Input) []Reason {
	found := differences(last, now)
	lasting(found, nil, m.src)
	return found
}

// lasting tells files and variables that came or went from those that were there all
// the time, and are only used, or not used, by now. A nil source is not known.
func lasting(reasons []Reason, base, head *Source) {
	for i := range reasons {
		r := &reasons[i]
		switch {
		case r.became == came && base != nil && base.has(*r):
			r.became = used
		case r.became == gone && (head.has(*r) || base == nil && r.Kind == ReasonVariable):
			r.became = unused
		default:
			continue
		}
		r.Question = &Question{Kind: AskReached, Name: r.Question.Name}
	}
}

// has reports whether there is what a reason names: the file, or in the file the
// variable. It is for messages, and decides nothing.
func (s *Source) has(r Reason) bool {
	switch {
	case r.File == "" || r.Question == nil || r.Question.Kind != AskExists && r.Question.Kind != AskVariable:
		return false
	case r.Kind == ReasonFile:
		_, err := fs.Stat(s.Files, strings.TrimSuffix(r.Name, "/"))
		return err == nil
	case r.Kind == ReasonVariable:
		s.open()
		return s.playbooks.Sets(r.File, r.Name)
	}
	return false
}
