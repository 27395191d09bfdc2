package plan

import (
	"bytes"
	"runtime"
	"slices"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/trace"
)

// An analysis is large, and a trace is small. So nodes are compared some at a time: of
// those the playbooks are followed at one revision, their traces are asked about the
// other, and what was found is let go before the next ones' turn comes.

// mostInLot is how many nodes' analyses are there at once, for each processor. Fewer
// have less in common, of which a trace is asked once for all.
const mostInLot = 64

// lots puts pairs together, those of one layer beside each other: their playbooks have
// most in common.
func lots(pairs []pair) [][]*pair {
	at, byLayer := map[string]int{}, [][]*pair(nil)
	for i := range pairs {
		of := pairs[i].now.n.Layer
		if _, known := at[of]; !known {
			at[of] = len(byLayer)
			byLayer = append(byLayer, nil)
		}
		byLayer[at[of]] = append(byLayer[at[of]], &pairs[i])
	}
	const each = 8 // for a processor, or more: so that none waits long for the last one
	most := min(max(len(pairs)/(each*runtime.GOMAXPROCS(0)), 1), mostInLot)
	return slices.Collect(slices.Chunk(slices.Concat(byLayer...), most))
}

// inLots compares the inputs of nodes, and keeps the traces that are made. It ends at
// any error.
func (c *comparer) inLots(pairs []pair) error {
	all := lots(pairs)
	made := make([][]trace.Trace, len(all))
	other := c.head
	if c.head.Name != "" {
		other = c.base
	}
	change := c.made().Source.playbooks.To(other.Source.playbooks, c.o.Changed)
	err := each(len(all), func(i int) (err error) {
		for _, p := range all[i] {
			if err := c.followOne(p); err != nil {
				return err
			}
		}
		if made[i], err = c.verifyMade(all[i], change); err != nil {
			return err
		}
		for _, p := range all[i] {
			if err := c.compareInputs(p); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		c.keep(slices.Concat(made...))
	}
	return err
}

// verifyMade asks the traces of what was followed at one of the revisions, how it
// is at the other, and returns them.
func (c *comparer) verifyMade(lot []*pair, change *ansible.Change) ([]trace.Trace, error) {
	var made []trace.Trace
	for _, p := range lot {
		list := p.after
		if len(list) == 0 && p.runs {
			list = p.before
		}
		if len(list) > 0 {
			t := trace.Trace{Key: p.key, Asked: askedBy(list), Note: noteOf(list)}
			if !p.brief { // all of it is needed anyway
				t.Came = p.now.came(list)
			}
			made = append(made, t)
		}
	}
	if len(made) == 0 {
		return nil, nil
	}
	relevant := slices.Clone(made)
	for i := range relevant {
		relevant[i].Asked = change.Relevant(made[i].Asked)
	}
	file := trace.Encode(nil, relevant)
	traces, err := trace.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	v := verifier{traces: traces, base: ansible.Touches{Follow: trace.NewSet(traces.Len())}}
	if v.head, err = change.Touches(traces); err != nil {
		return nil, err
	}
	if c.head.Name == "" {
		v.toHead = change
	}
	for _, p := range lot {
		v.verify(p)
	}
	return made, nil
}

// keep gives away the traces that were made, and those that are to be carried on.
func (c *comparer) keep(made []trace.Trace) {
	if c.o.Made == nil {
		return
	}
	byKey := map[trace.Key]bool{}
	for _, t := range made {
		byKey[t.Key] = true
	}
	c.made().Source.index(made)
	made = append(made, c.carried(byKey)...)
	if len(made) == 0 {
		return
	}
	var about []byte
	if c.o.About != nil {
		about = c.o.About(c.made())
	}
	c.o.Made(c.made(), trace.Encode(about, made))
}

// index has traces that were made of a revision tell which files define their variables.
func (s *Source) index(made []trace.Trace) {
	analyses := make([]*trace.Asked, len(made))
	for i, t := range made {
		analyses[i] = t.Asked
	}
	definers := s.playbooks.Definers(analyses)
	for i := range made {
		all := made[i].Asked.After()
		all.Include(definers)
		made[i].Asked = all
	}
}

// carried are the traces that were made before, and hold at the revision that traces are
// made of, but for those that were made anew.
func (c *comparer) carried(known map[trace.Key]bool) []trace.Trace {
	var all []trace.Trace
	if !c.o.Carry {
		return nil
	}
	for _, v := range c.verifiers {
		changed, change := v.head, v.toHead
		if c.head.Name == "" {
			changed, change = v.base, v.toBase
		}
		all = append(all, v.holding(changed, change, known)...)
	}
	return all
}

// forget takes out what was collected.
func (c *collector) forget() { c.inputs, c.errs, c.told, c.programs = nil, nil, nil, nil }
