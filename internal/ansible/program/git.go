package program

import (
	"slices"
	"strings"
)

// What git reads.

// git asks: of what is committed, or of files.
func (s *script) git(argv []string) {
	dir := s.dir
	defer func() { s.dir = dir }()
	args := argv[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch {
		case args[0] == "--version":
			return
		case args[0] == "-C" && len(args) > 1:
			s.chdir(args[1])
			args = args[1:]
		case (args[0] == "-c" || args[0] == "--git-dir" || args[0] == "--work-tree") && len(args) > 1:
			if args[0] != "-c" {
				s.dir = args[1]
			}
			args = args[1:]
		case strings.HasPrefix(args[0], "--git-dir="):
			s.dir = args[0][len("--git-dir="):]
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return
	}
	outside := strings.HasPrefix(s.dir, "/")
	if s.gitAside(args) {
		return
	}
	switch args[0] {
	case "rev-parse", "describe", "log", "rev-list", "show-ref", "name-rev", "symbolic-ref", "for-each-ref", "shortlog", "whatchanged", "branch", "tag", "cat-file", "ls-tree", "merge-base":
		s.reads.Commit = s.reads.Commit || !outside
	case "show":
		s.reads.Commit = s.reads.Commit || !outside
	case "init", "ls-remote", "clone", "fetch", "pull", "push", "submodule", "lfs", "credential":
		for _, name := range args[1:] {
			if !strings.HasPrefix(name, "-") && !strings.Contains(name, ":") && !strings.HasPrefix(name, Unknown) {
				s.namedIn(name)
			}
		}
	default:
		if !outside {
			s.reads.wide("git " + args[0])
		}
	}
}

// whereabouts are options of git rev-parse about where a repository is, and of what kind.
var whereabouts = wordsOf(`--show-toplevel --show-prefix --show-cdup --git-dir --absolute-git-dir --git-common-dir --git-path
	--is-inside-work-tree --is-inside-git-dir --is-bare-repository --is-shallow-repository --show-superproject-working-tree
	--show-object-format --path-format=absolute --path-format=relative`)

// plainListing are options of git ls-files that leave it a list of names.
var plainListing = wordsOf("-c --cached -z --full-name --error-unmatch --deduplicate --")

// gitAside reads what asks for nothing of the commit: where a repository is, its
// configuration, and the names of its files.
func (s *script) gitAside(args []string) bool {
	plain := func(known map[string]bool) bool {
		return !slices.ContainsFunc(args[1:], func(a string) bool { return !known[a] })
	}
	switch args[0] {
	case "rev-parse":
		return len(args) > 1 && plain(whereabouts)
	case "config":
		for i, a := range args {
			name, value, ok := strings.Cut(a, "=")
			switch {
			case name == "--blob":
				return false
			case name != "-f" && name != "--file":
			case ok:
				s.reads.file(s.in(value))
			case i+1 < len(args):
				s.reads.file(s.in(args[i+1]))
			}
		}
		return true
	case "remote":
		return true
	case "ls-files":
		var names []string
		for _, a := range args[1:] {
			if strings.ContainsAny(a, "*?[:") { // a pattern
				a = "."
			}
			if !strings.HasPrefix(a, "-") {
				names = append(names, a)
			} else if !plainListing[a] {
				return false
			}
		}
		if len(names) == 0 {
			names = []string{"."}
		}
		for _, name := range names {
			s.reads.name(s.in(name))
		}
		return true
	}
	return false
}
