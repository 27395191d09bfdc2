package plan

import (
	"slices"

	"github.com/strata-hpc/strata/internal/ansible"
)

// leafSet is what may differ of what a node's playbooks reach, all else being as it was
// when its trace was made.
type leafSet struct {
	of  *verifier
	at  int // the trace
	all []ansible.Leaf
}

func (l *leafSet) moved() bool {
	return slices.ContainsFunc(l.all, func(one ansible.Leaf) bool { return l.of.moved(one.Via(l.at)) })
}

// tell sets what is told of a node's playbooks at both revisions: as unlikeReached does.
func (l *leafSet) tell(c *comparer, p *pair) {
	now := c.head.Source.note(p.now.n, p.note)
	was := &ansible.Reached{Commit: now.Commit}
	for i, one := range l.all {
		if !slices.ContainsFunc(l.all[:i], one.Same) {
			one.Add(was, c.base.Source.playbooks, l.at)
			one.Add(now, c.head.Source.playbooks, l.at)
		}
	}
	p.old.told, p.now.told = []*ansible.Reached{was}, []*ansible.Reached{now}
	c.unfollowed.Add(1)
}
