package program

import (
	"path"
	"strings"
)

// Python, and what installs for it.

func (s *script) python(argv []string, base string) {
	for i := 1; i < len(argv); i++ {
		switch arg := argv[i]; {
		case arg == "--version" || arg == "-V":
			return
		case arg == "-m" && i+1 < len(argv):
			s.pythonModule(argv[i+1:], base)
			return
		case arg == "-W" || arg == "-X":
			i++
		case arg == "-c":
			s.reads.wide(base)
			return
		case !strings.HasPrefix(arg, "-"):
			s.reads.file(s.in(arg))
			s.reads.Python = append(s.reads.Python, s.in(arg))
			return
		}
	}
	s.reads.wide(base)
}

func (s *script) pythonModule(argv []string, base string) {
	switch argv[0] {
	case "pip", "virtualenv":
		s.command(argv)
	case "venv", "ensurepip":
	default:
		s.reads.wide(base)
	}
}

// required reads what may be beside a file of requirements: one may name others.
func (s *script) required(given arguments) {
	for _, name := range given.read {
		if dir := path.Dir(name); strings.HasSuffix(name, ".txt") {
			s.reads.file(s.in(dir + "/" + Unknown + ".txt"))
		}
	}
}
