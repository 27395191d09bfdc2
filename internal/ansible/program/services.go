package program

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// What asks a service: by a URL, of a cloud, of a daemon of containers.

// urls reads those of files.
func (s *script) urls(list []string) {
	for _, u := range list {
		if name, ok := strings.CutPrefix(u, "file:"); ok {
			s.reads.file(s.in(strings.TrimPrefix(name, "//")))
		}
	}
}

// at reads values that name a file behind a @, or a < of a form.
func (s *script) at(value string, marks string) {
	if i := strings.IndexAny(value, marks); i == 0 || i > 0 && value[i-1] == '=' {
		name, _, _ := strings.Cut(value[i+1:], ";")
		if name != "-" {
			s.reads.file(s.in(name))
		}
	}
}

func (s *script) curl(argv []string, given arguments) {
	for i := 1; i < len(argv); i++ {
		name, value, ok := strings.Cut(argv[i], "=")
		if !ok && i+1 < len(argv) {
			value = argv[i+1]
		}
		if len(name) > 2 && name[0] == '-' && name[1] != '-' { // -sd @FILE, -d@FILE
			if at := strings.IndexAny(name, "dFHb"); at == len(name)-1 {
				name = "-" + name[at:]
			} else if at == 1 {
				name, value = name[:2], argv[i][2:]
			}
		}
		switch name {
		case "-d", "--data", "--data-ascii", "--data-binary", "--data-urlencode", "--json", "-H", "--header", "--url-query":
			s.at(value, "@")
		case "-F", "--form":
			s.at(value, "@<")
		case "-b", "--cookie":
			if !strings.Contains(value, "=") && !strings.HasPrefix(value, Unknown) {
				s.reads.file(s.in(value))
			}
		}
	}
	s.urls(append(slices.Clip(given.plain), argv[1:]...))
}

// sends are words by which a tool of a cloud is told to send what its arguments name.
var sends = wordsOf("build copy cp deploy import install kustomize load mv package put sync template upgrade upload")

// fileOptions are parts of the names of options whose value is a file.
var fileOptions = regexp.MustCompile(`file|path|template|source|dir|config|from|data|manifest|kustomize|values|parameters|script|body|certificate|kubeconfig|cloud-init`)

// cloud reads the command line of a tool that asks a service: what options name, and
// where something is sent, what its arguments are.
func (s *script) cloud(argv []string) {
	sending := false
	for i := 1; i < len(argv); i++ {
		arg := argv[i]
		for _, scheme := range []string{"file://", "fileb://", "@"} {
			if name, ok := strings.CutPrefix(arg[strings.Index(arg, "=")+1:], scheme); ok {
				s.reads.file(s.in(name))
			}
		}
		sending = sending || sends[arg]
	}
	send := func(name string) {
		if sending && !sends[name] && !strings.Contains(name, "://") {
			s.reads.file(s.in(name))
		}
	}
	verb := slices.IndexFunc(argv, func(a string) bool { return sends[a] })
	for i := 1; i < len(argv); i++ {
		arg := argv[i]
		if !strings.HasPrefix(arg, "-") {
			if i > verb {
				send(arg)
			}
			continue
		}
		name, value, ok := strings.Cut(arg, "=")
		if !ok && i+1 < len(argv) && !strings.HasPrefix(argv[i+1], "-") {
			value = argv[i+1]
			i++ // most have one; one that has none passes over an argument
		}
		file := name == "-f" || name == "-k" || name == "-t" && sending || strings.HasPrefix(name, "--") && fileOptions.MatchString(name) && !strings.Contains(name, "database")
		switch {
		case file && !strings.Contains(value, "://"):
			for _, one := range strings.Split(value, ",") {
				s.reads.file(s.in(one[strings.LastIndexByte(one, '=')+1:]))
			}
		case !file && strings.ContainsAny(value, "/."):
			send(value)
		}
	}
}

// container reads the command line of docker and its like.
func (s *script) container(argv []string) {
	verb, at := "", 0
	for i, arg := range argv[1:] {
		if !strings.HasPrefix(arg, "-") {
			verb, at = arg, i+1
			break
		}
	}
	rest := argv[min(at+1, len(argv)):]
	switch verb {
	case "", "ps", "exec", "pull", "images", "inspect", "version", "info", "login", "logout", "network", "volume", "rm", "rmi",
		"stop", "start", "restart", "kill", "logs", "tag", "push", "wait", "stats", "top", "port", "history", "search", "events",
		"pause", "unpause", "rename", "update", "system", "image", "container", "save", "export", "secret":
	case "run", "create":
		for i, arg := range rest {
			name, value, ok := strings.Cut(arg, "=")
			if !ok && i+1 < len(rest) {
				value = rest[i+1]
			}
			switch name {
			case "-v", "--volume", "--mount", "--env-file":
				if strings.Contains(value, Project) || strings.HasPrefix(value, ".") || strings.HasPrefix(value, Unknown) || name == "--env-file" {
					s.reads.wide(path.Base(argv[0]) + " " + verb)
				}
			}
		}
	case "cp", "load", "import":
		for i, name := range rest {
			if host, _, ok := strings.Cut(name, ":"); !strings.HasPrefix(name, "-") && (!ok || strings.Contains(host, "/")) || i > 0 && rest[i-1] == "-i" {
				s.reads.file(s.in(name))
			}
		}
	default:
		s.reads.wide(path.Base(argv[0]) + " " + verb)
	}
}
