package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Placeholder is a file that stands in the tree only while a sandbox lives,
// such as a resolv.conf that works here. What was in its place comes back
// afterwards, unless a step put something else there: that stays.
type Placeholder struct {
	Path    string `json:"path"`
	Content string `json:"content"`
	Mode    uint32 `json:"mode"`
	// IfMissing leaves alone what the tree has in that place.
	IfMissing bool `json:"if_missing"`
	// Lines puts the lines of Content above those that the tree has in that
	// place. Afterwards they alone go, there and wherever below /etc a step has
	// copied them; what a step made of the tree's lines, and added, stays. Marked
	// makes such a Content.
	Lines bool `json:"lines"`
}

// original remembers what a placeholder replaced.
type original struct {
	placeholder Placeholder
	moved       string // where it waits; "" if there was nothing
	link        bool   // it is a symbolic link
	text        string // with Lines: what it says, itself or where it leads
	madeDir     string // the topmost directory that had to be made, or ""
}

// aside is where an original waits: beside its place, so that moving it is a rename.
const aside = ".strata-original"

// A text that people edit line by line is at most this long.
const maxText = 1 << 20

// substitutes are all placeholders of a tree that stand.
type substitutes struct {
	saved []original
	began time.Time
}

// substitute puts the placeholders in place. The process is in the tree.
func substitute(files []Placeholder) (*substitutes, error) {
	s := &substitutes{began: time.Now()}
	for _, f := range files {
		if _, err := os.Lstat(f.Path); f.IfMissing && err == nil || s.stands(f.Path) {
			continue
		}
		o, err := substituteOne(f)
		if err != nil {
			return s, fmt.Errorf("put a temporary %s: %w", f.Path, err)
		}
		s.saved = append(s.saved, o)
	}
	return s, nil
}

// stands says whether a path is a link to a placeholder that is there already.
func (s *substitutes) stands(path string) bool {
	target, err := filepath.EvalSymlinks(path)
	if err != nil || target == path {
		return false
	}
	for _, o := range s.saved {
		if o.placeholder.Path == target {
			return true
		}
	}
	return false
}

func substituteOne(f Placeholder) (original, error) {
	o := original{placeholder: f}
	dir := filepath.Dir(f.Path)
	o.madeDir = missing(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return o, err
	}
	if st, err := os.Lstat(f.Path); err == nil {
		if f.Lines {
			o.text = textOf(f.Path)
		}
		o.link = st.Mode()&os.ModeSymlink != 0
		o.moved = filepath.Join(dir, "."+filepath.Base(f.Path)+aside)
		if err := os.Rename(f.Path, o.moved); err != nil {
			return o, err
		}
	}
	if err := os.WriteFile(f.Path, []byte(f.Content+o.text), 0o600); err != nil {
		return o, err
	}
	return o, os.Chmod(f.Path, os.FileMode(f.Mode))
}

// openText opens a regular file of the tree that this process is in, where links
// lead, but not beyond what belongs to the layer: on none of the mounts in it.
func openText(path string, flags uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: flags | unix.O_NONBLOCK, Resolve: unix.RESOLVE_NO_XDEV}
	if flags&unix.O_CREAT != 0 {
		how.Mode = 0o644
	}
	f, err := openHow("/", path, how)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() > maxText {
		f.Close()
		return nil, &os.PathError{Op: "open", Path: path, Err: errors.New("not a regular file of moderate length")}
	}
	return f, nil
}

// textOf is what a file says, or "" for what has no lines to be edited.
func textOf(path string) string {
	f, err := openText(path, unix.O_RDONLY)
	if err != nil {
		return ""
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxText))
	if err != nil {
		return ""
	}
	return string(content)
}

// missing returns the topmost part of dir that is not there, or "".
func missing(dir string) string {
	found := ""
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil {
			break
		}
		found = dir
	}
	return found
}

// restore undoes substitute.
func (s *substitutes) restore() error {
	var errs []error
	lines, before := false, ""
	for i := len(s.saved) - 1; i >= 0; i-- {
		o := s.saved[i]
		if err := o.restore(); err != nil {
			errs = append(errs, fmt.Errorf("take away the temporary %s: %w", o.placeholder.Path, err))
		}
		lines, before = lines || o.placeholder.Lines, before+o.text
	}
	s.saved = nil
	// Not before: what still stands would look like a copy.
	if lines {
		if err := cleanCopies("/etc", s.began, before); err != nil {
			errs = append(errs, fmt.Errorf("take away copies of temporary files: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (o original) restore() error {
	path := o.placeholder.Path
	st, err := os.Lstat(path)
	if err != nil || !st.Mode().IsRegular() {
		return o.forget() // a step took it away, or made a link of it
	}
	if !o.placeholder.Lines {
		content, err := readAtMost(path, int64(len(o.placeholder.Content))+1)
		if err == nil && content == o.placeholder.Content {
			return o.putBack()
		}
		return o.forget()
	}
	if st.Size() > maxText {
		return o.forget()
	}
	content, err := readAtMost(path, maxText)
	if err != nil {
		return err
	}
	text, ours := withoutMarked(content, o.text)
	switch {
	case !ours:
		return o.forget() // a step wrote all of it
	case text == o.text:
		return o.putBack()
	case o.link:
		return o.writeThrough(text)
	}
	return o.edit(st, text)
}

// forget leaves what a step put in the place: that is what the layer asked for.
func (o original) forget() error {
	if o.moved == "" {
		return nil
	}
	return os.RemoveAll(o.moved)
}

// putBack undoes the substitution, which no step has touched.
func (o original) putBack() error {
	path := o.placeholder.Path
	if o.moved != "" {
		return os.Rename(o.moved, path)
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	for dir := filepath.Dir(path); o.madeDir != "" && len(dir) >= len(o.madeDir); dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			break // a step uses it
		}
	}
	return nil
}

// edit writes what a step's edit comes to, with the owner and mode that the
// original has, or that a step gave it.
func (o original) edit(st os.FileInfo, text string) error {
	path := o.placeholder.Path
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	if o.moved == "" {
		return nil
	}
	owner := st.Sys().(*syscall.Stat_t)
	was, err := os.Lstat(o.moved)
	if err != nil {
		return err
	}
	if owner.Uid == 0 && owner.Gid == 0 && uint32(st.Mode().Perm()) == o.placeholder.Mode {
		had := was.Sys().(*syscall.Stat_t)
		if err := errors.Join(os.Chown(path, int(had.Uid), int(had.Gid)), unix.Chmod(path, had.Mode&0o7777)); err != nil {
			return err
		}
	}
	return o.forget()
}

// writeThrough puts a link back and does to its target what a step did to the
// placeholder. A target on /run or another mount is no part of the layer: on a
// cluster node, too, the edit would not outlive the boot.
func (o original) writeThrough(text string) error {
	path := o.placeholder.Path
	if err := os.Rename(o.moved, path); err != nil {
		return err
	}
	f, err := openText(path, unix.O_RDWR|unix.O_CREAT)
	switch {
	case errors.Is(err, unix.EXDEV):
		return nil
	case err != nil:
		// It leads nowhere: the edit takes its place.
		if err := os.Remove(path); err != nil {
			return err
		}
		return os.WriteFile(path, []byte(text), os.FileMode(o.placeholder.Mode))
	}
	return errors.Join(rewrite(f, text), f.Close())
}

func readAtMost(path string, n int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, n))
	return string(content), err
}
