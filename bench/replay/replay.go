// Package replay asks Strata, commit by commit, what a real site's history would
// have rebuilt, and asks the paper's Listing 6 the same.
//
// A commit is compared with its first parent, and only the first parents of a
// range are followed: what a branch got, each merge as one change, as a pipeline
// on that branch sees it. The site need not know of Strata: a description is
// laid over every one of its commits, in a repository of our own that borrows the
// site's objects. Nothing is written to the site.
//
// It runs no playbook and builds nothing, and what it measures is no test: a plan
// that is refused or takes too long is a record like any other.
package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options say what to replay, and with what.
type Options struct {
	Site     string   // the site's repository: a working tree or a bare one
	Range    string   // of commits, as git log takes it: HEAD~150..HEAD
	Overlay  string   // a strata.yaml, or a directory of files, to lay over each commit; "" if the site has its own
	Modules  []string // repositories of submodules: NAME=DIRECTORY
	Galaxy   string   // a cache of roles and collections from elsewhere, as in ~/.cache/strata/galaxy; "" for an empty one
	Name     string   // of the results; without it, that of Overlay or Site
	Dir      string   // where results and scratch go
	Strata   string   // the program
	Listing  string   // layers.py
	Limits   Limits
	Check    bool // plan each commit once more without traces of others, and compare
	Progress io.Writer
}

// Limits are what one plan may take.
type Limits struct {
	Time   time.Duration
	Memory int64 // resident, in bytes
}

// Record is what became of one commit.
type Record struct {
	Commit  string   `json:"commit"`
	Parent  string   `json:"parent"`
	Changed []string `json:"changed"`
	// Beside are the changed files that cannot matter to any layer:
	// documentation, what is the CI's, and playbooks that no layer runs.
	Beside  []string `json:"beside"`
	Strata  Plan     `json:"strata"`
	Listing Listing  `json:"listing6"`
	// Lines are the texts of the lines where Strata could not go on, by their places.
	Lines map[string]string `json:"lines,omitempty"`
	// Beyond are the nodes that only Strata builds, Less those that only Listing 6 does.
	Beyond []string `json:"beyond"`
	Less   []string `json:"less"`
	// Differs says that a plan without traces of other commits was another.
	Differs bool `json:"differs,omitempty"`
	// Cold is what the plan took where nothing was kept; not asked of every commit.
	Cold *Cost `json:"cold,omitempty"`
}

// Cost is what a plan took: seconds, seconds of processor time, resident MB.
type Cost struct{ Seconds, CPU, Peak float64 }

// idle reports whether nothing of the commit can matter to any layer.
func (r *Record) idle() bool { return r.Listing.Error == "" && len(r.Beside) == len(r.Changed) }

// compared reports whether both sides have answered.
func (r *Record) compared() bool { return r.Strata.answered() && r.Listing.Error == "" }

