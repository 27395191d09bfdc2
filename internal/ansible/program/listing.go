package program

import (
	"slices"
	"strings"
)

// What lists directories, and runs programs for what is found.

func (s *script) ls(argv []string, given arguments) bool {
	list := given.plain
	if len(list) == 0 {
		list = []string{"."}
	}
	long := slices.ContainsFunc(argv[1:], func(a string) bool {
		return len(a) > 1 && a[0] == '-' && (a[1] != '-' && strings.ContainsAny(a, "lsS") || a == "--size")
	})
	for _, name := range list {
		if long { // it says how large they are
			s.reads.file(s.in(name))
		} else {
			s.reads.name(s.in(name))
		}
	}
	return true
}

// find reads find DIRECTORY… EXPRESSION.
func (s *script) find(args []string) {
	for len(args) > 0 && (args[0] == "-L" || args[0] == "-H" || args[0] == "-P") {
		args = args[1:]
	}
	var dirs []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "(" && args[0] != "!" {
		dirs, args = append(dirs, args[0]), args[1:]
	}
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	content := false
	for i, arg := range args {
		switch arg {
		case "-size", "-empty", "-ls", "-printf", "-fprintf", "-fls":
			content = true
		case "-exec", "-execdir", "-ok", "-okdir":
			run := args[i+1:]
			if end := slices.IndexFunc(run, func(a string) bool { return a == ";" || a == "+" }); end >= 0 {
				run = run[:end]
			}
			s.found(dirs, run)
		}
	}
	for _, dir := range dirs {
		if content {
			s.reads.file(s.in(dir))
		} else {
			s.reads.name(s.in(dir))
		}
	}
}

// found reads a command that is run for what is found below directories.
func (s *script) found(dirs, run []string) {
	for _, dir := range dirs {
		argv := make([]string, len(run))
		for i, arg := range run {
			argv[i] = strings.ReplaceAll(arg, "{}", strings.TrimSuffix(dir, "/")+"/"+Unknown)
		}
		s.command(argv)
	}
}
