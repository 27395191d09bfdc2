package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/galaxy"
	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/registry"
	"github.com/strata-hpc/strata/internal/trace"
	"github.com/strata-hpc/strata/internal/union"
)

// traces are the files of traces that earlier plans of a project left in the cache. What
// cannot be read, or is of another version, is as good as not there.
type traces struct {
	history *history
	dir     string // "" where none can be kept
	repos   []string
	files   []string // that can be used, the newest first
	open    []*os.File
	known   []plan.Known
	unfit   error // why the last one that was looked at cannot be used
}

// mostTraces files of a project are kept; with as many, what holds of all goes into one.
const mostTraces = 6

// aboutTraces is what a file of traces says of itself.
type aboutTraces struct {
	Version int      // of the analysis
	Place   string   // the configuration in the repository
	Commit  string   // that all of them were made of
	Repos   []string // the other repositories, and their commits
	Outline []byte   `json:",omitempty"` // of the commit, where others are to use them that may lack it
}

// openTraces opens those that may help to compare two revisions.
func (h *history) openTraces(was, now plan.Revision) *traces {
	t := &traces{history: h, repos: pinsOf(now)}
	if h.fresh || len(h.app.overrides) > 0 || !slices.Equal(t.repos, pinsOf(was)) {
		return t
	}
	cache, err := cacheDir()
	if err != nil {
		return t
	}
	t.dir = tracesDir(cache, h.repo.Dir(), h.place())
	for _, name := range newestFirst(t.dir) {
		t.openFile(name, was, now)
	}
	if len(t.known) == 0 && now.Project.Registry != "" && !h.alone {
		t.take(was, now)
	}
	return t
}

// tracesDir is where the cache has the traces of a project: of a configuration in a
// repository.
func tracesDir(cache, repo, place string) string {
	of := sha256.Sum256([]byte(repo + "\x00" + place))
	return filepath.Join(cache, "traces", hex.EncodeToString(of[:16]))
}

// name is what the project's traces are called in a registry.
func (t *traces) name() string {
	of := sha256.Sum256([]byte(t.history.place()))
	return fmt.Sprintf("v%d-%s", ansible.Version, hex.EncodeToString(of[:8]))
}

// take gets what the registry has, and says in one line whether that helps.
func (t *traces) take(was, now plan.Revision) {
	a := t.history.app
	say := func(format string, args ...any) {
		if !a.quiet {
			a.note(format, args...)
		}
	}
	x, err := a.exchange(nil, a.anyProject(), now.Project.Registry)
	if err != nil {
		say("no traces of earlier plans: %s", err)
		return
	}
	x.Cluster = now.Project.Cluster.Name
	dir, err := os.MkdirTemp("", "strata-traces-")
	if err != nil {
		say("no traces of earlier plans: %s", err)
		return
	}
	defer os.RemoveAll(dir)
	file, took, err := x.TakeTraces(a.ctx, t.name(), dir)
	var unfit *engine.Unfit
	switch {
	case errors.Is(err, registry.ErrNotThere):
		say("the registry has no traces of earlier plans: all playbooks are followed (strata plan --push-traces leaves some)")
	case errors.As(err, &unfit):
		say("no traces of earlier plans: %s", unfit.Why)
	case err != nil:
		say("no traces of earlier plans: %s", err)
	}
	if err != nil {
		return
	}
	text, err := os.ReadFile(file)
	if err == nil {
		_, err = t.write(text)
	}
	if err != nil {
		say("no traces of earlier plans: %s", err)
		return
	}
	for _, name := range newestFirst(t.dir) {
		t.openFile(name, was, now)
	}
	if len(t.known) == 0 {
		say("the registry's traces of earlier plans are of no use: %s", t.unfit)
		return
	}
	say("traces of %d nodes from earlier plans taken from %s", t.known[0].Traces.Len(), strings.TrimPrefix(took.At, "docker://"))
}

// push sends the newest traces to the registry, if that is asked for.
func (t *traces) push(now plan.Revision) error {
	a := t.history.app
	switch {
	case !t.history.push:
		return nil
	case now.Project.Registry == "":
		return noRegistry(a)
	case t.dir == "":
		return fault.New(fault.Input, "these traces are nobody else's: they are of directories of this machine").WithHint("leave out --override and --fresh")
	}
	files := newestFirst(t.dir)
	if len(files) == 0 {
		return fault.New(fault.Input, "there are no traces: no node's playbooks were followed").WithHint("plan all nodes of a commit that has playbooks")
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return err
	}
	x, err := a.exchange(nil, a.anyProject(), now.Project.Registry)
	if err != nil {
		return err
	}
	x.Cluster = now.Project.Cluster.Name
	if x.Options.Signer, err = a.signer(x.Trust); err != nil {
		return err
	}
	put, err := x.PutTraces(a.ctx, t.name(), t.outlined(text))
	if err == nil && !a.quiet {
		a.note("traces sent to %s (%s)", strings.TrimPrefix(put.At, "docker://"), size(int64(len(text))))
	}
	return err
}

