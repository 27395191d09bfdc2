package main

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/galaxy"
	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/recipe"
	"github.com/strata-hpc/strata/internal/union"
)

// history is the project's git repository.
type history struct {
	app    *app
	repo   *git.Repository
	dir    string // the project's directory on disk; "" in a bare repository
	below  string // the project's directory in the repository
	file   string // the configuration, in the project's directory
	parsed *ansible.Parsed
	refs   refs
	whole  bool // what is compared is shown as a page
	fresh  bool // nothing that is known from before is used
	alone  bool // no registry is asked
	push   bool // traces are sent to the registry
}

// openHistory finds the repository that the project lies in.
func (a *app) openHistory() (*history, error) {
	name, err := filepath.Abs(a.path(a.file))
	if err != nil {
		return nil, err
	}
	h := &history{app: a, dir: filepath.Dir(name), file: filepath.Base(name), parsed: ansible.NewParsed(), refs: newRefs()}
	// A bare repository has no directories: -f is a place in its commits.
	if repo, err := git.Open(a.path(".")); err == nil && repo.Bare() && filepath.IsLocal(a.file) {
		h.repo, h.dir, h.below = repo, "", path.Dir(filepath.ToSlash(a.file))
		return h, nil
	}
	// The project may be in commits, and not on disk.
	at, below := h.dir, ""
	for at != filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		at, below = filepath.Dir(at), path.Join(filepath.Base(at), below)
	}
	if h.repo, err = git.Open(at); err != nil {
		return nil, err
	}
	h.below = path.Join(h.repo.Prefix(), below)
	if h.repo.Bare() {
		h.dir = ""
	}
	return h, nil
}

// revision is the project at a commit; "" is the files on disk. Its repositories
// are taken as they are now, or as --pin says, with what --override says; those of the
// side that is compared with, at, as was recorded, and without overrides.
// What like says of the project, if it is not nil, is not read again where it is the same.
func (h *history) revision(rev string, at *from, like *plan.Revision) (plan.Revision, error) {
	if rev == "" && h.dir == "" {
		return plan.Revision{}, fault.New(fault.Input, "the repository is bare: it has no files on disk").WithHint("name a commit with --head")
	}
	files, name, err := h.files(rev)
	if err != nil {
		return plan.Revision{}, err
	}
	if _, err := fs.Stat(files, h.file); errors.Is(err, fs.ErrNotExist) {
		return plan.Revision{}, h.missing(rev, name)
	}
	r, err := h.app.repos(files, h.file, h.refs, at != nil)
	if err != nil {
		return plan.Revision{}, err
	}
	if at != nil {
		r.recorded = at.commits
	}
	var p *layer.Project
	if like != nil && sameRecipe(r.files, *like) {
		p = like.Project
	} else if p, err = recipe.Load(r.files, h.file, recipe.Options{Arch: runtime.GOARCH, Repo: r.join}); err != nil {
		return plan.Revision{}, fault.Within(prefixOf(name), err)
	}
	if at == nil {
		if err := r.choices.unused(r.pinned); err != nil {
			return plan.Revision{}, err
		}
	}
	if err := r.require(p, h.dir); err != nil {
		return plan.Revision{}, fault.Within(prefixOf(name), err)
	}
	src := engine.Source(p, r.files, h.dir)
	src.Known = r.elsewhere.warnings
	src.Parsed, src.WithoutSecrets = h.parsed, true
	if name != "" {
		src.Commit = func() string { return name }
	}
	return plan.Revision{Name: name, Project: p, Source: src, Repos: r.pinned}, nil
}

// files are the project's files at a commit, none if it does not have the
// project's directory, and the commit's id.
func (h *history) files(rev string) (fs.FS, string, error) {
	if rev == "" {
		files, err := h.repo.Worktree(h.dir)
		if errors.Is(err, fs.ErrNotExist) {
			files, err = union.Empty(), nil
		}
		return files, "", err
	}
	commit, err := h.repo.Commit(rev)
	if err != nil {
		return nil, "", err
	}
	files, err := h.repo.Files(commit, h.below)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		files, err = union.Empty(), nil
	}
	return files, commit.ID, err
}

// prefixOf goes before the names of a commit's files.
func prefixOf(id string) string {
	if id == "" {
		return ""
	}
	return commitOr(id, "") + ":"
}

// place is the configuration's name in the repository.
func (h *history) place() string { return path.Join(h.below, h.file) }

// missing is the fault of a revision without the configuration.
func (h *history) missing(rev, id string) error {
	if id == "" {
		return fault.New(fault.Input, "there is no %s", filepath.Join(h.dir, h.file)).
			WithHint("name a commit that has it with --head, or the project's directory with -C, or the file with -f")
	}
	err := fault.New(fault.Input, "commit %s has no %s", commitOr(id, ""), h.place()).
		WithHint("name the project's directory with -C, or the file with -f")
	commit, _ := h.repo.Commit(rev)
	top, openErr := h.repo.Files(commit, "")
	if openErr != nil {
		return err
	}
	for _, pattern := range []string{h.file, "*/" + h.file, "*/*/" + h.file} {
		found, _ := fs.Glob(top, pattern)
		if len(found) == 1 && h.repo.Bare() {
			return err.WithHint("it has %s: name it with -f", found[0])
		} else if len(found) > 0 {
			return err.WithHint("it has %s: name its directory with -C", strings.Join(found[:min(3, len(found))], ", "))
		}
	}
	return err
}

