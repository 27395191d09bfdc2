package program

import "strings"

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
	switch args[0] {
	case "rev-parse", "describe", "log", "rev-list", "show-ref", "name-rev", "symbolic-ref", "for-each-ref", "shortlog", "whatchanged", "branch", "tag", "cat-file", "ls-tree", "merge-base", "remote", "config":
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
