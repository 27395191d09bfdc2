package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/galaxy"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/printable"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// elsewhere brings the roles and collections that a project requires from elsewhere into
// its files, as directory plan.Galaxy at the top: those of the project's own requirements.yml
// and of its repositories', as far as the cache has them.
type elsewhere struct {
	cache    galaxy.Cache
	set      *galaxy.Set
	warnings []plan.Warning
}

// require reads what a project requires, and joins what the cache has of it. It gets nothing. dir is
// where the project is on this machine, "" for nowhere.
func (r *repos) require(p *layer.Project, dir string) error {
	e := &elsewhere{cache: galaxy.Cache{Dir: filepath.Join(filepath.Dir(r.cache), "galaxy"), Project: dir, Run: runGalaxy}}
	r.elsewhere = e
	if !slices.ContainsFunc(p.Nodes, runsPlaybooks) {
		return nil
	}
	dirs := []string{"."}
	for _, repo := range r.pinned {
		dirs = append(dirs, "@"+repo.Name)
	}
	var all []galaxy.Requirement
	for _, dir := range dirs {
		found, errs := galaxy.Read(r.files, dir)
		all = append(all, found...)
		for _, err := range errs {
			e.warnings = append(e.warnings, plan.Warning{Message: err.Error()})
		}
	}
	if len(all) == 0 {
		return nil
	}
	lock, err := galaxy.ReadLock(r.files)
	if err != nil {
		return err
	}
	e.set = e.cache.Find(all, lock)
	for _, one := range e.set.Loose() {
		e.warnings = append(e.warnings, plan.Warning{File: one.File, Line: one.Line,
			Message: one.Kind.One() + " " + one.Name + " is pinned to no version: it is what it was when it was got", Hint: "give it a version, or pin it as it is: strata lock"})
	}
	e.warnings = append(e.warnings, missing(e.set)...)
	return r.joinElsewhere()
}

// missing says in a line for each requirements.yml what of it the cache lacks.
func missing(set *galaxy.Set) []plan.Warning {
	const most = 4
	names := map[string][]string{}
	for _, one := range set.Missing() {
		names[one.File] = append(names[one.File], one.Name)
	}
	var all []plan.Warning
	for file, list := range names {
		text := strings.Join(list[:min(most, len(list))], ", ")
		if more := len(list) - most; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		all = append(all, plan.Warning{File: file, Message: "not in the cache, so that versions count in place of content: " + text, Hint: "strata lock gets them, and so does a build"})
	}
	return all
}

// joinElsewhere joins what the cache has now.
func (r *repos) joinElsewhere() error {
	files, err := r.elsewhere.cache.Files(r.elsewhere.set)
	if err != nil {
		return err
	}
	if err := r.files.Join(plan.Galaxy, files); err != nil {
		return fault.New(fault.Input, "%w", err).WithHint("roles and collections from elsewhere appear in the project as %s: rename what is called so", plan.Galaxy)
	}
	return nil
}

func runsPlaybooks(n layer.Node) bool {
	return slices.ContainsFunc(n.Steps, func(s layer.Step) bool { return s.Kind() == "ansible" })
}

// fetchElsewhere gets what the cache lacks, before a build. What cannot be got is told; it is an error
// only where a node that is built runs it.
func (a *app) fetchElsewhere(p *project) error {
	e := p.repos.elsewhere
	if e.set == nil {
		return nil
	}
	missing := e.set.Missing()
	for _, one := range missing {
		if !a.quiet {
			a.note("getting %s", one)
		}
		if _, err := e.cache.Get(a.ctx, one, e.set.Lock); err != nil {
			if a.ctx.Err() != nil {
				return err
			}
			a.note("%v", err)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	e.set = e.cache.Find(e.set.Requirements, e.set.Lock)
	p.repos.files.Leave(plan.Galaxy)
	return p.repos.joinElsewhere()
}

// directory is where Ansible finds what there is of it; "" if there is nothing.
func (e *elsewhere) directory() (string, error) {
	if e == nil || e.set == nil {
		return "", nil
	}
	return e.cache.Directory(e.set)
}

// runGalaxy runs ansible-galaxy, and git for it, in a directory. It says what the program
// says on both of its outputs.
func runGalaxy(ctx context.Context, args, env []string, dir string) ([]byte, error) {
	if _, ok := sandbox.LookPath(args[0]); !ok {
		return nil, fault.New(fault.Machine, "%s is not installed on this machine", args[0]).
			WithHint("Debian: apt install ansible-core git")
	}
	own := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ANSIBLE_") })
	var out bytes.Buffer
	err := sandbox.Host(ctx, sandbox.Cmd{Args: args, Env: append(own, env...), Dir: dir, Stdout: &out})
	var exit *sandbox.ExitError
	if errors.As(err, &exit) && exit.Output != "" {
		err = errors.New(exit.Output)
	}
	return out.Bytes(), err
}

func newLockCommand(a *app) *cobra.Command {
	upgrade := false
	cmd := &cobra.Command{
		Use:   "lock [NAME]...",
		Short: "Pin the roles and collections that requirements.yml names",
		Long: "Lock gets the roles and collections that requirements.yml names into the cache, and writes what\n" +
			"they are into " + galaxy.LockName + ", beside strata.yaml: version, commit and checksum. What is pinned there\n" +
			"already stays; with --upgrade, it is looked for anew. With names, only these are.",
		Example: "  strata lock\n  strata lock --upgrade geerlingguy.docker",
		RunE:    func(_ *cobra.Command, names []string) error { return runLock(a, names, upgrade) },
	}
	cmd.Flags().BoolVar(&upgrade, "upgrade", false, "look for what is pinned already, too")
	return cmd
}

func runLock(a *app, names []string, upgrade bool) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	e := p.repos.elsewhere
	if e.set == nil {
		return fault.New(fault.Input, "nothing is required from elsewhere").WithHint("requirements.yml names roles and collections, as for ansible-galaxy")
	}
	for _, name := range names {
		if !slices.ContainsFunc(e.set.Requirements, func(r galaxy.Requirement) bool { return r.Name == name }) {
			return fault.New(fault.Input, "no requirements.yml names %q", name)
		}
	}
	lock := galaxy.Lock{}
	var failed []error // the others are locked all the same
	for _, r := range e.set.Requirements {
		known, locked := e.set.Lock[r.ID()]
		named := len(names) == 0 || slices.Contains(names, r.Name)
		if locked && !(upgrade && named) {
			lock[r.ID()] = known
			continue
		}
		if !named {
			continue
		}
		got, err := e.cache.Anew(a.ctx, r)
		if a.ctx.Err() != nil {
			return err
		}
		if err != nil {
			failed = append(failed, err)
			if locked {
				lock[r.ID()] = known
			}
			continue
		}
		lock[r.ID()] = got
		if !a.quiet && got != known {
			a.note("%s %s is %s", r.Kind.One(), printable.Line(r.Name), strings.TrimSpace(got.Version+" sha256:"+got.SHA256[:12]))
		}
	}
	return errors.Join(append(failed, writeLock(filepath.Join(p.dir, galaxy.LockName), lock.Text()))...)
}

// writeLock writes a lock that says something else now.
func writeLock(name, text string) error {
	if was, err := os.ReadFile(name); err == nil && string(was) == text {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temporary := name + ".new"
	if err := os.WriteFile(temporary, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, name)
}
