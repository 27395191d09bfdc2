package git

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxSymbolic is how many symbolic refs git follows.
const maxSymbolic = 5

// ref is what a ref's file says: an id, or the name of another ref.
type ref struct {
	id     plumbing.Hash
	target string
}

// refPath is where a ref's file, or its log with "logs", would be. A linked work
// tree has its own HEAD and the like, and shares the rest.
func (r *Repository) refPath(kind, name string) string {
	dir := r.git
	if strings.HasPrefix(name, "refs/") && !strings.HasPrefix(name, "refs/bisect/") &&
		!strings.HasPrefix(name, "refs/worktree/") && !strings.HasPrefix(name, "refs/rewritten/") {
		dir = r.common
	}
	return filepath.Join(dir, kind, filepath.FromSlash(name))
}

// readRef reads one ref, loose or packed.
func (r *Repository) readRef(name string) (ref, bool, error) {
	if !validRef(name) {
		return ref{}, false, nil
	}
	content, err := os.ReadFile(r.refPath("", name))
	switch {
	case err == nil:
		found, ok := parseRef(string(content))
		if !ok && strings.HasPrefix(name, "refs/") {
			return ref{}, false, fmt.Errorf("read ref %s: %q is no id", name, strings.TrimSpace(string(content)))
		}
		return found, ok, nil // what has no id and stands beside HEAD, such as config, is no ref
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR):
	default:
		return ref{}, false, err
	}
	var packed ref
	found := false
	err = r.packedRefs(func(have string, id plumbing.Hash) {
		if have == name {
			packed, found = ref{id: id}, true
		}
	})
	return packed, found, err
}

// parseRef reads a ref's file; FETCH_HEAD has more words after the id.
func parseRef(content string) (ref, bool) {
	if target, ok := strings.CutPrefix(content, "ref:"); ok {
		return ref{target: strings.TrimSpace(target)}, true
	}
	words := strings.Fields(content)
	if len(words) == 0 || !plumbing.IsHash(words[0]) {
		return ref{}, false
	}
	return ref{id: plumbing.NewHash(words[0])}, true
}

// packedRefs calls f for each ref of the file that git pack-refs writes.
func (r *Repository) packedRefs(f func(name string, id plumbing.Hash)) error {
	file, err := os.Open(filepath.Join(r.common, "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// Others are "# pack-refs with: …" and "^id", what a tag points to.
		if id, name, ok := strings.Cut(lines.Text(), " "); ok && plumbing.IsHash(id) {
			f(name, plumbing.NewHash(id))
		}
	}
	return lines.Err()
}

// resolveRef follows symbolic refs to an id. It returns the name of the last one,
// with which an unborn branch has no id.
func (r *Repository) resolveRef(name string) (id plumbing.Hash, last string, err error) {
	for range maxSymbolic {
		found, ok, err := r.readRef(name)
		if err != nil || !ok {
			return plumbing.ZeroHash, name, err
		}
		if found.target == "" {
			return found.id, name, nil
		}
		name = found.target
	}
	return plumbing.ZeroHash, name, fmt.Errorf("ref %s leads in a circle", name)
}

// expand returns the full name of the ref that git takes a short one for, or "".
func (r *Repository) expand(short string) (string, error) {
	// The order of gitrevisions(7).
	for _, form := range []string{"%s", "refs/%s", "refs/tags/%s", "refs/heads/%s", "refs/remotes/%s", "refs/remotes/%s/HEAD"} {
		name := fmt.Sprintf(form, short)
		_, ok, err := r.readRef(name)
		if err != nil {
			return "", err
		}
		if ok {
			return name, nil
		}
	}
	return "", nil
}

// refNames are branches, tags and branches of remotes, in their short forms.
func (r *Repository) refNames() []string {
	names := []string{"HEAD"}
	add := func(name string) {
		for _, prefix := range []string{"refs/heads/", "refs/tags/", "refs/remotes/"} {
			if short, ok := strings.CutPrefix(name, prefix); ok {
				names = append(names, short)
			}
		}
	}
	// They are for a hint: what cannot be read is left out.
	_ = r.packedRefs(func(name string, _ plumbing.Hash) { add(name) })
	_ = filepath.WalkDir(filepath.Join(r.common, "refs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			add(slashed(r.common, path))
		}
		return nil
	})
	return names
}

// validRef refuses what is no ref's name, above all what leads elsewhere.
func validRef(name string) bool {
	if name == "" || strings.ContainsAny(name, " ~^:?*[\\\x7f") || strings.Contains(name, "..") || strings.Contains(name, "@{") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(c rune) bool { return c < ' ' })
}

// isShallow says whether the history has been cut off.
func (r *Repository) isShallow() bool {
	info, err := os.Stat(filepath.Join(r.common, "shallow"))
	return err == nil && info.Size() > 0
}
