package program

import (
	"path"
	"strings"
)

// Shells, and what starts another program.

func (s *script) source(args []string) {
	name := first(args)
	if s.reads.file(s.in(name)); !strings.HasPrefix(name, "/") { // what lies outside is as good as the shell itself
		s.reads.wide("a shell")
	}
}

// sh reads sh -c TEXT and sh SCRIPT.
func (s *script) sh(argv []string, base string) {
	for i := 1; i < len(argv); i++ {
		switch arg := argv[i]; {
		case arg == "--version":
			return
		case arg == "-o" || arg == "+o" || arg == "-O" || arg == "--rcfile":
			i++
		case strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "c") && i+1 < len(argv):
			dir := s.dir
			s.text(argv[i+1])
			s.dir = dir
			return
		case strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "+"):
		default:
			s.reads.file(s.in(arg))
			s.reads.wide(base)
			return
		}
	}
	s.reads.wide(base) // what is written to it
}

// minusC reads -c TEXT; false if there is none.
func (s *script) minusC(argv []string) bool {
	for i, arg := range argv {
		if (arg == "-c" || arg == "--command") && i+1 < len(argv) {
			dir := s.dir
			s.text(argv[i+1])
			s.dir = dir
			return true
		}
	}
	if base := path.Base(argv[0]); base != "flock" {
		s.reads.wide(base)
	}
	return false
}

// env reads env A=B PROGRAM.
func (s *script) env(argv []string, given arguments) bool {
	dir := s.dir
	defer func() { s.dir = dir }()
	for i, arg := range argv {
		if to, ok := strings.CutPrefix(arg, "--chdir="); ok {
			s.chdir(to)
		} else if (arg == "-C" || arg == "--chdir") && i+1 < len(argv) {
			s.chdir(argv[i+1])
		}
	}
	for i, arg := range given.plain {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || strings.Contains(name, "/") {
			s.command(given.plain[i:])
			break
		}
		s.environment(name, value)
	}
	return true
}

// tests reads test …: the names behind operators that are about files.
func (s *script) tests(args []string) {
	for i, arg := range args {
		if i+1 == len(args) || args[i+1] == "]" {
			break
		}
		switch {
		case arg == "-nt" || arg == "-ot" || arg == "-ef":
			if i > 0 {
				s.reads.name(s.in(args[i-1]))
			}
			s.reads.name(s.in(args[i+1]))
		case len(arg) != 2 || arg[0] != '-':
		case arg == "-s" || arg == "-x": // how large it is, and whether it may be executed
			s.reads.file(s.in(args[i+1]))
		case strings.Contains("bcdefghkprtuwLOGSN", arg[1:]):
			s.reads.name(s.in(args[i+1]))
		}
	}
}
