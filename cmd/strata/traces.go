package main

import (
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
	"github.com/strata-hpc/strata/internal/build"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/galaxy"
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
}

// mostTraces files of a project are kept; with as many, what holds of all goes into one.
const mostTraces = 6

// aboutTraces is what a file of traces says of itself.
type aboutTraces struct {
	Version int      // of the analysis
	Place   string   // the configuration in the repository
	Commit  string   // that all of them were made of
	Repos   []string // the other repositories, and their commits
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
	of := sha256.Sum256([]byte(h.repo.Dir() + "\x00" + h.place()))
	t.dir = filepath.Join(cache, "traces", hex.EncodeToString(of[:16]))
	for _, name := range newestFirst(t.dir) {
		t.openFile(name, was, now)
	}
	if len(t.known) == 0 && now.Project.Registry != "" && !h.alone {
		t.take(was, now)
	}
	return t
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
	var unfit *build.Unfit
	switch {
	case errors.Is(err, registry.ErrNotThere):
		say("the registry has no traces of earlier plans: all playbooks are followed (strata plan --push-traces leaves some)")
	case errors.As(err, &unfit):
		say("the registry's traces of earlier plans are of no use: %s", unfit.Why)
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
		say("the registry's traces of earlier plans are of no use: of a commit that is not here, or of another program")
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
	put, err := x.PutTraces(a.ctx, t.name(), text)
	if err == nil && !a.quiet {
		a.note("traces sent to %s (%s)", strings.TrimPrefix(put.At, "docker://"), size(int64(len(text))))
	}
	return err
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
	known, ok := t.read(f, was, now)
	if !ok {
		f.Close()
		return
	}
	t.files, t.open, t.known = append(t.files, name), append(t.open, f), append(t.known, known)
}

func (t *traces) read(f *os.File, was, now plan.Revision) (known plan.Known, ok bool) {
	info, err := f.Stat()
	if err != nil {
		return known, false
	}
	if known.Traces, err = trace.Open(f, info.Size()); err != nil {
		return known, false
	}
	text, err := known.Traces.About()
	var about aboutTraces
	if err != nil || json.Unmarshal(text, &about) != nil || about.Version != ansible.Version || about.Place != t.history.place() || !slices.Equal(about.Repos, t.repos) {
		return known, false
	}
	files, err := t.history.commitFiles(about.Commit, now)
	if err != nil {
		return known, false
	}
	known.Source = build.Source(now.Project, files, t.history.dir)
	known.Source.Parsed = t.history.parsed
	if known.ChangedBase, err = changedFiles(files, was.Source.Files); err != nil {
		return known, false
	}
	known.ChangedHead, err = changedFiles(files, now.Source.Files)
	return known, err == nil
}

// commitFiles are the project's files at a commit, with the repositories of a revision.
func (h *history) commitFiles(commit string, at plan.Revision) (*union.FS, error) {
	root, _, err := h.files(commit)
	if err != nil {
		return nil, err
	}
	files := union.New(root)
	for name, fsys := range at.Source.Files.(*union.FS).Joined() {
		if err := files.Join(name, fsys); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// use has a comparison use the traces, and leave its own.
func (t *traces) use(o *plan.CompareOptions) {
	if t.dir == "" {
		return
	}
	o.Known, o.Carry = t.known, len(t.known) >= mostTraces || t.history.push
	o.About = func(at plan.Revision) []byte {
		text, _ := json.Marshal(aboutTraces{ansible.Version, t.history.place(), at.Name, t.repos}) // strings and a number
		return text
	}
	o.Made = func(at plan.Revision, file []byte) {
		if at.Name == "" {
			return
		}
		kept, err := t.write(file)
		for _, name := range t.files {
			if err == nil && o.Carry && name != kept {
				_ = os.Remove(name)
			}
		}
	}
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