// base is the project at the commit that is compared with: one without nodes if
// it was not there yet.
func (h *history) base(at from, now plan.Revision) (plan.Revision, error) {
	files, id, err := h.files(at.id)
	if err != nil {
		return plan.Revision{}, err
	}
	if _, err := fs.Stat(files, h.file); !errors.Is(err, fs.ErrNotExist) {
		return h.revision(at.id, &at, &now)
	}
	if !h.app.quiet {
		h.app.note("commit %s has no %s, so that everything is new", commitOr(id, ""), h.place())
	}
	none := &layer.Project{}
	return plan.Revision{Name: id, Project: none, Source: engine.Source(none, union.New(files), h.dir)}, nil
}

// sameRecipe reports whether the files of a commit say of the project what a revision
// says of it.
func sameRecipe(files *union.FS, now plan.Revision) bool {
	if len(now.Repos) > 0 {
		return false // each side has them at its own commits
	}
	changed, err := changedIn("", files.Root(), now.Source.Files.(*union.FS).Root())
	written := now.Project.Files
	return err == nil && !slices.ContainsFunc(changed, func(name string) bool {
		// With more than one file, another one may be included.
		return slices.Contains(written, name) || len(written) > 1 && slices.ContainsFunc(written, func(w string) bool { return path.Ext(w) == path.Ext(name) })
	})
}

// from is the commit that a revision is compared with.
type from struct {
	id      string
	since   *plan.Since
	commits []layer.Commit // of the repositories, if they are not to be taken as they are now
}

// from finds the commit that head is compared with: where its history left that of
// base, so that what others did there meanwhile does not count as undone. It is base
// itself where head has nothing of its own, and with "=" before it.
func (h *history) from(base, head string) (from, error) {
	ref, exactly := strings.CutPrefix(base, "=")
	b, err := h.repo.Commit(ref)
	if err != nil {
		return from{}, err
	}
	at := from{id: b.ID}
	c, err := h.repo.Commit(cmp.Or(head, "HEAD"))
	if err != nil {
		return at, nil // there is no history yet, or whoever reads head says so
	}
	rel, err := h.repo.Relate(b, c)
	if err != nil || rel.Behind == 0 || rel.Common.ID == "" {
		return at, nil // nothing is known of a shallow clone's history
	}
	at.since = &plan.Since{Ref: ref, Commit: b.ID, Newer: rel.Behind, Undone: exactly || rel.Ahead == 0}
	if !at.since.Undone {
		at.id = rel.Common.ID
	}
	return at, nil
}

// side finds what a plan compares with: a commit, or what an image was made of.
func (h *history) side(base, head string, now plan.Revision) (from, error) {
	if name, ok := strings.CutPrefix(base, imagePrefix); ok {
		return h.ofImage(name, now)
	}
	return h.from(base, head)
}

// compare plans what changed between two revisions.
func (h *history) compare(base, head string, names []string) (*plan.Plan, plan.Revision, error) {
	defer collectLate()()
	now, err := h.revision(head, nil, nil)
	if err != nil {
		return nil, plan.Revision{}, err
	}
	at, err := h.side(base, head, now)
	if err != nil {
		return nil, plan.Revision{}, err
	}
	was, err := h.base(at, now)
	if err != nil {
		return nil, plan.Revision{}, err
	}
	made, err := h.comparison(was, now, names)
	if err != nil {
		return nil, plan.Revision{}, err
	}
	made.Since = at.since
	return made, now, nil
}

// comparison compares two revisions.
func (h *history) comparison(was, now plan.Revision, names []string) (*plan.Plan, error) {
	want, _, err := plan.Select(now.Project, names)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		want = everyNode(now.Project)
	}
	changed, err := changedFiles(was.Source.Files, now.Source.Files)
	if err != nil {
		return nil, err
	}
	o := plan.CompareOptions{Changed: changed, Brief: h.brief(), Fresh: h.fresh}
	traces := h.openTraces(was, now)
	defer traces.close()
	traces.use(&o)
	seen := &observations{app: h.app, p: now.Project}
	defer seen.Close()
	o.Observed, o.Built = seen.Find, seen.Built
	made, err := plan.Compare(was, now, want, o)
	if err != nil {
		return nil, err
	}
	if err := traces.push(now); err != nil {
		return nil, err
	}
	if now.Name == "" && len(made.Unused) > 0 {
		ignored := git.Ignored(h.app.ctx, runGit, h.dir, made.Unused)
		made.Unused = slices.DeleteFunc(made.Unused, func(name string) bool { return ignored[name] })
	}
	return made, nil
}

// brief reports whether what is printed needs no inputs of nodes.
func (h *history) brief() bool { return !h.whole && (h.app.output == "text" || h.app.json()) }

// changedFiles are the names of the files that differ, those of repositories
// below the directory of each.
func changedFiles(base, head fs.FS) ([]string, error) {
	was, now := base.(*union.FS), head.(*union.FS)
	changed, err := changedIn("", was.Root(), now.Root())
	if err != nil {
		return nil, err
	}
	before, after := was.Joined(), now.Joined()
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, b := before[name], after[name]
		if name == plan.Galaxy {
			changed = append(changed, changedElsewhere(a, b)...)
			continue
		}
		if a == nil {
			a = union.Empty()
		}
		if b == nil {
			b = union.Empty()
		}
		more, err := changedIn(name+"/", a, b)
		if err != nil {
			return nil, err
		}
		changed = append(changed, more...)
	}
	return changed, nil
}

// changedElsewhere are the files that differ of roles and collections from elsewhere.
func changedElsewhere(base, head fs.FS) []string {
	a, _ := base.(*galaxy.Files)
	b, _ := head.(*galaxy.Files)
	names := galaxy.Differ(a, b)
	for i, name := range names {
		names[i] = path.Join(plan.Galaxy, name)
	}
	return names
}

func changedIn(prefix string, base, head fs.FS) ([]string, error) {
	changes, err := git.Changed(base, head)
	changed := make([]string, len(changes))
	for i, c := range changes {
		changed[i] = prefix + c.Path
	}
	return changed, err
}
