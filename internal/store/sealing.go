package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/layer"
)

// Sealing is what sealing a layer is told about it, and tells of it.
type Sealing struct {
	Identities layer.Identities
	// Scripts are the times, from and to, in which scripts of packages ran: what
	// was written then, they wrote.
	Scripts [][2]time.Time
	// Unmark, if not nil, takes out of a text what was copied from a file that stood in
	// the tree only while it was built, and says whether there was any.
	Unmark func(text string) (rest string, ours bool)
	// Found is told of every identity that packages made.
	Found func(Identity)
}

// Identity is a file that the scripts of a package made, and that is or would be the
// same on all cluster nodes.
type Identity struct {
	Path    string // absolute, in the tree
	Package string // or several that may be it; "" if it is not known
	Anew    string // how a cluster node gets its own, of one that is removed
	Removed bool
}

// kept says whether the site wants a file to stay.
func (s *Sealing) kept(name string) bool { return anyMatches(s.Identities.Keep, name) }

func anyMatches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(strings.TrimPrefix(p, "/"), name) })
}

// byScripts says whether a package's script wrote a file.
func (s *Sealing) byScripts(st *unix.Stat_t) bool {
	at := time.Unix(st.Mtim.Unix())
	return slices.ContainsFunc(s.Scripts, func(span [2]time.Time) bool { return !at.Before(span[0]) && !at.After(span[1]) })
}

func (s *Sealing) tell(found Identity) {
	if s.Found != nil {
		s.Found(found)
	}
}

// identities removes what no two cluster nodes may share. Only upper is changed, and
// no link leads out of it.
func (s *sealer) identities(lower []string) error {
	root, err := os.OpenRoot(s.upper)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, id := range identities {
		names, err := fs.Glob(root.FS(), id.pattern)
		if err != nil {
			return fmt.Errorf("look for %s: %w", id.pattern, err)
		}
		for _, name := range names {
			if err := s.identity(root, lower, id, name); err != nil {
				return fmt.Errorf("look after %s: %w", name, err)
			}
		}
	}
	return nil
}

// identity decides about a file that may be one.
func (s *sealer) identity(root *os.Root, lower []string, id identity, name string) error {
	st, err := statIn(root, name)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || !s.how.byScripts(st) || s.how.kept(name) {
		return err
	}
	found := Identity{Path: "/" + name, Package: id.pkg, Anew: id.anew}
	if found.Removed = id.anew != "" && (id.unit == "" || hasSystemd(append([]string{s.upper}, lower...))); !found.Removed {
		s.told[name] = true
		s.how.tell(found)
		return nil
	}
	if err := forget(root, name); err != nil {
		return err
	}
	if id.instead != "" {
		err = root.WriteFile(name, []byte(id.instead), 0o600)
	}
	if id.unit != "" {
		err = errors.Join(err, s.unit(root, lower, id))
	}
	s.how.tell(found)
	return err
}

// forget removes a file and the links beside it that point to it.
func forget(root *os.Root, name string) error {
	entries, err := fs.ReadDir(root.FS(), path.Dir(name))
	if err != nil {
		return err
	}
	for _, e := range entries {
		beside := path.Join(path.Dir(name), e.Name())
		if target, err := root.Readlink(beside); err == nil && target == path.Base(name) {
			if err := root.Remove(beside); err != nil {
				return err
			}
		}
	}
	return root.Remove(name)
}

// unit adds what makes an identity at boot.
func (s *sealer) unit(root *os.Root, lower []string, id identity) error {
	const units = "usr/lib/systemd/system"
	file := path.Join(units, id.unit)
	if err := makeDirs(root, lower, path.Dir(file)); err != nil {
		return err
	}
	if err := errors.Join(root.WriteFile(file, []byte(id.content), 0o644), root.Chmod(file, 0o644)); err != nil {
		return err
	}
	if id.wantedBy == "" {
		return nil
	}
	wants := path.Join(units, id.wantedBy+".wants")
	if err := makeDirs(root, lower, wants); err != nil {
		return err
	}
	err := root.Symlink("../"+id.unit, path.Join(wants, id.unit))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// makeDirs makes a directory and those above it, as the parent has them.
func makeDirs(root *os.Root, lower []string, dir string) error {
	if dir == "." {
		return nil
	}
	if err := makeDirs(root, lower, path.Dir(dir)); err != nil {
		return err
	}
	err := root.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	mode, uid, gid := os.FileMode(0o755), 0, 0
	if st, _ := find(lower, dir); st != nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		mode, uid, gid = os.FileMode(st.Mode&0o777), int(st.Uid), int(st.Gid)
	}
	return errors.Join(err, root.Chmod(dir, mode), root.Lchown(dir, uid, gid))
}

// hasSystemd says whether systemd starts what is in a tree.
func hasSystemd(dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool {
		_, err := os.Lstat(filepath.Join(dir, "usr/lib/systemd/systemd"))
		return err == nil
	})
}

func statIn(root *os.Root, name string) (*unix.Stat_t, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	st := unix.Stat_t{}
	f, err := root.OpenFile(path.Dir(name), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := unix.Fstatat(int(f.Fd()), info.Name(), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	return &st, nil
}
