package step

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// programs observes what playbooks start on this machine.
type programs struct {
	observer *sandbox.Observer
	env      []string // of ansible-playbook
}

// observe begins to observe what ansible-playbook will start, in an environment that
// is given.
func (w *Work) observe(env []string) (*programs, error) {
	dir, err := os.MkdirTemp(w.Temporary, "programs-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "sitecustomize.py"), programsHook, 0o600); err != nil {
		return nil, err
	}
	joined := map[string]string{}
	if w.Elsewhere != "" {
		joined[ansible.Galaxy] = w.Elsewhere
	}
	observer, err := sandbox.Observe(w.Dir, dir, joined)
	if err != nil {
		return nil, err
	}
	program, args := observer.Start()
	about, err := json.Marshal(map[string]any{"program": program, "args": args, "socket": observer.Socket()})
	if err != nil {
		return nil, err
	}
	path := dir
	for _, v := range env {
		if own, ok := strings.CutPrefix(v, "PYTHONPATH="); ok && own != "" {
			path = dir + ":" + own
		}
	}
	return &programs{observer, []string{"STRATA_OBSERVER=" + string(about), "PYTHONPATH=" + path}}, nil
}

// end adds what was seen to the work, and is a fault if a program read more than is
// declared of it.
func (p *programs) end(w *Work, local []layer.Local) error {
	ran, unknown := p.observer.Close()
	for _, program := range ran {
		w.Observed.Add(program.Observed)
	}
	if w.Observed.Unknown == "" {
		w.Observed.Unknown = unknown
	}
	return w.beyond(ran, local)
}

// beyond is a fault for a program that read what is not declared of it: a file, or a
// list of the names in a directory.
func (w *Work) beyond(ran []*sandbox.Program, local []layer.Local) error {
	if len(local) == 0 {
		return nil
	}
	more := map[string]map[string]bool{} // by command, what it reads besides
	rules := map[string]layer.Local{}
	for _, program := range ran {
		rule, command, ok := declared(program, local)
		if !ok {
			continue
		}
		files := slices.DeleteFunc(slices.Clone(program.Contents), func(name string) bool {
			info, err := fs.Stat(w.Project, name)
			return err != nil || !info.Mode().IsRegular()
		})
		for _, name := range append(files, program.Names...) {
			if ansible.Declared(rule.Reads, name) || names(command, name) {
				continue
			}
			if rules[command] = rule; more[command] == nil {
				more[command] = map[string]bool{}
			}
			more[command][name] = true
		}
	}
	for _, command := range slices.Sorted(maps.Keys(more)) {
		list := slices.Sorted(maps.Keys(more[command]))
		return fault.New(fault.Failed, "on this machine, %s reads %s, which is not among its reads: %s",
			shortly(command), some(list), strings.Join(rules[command].Reads, " ")).
			WithHint("add what it reads to the reads: of ansible.local for %q, or take the declaration away", rules[command].Match)
	}
	return nil
}

// some are the first of several names.
func some(names []string) string {
	const most = 3
	if more := len(names) - most; more > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// declared is what is said of a program, or else of the one that started it, and the
// command that it is said of.
func declared(program *sandbox.Program, local []layer.Local) (layer.Local, string, bool) {
	for ; program != nil; program = program.Parent {
		for _, command := range program.Commands() {
			if rule, ok := ansible.Said(rendered(local), command); ok {
				return rule, command, true
			}
		}
	}
	return layer.Local{}, "", false
}

var expression = regexp.MustCompile(`(?s)\{\{.*?\}\}`)

// rendered are declarations about commands as they come out: what an expression comes
// to can be anything.
func rendered(local []layer.Local) []layer.Local {
	all := slices.Clone(local)
	for i := range all {
		all[i].Match = expression.ReplaceAllString(all[i].Match, "*")
	}
	return all
}

// names reports whether a command names a file or directory itself.
func names(command, file string) bool {
	return slices.ContainsFunc(strings.Fields(command), func(word string) bool {
		word = strings.Trim(word, `"'`)
		return word != "" && ansible.Declared([]string{word}, file)
	})
}

func shortly(command string) string {
	const most = 60
	command = strings.Join(strings.Fields(command), " ")
	if r := []rune(command); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return command
}
