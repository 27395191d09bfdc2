package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
)

// What is said of programs and plugins that run on the machine that builds.

// Said returns the first declaration that is about a command; false if there is
// none.
func Said(local []layer.Local, command string) (layer.Local, bool) {
	command = oneSpaced(command)
	i := slices.IndexFunc(local, func(l layer.Local) bool { return l.Match != "" && starred(oneSpaced(l.Match), command) })
	if i < 0 {
		return layer.Local{}, false
	}
	return local[i], true
}

// oneSpaced is a text with all its white space as single blanks.
func oneSpaced(s string) string { return strings.Join(strings.Fields(s), " ") }

// starred reports whether a text is what a pattern says in which * stands for any
// characters.
func starred(pattern, text string) bool {
	return matches(strings.ReplaceAll(pattern, "*", unknownText), text)
}

// Declared reports whether a file, by its path below the project's directory, is one
// of those that a declaration's reads name.
func Declared(reads []string, file string) bool {
	return slices.ContainsFunc(reads, func(pattern string) bool {
		return declares(strings.Split(path.Clean(pattern), "/"), strings.Split(file, "/"))
	})
}

// declares reports whether a pattern's parts match a path's, or those of a directory
// that it is in.
func declares(pattern, file []string) bool {
	switch {
	case len(pattern) == 0 || len(pattern) == 1 && pattern[0] == ".":
		return true
	case pattern[0] == "**" && len(pattern) == 1:
		return true
	case pattern[0] == "**":
		return declares(pattern[1:], file) || len(file) > 0 && declares(pattern, file[1:])
	case len(file) == 0:
		return false
	}
	ok, err := path.Match(pattern[0], file[0])
	return err == nil && ok && declares(pattern[1:], file[1:])
}
