// Package doctor looks at the machine: whether it can build, export and boot
// images, and what has to be done where it cannot.
//
// It changes nothing and decides nothing for a build, which finds out for
// itself. It prints nothing either: Text renders what Check found.
package doctor

import (
	"context"
	"io/fs"
)

// Level is how bad a finding is.
type Level string

// Levels, from good to bad.
const (
	OK      Level = "ok"
	Note    Level = "note"    // good to know; nothing has to be done
	Warning Level = "warning" // something that not everybody needs is missing, or soon will be
	Missing Level = "missing" // building images does not work without it
)

// Finding is what one look at the machine showed.
type Finding struct {
	Name    string `json:"name"`    // of what was looked at: "overlay"
	OK      bool   `json:"ok"`      // nothing has to be done
	Level   Level  `json:"level"`   // how bad it is
	Message string `json:"message"` // what was found
	Needed  string `json:"needed"`  // what it is for
	Hint    string `json:"hint,omitempty"`
	// Install is the command that installs what is missing, for debian, el and suse.
	Install map[string]string `json:"install,omitempty"`
}

// Options say what to look at. The zero value looks at this machine's root.
type Options struct {
	Store string // the store's directory, absolute; it need not be there yet
	Cache string // the package cache's, the same
	// Namespace is the error of sandbox.Rootless where it could not put this
	// process in a user namespace. Nothing is mounted then.
	Namespace error
	// ProbeKVM says whether a guest really runs with KVM; nil: /dev/kvm is only opened.
	ProbeKVM func(context.Context) (bool, error)
	Root     fs.FS                            // the machine's "/"; nil: its own
	LookPath func(name string) (string, bool) // nil: by PATH
}

// Check looks at everything. The order is that of a table for people: the
// system, the disks, the tools.
func Check(ctx context.Context, opts Options) []Finding {
	return check(ctx, thisMachine(opts), opts)
}

func check(ctx context.Context, m machine, opts Options) []Finding {
	var found []Finding
	for _, look := range []func(context.Context, machine, Options) []Finding{
		checkKernel, checkContainer, checkNamespaces, checkSubordinateIDs, checkIDTools, checkOverlay,
		checkStore, checkCache, checkTemporary, checkTools, checkKVM,
	} {
		found = append(found, look(ctx, m, opts)...)
	}
	family := familyOf(m.root)
	for i := range found {
		f := &found[i]
		f.OK = f.Level == OK || f.Level == Note
		if f.OK {
			f.Install = nil
		} else if f.Hint == "" {
			f.Hint = installHint(f.Install, family)
		}
	}
	return found
}

// Lacking says whether anything is missing without which no image can be built.
func Lacking(findings []Finding) bool {
	for _, f := range findings {
		if f.Level == Missing {
			return true
		}
	}
	return false
}
