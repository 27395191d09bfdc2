package git

import (
	"container/heap"
	"errors"

	"github.com/go-git/go-git/v5/plumbing"
)

// Relation is how two commits of one history stand to each other.
type Relation struct {
	Common Commit // the newest commit that is in both histories; zero if none was found
	Behind int    // commits of the base that the head does not have
	Ahead  int    // commits of the head that the base does not have
	// Cut says that the history ends early, as in a shallow clone: more may be
	// common, and less behind and ahead.
	Cut bool
}

// Relate finds where the history of head left that of base, as git merge-base does:
// it reads commits, newest first, until all that is left is older than what is common.
// Where clocks went wrong, commits that are in both may count as ahead or behind.
func (r *Repository) Relate(base, head Commit) (Relation, error) {
	w := painting{repo: r, seen: map[plumbing.Hash]*painted{}}
	if err := errors.Join(w.paint(plumbing.NewHash(base.ID), ofBase), w.paint(plumbing.NewHash(head.ID), ofHead)); err != nil {
		return Relation{}, err
	}
	for w.open > 0 {
		c := heap.Pop(&w.queue).(*painted)
		if c.matters() {
			w.open--
		}
		c.queued, c.done = false, true
		colour := c.colour
		if colour == ofBoth {
			colour |= older
		}
		for _, parent := range c.parents {
			if err := w.paint(parent, colour); err != nil {
				return Relation{}, err
			}
		}
	}
	return w.result(), nil
}

// colour says in which history a commit is.
type colour int

const (
	ofBase colour = 1 << iota
	ofHead
	older  // than another that is in both
	ofBoth = ofBase | ofHead
)

// painted is a commit of which it is known in which history it is.
type painted struct {
	record
	colour       colour
	queued, done bool
}

// matters reports whether what comes before a commit is still to be looked at: also
// what was looked at before, if clocks went wrong and it has another colour since.
func (c *painted) matters() bool { return c.colour&older == 0 || c.done }

// painting is a search for the common part of two histories.
type painting struct {
	repo  *Repository
	seen  map[plumbing.Hash]*painted
	queue byTime
	open  int // how many in the queue matter
	cut   bool
}

// paint says that a commit is in a history. A commit that is not there ends it.
func (w *painting) paint(id plumbing.Hash, in colour) error {
	c := w.seen[id]
	if c == nil {
		full, err := w.repo.commit(id, "commit "+id.String())
		if _, lost := w.repo.db.size(id); err != nil && errors.Is(lost, errMissing) && len(w.seen) > 1 {
			w.cut = true
			return nil
		}
		if err != nil {
			return err
		}
		c = &painted{record: full}
		w.seen[id] = c
	}
	if c.colour|in == c.colour {
		return nil
	}
	if c.queued && c.matters() {
		w.open--
	}
	c.colour |= in
	if c.matters() {
		w.open++
	}
	if !c.queued {
		c.queued = true
		heap.Push(&w.queue, c)
	}
	return nil
}

// result counts.
func (w *painting) result() Relation {
	rel := Relation{Cut: w.cut}
	for _, c := range w.seen {
		switch c.colour {
		case ofBase:
			rel.Behind++
		case ofHead:
			rel.Ahead++
		case ofBoth:
			newer := c.Time.Compare(rel.Common.Time)
			if rel.Common.ID == "" || newer > 0 || newer == 0 && c.ID < rel.Common.ID {
				rel.Common = c.Commit
			}
		}
	}
	return rel
}

// byTime is a heap of commits, the newest first.
type byTime []*painted

func (q byTime) Len() int           { return len(q) }
func (q byTime) Less(i, j int) bool { return q[i].Time.After(q[j].Time) }
func (q byTime) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byTime) Push(c any)        { *q = append(*q, c.(*painted)) }
func (q *byTime) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