// outlined is a file of traces with the outline of its commit, if that is here, so that it
// can be used where it is not, as in a shallow clone.
func (t *traces) outlined(file []byte) []byte {
	f, err := trace.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return file
	}
	text, err := f.About()
	var about aboutTraces
	if err != nil || json.Unmarshal(text, &about) != nil || about.Outline != nil {
		return file
	}
	commit, err := t.history.repo.Commit(about.Commit)
	if err == nil {
		about.Outline, err = t.history.repo.Outline(commit)
	}
	if err != nil {
		return file
	}
	text, _ = json.Marshal(about) // strings and numbers
	with, err := trace.Saying(text, file)
	if err != nil {
		return file
	}
	return with
}

func (t *traces) close() {
	for _, f := range t.open {
		f.Close()
	}
}

// pinsOf are the commits of a revision's repositories, what its roles and collections from
// elsewhere are, and which submodules are not here: no commit says that.
func pinsOf(r plan.Revision) []string {
	pins := make([]string, len(r.Repos))
	if files, ok := r.Source.Files.(*union.FS); ok {
		if of, ok := files.Joined()[plan.Galaxy].(*galaxy.Files); ok {
			pins = append(pins, of.ID())
		}
		if by, ok := files.Root().(interface{ Unfetched() []string }); ok {
			for _, at := range by.Unfetched() {
				pins = append(pins, "without "+at)
			}
		}
	}
	for i, repo := range r.Repos {
		pins[i] = repo.Pin()
	}
	slices.Sort(pins)
	return pins
}

// newestFirst lists the files of a directory by their time.
func newestFirst(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var infos []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = filepath.Join(dir, info.Name())
	}
	return names
}

// openFile adds a file, if it can be used.
func (t *traces) openFile(name string, was, now plan.Revision) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	known, err := t.read(f, was, now)
	if err != nil {
		f.Close()
		t.unfit = err
		return
	}
	t.files, t.open, t.known = append(t.files, name), append(t.open, f), append(t.known, known)
}

func (t *traces) read(f *os.File, was, now plan.Revision) (known plan.Known, err error) {
	info, err := f.Stat()
	if err != nil {
		return known, err
	}
	if known.Traces, err = trace.Open(f, info.Size()); err != nil {
		return known, err
	}
	about, err := t.fit(known.Traces)
	if err != nil {
		return known, err
	}
	files, err := t.history.commitFiles(about, now)
	if err != nil {
		return known, err
	}
	known.Source = engine.Source(now.Project, files, t.history.dir)
	known.Source.Parsed = t.history.parsed
	if known.ChangedHead, err = changedFiles(files, now.Source.Files); err != nil || was.Source == now.Source {
		return known, err
	}
	known.ChangedBase, err = changedFiles(files, was.Source.Files)
	return known, err
}

// fit is what a file of traces says of itself, if it is of this project and program.
func (t *traces) fit(f *trace.File) (about aboutTraces, err error) {
	text, err := f.About()
	if err != nil {
		return about, err
	}
	switch err := json.Unmarshal(text, &about); {
	case err != nil, len(about.Commit) != 40: // a name would be another commit each time
		return about, trace.ErrDamaged
	case about.Version != ansible.Version:
		return about, errors.New("another version of Strata made them")
	case about.Place != t.history.place():
		return about, errors.New("they are of another project")
	case !slices.Equal(about.Repos, t.repos):
		return about, errors.New("other repositories of the project were at other commits")
	}
	return about, nil
}

// commitFiles are the project's files at the commit that traces are of, with the
// repositories of a revision.
func (h *history) commitFiles(of aboutTraces, at plan.Revision) (*union.FS, error) {
	root, _, err := h.files(of.Commit)
	if err != nil && of.Outline != nil {
		root, err = h.repo.Outlined(of.Commit, of.Outline, h.below)
	}
	if err != nil {
		return nil, absent(of.Commit, err)
	}
	return joined(git.Hollow(root), at)
}

