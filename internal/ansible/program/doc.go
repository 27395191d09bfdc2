// Package program tells what a command line reads of the files beside it, as far as
// the shapes of its arguments say: which of a program's arguments name files that it
// reads, which do not, and which programs read none at all.
//
// It runs nothing, looks at no file, and believes what names say: a program is the one
// that is known by its name, and an argument that is computed is one argument and no
// option. What it does not understand could read anything.
package program

// Marks in texts.
const (
	Unknown = "\x00" // stands for any text, also an empty one
	Project = "\x01" // the project's directory, or with a path behind it one below
)

// Reads is what a command line reads. Names are relative to the directory that it
// starts in, or begin with Project; what begins with a slash is not in the project.
// There may be marks in them.
type Reads struct {
	Files  []string // by their content; of a directory, all that is below
	Names  []string // whether there is such a name; of a directory, the names below
	Commit bool     // what git says of the commit
	Python []string // scripts that an interpreter of Python runs: they are among Files, and could read anything
	Wide   string   // the program that could read anything, if there is one
}

func (r *Reads) file(name string) {
	if name != "-" && name != "" {
		r.Files = append(r.Files, name)
	}
}

func (r *Reads) name(name string) {
	if name != "" {
		r.Names = append(r.Names, name)
	}
}

func (r *Reads) wide(by string) {
	if r.Wide == "" {
		r.Wide = by
	}
}
