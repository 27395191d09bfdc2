package plan

import (
	"crypto/sha256"
	"sync"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/trace"
)

// reader reads what decides the nodes of one revision. It follows playbooks only where no
// trace says what they come to.
type reader struct {
	p    *layer.Project
	src  *Source
	o    TraceOptions
	seen []*verifier

	mu   sync.Mutex
	made []trace.Trace
}

// TraceOptions are the traces that a plan may use, and what becomes of those that it
// makes. The zero value uses and makes none.
type TraceOptions struct {
	// Known are traces that were made before, the newest first.
	Known []Known
	// About is what a file of traces says of itself, and Made is given the file; nil:
	// none is made, as where the files are those of no commit.
	About []byte
	Made  func([]byte)
	// Carry adds to those that are made the known ones that hold, too.
	Carry bool
}

// newReader asks which of the known traces could be others here.
func newReader(p *layer.Project, src *Source, o TraceOptions) *reader {
	r := &reader{p: p, src: src, o: o}
	src.open()
	for _, known := range o.Known {
		known.Source.open()
		change := known.Source.playbooks.To(src.playbooks, known.ChangedHead)
		head, err := change.Touches(known.Traces)
		if err == nil { // one that cannot be read is as good as none
			r.seen = append(r.seen, &verifier{traces: known.Traces, head: head, toHead: change})
		}
	}
	return r
}

// bounds is what decides a node's content but its parent.
type bounds struct {
	inputs    []Input
	unbounded *Unbounded
	// came is the digest of what its playbooks reach, if they were not followed: then that
	// is not among the inputs.
	came   [sha256.Size]byte
	passed bool
}

// read reads what decides a node.
func (r *reader) read(n layer.Node) (b bounds, err error) {
	c := collector{p: r.p, n: n, src: r.src}
	queries := c.queries()
	key, runs, err := traceKey(queries)
	if err != nil {
		return b, err
	}
	text, came, known := r.known(key)
	if !runs || !known {
		return r.follow(n)
	}
	c.told = alone(r.src.note(n, text), len(queries))
	b.came, b.passed = came, true
	b.inputs, err = c.collect()
	return b, err
}

// known is what a node's playbooks come to, and what people are told of them.
func (r *reader) known(key trace.Key) (note string, came [sha256.Size]byte, ok bool) {
	for _, v := range r.seen {
		at, known, err := v.traces.Find(key)
		if !known || err != nil || v.head.Has(at) {
			continue
		}
		if came, note, err = v.traces.Came(at); err == nil && came != [sha256.Size]byte{} && !v.moved(readNote(note).places()) {
			return note, came, true
		}
	}
	return "", came, false
}

// follow reads what decides a node, with all that its playbooks reach.
func (r *reader) follow(n layer.Node) (b bounds, err error) {
	c := collector{p: r.p, n: n, src: r.src}
	list, err := c.analyse()
	if err != nil {
		return b, err
	}
	if r.o.Made != nil && len(list) > 0 {
		key, _, err := traceKey(c.queries())
		if err != nil {
			return b, err
		}
		t := trace.Trace{Key: key, Asked: askedBy(list), Note: noteOf(list), Came: c.came(list)}
		r.mu.Lock()
		r.made = append(r.made, t)
		r.mu.Unlock()
	}
	c.told = reachedBy(list)
	b.inputs, b.unbounded, err = c.bounds()
	return b, err
}

// keep gives away the traces that were made.
func (r *reader) keep() {
	if r.o.Made == nil || len(r.made) == 0 {
		return
	}
	all, byKey := []trace.Trace(nil), map[trace.Key]bool{}
	for _, t := range r.made {
		if !byKey[t.Key] {
			byKey[t.Key], all = true, append(all, t)
		}
	}
	r.src.index(all)
	if r.o.Carry {
		for _, v := range r.seen {
			all = append(all, v.holding(v.head, v.toHead, byKey)...)
		}
	}
	r.o.Made(trace.Encode(r.o.About, all))
}

// holding are the traces of analyses that would ask the same at a revision that differs so,
// as long as they are not known; they are then. With them goes no digest of what is another
// one there, and no place that may be another.
func (v *verifier) holding(t ansible.Touches, change *ansible.Change, known map[trace.Key]bool) []trace.Trace {
	stale, err := change.Stale(v.traces)
	if err != nil {
		return nil
	}
	all, err := v.traces.Traces(func(i int) bool { return !t.Follow.Has(i) }, stale)
	if err != nil {
		return nil
	}
	kept := all[:0]
	for _, one := range all {
		i, _, err := v.traces.Find(one.Key)
		if err != nil || known[one.Key] || movedIn(change, readNote(one.Note).places()) {
			continue
		}
		if t.Has(i) {
			one.Came = [sha256.Size]byte{}
		}
		known[one.Key] = true
		kept = append(kept, one)
	}
	return kept
}

// alone is what is told of so many steps whose playbooks are not followed, with what is
// known of them together.
func alone(all *ansible.Reached, steps int) []*ansible.Reached {
	told := make([]*ansible.Reached, steps)
	for i := range told {
		told[i] = &ansible.Reached{}
	}
	told[0] = all
	return told
}

// Complete reports whether all that decides about the node is among its inputs, as it has
// to be of one that is built. Of one that is kept, a trace may say what its playbooks
// come to.
func (d *Decision) Complete() bool { return !d.passed }

// key is the key of the node on a parent whose whole tree has this digest.
func (d *Decision) key(parent layer.Digest) layer.Key {
	if d.passed {
		return keyWith(parent, d.Inputs, d.came)
	}
	return KeyOf(parent, d.Inputs)
}

// Lineage is that of the node on a parent with another; see Lineage.
func (d *Decision) Lineage(parent layer.Key) layer.Key {
	return d.key(layer.Digest("lineage:" + parent))
}
