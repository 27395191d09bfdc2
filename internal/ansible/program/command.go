package program

import (
	"path"
	"regexp"
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

// grep has no pattern among its arguments where an option gives it; where it goes
// through directories, it begins in this one.
func (s *script) grep(argv []string, given arguments) bool {
	from, deep := 1, false
	for _, a := range argv[1:] {
		switch {
		case a == "-e" || a == "-f" || strings.HasPrefix(a, "--regexp") || strings.HasPrefix(a, "--file"):
			from = 0
		case len(a) > 1 && a[0] == '-' && a[1] != '-' && strings.ContainsAny(a, "rR") || a == "--recursive":
			deep = true
		}
	}
	list := given.plain[min(from, len(given.plain)):]
	if len(list) == 0 && (deep || path.Base(argv[0]) == "rg") {
		list = []string{"."}
	}
	for _, name := range list {
		s.reads.file(s.in(name))
	}
	return true
}

// Commands of sed, behind an address, that read nothing and run nothing.
var (
	sedAddress = regexp.MustCompile(`^\s*(\d+|\$|/(\\.|[^/\\])*/[IM]*)?(,\s*(\d+|\$|\+\d+|/(\\.|[^/\\])*/[IM]*))?\s*!?\s*`)
	sedPlain   = regexp.MustCompile(`^([dDpPgGhHnNxlqQ=]\d*\s*|[{}]\s*|[btT:]\s*\w*\s*|[aic]\\?.*|y(.).*)?$`)
)

// sed has no script among its arguments where an option gives it.
func (s *script) sed(argv []string, given arguments) bool {
	var scripts []string
	from := 1
	for i, a := range argv {
		switch {
		case (a == "-e" || a == "--expression" || len(a) > 2 && a[0] == '-' && a[1] != '-' && strings.HasSuffix(a, "e")) && i+1 < len(argv):
			scripts, from = append(scripts, argv[i+1]), 0
		case strings.HasPrefix(a, "--expression="):
			scripts, from = append(scripts, a[len("--expression="):]), 0
		case a == "-f" || strings.HasPrefix(a, "--file"):
			s.reads.wide("sed")
			from = 0
		}
	}
	list := given.plain
	if from == 1 && len(list) > 0 {
		scripts, list = list[:1], list[1:]
	}
	for _, text := range scripts {
		if !sedReads(text) {
			s.reads.wide("sed")
		}
	}
	for _, name := range list {
		s.reads.file(s.in(name))
	}
	return true
}

// sedReads reports whether a script of sed reads only what it is given.
func sedReads(text string) bool {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeft(text, "; \t\n") {
		text = text[len(sedAddress.FindString(text)):]
		if len(text) > 2 && (text[0] == 's' || text[0] == 'y') {
			end := substitution(text)
			if end < 0 {
				return false
			}
			flags := 0
			for end+flags < len(text) && strings.IndexByte("gpiIm0123456789", text[end+flags]) >= 0 {
				flags++
			}
			if text = text[end+flags:]; text != "" && strings.IndexByte("; \t\n}", text[0]) < 0 {
				return false // e runs, w writes
			}
			continue
		}
		one, rest, _ := strings.Cut(text, "\n")
		if strings.IndexByte("aic", (one + " ")[0]) < 0 {
			var more string
			one, more, _ = strings.Cut(text, ";")
			if i := strings.IndexByte(one, '\n'); i >= 0 {
				one, more = one[:i], one[i+1:]+";"+more
			}
			rest = more
		}
		if !sedPlain.MatchString(one) {
			return false
		}
		text = rest
	}
	return true
}

// substitution is where s/…/…/ ends, before its flags; -1 if it does not.
func substitution(text string) int {
	for i, left := 2, 2; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == text[1]:
			if left--; left == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// awk may read files and run programs by itself.
func (s *script) awk(argv []string, given arguments) bool {
	if slices.ContainsFunc(argv, func(a string) bool { return strings.HasPrefix(a, "-f") || strings.HasPrefix(a, "--file") }) {
		s.reads.wide("awk")
		return true
	}
	text := first(given.plain)
	if strings.Contains(text, "getline") || strings.Contains(text, "system") || strings.Contains(text, "ARGV") || strings.Contains(strings.ReplaceAll(text, "||", ""), "|") {
		s.reads.wide("awk")
	}
	return false
}

// jq has options with two values.
func (s *script) jq(argv []string) bool {
	args := argv[:1:1]
	for i := 1; i < len(argv); i++ {
		switch argv[i] {
		case "--arg", "--argjson":
			i += 2
		case "--slurpfile", "--rawfile", "--argfile":
			if i += 2; i < len(argv) {
				s.reads.file(s.in(argv[i]))
			}
		case "--args", "--jsonargs":
			i = len(argv)
		default:
			args = append(args, argv[i])
		}
	}
	of := programs["jq"]
	given := of.parse(args)
	from := 1
	if len(given.read) > 0 {
		from = 0
	}
	for _, name := range given.plain[min(from, len(given.plain)):] {
		s.reads.file(s.in(name))
	}
	if text := first(given.plain); from == 1 && (strings.Contains(text, "import") || strings.Contains(text, "include")) {
		s.reads.wide("jq")
	}
	return true
}

func (s *script) yq(given arguments) bool {
	list := given.plain
	switch first(list) {
	case "eval", "e", "eval-all", "ea":
		list = list[1:]
	}
	if strings.Contains(first(list), "load") {
		s.reads.wide("yq")
	}
	for _, name := range list[min(1, len(list)):] {
		s.reads.file(s.in(name))
	}
	return true
}

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

// tar reads what it packs, or its archive.
func (s *script) tar(argv []string, given arguments) bool {
	mode := ""
	if len(argv) > 1 {
		mode = argv[1]
	}
	if !strings.HasPrefix(mode, "-") && len(given.plain) > 0 { // tar xf FILE
		if given.plain = given.plain[1:]; strings.ContainsAny(mode, "xt") {
			for _, name := range given.plain {
				s.reads.file(s.in(name))
			}
			return true
		}
	}
	if mode != "" && mode[0] != '-' {
		for _, name := range given.plain {
			s.reads.file(s.in(name))
		}
		return true
	}
	packs := !strings.ContainsAny(strings.TrimLeft(mode, "-"), "xt") || strings.HasPrefix(mode, "--") && mode != "--extract" && mode != "--list"
	if slices.ContainsFunc(argv, func(a string) bool { return a == "--extract" || a == "--get" || a == "--list" }) {
		packs = false
	}
	if !packs {
		return true // the archive is an option's value; what it holds are names
	}
	return false
}

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
