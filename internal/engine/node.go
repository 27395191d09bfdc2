package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/secret"
	"github.com/strata-hpc/strata/internal/source"
	"github.com/strata-hpc/strata/internal/space"
	"github.com/strata-hpc/strata/internal/step"
	"github.com/strata-hpc/strata/internal/store"
)

// nodeBuild is one node being built.
type nodeBuild struct {
	*Builder
	node    layer.Node
	key     layer.Key
	inputs  json.RawMessage
	vaulted []step.Vaulted // of the files among them, those of variables that are encrypted as a whole
	secrets secret.Values
	log     *nodeLog
	logPath string
	steps   []store.StepRecord
	began   time.Time
	// observed is what programs did that playbooks ran on this machine; nil if there
	// are no playbooks.
	observed *layer.Observed

	unbounded *plan.Unbounded // of a node whose playbooks run programs that nothing bounds
	lineage   layer.Key       // of the parent
	used      []plan.Input    // what the key was made of in the end
	addresses []layer.Key     // where what was observed is to be found
}

// run builds the node on its parent's image (nil for a first layer) and commits
// it if check then still agrees. It assumes that the store does not have it.
func (nb *nodeBuild) run(ctx context.Context, parent *store.Image, check func() error) (made *store.Image, err error) {
	b, n := nb.Builder, nb.node
	nb.began = time.Now()
	// What failed says what a program said, and names files that it made.
	defer func() { err = fault.Rewrite(err, nb.secrets.Blotted) }()
	if err := b.contained(ctx, n); err != nil {
		return nil, err
	}
	if nb.secrets, err = b.secretValues(n); err != nil {
		return nil, err
	}
	nb.logPath = b.Store.LogPath(b.Project.Cluster.Name, n.ID)
	if err := os.MkdirAll(filepath.Dir(nb.logPath), 0o700); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	nb.log, err = newLog(nb.logPath, nb.secrets, func(line string) {
		b.event(Event{Kind: Line, Node: n.ID, Line: line})
	})
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer nb.log.Close()
	for _, name := range nb.secrets.Short() {
		fmt.Fprintf(nb.log, "secret %s is shorter than %d bytes: files are not searched for it\n", name, secret.Shortest)
	}
	added, err := b.Store.AddLayer(ctx, parent.Top(), func(st store.Staging) error { return nb.fill(ctx, st, parent) })
	if err == nil {
		err = check()
	}
	var explained *fault.Error
	switch {
	case err == nil:
	case ctx.Err() != nil, errors.As(err, &explained):
		return nil, err
	default:
		return nil, space.Explain(fmt.Errorf("node %s: %w", n.ID, err), b.places()...)
	}
	if err := nb.settle(parent); err != nil {
		return nil, err
	}
	c := store.Commit{
		Cluster: b.Project.Cluster.Name, Arch: n.Arch, Parent: parent, Layer: added,
		Env: sandbox.Variables(n.Env), Labels: b.labels(n),
		Record: store.Record{
			Node: n.ID, Layer: n.Layer, Key: nb.key, Parent: n.Parent, Size: added.Size, DiffID: added.DiffID,
			Started: nb.began.UTC(), Seconds: time.Since(nb.began).Seconds(), Steps: nb.steps, Tool: b.Version, Inputs: nb.inputs,
			Commits: b.Commits, Observed: nb.observed,
		},
	}
	if err := nb.configLeaks(c); err != nil {
		return nil, err
	}
	c.Record.Address = true
	for _, c.Record.Key = range nb.addresses {
		if _, err := b.Store.AddImage(c); err != nil {
			return nil, err
		}
	}
	c.Record.Key, c.Record.Address = nb.key, false
	return b.Store.AddImage(c)
}

// labels adds to a node's own labels what must be recorded in the image.
func (b *Builder) labels(n layer.Node) map[string]string {
	labels := maps.Clone(n.Labels)
	if unverified := b.Unverified(n); len(unverified) > 0 {
		if labels == nil {
			labels = map[string]string{}
		}
		encoded, _ := json.Marshal(unverified)
		labels["io.strata.unverified"] = string(encoded)
	}
	return labels
}

