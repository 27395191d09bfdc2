package main

import (
	"errors"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/store"
)

// observations finds what builds saw local programs read, in a store that is there and
// in the project's registry. Neither is opened before somebody asks: most plans need
// neither. Close must be called.
type observations struct {
	app  *app
	p    *layer.Project
	st   *store.Store
	find plan.Observations
	far  bool // there is a registry, which may know more than the store

	noted bool
}

func (o *observations) Find(node layer.NodeID, at layer.Key) (*layer.Observed, error) {
	if o.find == nil {
		if err := o.open(); err != nil {
			return nil, err
		}
	}
	seen, err := o.find(node, at)
	if err != nil {
		o.note("", err)
	}
	return seen, nil
}

// Built says whether anybody may have built a node.
func (o *observations) Built(node layer.NodeID) (bool, error) {
	if o.find == nil {
		if err := o.open(); err != nil {
			return false, err
		}
	}
	if o.far || o.st == nil {
		return o.far, nil
	}
	_, err := o.st.Latest(o.p.Cluster.Name, node)
	return err == nil, nil
}

// note says once why something is not known: a plan does without.
func (o *observations) note(from string, err error) {
	if !o.noted {
		o.app.note("what local programs read is not known%s: %s", from, err.Error())
	}
	o.noted = true
}

func (o *observations) open() error {
	var x *engine.Exchange
	if o.p.Registry != "" {
		var err error
		if x, err = o.app.exchange(nil, o.app.anyProject(), o.p.Registry); err != nil {
			return err
		}
		o.far = true
		x.Cluster = o.p.Cluster.Name
		x.Missed = func(err error) { o.note(" from the registry", err) }
	}
	root, err := o.app.storeRoot()
	if err != nil {
		return err
	}
	if store.There(root) {
		var ended exited
		if o.st, err = o.app.open(); errors.As(err, &ended) {
			return err // it was planned again, with the rights that the store needs
		} else if err != nil {
			o.note(" from the store", err)
		}
	}
	o.find = engine.Observations(o.app.ctx, o.st, o.p.Cluster.Name, x)
	return nil
}

// Close gives the store back.
func (o *observations) Close() {
	if o.st != nil {
		o.st.Close()
	}
}
