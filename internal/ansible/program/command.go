package program

import (
	"path"
	"slices"
	"strings"
)

// arguments are those of a program, apart.
type arguments struct {
	plain []string // no options, nor their values
	first int      // where the first of them is in the command line
	read  []string // values of options that are files
}

// command reads one command with its arguments.
func (s *script) command(argv []string) {
	if len(argv) == 0 {
		return
	}
	name := argv[0]
	switch {
	case name == "", s.functions[name]:
		return
	case strings.HasPrefix(name, Project), strings.Contains(name, "/") && !strings.HasPrefix(name, "/") && !strings.HasPrefix(name, Unknown):
		s.reads.file(s.in(name)) // a program of the project
		s.reads.wide(path.Base(strings.TrimPrefix(name, Project)))
		return
	}
	base := path.Base(name)
	of, ok := shapeOf(base)
	if !ok {
		if base = strings.ReplaceAll(base, Unknown, "…"); base == "…" {
			base = "a program whose name is computed"
		}
		s.reads.wide(base)
		return
	}
	s.shaped(of, argv)
}

// shaped reads a command of a known shape.
func (s *script) shaped(of shape, argv []string) {
	if len(argv) > 1 {
		if sub, ok := of.sub[argv[1]]; ok {
			s.shaped(sub, argv[1:])
			return
		}
	}
	given := of.parse(argv)
	for _, name := range given.read {
		s.reads.file(s.in(name))
	}
	if of.also != "" && s.special(of.also, argv, given) {
		return
	}
	rest := given.plain[min(of.from, len(given.plain)):]
	switch of.takes {
	case files:
		for _, name := range rest {
			s.reads.file(s.in(name))
		}
	case paths:
		for _, name := range rest {
			if strings.Contains(name, "/") && !strings.HasPrefix(name, Unknown) || strings.HasSuffix(name, ".deb") || strings.HasSuffix(name, ".rpm") {
				s.reads.file(s.in(name))
			}
		}
	case names:
		for _, name := range rest {
			s.reads.name(s.in(name))
		}
	case commands:
		s.after(argv, given, of.from)
	}
}

// after reads the command that begins with an argument which is no option, so many
// behind the first.
func (s *script) after(argv []string, given arguments, from int) {
	if from < len(given.plain) {
		dir := s.dir
		s.command(argv[given.first+from:])
		s.dir = dir
	}
}

// parse takes a command line apart. A program that runs another ends where that
// begins.
func (of shape) parse(argv []string) arguments {
	var given arguments
	reads, values := strings.Fields(of.reads), strings.Fields(of.values)
	for i := 1; i < len(argv); i++ {
		arg := argv[i]
		switch {
		case arg == "--" && of.takes != commands:
			given.add(i+1, argv[i+1:]...)
			return given
		case arg == "--":
		case len(arg) < 2 || arg[0] != '-':
			if given.add(i, arg); of.takes == commands && len(given.plain) > of.from {
				given.add(i+1, argv[i+1:]...)
				return given
			}
		case slices.Contains(reads, arg):
			if i++; i < len(argv) {
				given.read = append(given.read, argv[i])
			}
		case slices.Contains(values, arg):
			i++
		case strings.HasPrefix(arg, "--"):
			if name, value, ok := strings.Cut(arg, "="); ok && slices.Contains(reads, name) {
				given.read = append(given.read, value)
			}
		case !of.words:
			i += given.letters(arg, argv[i+1:], reads, values)
		}
	}
	return given
}

func (g *arguments) add(at int, args ...string) {
	if len(g.plain) == 0 {
		g.first = at
	}
	g.plain = append(g.plain, args...)
}

// letters reads an option of one or several letters, and returns how many of the
// next arguments belong to it.
func (g *arguments) letters(arg string, next, reads, values []string) int {
	for i := 1; i < len(arg); i++ {
		option := "-" + arg[i:i+1]
		read := slices.Contains(reads, option)
		if !read && !slices.Contains(values, option) {
			continue
		}
		switch rest := arg[i+1:]; {
		case rest == "" && len(next) == 0:
		case rest != "" && read:
			g.read = append(g.read, rest)
		case rest == "" && read:
			g.read = append(g.read, next[0])
			return 1
		case rest == "":
			return 1
		}
		return 0
	}
	return 0
}

// special says of a program what no shape can; true if that is all.
func (s *script) special(also string, argv []string, given arguments) bool {
	base := path.Base(argv[0])
	switch also {
	case "unknown":
		s.reads.wide(base)
	case "versionOnly":
		if len(argv) != 2 || argv[1] != "--version" && argv[1] != "-V" && argv[1] != "-v" {
			for _, name := range given.plain {
				s.namedIn(name)
			}
			s.reads.wide(base)
		}
	case "which": // command -v
		return len(argv) > 1 && (argv[1] == "-v" || argv[1] == "-V")
	case "cd":
		s.chdir(first(given.plain))
	case "eval":
		s.text(strings.Join(argv[1:], " "))
	case "source":
		s.source(given.plain)
	case "sh":
		s.sh(argv, base)
	case "minusC":
		return s.minusC(argv)
	case "env":
		return s.env(argv, given)
	case "xargs":
		if len(given.plain) > 0 {
			s.command(append(slices.Clip(argv[given.first:]), Unknown))
		}
	case "tests":
		s.tests(argv[1:])
	case "ls":
		return s.ls(argv, given)
	case "find":
		s.find(argv[1:])
	case "grep":
		return s.grep(argv, given)
	case "sed":
		return s.sed(argv, given)
	case "awk":
		return s.awk(argv, given)
	case "jq":
		return s.jq(argv)
	case "yq":
		return s.yq(given)
	case "python":
		s.python(argv, base)
	case "dd":
		for _, arg := range argv[1:] {
			if name, ok := strings.CutPrefix(arg, "if="); ok {
				s.reads.file(s.in(name))
			} else if strings.HasPrefix(arg, Unknown) {
				s.reads.wide(base)
			}
		}
	case "required":
		s.required(given)
		return false
	case "git":
		s.git(argv)
	case "remote":
		for _, name := range given.plain {
			if host, _, ok := strings.Cut(name, ":"); !ok || strings.Contains(host, "/") {
				s.reads.file(s.in(name))
			}
		}
	case "gpg":
		return slices.ContainsFunc(argv, func(a string) bool {
			switch a {
			case "--recv-keys", "--recv-key", "--receive-keys", "--export", "--list-keys", "-k", "--fingerprint", "--delete-keys", "--list-secret-keys", "-K", "--refresh-keys", "--gen-key", "--version":
				return true
			}
			return false
		})
	case "tar":
		return s.tar(argv, given)
	case "urls":
		s.urls(given.plain)
	case "curl":
		s.curl(argv, given)
	case "cloud":
		s.cloud(argv)
	case "container":
		s.container(argv)
	default:
		s.reads.wide(base)
	}
	return true
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// namedIn reads what an argument names that is a path by its look.
func (s *script) namedIn(name string) {
	if strings.ContainsAny(name, "/."+Project) && !strings.HasPrefix(name, Unknown) && !strings.Contains(name, "://") {
		s.reads.file(s.in(name))
	}
}