// fill runs the node's steps in a staging directory.
func (nb *nodeBuild) fill(ctx context.Context, st store.Staging, parent *store.Image) error {
	repositories, err := nb.repositories(nb.node)
	if err != nil {
		return err
	}
	st.Sealing.Identities, st.Sealing.Found, st.Sealing.Unmark = nb.node.Identities, nb.identity, sandbox.Unmarked
	total := len(nb.node.Steps)
	if nb.node.Source != nil {
		total++
	}
	title, err := nb.apply(ctx, st, repositories, total)
	if err == nil {
		if len(nb.secrets) > 0 {
			st.Inspect(newLeaks(nb.node, nb.secrets))
		}
		nb.Store.ForgetFailed(nb.Project.Cluster.Name, nb.node.ID)
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	short := space.Find(err, nb.log.end(), nb.places()...)
	if short != nil {
		nb.Store.ForgetFailed(nb.Project.Cluster.Name, nb.node.ID) // it would keep what is lacking
		return nb.explain(title, err, short, false)
	}
	kept := nb.Store.KeepFailed(st, store.FailedTree{
		Cluster: nb.Project.Cluster.Name, Node: nb.node.ID, Parent: parent.Top(), Step: title,
	}, func(from, to string) error { return move(ctx, from, to) })
	return nb.explain(title, err, nil, kept == nil)
}

// move renames a directory, or copies it where that cannot be.
func move(ctx context.Context, from, to string) error {
	err := os.Rename(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	return sandbox.Host(ctx, sandbox.Cmd{Args: []string{"mv", "--no-target-directory", "--", from, to}})
}

// apply does the source and every step, and names the one that failed.
func (nb *nodeBuild) apply(ctx context.Context, st store.Staging, repositories packages.Set, total int) (title string, err error) {
	number := 0
	timed := func(title string, do func() error) error {
		number++
		nb.event(Event{Kind: StepStarted, Node: nb.node.ID, Step: number, Steps: total, Title: nb.secrets.Blotted(title)})
		fmt.Fprintf(nb.log, "# %s\n", title)
		start := time.Now()
		err := do()
		nb.log.flush()
		nb.steps = append(nb.steps, store.StepRecord{Title: title, Seconds: time.Since(start).Seconds()})
		return err
	}
	if from := nb.node.Source; from != nil {
		title = from.Title()
		if err := timed(title, func() error { return nb.source(ctx, st, repositories) }); err != nil {
			return title, err
		}
	}
	if len(nb.node.Steps) == 0 {
		return "", nil
	}
	if err := nb.refresh(ctx, repositories); err != nil {
		return "package lists", err
	}
	w, finish, err := nb.openTree(ctx, st, repositories)
	if err != nil {
		return "opening the tree", err
	}
	for _, s := range nb.node.Steps {
		if err := timed(s.Title(), func() error { return step.Apply(ctx, w, s) }); err != nil {
			return step.Blame(s), errors.Join(err, finish(context.WithoutCancel(ctx)))
		}
	}
	if slices.ContainsFunc(nb.node.Steps, func(s layer.Step) bool { return s.Reads().Playbooks != nil }) {
		nb.observed = &w.Observed
	}
	if w.Packages != nil {
		st.Sealing.Scripts, err = w.Packages.Scripts(w.Box)
	}
	return "closing the tree", errors.Join(err, finish(ctx))
}

// identity says what became of a file that no two cluster nodes may share. What stays
// is a warning.
func (nb *nodeBuild) identity(found store.Identity) {
	of := ""
	if found.Package != "" {
		of = " of package " + found.Package
	}
	if found.Removed {
		fmt.Fprintf(nb.log, "identity %s%s is not in the layer: %s\n", found.Path, of, found.Anew)
		return
	}
	text := fmt.Sprintf("warning: %s%s was made when it was installed, and all cluster nodes that boot the image share it: "+
		"name it below identities: remove, or keep", found.Path, of)
	fmt.Fprintln(nb.log, text)
	nb.event(Event{Kind: Warning, Node: nb.node.ID, Line: text})
}

// source fills a first layer.
func (nb *nodeBuild) source(ctx context.Context, st store.Staging, repositories packages.Set) error {
	scratch := filepath.Join(st.Scratch, "source")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return err
	}
	return source.Fill(ctx, source.Tree{
		Upper: st.Upper, Scratch: scratch, Repositories: repositories, Environment: environment(nil), Log: nb.log,
	}, nb.node.Source)
}

// openTree starts the sandbox for the steps. Finish ends it, and leaves the
// tree as the layer is to have it.
func (nb *nodeBuild) openTree(ctx context.Context, st store.Staging, repositories packages.Set) (w *step.Work, finish func(context.Context) error, err error) {
	temporary := filepath.Join(st.Scratch, "host")
	boxScratch := filepath.Join(st.Scratch, "steps")
	if err := errors.Join(os.Mkdir(temporary, 0o700), os.Mkdir(boxScratch, 0o700)); err != nil {
		return nil, nil, err
	}
	spec := sandbox.Spec{Lower: st.Lower, Upper: st.Upper, Scratch: boxScratch}
	manager, err := equip(ctx, &spec, repositories)
	if err != nil {
		return nil, nil, err
	}
	box, err := sandbox.Start(ctx, spec)
	if err != nil {
		return nil, nil, errors.Join(err, closed(manager))
	}
	w = &step.Work{
		Box: box, Node: nb.node, Cluster: nb.Project.Cluster, Inventory: nb.Project.Inventory, Project: nb.Files, Dir: nb.Dir, Elsewhere: nb.Elsewhere,
		Environment: environment(nb.node.Env), Repositories: repositories, Packages: manager, Temporary: temporary, Log: nb.log,
		Vaulted: nb.vaulted,
	}
	finish = func(ctx context.Context) error { return errors.Join(box.Finish(ctx), closed(manager)) }
	if err := w.Reveal(ctx, nb.secrets); err != nil {
		return nil, nil, errors.Join(err, finish(ctx))
	}
	return w, finish, nil
}

// refresh brings package lists up to date if the steps install packages. A
// playbook or a command does with those that there are.
func (nb *nodeBuild) refresh(ctx context.Context, repositories packages.Set) error {
	if repositories == nil {
		return nil
	}
	lists := layer.NoLists
	for _, s := range nb.node.Steps {
		lists = max(lists, s.Reads().Lists)
	}
	if lists == layer.NoLists || lists == layer.AnyLists && repositories.Listed() {
		return nil
	}
	return repositories.Refresh(ctx, nb.log)
}

// environment is what every command of a node sees besides the standard one: what
// makes programs do the same each time. The node's own variables win.
func environment(env map[string]string) []string {
	all := map[string]string{
		"SOURCE_DATE_EPOCH": strconv.FormatInt(store.Epoch.Unix(), 10),
		// Sets and hashes have the same order in each run.
		"PYTHONHASHSEED": "0",
		"PERL_HASH_SEED": "0",
		// Bytecode that a program leaves beside what it imports holds the time of
		// the source; packages and pip make theirs in another way.
		"PYTHONDONTWRITEBYTECODE": "1",
		// What reproducible=yes in dracut.conf sets, which Debian's dracut lacks.
		"DRACUT_REPRODUCIBLE": "1",
	}
	maps.Copy(all, env)
	return sandbox.Variables(all)
}

// explain makes a step's error one that an administrator can act on.
func (nb *nodeBuild) explain(title string, err error, short *space.Shortage, kept bool) error {
	where := fmt.Sprintf("node %s: %s", nb.node.ID, title)
	f := fault.New(fault.Failed, "%s: %w", where, err)
	var hints []string
	for _, cause := range fault.All(err) {
		if cause.Hint != "" {
			hints = append(hints, cause.Hint)
			break
		}
	}
	if short != nil {
		f = fault.New(fault.Failed, "%s: %w: %s", where, err, short)
		hints = []string{short.Hint()}
	}
	if !nb.Passing {
		hints = append(hints, "whole log: "+nb.logPath)
	}
	if kept && !nb.Passing {
		hints = append(hints, fmt.Sprintf("open the tree as it was: %s shell --failed %s", nb.Invocation, nb.node.ID))
	}
	return f.At(nb.node.Pos.File, nb.node.Pos.Line, nb.node.Pos.Col).
		WithHint("%s", strings.Join(hints, "; ")).WithDetail(nb.log.end())
}