// Run replays a range. It writes NAME.jsonl, a record a line as they come, and
// NAME.json and NAME.md, which sum up what has come.
func Run(ctx context.Context, o Options) (*Summary, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp(o.Dir, o.Name+".scratch-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	h, err := openHistory(ctx, o, scratch)
	if err != nil {
		return nil, err
	}
	commits, err := h.commits(o.Range)
	if err != nil {
		return nil, err
	}
	out, err := os.Create(filepath.Join(o.Dir, o.Name+".jsonl"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	sum := &Summary{Site: o.Name, When: time.Now().UTC()}
	for i, c := range commits {
		r, err := h.replay(o, c, i%coldEach == coldEach-1)
		if err != nil {
			return nil, fmt.Errorf("replay %s: %w", c.id, err)
		}
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return nil, err
		}
		sum.add(r)
		if err := sum.save(o.Dir); err != nil { // a replay that is stopped leaves what it has seen
			return nil, err
		}
		fmt.Fprintf(o.Progress, "%s: %d of %d: %s\n", o.Name, i+1, len(commits), r)
	}
	return sum, out.Close()
}

// coldEach is of how many commits one is planned with nothing kept, too, to see what
// that takes.
const coldEach = 10

// complete fills in what was left out, makes paths absolute, as programs run in
// the site, and makes the directory for the results.
func (o *Options) complete() error {
	if o.Name == "" {
		o.Name = nameOf(*o)
	}
	for _, name := range []*string{&o.Dir, &o.Strata, &o.Listing, &o.Galaxy} {
		var err error
		if *name == "" {
			continue
		}
		if *name, err = filepath.Abs(*name); err != nil {
			return err
		}
	}
	return os.MkdirAll(o.Dir, 0o755)
}

// nameOf is the name of the description, else of the site.
func nameOf(o Options) string {
	name := o.Overlay
	if name == "" {
		name = o.Site
	}
	name = filepath.Base(filepath.Clean(name))
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// replay asks both sides about one commit.
func (h *history) replay(o Options, c commit, cold bool) (*Record, error) {
	base, err := h.laid(c.parent, "")
	if err != nil {
		return nil, err
	}
	head, err := h.laid(c.id, base)
	if err != nil {
		return nil, err
	}
	r := &Record{Commit: c.id, Parent: c.parent}
	if r.Strata, err = h.plan(o, base, head, "cache"); err != nil {
		return nil, err
	}
	if cold {
		if r.Cold, err = h.cold(o, base, head); err != nil {
			return nil, err
		}
	}
	if o.Check {
		if r.Differs, err = h.differs(o, base, head, r.Strata); err != nil {
			return nil, err
		}
	}
	if err := h.checkOut(head); err != nil {
		return nil, err
	}
	r.readLines(h.dir)
	if r.Listing, err = h.listing(o, base, head); err != nil {
		return nil, err
	}
	r.Changed, r.Beside = r.Listing.Changed, r.Listing.Beside
	if r.compared() {
		r.Beyond, r.Less = without(r.Strata.rebuilt(), r.Listing.Nodes), without(r.Listing.Nodes, r.Strata.rebuilt())
	}
	return r, nil
}

// differs reports whether a plan is another one without traces, byte by byte. One
// that was stopped cannot be compared.
func (h *history) differs(o Options, base, head string, known Plan) (bool, error) {
	fresh, err := h.plan(o, base, head, "cache", "--fresh")
	return known.Stopped == "" && fresh.Stopped == "" && fresh.said != known.said, err
}

// cold is what a plan takes where nothing is kept of others.
func (h *history) cold(o Options, base, head string) (*Cost, error) {
	defer os.RemoveAll(filepath.Join(filepath.Dir(h.dir), "nothing"))
	p, err := h.plan(o, base, head, "nothing")
	return &Cost{p.Seconds, p.CPU, p.Peak}, err
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(id string) bool { return slices.Contains(some, id) })
}

// String is the record for the person who waits.
func (r *Record) String() string {
	ours, theirs := fmt.Sprintf("%d built", len(r.Strata.rebuilt())), fmt.Sprintf("Listing 6 %d", len(r.Listing.Nodes))
	if !r.Strata.answered() {
		ours = r.Strata.refusal()
	}
	if r.Listing.Error != "" {
		theirs += ": " + r.Listing.Error
	}
	text := fmt.Sprintf("%.8s %d files, %s, %s", r.Commit, len(r.Changed), ours, theirs)
	if r.idle() {
		text += ", beside the layers"
	}
	if r.Differs {
		text += ", and another plan without traces"
	}
	return fmt.Sprintf("%s (%.2f s, %.0f MB)", text, r.Strata.Seconds, r.Strata.Peak)
}

// readLines keeps what the lines say, as their numbers change from commit to
// commit.
func (r *Record) readLines(dir string) {
	for _, n := range r.Strata.Nodes {
		for at := range n.Wide {
			if _, known := r.Lines[at]; known {
				continue
			}
			if r.Lines == nil {
				r.Lines = map[string]string{}
			}
			r.Lines[at] = lineAt(dir, at)
		}
	}
}

// lineAt is the line that "file:line: why" names; "" if there is none.
func lineAt(dir, at string) string {
	name, rest, _ := strings.Cut(at, ":")
	number, _, _ := strings.Cut(rest, ":")
	n, err := strconv.Atoi(number)
	if err != nil {
		return ""
	}
	content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return ""
	}
	lines := strings.Split(string(content), "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimSpace(lines[n-1])
}
