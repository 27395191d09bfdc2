package program

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// What reads and changes texts line by line, or as data.

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
