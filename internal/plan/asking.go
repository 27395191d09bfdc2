package plan

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible"
)

// exactly makes the questions of reasons exact: of an input that is not as it was, who
// asked for it says what was asked. Where nobody followed the playbooks, that is not known.
func (c *comparer) exactly(reasons []Reason, p *pair) {
	asked := map[bool]map[string]ansible.Search{} // at head, at base
	for i := range reasons {
		r := &reasons[i]
		switch {
		case r.Kind != ReasonFile || r.Question == nil:
		case r.became == came || r.became == gone:
			missing, list := &p.old, p.before
			if r.became == gone {
				missing, list = &p.now, p.after
			}
			if dir := missing.directoryWith(r.Name); dir != "" && r.input == KindFile {
				r.Question.Kind, r.Question.Name = AskBelow, dir
				continue
			}
			if c.otherwise(r.Via) {
				continue // it is named now, or no more
			}
			if asked[r.became == gone] == nil {
				asked[r.became == gone] = searched(list, reasons)
			}
			r.searched(asked[r.became == gone])
		case r.became == changed && r.input == KindAnsible:
			c.askedOf(r, p)
		}
	}
}

// otherwise reports whether the files that use something have changed themselves.
func (c *comparer) otherwise(via []string) bool {
	return slices.ContainsFunc(via, func(at string) bool {
		name, _, _ := strings.Cut(at, ":")
		return !c.asItWas(name)
	})
}

// asItWas reports whether a file is the same at both revisions.
func (c *comparer) asItWas(name string) bool {
	if c.o.Changed != nil {
		return !slices.Contains(c.o.Changed, name)
	}
	was, err1 := c.base.Source.same(name)
	now, err2 := c.head.Source.same(name)
	return err1 == nil && err2 == nil && was == now
}

// directoryWith is the directory that a layer names and a file is below; "" if there is
// none.
func (c *collector) directoryWith(name string) string {
	for _, s := range c.n.Steps {
		for _, f := range namedBy(s) {
			if dir := path.Clean(f.name); dir == "." || strings.HasPrefix(name, dir+"/") {
				return dir
			}
		}
	}
	return ""
}

// searched is how some analyses looked for the files that reasons name.
func searched(list []*ansible.Analysis, reasons []Reason) map[string]ansible.Search {
	var names []string
	for _, r := range reasons {
		if r.Question != nil && r.Question.Kind == AskExists {
			names = append(names, r.Name)
		}
	}
	all := map[string]ansible.Search{}
	for _, one := range slices.Backward(list) { // the first says it
		for name, by := range one.Searched(names) {
			all[name] = by
		}
	}
	return all
}

// searched says in which directory the file was looked for, if it was not asked for by
// its name.
func (r *Reason) searched(by map[string]ansible.Search) {
	s := by[r.Name]
	switch {
	case r.Question.Kind != AskExists || s.Dir == "":
	case s.Below && path.Dir(r.Name) != s.Dir:
		r.Question.Kind, r.Question.Name = AskBelow, s.Dir
	default:
		r.Question.Kind, r.Question.Name = AskNames, s.Dir
	}
}

// askedOf says what else than its bytes was asked of a file that is there at both
// revisions: which plays mean the node, what is set, which of its tasks run.
func (c *comparer) askedOf(r *Reason, p *pair) {
	if r.Question.Kind != AskBytes || len(p.before) == 0 || len(p.before) != len(p.after) {
		return
	}
	for i := range p.before {
		if pattern := ansible.OtherPattern(p.before[i], p.after[i], r.Name); pattern != "" {
			r.Question.Kind, r.Question.Name = AskMatches, pattern
			break
		}
		if r.Name == p.before[i].Config() && r.Name == p.after[i].Config() {
			if setting := ansible.OtherSetting(c.base.Source.playbooks, c.head.Source.playbooks, r.Name); setting != "" {
				r.Question.Kind, r.Question.Name = AskConfig, setting
				break
			}
		}
	}
	if c.asItWas(r.Name) {
		r.became = otherwise
		if r.Question.Kind == AskBytes {
			r.Question.Kind = AskReached
		}
	}
}
