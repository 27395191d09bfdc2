package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
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
}

// original remembers what a placeholder replaced.
type original struct {
	placeholder Placeholder
	moved       string // where it waits; "" if there was nothing
	inode       uint64 // of the placeholder
	madeDir     string // the topmost directory that had to be made, or ""
}

// aside is where an original waits: beside its place, so that moving it is a rename.
const aside = ".strata-original"

// substitute puts the placeholders in place. The process is in the tree.
func substitute(files []Placeholder) ([]original, error) {
	var saved []original
	for _, f := range files {
		if _, err := os.Lstat(f.Path); f.IfMissing && err == nil {
			continue
		}
		o, err := substituteOne(f)
		if err != nil {
			return saved, fmt.Errorf("put a temporary %s: %w", f.Path, err)
		}
		saved = append(saved, o)
	}
	return saved, nil
}

func substituteOne(f Placeholder) (original, error) {
	o := original{placeholder: f}
	dir := filepath.Dir(f.Path)
	o.madeDir = missing(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return o, err
	}
	if _, err := os.Lstat(f.Path); err == nil {
		o.moved = filepath.Join(dir, "."+filepath.Base(f.Path)+aside)
		if err := os.Rename(f.Path, o.moved); err != nil {
			return o, err
		}
	}
	if err := os.WriteFile(f.Path, []byte(f.Content), 0o600); err != nil {
		return o, err
	}
	if err := os.Chmod(f.Path, os.FileMode(f.Mode)); err != nil {
		return o, err
	}
	st, err := os.Lstat(f.Path)
	if err != nil {
		return o, err
	}
	o.inode = st.Sys().(*syscall.Stat_t).Ino
	return o, nil
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
func restore(saved []original) error {
	var errs []error
	for i := len(saved) - 1; i >= 0; i-- {
		if err := saved[i].restore(); err != nil {
			errs = append(errs, fmt.Errorf("take away the temporary %s: %w", saved[i].placeholder.Path, err))
		}
	}
	return errors.Join(errs...)
}

func (o original) restore() error {
	path := o.placeholder.Path
	if !o.untouched() {
		// A step wrote its own: that is what the layer asked for.
		if o.moved != "" {
			return os.RemoveAll(o.moved)
		}
		return nil
	}
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

func (o original) untouched() bool {
	st, err := os.Lstat(o.placeholder.Path)
	if err != nil || !st.Mode().IsRegular() || st.Sys().(*syscall.Stat_t).Ino != o.inode {
		return false
	}
	content, err := os.ReadFile(o.placeholder.Path)
	return err == nil && string(content) == o.placeholder.Content
}
