// Package limit has the sizes beyond which inputs are refused by name: none that
// anybody writes by hand or with a program comes near them, and what does would take
// memory and time that others need.
//
// It bounds what is read as a whole. Files that are only hashed or copied may have
// any size, but for that of their holes.
package limit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/strata-hpc/strata/internal/fault"
)

// Bytes of one file.
const (
	Recipe  = 4 << 20  // strata.yaml, and each file that it includes
	Import  = 1 << 20  // a configuration that is imported
	Ansible = 16 << 20 // of an Ansible project: playbooks, variables, inventories, templates
	Script  = 16 << 20 // a script, a template or a keyring of a layer
	Secret  = 1 << 20  // a secret's value
	Recipes = 16 << 20 // strata.yaml and all that it includes together
	Blob    = 1 << 30  // a file in a commit: git's objects are read as a whole
)

// Holes is how many bytes of holes a file of a project may have. Its content counts, and
// is copied, as git would have it: with zeros in their place.
const Holes = 1 << 30

// Values of one YAML document: each scalar, list and mapping, where aliases are
// written out.
const (
	RecipeValues  = 200_000
	ImportValues  = 100_000
	AnsibleValues = 1 << 20
)

// Depth is how many lists and mappings of a YAML document may be in each other.
const Depth = 500

// Linked is how many files and directories links may add to what is below a
// directory.
const Linked = 200_000

// Read reads a file of no more bytes than most. A bigger one is a fault of kind Input.
func Read(fsys fs.FS, name string, most int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	}
	if info.Size() > most {
		return nil, tooBig(name, info.Size(), most)
	}
	text := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := text.ReadFrom(io.LimitReader(f, most+1)); err != nil {
		return nil, err
	}
	if int64(text.Len()) > most {
		return nil, tooBig(name, int64(text.Len()), most)
	}
	return text.Bytes(), nil
}

// Sparse is a fault for a file with too many holes to be read through, as far as the
// file can tell.
func Sparse(name string, f fs.File) error {
	with, ok := f.(interface{ Holes() int64 })
	if !ok {
		return nil
	}
	if n := with.Holes(); n > Holes {
		return fault.New(fault.Input, "%s has holes of %s, more than the %s that a file of a project may have", name, size(n), size(Holes)).
			WithHint("a layer would have zeros in their place: make it in a step (run: truncate --size …), where it stays sparse, or make it smaller")
	}
	return nil
}

// ReadAll reads what is no file: standard input. Its name is for the error.
func ReadAll(r io.Reader, name string, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(text)) > most {
		return nil, fault.New(fault.Input, "%s has more than %s", name, size(most))
	}
	return text, err
}

func tooBig(name string, have, most int64) error {
	return fault.New(fault.Input, "%s has %s, more than the %s that such a file may have", name, size(have), size(most)).
		WithHint("see whether it is what it is taken for; if it is, write it as several files")
}

func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// YAML refuses a text that would become more values than most before anything is
// made of it: each value takes a line, or one of the characters that set values
// apart. Texts with many more of those than YAML needs count as well, so that the
// bound is four times what is allowed.
func YAML(text []byte, most int) error {
	n := 0
	for _, c := range text {
		switch c {
		case '\n', ',', '[', '{', ':':
			n++
		}
	}
	if n > 4*most {
		return fmt.Errorf("it would come to %d values, and %d are the most", n, most)
	}
	return nil
}
