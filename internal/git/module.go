package git

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/config"

	"github.com/strata-hpc/strata/internal/fault"
)

// module is a submodule of a commit whose objects are at hand.
type module struct {
	git  string // its git directory
	url  string // its address
	tree plumbing.Hash
	err  error // why it is not there
}

// lend gets a submodule that is not there: it returns the git directory of a repository
// that has the commit.
type lend func(url, commit string) (git string, err error)

// fromCache lends submodules of a copy by fetching them beside it.
func fromCache(ctx context.Context, run Runner, cache string) lend {
	return func(url, commit string) (string, error) {
		r, _, err := Fetch(ctx, run, url, commit, cache)
		if err != nil {
			return "", err
		}
		return r.git, nil
	}
}

// errNotFetched says that a submodule is not there.
var errNotFetched = errors.New("submodule was not fetched")

// module finds the submodule at a place, and makes its objects readable with those of
// the repository: git's own copy, as git submodule update makes it, or, of a copy of
// ours, one that is fetched now. Each is looked for once.
func (f *files) module(p *place) (module, error) {
	r := f.repo
	r.modulesMu.Lock()
	defer r.modulesMu.Unlock()
	return f.moduleOf(p)
}

func (f *files) moduleOf(p *place) (module, error) {
	r, key := f.repo, p.path()+" "+p.id.String()
	if m, ok := r.modules[key]; ok {
		return m, m.err
	}
	m, err := f.get(p)
	m.err = err
	if r.modules == nil {
		r.modules = map[string]module{}
	}
	r.modules[key] = m
	return m, err
}

// get is module for one that has not been looked for yet.
func (f *files) get(p *place) (module, error) {
	r := f.repo
	up, above := p.up, module{git: r.common, url: r.address()}
	for up.up != nil && up.mode != filemode.Submodule {
		up = up.up
	}
	if up.mode == filemode.Submodule {
		var err error
		if above, err = f.moduleOf(up); err != nil {
			return module{}, err
		}
	}
	name, url := f.declared(up, strings.TrimPrefix(strings.TrimPrefix(p.path(), up.path()), "/"))
	m := module{url: resolveURL(above.url, url)}
	var err error
	if m.git, err = r.moduleDir(p, above, name, m.url); err != nil {
		return m, err
	}
	if err := r.db.borrow(filepath.Join(m.git, "objects")); err != nil {
		return m, err
	}
	c, err := r.commit(p.id, "submodule "+p.short())
	if err != nil {
		return m, r.notFetched(p, m.url)
	}
	m.tree = c.tree
	return m, nil
}

// declared is what .gitmodules says of a submodule: its name, and its address.
func (f *files) declared(up *place, at string) (name, url string) {
	id := up.id
	if up.mode == filemode.Submodule {
		id = f.repo.modules[up.path()+" "+up.id.String()].tree
	}
	t, err := f.repo.tree(id, f.what(up))
	if err != nil {
		return at, ""
	}
	e, ok := t.find(".gitmodules")
	if !ok {
		return at, ""
	}
	content, err := f.repo.object(plumbing.BlobObject, e.id, ".gitmodules")
	if err != nil {
		return at, ""
	}
	for _, sub := range parseModules(string(content)) {
		if sub.at == at {
			return sub.name, sub.url
		}
	}
	return at, ""
}

// declaration is a submodule in .gitmodules.
type declaration struct{ name, at, url string }

func parseModules(text string) []declaration {
	raw := config.New()
	_ = config.NewDecoder(strings.NewReader(text)).Decode(raw) // what stands before a mistake has been read
	var list []declaration
	for _, sub := range raw.Section("submodule").Subsections {
		list = append(list, declaration{sub.Name, path.Clean(sub.Options.Get("path")), sub.Options.Get("url")})
	}
	return list
}

// Unfetched are the submodules of which the work tree has no files, by their places
// from its top, with slashes.
func (r *Repository) Unfetched() []string {
	content, err := os.ReadFile(filepath.Join(r.top, ".gitmodules"))
	if r.top == "" || err != nil {
		return nil
	}
	var list []string
	for _, sub := range parseModules(string(content)) {
		if !filepath.IsLocal(sub.at) {
			continue
		}
		found, err := os.ReadDir(filepath.Join(r.top, filepath.FromSlash(sub.at)))
		if err == nil && len(found) == 0 {
			list = append(list, sub.at)
		}
	}
	return list
}

// moduleDir is the git directory of a submodule.
func (r *Repository) moduleDir(p *place, above module, name, url string) (string, error) {
	if r.lend == nil {
		own := filepath.Join(above.git, "modules", filepath.FromSlash(name))
		if !filepath.IsLocal(filepath.FromSlash(name)) || !isGitDir(own) {
			return "", r.notFetched(p, url)
		}
		return own, nil
	}
	if url == "" || strings.Contains(url, "::") || isLocal(url) && !isLocal(r.origin) {
		return "", fault.New(fault.Input, "%w: %s: its address in .gitmodules is %q, from where nothing is fetched", errNotFetched, p.short(), remoteURL(url).shown()).
			WithHint("a repository that comes over the network can name others on the network only")
	}
	dir, err := r.lend(url, p.id.String())
	if all := fault.All(err); len(all) > 0 {
		return "", fault.New(all[0].Kind, "%w: %s: %s", errNotFetched, p.short(), all[0].Message).WithHint("%s", all[0].Hint)
	}
	return dir, err
}

// notFetched tells how to get a submodule.
func (r *Repository) notFetched(p *place, url string) error {
	return fault.New(fault.Input, "%w: %s, which is commit %s of %s", errNotFetched, p.short(), p.id.String()[:7], remoteURL(url).shown()).
		WithHint("git -C %s submodule update --init --recursive -- %s", r.place(), p.short())
}

// address is where a repository came from.
func (r *Repository) address() string {
	if r.origin != "" {
		return r.origin
	}
	return r.Remote()
}

// isLocal reports whether an address is a directory of this machine.
func isLocal(url string) bool {
	if strings.HasPrefix(url, "file:") {
		return true
	}
	before, _, scp := strings.Cut(url, ":")
	return !scp || strings.Contains(before, "/")
}

// resolveURL is an address of .gitmodules, which may start from that of the repository
// above with ./ or ../.
func resolveURL(above, url string) string {
	if !strings.HasPrefix(url, "./") && !strings.HasPrefix(url, "../") {
		return url
	}
	above = strings.TrimRight(above, "/")
	for {
		if rest, ok := strings.CutPrefix(url, "./"); ok {
			url = rest
			continue
		}
		rest, ok := strings.CutPrefix(url, "../")
		if !ok {
			break
		}
		url = rest
		at := strings.LastIndexAny(above, "/:")
		if at < 0 {
			break
		}
		if above[at] == ':' {
			return above[:at+1] + url
		}
		above = above[:at]
	}
	return above + "/" + url
}
