package ansible

import (
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
)

// readExtraVars reads the extra variables: those of files first, as a later one of a
// name wins (load_extra_vars of ansible/utils/vars.py).
func (w *walk) readExtraVars() error {
	for _, name := range w.q.ExtraVarsFiles {
		if err := w.extraVarsFile(name); err != nil {
			return err
		}
	}
	for name, v := range w.q.ExtraVars {
		given := value.From(v)
		w.addExtra(name, definition{value: &given, class: "extra"})
	}
	return nil
}

func (w *walk) extraVarsFile(name string) error {
	if w.files.Kind(name) != tree.File {
		if w.files.Bad != nil {
			return nil // it is told with what else is wrong with links
		}
		return fault.New(fault.Input, "the file of extra variables %s does not exist", name).
			WithHint("extra_vars_files are named relative to the project's directory; what lies outside of it cannot be part of a key")
	}
	d := w.files.Document(name)
	switch {
	case d.Vaulted:
		w.sealed(name)
		return nil
	case d.Err != nil:
		return w.unreadable(name, d.Err)
	case d.Value.Kind != value.Map:
		return w.Project.fault(place{file: name, line: max(d.Value.Line, 1), col: max(d.Value.Col, 1)}, "expected a mapping of variables, not a %s", d.Value.Kind)
	}
	pairs := d.Value.Pairs()
	for i := range pairs {
		p := &pairs[i]
		w.addExtra(p.Key.Text, definition{value: &p.Value, file: name, line: p.Key.Line, class: "extra", owner: owner{file: name}})
	}
	return nil
}

// addExtra adds a definition that is stronger than those before.
func (w *walk) addExtra(name string, d definition) {
	if !w.cfg.merge {
		w.extra[name] = nil
	}
	w.extra[name] = append(w.extra[name], d)
	if implicit(name) {
		w.variable(name, place{})
	}
}
