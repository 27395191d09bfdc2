// Package git gives the commits of a git repository as file systems, without a
// checkout, says which files differ between two of them or between one and a
// work tree, and keeps bare copies of other repositories.
//
// It is not a git client: it commits, merges, checks out and pushes nothing, and
// runs nothing that a repository brings along (hooks, filters, configuration).
// Only Fetch uses the git program, through a function that it is given.
package git

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/strata-hpc/strata/internal/fault"
)

// Repository is a git repository on this machine. Several goroutines may use it
// at once. It sees objects and refs that are added while it is open.
type Repository struct {
	top    string // the work tree; "" when there is none
	prefix string // where in it, with slashes
	git    string // HEAD and the index
	common string // refs, objects, configuration; git itself unless a linked work tree
	config settings
	db     *objects

	mu    sync.RWMutex
	trees map[plumbing.Hash]*tree

	origin    string // where a copy of ours came from
	lend      lend   // gets submodules of a copy
	modulesMu sync.Mutex
	modules   map[string]module // by place and commit
}

// Open finds the repository that dir lies in: the work tree's, be it linked or a
// submodule, or a bare one.
func Open(dir string) (*Repository, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	start, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return nil, fault.New(fault.Input, "open repository: %w", err)
	}
	for at := start; ; at = filepath.Dir(at) {
		found, bare, err := gitDir(at)
		if err != nil {
			return nil, err
		}
		if found != "" {
			r := &Repository{git: found, trees: map[plumbing.Hash]*tree{}}
			if !bare {
				r.top, r.prefix = at, slashed(at, start)
			}
			return r, r.load()
		}
		if at == filepath.Dir(at) {
			return nil, fault.New(fault.Input, "%s is in no git repository", dir).
				WithHint("go to a directory of the repository, or begin one: git -C %s init", dir)
		}
	}
}

// Prefix is the place in the work tree of the directory that was opened, with
// slashes; "" at the top and in a bare repository.
func (r *Repository) Prefix() string { return r.prefix }

// Dir is the directory of the repository's objects and refs.
func (r *Repository) Dir() string { return r.common }

// openAt opens a bare repository, and looks for none above it.
func openAt(dir string) (*Repository, error) {
	if !isGitDir(dir) {
		return nil, fault.New(fault.Input, "%s is no git repository", dir).WithHint("remove it, and it is made anew")
	}
	r := &Repository{git: dir, trees: map[plumbing.Hash]*tree{}}
	return r, r.load()
}

// gitDir returns the git directory that at has or is, or "".
func gitDir(at string) (dir string, bare bool, err error) {
	dot := filepath.Join(at, ".git")
	info, err := os.Stat(dot)
	switch {
	case err == nil && info.IsDir() && isGitDir(dot):
		return dot, false, nil
	case err == nil && info.Mode().IsRegular():
		// As git worktree, git submodule and git init --separate-git-dir leave it.
		content, err := os.ReadFile(dot)
		if err != nil {
			return "", false, err
		}
		to, ok := strings.CutPrefix(strings.TrimRight(string(content), "\r\n"), "gitdir: ")
		if !ok {
			return "", false, fault.New(fault.Input, "%s does not say where the repository is", dot)
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(at, to)
		}
		if !isGitDir(to) {
			return "", false, fault.New(fault.Input, "%s names %s, which is no git repository", dot, to).
				WithHint("if one of them was moved: git worktree repair, or git submodule update --init")
		}
		return to, false, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", false, err
	}
	if isGitDir(at) {
		return at, true, nil
	}
	return "", false, nil
}

// isGitDir is git's own test, setup.c's is_git_directory.
func isGitDir(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, "HEAD")); err != nil {
		return false
	}
	common, err := commonDir(dir)
	if err != nil {
		return false
	}
	for _, part := range []string{"objects", "refs"} {
		if info, err := os.Stat(filepath.Join(common, part)); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

// commonDir is where a linked work tree's git directory has what it shares.
func commonDir(dir string) (string, error) {
	content, err := os.ReadFile(filepath.Join(dir, "commondir"))
	if errors.Is(err, fs.ErrNotExist) {
		return dir, nil
	}
	if err != nil {
		return "", err
	}
	to := strings.TrimSpace(string(content))
	if !filepath.IsAbs(to) {
		to = filepath.Join(dir, to)
	}
	return to, nil
}

// load reads what is needed before anything else, and refuses formats that it
// would read wrongly.
func (r *Repository) load() (err error) {
	if r.common, err = commonDir(r.git); err != nil {
		return err
	}
	if r.config, err = readSettings(filepath.Join(r.common, "config")); err != nil {
		return err
	}
	if err := r.checkFormat(); err != nil {
		return err
	}
	r.db, err = openObjects(filepath.Join(r.common, "objects"))
	return err
}

func (r *Repository) checkFormat() error {
	version, _ := strconv.Atoi(r.config.get("core", "", "repositoryformatversion"))
	if version > 1 {
		return fault.New(fault.Input, "repository %s has format %d, and only 0 and 1 can be read", r.place(), version)
	}
	if format := r.config.get("extensions", "", "objectformat"); format != "" && format != "sha1" {
		return fault.New(fault.Input, "repository %s names objects by %s, and only sha1 can be read", r.place(), format).
			WithHint("make one with git init --object-format=sha1, and bring the history over: git fast-export --all, git fast-import")
	}
	if refs := r.config.get("extensions", "", "refstorage"); refs != "" && refs != "files" {
		return fault.New(fault.Input, "repository %s keeps its refs as %s, and only files can be read", r.place(), refs).
			WithHint("git -C %s refs migrate --ref-format=files", r.place())
	}
	if version == 0 {
		return nil
	}
	for _, name := range r.config.keys("extensions") {
		switch name {
		case "noop", "preciousobjects", "partialclone", "worktreeconfig", "objectformat", "refstorage", "relativeworktrees":
		default:
			return fault.New(fault.Input, "repository %s uses the extension %s, which is not known here", r.place(), name)
		}
	}
	return nil
}

// place is the directory to show, and to use with git -C.
func (r *Repository) place() string {
	if r.top != "" {
		return r.top
	}
	return r.git
}

// slashed is the path from top to dir below it, with slashes; "" for top itself.
func slashed(top, dir string) string {
	rel, err := filepath.Rel(top, dir)
	if err != nil || rel == "." {
		return ""
	}
	return filepath.ToSlash(rel)
}

// Bare reports whether the repository has no work tree.
func (r *Repository) Bare() bool { return r.top == "" }
