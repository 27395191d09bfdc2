package plan

import (
	"errors"
	"fmt"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// Observations finds what a build saw local programs of a node do; nil if nothing is
// known. It is called for several nodes at once. See Unbounded.
type Observations func(layer.NodeID, layer.Key) (*layer.Observed, error)

// Unbounded is a node whose playbooks run programs on the machine that builds of which
// nothing but a build says what they read. What they read is decided by all else that
// decides about the node, its parent included, and by the answers that they get. So
// what one build saw holds wherever that else is the same: for as long as the answers
// are the same as well, they do the same.
type Unbounded struct {
	Programs []ansible.Program // where they are run
	Wide     []Input           // everything that they may read among them
	Narrow   []Input           // nothing of it

	p   *layer.Project
	n   layer.Node
	src *Source
}

// Address is where what was seen is kept of a node on a parent whose whole tree has
// this digest; "" if not all is known that decides about it.
func (u *Unbounded) Address(parent layer.Digest) layer.Key {
	if !known(u.Narrow) {
		return ""
	}
	return KeyOf(parent, append(u.Narrow[:len(u.Narrow):len(u.Narrow)], Input{Kind: "question", Name: "what local programs read"}))
}

// AddressOf is the same for a parent that is known by its lineage.
func (u *Unbounded) AddressOf(parent layer.Key) layer.Key {
	return u.Address(layer.Digest("lineage:" + parent))
}

// Lineage is what decides about a node with these inputs and all that it stands on. As
// equal builds come to the same, it stands for the digest of the node's whole tree where
// that is not known. The parent's is "" for a first layer.
func Lineage(parent layer.Key, inputs []Input) layer.Key {
	return KeyOf(layer.Digest("lineage:"+parent), inputs)
}

// Under are the inputs of the node if its programs do what was seen.
func (u *Unbounded) Under(seen layer.Observed) ([]Input, error) {
	seen.Inputs = ""
	c := collector{p: u.p, n: u.n, src: u.src, seen: &seen}
	return c.collect()
}

// On are the inputs of the node, as far as it is known what its programs do on a parent
// whose whole tree has this digest. With other answers than they got, they may ask more: what
// is built then is found under what is seen of that.
func (u *Unbounded) On(parent layer.Digest, find Observations) ([]Input, error) {
	inputs, _, err := u.at(u.Address(parent), find)
	return inputs, err
}

// At are the same on a parent that is known by its lineage, and everything that the
// programs may read where they would get other answers than what was seen got.
func (u *Unbounded) At(parent layer.Key, find Observations) ([]Input, error) {
	inputs, seen, err := u.at(u.AddressOf(parent), find)
	if err != nil || seen == nil || seen.Inputs != DigestOf(inputs) {
		return u.Wide, err
	}
	return inputs, nil
}

// DigestOf is what layer.Observed says of inputs.
func DigestOf(inputs []Input) layer.Key { return KeyOf("", inputs) }

// at are the inputs with what is found at an address, and that; nil if there is nothing.
func (u *Unbounded) at(address layer.Key, find Observations) ([]Input, *layer.Observed, error) {
	if find == nil || address == "" {
		return u.Wide, nil, nil
	}
	seen, err := find(u.n.ID, address)
	if err != nil {
		return nil, nil, fmt.Errorf("look for what programs of %s read: %w", u.n.ID, err)
	}
	if seen == nil || seen.Unknown != "" {
		return u.Wide, nil, nil
	}
	u.src.bounded(u.n.ID, u.Programs)
	inputs, err := u.Under(*seen)
	return inputs, seen, err
}

// Bounds returns a node's inputs, and what there is to be known of it besides if its
// playbooks run programs that nothing bounds, else nil.
func Bounds(p *layer.Project, n layer.Node, src *Source) ([]Input, *Unbounded, error) {
	c := collector{p: p, n: n, src: src}
	return c.bounds()
}

func (c *collector) bounds() ([]Input, *Unbounded, error) {
	wide, err := c.collect()
	if err != nil || len(c.programs) == 0 {
		return wide, nil, err
	}
	u := &Unbounded{Programs: c.programs, Wide: wide, p: c.p, n: c.n, src: c.src}
	if u.Narrow, err = u.Under(layer.Observed{}); err != nil {
		return nil, nil, err
	}
	return wide, u, nil
}

// observed narrows how a node differs to what a build saw its programs read.
func (c *comparer) observed(n layer.Node, p pair) ([]Reason, error) {
	old, was := c.base.Source.node(c.base.Project, n.ID)
	if c.o.Observed == nil || !p.unbounded || !was || len(p.reasons) == 0 || p.moved || !c.keeps(n.Parent) {
		return p.reasons, nil
	}
	if c.o.Built != nil {
		if built, err := c.o.Built(n.ID); err != nil || !built {
			return p.reasons, err // it takes several analyses to ask for what was seen
		}
	}
	_, now, err := Bounds(c.head.Project, n, c.head.Source)
	if err != nil || now == nil {
		return p.reasons, fault.Within(c.head.prefix(), err)
	}
	_, before, err := Bounds(c.base.Project, old, c.base.Source)
	if err != nil || before == nil {
		return p.reasons, fault.Within(c.base.prefix(), err)
	}
	if reasons := differences(before.Narrow, now.Narrow); len(reasons) > 0 {
		lasting(reasons, c.base.Source, c.head.Source)
		c.exactly(reasons, &p)
		return reasons, nil
	}
	if c.lineages == nil {
		c.lineages = &lineages{p: c.base.Project, src: c.base.Source, find: c.o.Observed, known: map[layer.NodeID]layer.Key{}}
	}
	parent, err := c.lineages.of(old.Parent)
	if err != nil {
		return nil, fault.Within(c.base.prefix(), err)
	}
	there, seen, err := before.at(before.AddressOf(parent), c.o.Observed)
	if err != nil || seen == nil || seen.Inputs != DigestOf(there) {
		return p.reasons, err // at the base they may ask more
	}
	here, err := now.Under(*seen)
	if err != nil {
		return nil, fault.Within(c.head.prefix(), err)
	}
	reasons := differences(there, here)
	lasting(reasons, c.base.Source, c.head.Source)
	c.exactly(reasons, &p)
	return reasons, nil
}

// keeps reports whether a parent, if there is one, is kept.
func (c *comparer) keeps(parent layer.NodeID) bool {
	i, ok := c.at[parent]
	return !ok || c.plan.Nodes[i].Action == Keep
}

// lineages are those of a project's nodes.
type lineages struct {
	p     *layer.Project
	src   *Source
	find  Observations
	known map[layer.NodeID]layer.Key
}

func (l *lineages) of(id layer.NodeID) (layer.Key, error) {
	if id == "" {
		return "", nil
	}
	if known, ok := l.known[id]; ok {
		return known, nil
	}
	n, ok := l.p.Node(id)
	if !ok {
		return "", errors.New("a parent is missing")
	}
	inputs, parent, err := l.inputs(n)
	if err != nil {
		return "", err
	}
	l.known[id] = Lineage(parent, inputs)
	return l.known[id], nil
}

// inputs are a node's, and the lineage of its parent.
func (l *lineages) inputs(n layer.Node) ([]Input, layer.Key, error) {
	parent, err := l.of(n.Parent)
	if err != nil {
		return nil, "", err
	}
	inputs, u, err := Bounds(l.p, n, l.src)
	if err == nil && u != nil {
		inputs, err = u.At(parent, l.find)
	}
	return inputs, parent, err
}

// SeenInputs are the inputs of a node with what builds saw its programs read, if that is
// known.
func SeenInputs(p *layer.Project, n layer.Node, src *Source, find Observations) ([]Input, error) {
	inputs, u, err := Bounds(p, n, src)
	if err != nil || u == nil {
		return inputs, err
	}
	l := lineages{p: p, src: src, find: find, known: map[layer.NodeID]layer.Key{}}
	inputs, _, err = l.inputs(n)
	return inputs, err
}