// absent says in one line that a commit is not here, and how it gets here.
func absent(commit string, err error) error {
	hint := ""
	if f := fault.All(err); len(f) > 0 && f[0].Hint != "" {
		hint = " (" + f[0].Hint + ")"
	}
	return fmt.Errorf("they are of commit %s, which is not here%s", commitOr(commit, ""), hint)
}

// use has a comparison use the traces, and leave its own.
func (t *traces) use(o *plan.CompareOptions) {
	if t.dir == "" {
		return
	}
	o.Known, o.Carry = t.known, t.carry()
	o.About = func(at plan.Revision) []byte { return t.about(at.Name) }
	o.Made = func(at plan.Revision, file []byte) {
		if at.Name != "" {
			t.leave(file)
		}
	}
}

// useHere does the same for a plan of the files on disk, which leaves its own where these
// are the files of a commit.
func (t *traces) useHere(o *plan.TraceOptions, commit string) {
	if t.dir == "" {
		return
	}
	o.Known, o.Carry = t.known, t.carry()
	if commit != "" {
		o.About, o.Made = t.about(commit), t.leave
	}
}

// carry reports whether what holds of all files is to go into one.
func (t *traces) carry() bool { return len(t.known) >= mostTraces || t.history.push }

// about is what a file of traces of a commit says of itself.
func (t *traces) about(commit string) []byte {
	text, _ := json.Marshal(aboutTraces{Version: ansible.Version, Place: t.history.place(), Commit: commit, Repos: t.repos}) // strings and a number
	return text
}

// leave writes a file of traces, and removes those that went into it.
func (t *traces) leave(file []byte) {
	kept, err := t.write(file)
	for _, name := range t.files {
		if err == nil && t.carry() && name != kept {
			_ = os.Remove(name)
		}
	}
}

// tracesHere has a plan of the files on disk use what earlier plans have left, and leave
// what it finds. Plans do without where the project lies in no repository. Close is to
// be called after the plan.
func (a *app) tracesHere(p *project, src *plan.Source) (o plan.TraceOptions, close func()) {
	close = func() {}
	quiet := *a
	quiet.quiet = true
	h, err := quiet.openHistory()
	if err != nil || h.dir == "" {
		return o, close
	}
	h.alone = true
	disk, _, err := h.files("")
	if err != nil {
		return o, close
	}
	now := plan.Revision{Project: p.Project, Source: &plan.Source{Files: p.files}, Repos: p.repos.pinned}
	if now.Source.Files, err = joined(disk, now); err != nil {
		return o, close
	}
	t := h.openTraces(now, now)
	src.Parsed = h.parsed
	t.useHere(&o, h.commitOf(now))
	return o, t.close
}

// commitOf is the commit that the files of a revision on disk are the same as; "" if there
// is none.
func (h *history) commitOf(now plan.Revision) string {
	files, id, err := h.files("HEAD")
	if err != nil {
		return ""
	}
	head, err := joined(files, now)
	if err != nil {
		return ""
	}
	if changed, err := changedFiles(head, now.Source.Files); err != nil || len(changed) > 0 {
		return ""
	}
	return id
}

// joined are a project's own files with the repositories of a revision.
func joined(root fs.FS, at plan.Revision) (*union.FS, error) {
	files := union.New(root)
	for name, fsys := range at.Source.Files.(*union.FS).Joined() {
		if err := files.Join(name, fsys); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// write puts a file of traces among the others, of which there are to be no more than a
// few: those that nobody can use go, too.
func (t *traces) write(text []byte) (string, error) {
	if err := os.MkdirAll(t.dir, 0o700); err != nil { // names of a site's files and variables are in it
		return "", err
	}
	f, err := os.CreateTemp(t.dir, ".new-")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = cmp.Or(err, f.Close()); err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	name := filepath.Join(t.dir, hex.EncodeToString(sum[:16]))
	if err := os.Rename(f.Name(), name); err != nil {
		return "", err
	}
	for i, old := range newestFirst(t.dir) {
		if i >= 2*mostTraces && old != name {
			_ = os.Remove(old)
		}
	}
	return name, nil
}

// pushTraces sends the traces of the commit that is checked out to the registry, after all
// of it was built: the next plans need not follow its playbooks. Plans do without, so that it is no
// error if that cannot be done.
func (a *app) pushTraces() {
	quiet := *a
	quiet.quiet = true
	h, err := quiet.openHistory()
	if err != nil {
		return // in no repository
	}
	h.push = true
	if _, _, err := h.compare("=HEAD", "HEAD", nil); err != nil {
		a.note("no traces of plans were sent: %s", err)
	}
}
