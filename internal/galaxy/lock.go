package galaxy

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/limit"
)

// LockName is the file beside strata.yaml that pins what requirements come to.
const LockName = "ansible.lock"

// Locked is what a requirement was found to be.
type Locked struct {
	Of      string // the ID of the requirement
	Kind    Kind
	Name    string
	Version string // of a requirement without one, what was found
	Commit  string // of one from git
	SHA256  string // of its files, in hex
}

// Lock is what requirements are pinned to, by their IDs. An entry for a requirement that is
// written otherwise now counts for nothing.
type Lock map[string]Locked

// ReadLock reads the lock of a project; it has nothing in it if there is none.
func ReadLock(fsys fs.FS) (Lock, error) {
	lock := Lock{}
	if _, err := fs.Stat(fsys, LockName); err != nil {
		return lock, nil
	}
	text, err := limit.Read(fsys, LockName, limit.Ansible)
	if err != nil {
		return nil, fault.New(fault.Input, "read %s: %w", LockName, err)
	}
	doc, err := value.YAML(text)
	if err != nil {
		return nil, fault.New(fault.Input, "%s: %w", LockName, err).WithHint("strata lock writes it anew")
	}
	for _, kind := range []Kind{Role, Collection} {
		for _, entry := range doc.At(string(kind)).Items() {
			one := Locked{Of: entry.At("of").Text, Kind: kind, Name: entry.At("name").Text, Version: entry.At("version").Text, Commit: entry.At("commit").Text, SHA256: entry.At("sha256").Text}
			if len(one.SHA256) != 64 || strings.Trim(one.SHA256, "0123456789abcdef") != "" {
				return nil, fault.New(fault.Input, "%s of %s has no checksum", one.Name, LockName).At(LockName, entry.Line, entry.Col).WithHint("strata lock writes it anew")
			}
			lock[one.Of] = one
		}
	}
	return lock, nil
}

// Text is a lock as it is written.
func (l Lock) Text() string {
	var out strings.Builder
	fmt.Fprintln(&out, "# What the roles and collections of requirements.yml are pinned to. Written by strata lock.")
	for _, kind := range []Kind{Role, Collection} {
		var list []Locked
		for _, one := range l {
			if one.Kind == kind {
				list = append(list, one)
			}
		}
		slices.SortFunc(list, func(a, b Locked) int { return strings.Compare(a.Name+"\x00"+a.Of, b.Name+"\x00"+b.Of) })
		if len(list) > 0 {
			fmt.Fprintf(&out, "%s:\n", kind)
		}
		for _, one := range list {
			fmt.Fprintf(&out, "- name: %s\n", strconv.Quote(one.Name))
			for _, field := range [][2]string{{"version", one.Version}, {"commit", one.Commit}, {"sha256", one.SHA256}, {"of", one.Of}} {
				if field[1] != "" {
					fmt.Fprintf(&out, "  %s: %s\n", field[0], strconv.Quote(field[1]))
				}
			}
		}
	}
	return out.String()
}
