package disk

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

// Link is a link that leads out of the files that it is in.
type Link struct {
	Name string // below where the files begin
	Err  error  // as of Outside
}

// Outward returns the links of a project that lead out of it, and those of the
// directories that its other links lead to: programs that open files themselves would
// follow them. Each directory is looked at once, by however many names links lead to
// it. What cannot be listed is passed over.
func Outward(ctx context.Context, fsys fs.FS) ([]Link, error) {
	l := outward{ctx: ctx, fsys: fsys, seen: map[string]bool{}}
	err := l.down(".", whereIs(fsys, "."))
	return l.found, err
}

type outward struct {
	ctx   context.Context
	fsys  fs.FS
	seen  map[string]bool // directories, by where they really are
	found []Link
}

func (l *outward) down(dir, real string) error {
	if err := context.Cause(l.ctx); err != nil || l.seen[real] {
		return err
	}
	l.seen[real] = true
	entries, err := fs.ReadDir(l.fsys, dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case e.IsDir() && e.Name() != ".git":
			err = l.down(name, path.Join(real, e.Name()))
		case e.Type()&fs.ModeSymlink != 0:
			err = l.link(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *outward) link(name string) error {
	info, err := fs.Stat(l.fsys, name)
	said, ok := errors.AsType[*fault.Error](err)
	switch {
	case ok && !errors.Is(err, unix.ELOOP): // which leads nowhere, for every program
		l.found = append(l.found, Link{name, said})
	case err == nil && info.IsDir():
		return l.down(name, whereIs(l.fsys, name))
	}
	return nil
}

// whereIs is where a name really is, or the name where that cannot be known.
func whereIs(fsys fs.FS, name string) string {
	if by, ok := fsys.(interface {
		Real(name string) (string, error)
	}); ok {
		if place, err := by.Real(name); err == nil {
			return "/" + place
		}
	}
	return name
}
