package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// history is a site's commits with a description laid over them.
type history struct {
	ctx     context.Context
	dir     string            // a repository with the site's objects, and a work tree
	index   string            // a second index, in which trees are put together
	python  string            // the interpreter: in a site, "python3" may be another one
	overlay map[string]string // path to the id of its content
	missing map[string]string // ids of contents that the site's repository lacks, to those of what stands in for them
	done    map[string]string // commits with the description by those without
}

// commit is a commit and its first parent.
type commit struct{ id, parent string }

// openHistory makes the repository in a directory that is not there yet.
func openHistory(ctx context.Context, o Options, dir string) (*history, error) {
	h := &history{ctx: ctx, dir: filepath.Join(dir, "site"), index: filepath.Join(dir, "index"), overlay: map[string]string{}, done: map[string]string{}}
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return nil, err
	}
	site, err := filepath.Abs(o.Site)
	if err != nil {
		return nil, err
	}
	if _, err := h.git("clone", "--quiet", "--shared", "--no-checkout", "--", site, "."); err != nil {
		return nil, err
	}
	if h.python, err = findPython(ctx); err != nil {
		return nil, err
	}
	if err := h.linkModules(o.Modules); err != nil {
		return nil, err
	}
	if o.Overlay == "" {
		return h, nil
	}
	return h, h.readOverlay(o.Overlay)
}

// linkModules lends the repositories of submodules: those that are given as
// NAME=DIRECTORY, and those that the site has fetched.
func (h *history) linkModules(given []string) error {
	modules := filepath.Join(h.dir, ".git", "modules")
	if err := os.MkdirAll(modules, 0o755); err != nil {
		return err
	}
	objects, err := os.ReadFile(filepath.Join(h.dir, ".git", "objects", "info", "alternates"))
	if err != nil {
		return err
	}
	own := filepath.Join(filepath.Dir(strings.TrimSpace(string(objects))), "modules")
	entries, err := os.ReadDir(own)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		given = append(given, entry.Name()+"="+filepath.Join(own, entry.Name()))
	}
	for _, one := range given {
		name, dir, ok := strings.Cut(one, "=")
		if !ok || !filepath.IsLocal(name) {
			return fmt.Errorf("submodule %q: want NAME=DIRECTORY", one)
		}
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
		at := filepath.Join(modules, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(dir, at); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// readOverlay takes a file as strata.yaml, and a directory with all its files.
func (h *history) readOverlay(root string) error {
	info, err := os.Stat(root)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return h.addOverlay(root, "strata.yaml")
	}
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		at, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		return h.addOverlay(name, filepath.ToSlash(at))
	})
}

func (h *history) addOverlay(name, at string) error {
	name, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	id, err := h.git("hash-object", "-w", "--no-filters", "--", name)
	h.overlay[at] = id
	return err
}

// commits are those of a range, the oldest first: the first parents only, and
// none without a parent, which there is nothing to compare with.
func (h *history) commits(revisions string) ([]commit, error) {
	out, err := h.git("log", "--first-parent", "--reverse", "--format=%H %P", "--end-of-options", revisions, "--")
	if err != nil {
		return nil, err
	}
	var all []commit
	for line := range strings.Lines(out) {
		if ids := strings.Fields(line); len(ids) > 1 {
			all = append(all, commit{ids[0], ids[1]})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no commits", revisions)
	}
	return all, h.standIn(all)
}

// standIn finds the contents that a partial copy lacks, and makes others for
// them that differ where they do.
func (h *history) standIn(commits []commit) error {
	args := []string{"rev-list", "--objects", "--no-object-names", "--missing=print", "--no-walk"}
	for _, c := range commits {
		args = append(args, c.id, c.parent)
	}
	out, err := h.git(args...)
	if err != nil {
		return err
	}
	h.missing = map[string]string{}
	for line := range strings.Lines(out) {
		id, ok := strings.CutPrefix(strings.TrimSpace(line), "?")
		if !ok {
			continue
		}
		note := filepath.Join(filepath.Dir(h.dir), "missing")
		if err := os.WriteFile(note, []byte("not in this copy: "+id+"\n"), 0o644); err != nil {
			return err
		}
		if h.missing[id], err = h.git("hash-object", "-w", "--no-filters", "--", note); err != nil {
			return err
		}
	}
	return nil
}

// replaceMissing puts what stands in for missing contents into the index.
func (h *history) replaceMissing() error {
	if len(h.missing) == 0 {
		return nil
	}
	out, err := h.git("ls-files", "--stage", "-z")
	if err != nil {
		return err
	}
	for entry := range strings.SplitSeq(out, "\x00") {
		info, name, ok := strings.Cut(entry, "\t")
		fields := strings.Fields(info)
		if !ok || h.missing[fields[1]] == "" {
			continue
		}
		if _, err := h.git("update-index", "--cacheinfo", fields[0]+","+h.missing[fields[1]]+","+name); err != nil {
			return err
		}
	}
	return nil
}

// laid is a commit with the description laid over it, on a parent that has it,
// too ("" for none).
func (h *history) laid(id, parent string) (string, error) {
	if made, ok := h.done[id]; ok {
		return made, nil
	}
	if _, err := h.git("read-tree", id); err != nil {
		return "", err
	}
	if err := h.replaceMissing(); err != nil {
		return "", err
	}
	for at, content := range h.overlay {
		if _, err := h.git("update-index", "--add", "--replace", "--cacheinfo", "100644,"+content+","+at); err != nil {
			return "", err
		}
	}
	tree, err := h.git("write-tree")
	if err != nil {
		return "", err
	}
	args := []string{"commit-tree", "-m", id, tree}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	made, err := h.git(args...)
	h.done[id] = made
	return made, err
}

// checkOut puts a commit into the work tree, where Listing 6 reads it.
func (h *history) checkOut(id string) error {
	_, err := h.run(nil, "git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "--detach", id)
	return err
}

// git runs git with the second index, and returns what it prints, trimmed.
func (h *history) git(args ...string) (string, error) {
	return h.run([]string{"GIT_INDEX_FILE=" + h.index}, append([]string{"git"}, args...)...)
}

// identity is who makes the commits, always at the same time: they are the same
// each time, too.
func identity() []string {
	return []string{
		"GIT_AUTHOR_NAME=replay", "GIT_AUTHOR_EMAIL=replay", "GIT_AUTHOR_DATE=2000-01-01T00:00:00Z",
		"GIT_COMMITTER_NAME=replay", "GIT_COMMITTER_EMAIL=replay", "GIT_COMMITTER_DATE=2000-01-01T00:00:00Z",
	}
}

func (h *history) run(env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(h.ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = h.dir, append(append(os.Environ(), identity()...), env...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(args, " "), errors.Join(err, errors.New(strings.TrimSpace(said.String()))))
	}
	return strings.TrimSpace(string(out)), nil
}
