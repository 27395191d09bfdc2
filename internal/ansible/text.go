package ansible

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// text is a file as text: what can be said about it without knowing whether it
// is a list of tasks, variables or a template.
type text struct {
	s       string // the whole
	live    string // without lines of comment
	binary  bool
	vaulted bool
	// others: it may use what belongs to other hosts or groups.
	others bool
	// everything: it runs a command of the machine that runs Ansible, or finds
	// files from a directory that cannot be told.
	everything bool
	// computed: it reads a file whose name it computes.
	computed bool
	// anchored are the paths in it that start at a known place or that leave
	// the directories that Ansible searches: "../x", "{{ role_path }}/x".
	anchored []string
}

// text returns what a file says; nil if it cannot be read.
func (p *Project) text(name string) *text {
	if t, ok := p.texts[name]; ok {
		return t
	}
	// Nobody writes tasks or templates that long; it need not fit in memory.
	const longest = 4 << 20
	var t *text
	if p.stat(name).size > longest {
		t = &text{binary: true}
	} else if data, err := fs.ReadFile(p.fsys, name); err == nil {
		t = p.scan(name, data)
	}
	p.texts[name] = t
	return t
}

// expressions are the regular expressions that texts are searched with.
type expressions struct {
	expression, groups, delegatedHere, include, lookup, literal *regexp.Regexp
}

func compiled() expressions {
	return expressions{
		expression:    regexp.MustCompile(`(?s)\{\{.*?\}\}|\{%.*?%\}|[*?]`),
		groups:        regexp.MustCompile(`(?:^|[^\w.'"])groups\s*(\[|\||\.[a-z]|\}\}|%\}|\))|\bin\s+groups\b`),
		delegatedHere: regexp.MustCompile(`\bdelegate_to["']?:\s*["']?(localhost|127\.0\.0\.1)\b`),
		include:       regexp.MustCompile(`\{%[-+]?\s*(include|import|from|extends)\s+[^'"\s]`),
		lookup:        regexp.MustCompile(`\b(?:lookup|query|q)\(\s*(?:['"]([\w.]+)['"])?([^)]*)`),
		literal:       regexp.MustCompile(`^\s*,\s*(?:'[^']*'|"[^"]*")\s*(?:,\s*\w+\s*=.*)?$`),
	}
}

// scan looks through the content of a file.
func (p *Project) scan(name string, data []byte) *text {
	const sniffed = 8000 // as git does
	t := &text{}
	if bytes.IndexByte(data[:min(len(data), sniffed)], 0) >= 0 {
		t.binary = true
		return t
	}
	t.s = string(data)
	if strings.HasPrefix(t.s, "$ANSIBLE_VAULT;") {
		t.vaulted = true
		return t
	}
	t.live = uncommented(t.s)
	t.others = p.re.othersHosts(t.live)
	if path.Ext(name) != ".py" { // code does not write names of files as Ansible does
		t.lookups(p.re)
		t.anchors()
	}
	return t
}

// uncommented leaves out lines that begin with a "#" and have no expression. In
// YAML and ini files they are comments; in templates, text for the image.
func uncommented(s string) string {
	if !strings.Contains(s, "#") {
		return s
	}
	var b strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") || computes(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// othersHosts reports whether a text may use variables of other hosts, or
// changes the groups that hosts are in.
func (re expressions) othersHosts(s string) bool {
	for _, word := range []string{"hostvars", "group_by", "add_host", "group_vars", "host_vars"} {
		if strings.Contains(s, word) {
			return true
		}
	}
	if strings.Contains(s, "groups") && re.groups.MatchString(s) {
		return true
	}
	return strings.Contains(s, "delegate_to") &&
		strings.Contains(re.delegatedHere.ReplaceAllString(s, ""), "delegate_to")
}

// lookups notes files that expressions read: lookup(…), query(…), q(…), and
// Jinja's include, import and extends.
func (t *text) lookups(re expressions) {
	t.computed = strings.Contains(t.live, "{%") && re.include.MatchString(t.live)
	t.everything = strings.Contains(t.live, "with_pipe") || strings.Contains(t.live, "with_lines")
	if !strings.Contains(t.live, "lookup") && !strings.Contains(t.live, "query") && !strings.Contains(t.live, "q(") {
		return
	}
	for _, m := range re.lookup.FindAllStringSubmatch(t.live, -1) {
		switch name := builtin(m[1]); {
		case name == "" || name == "pipe" || name == "lines":
			t.everything = true
		case readsFiles(name) && (!re.literal.MatchString(m[2]) || name == "fileglob" || name == "filetree"):
			t.computed = true
		}
	}
}

// anchors notes the paths that start with "..", at a variable that holds a
// directory of the project, or in a directory of roles.
func (t *text) anchors() {
	wanted := []string{"../", "playbook_dir", "inventory_dir", "role_path", "roles/", "inventory_file", "ansible_config_file"}
	anchored := func(s string) bool {
		return slices.ContainsFunc(wanted, func(w string) bool { return strings.Contains(s, w) })
	}
	if !anchored(t.live) {
		return
	}
	for _, word := range words(t.live) {
		if anchored(word) && !slices.Contains(t.anchored, word) {
			t.anchored = append(t.anchored, word)
		}
	}
}

// words splits a text at blanks and punctuation that ends a path, except within
// an expression "{{ … }}", which stays with the characters around it.
func words(s string) []string {
	var list []string
	start := -1
	end := func(i int) {
		if start >= 0 {
			list = append(list, s[start:i])
			start = -1
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '{' && i+1 < len(s) && s[i+1] == '{' {
			if start < 0 {
				start = i
			}
			if n := strings.Index(s[i:], "}}"); n >= 0 {
				i += n + 1
			}
			continue
		}
		switch s[i] {
		case ' ', '\t', '\r', '\n', '"', '\'', '`', '(', ')', '[', ']', ',', ';', '|', '<', '>':
			end(i)
		default:
			if start < 0 {
				start = i
			}
		}
	}
	end(len(s))
	return list
}

// pattern matches the names that a text with expressions or wildcards could
// stand for: either stands for anything.
func (p *Project) pattern(s string) *regexp.Regexp {
	if could, ok := p.patterns[s]; ok {
		return could
	}
	var b strings.Builder
	b.WriteString(`(?s)^(?:.*\s)?`)
	last := 0
	for _, at := range p.re.expression.FindAllStringIndex(s, -1) {
		b.WriteString(regexp.QuoteMeta(s[last:at[0]]) + ".*")
		last = at[1]
	}
	b.WriteString(regexp.QuoteMeta(s[last:]) + "$")
	could := regexp.MustCompile(b.String())
	p.patterns[s] = could
	return could
}

// mentioned reports whether a text says the name of a file or directory. A name
// without a dot may be a common word: it does not count as the key of a mapping
// or in the middle of a sentence.
func mentioned(s, name string) bool {
	plain := !strings.Contains(name, ".")
	for from := 0; ; {
		i := strings.Index(s[from:], name)
		if i < 0 {
			return false
		}
		i += from
		from = i + 1
		before, after := s[:i], s[i+len(name):]
		if before != "" && wordy(before[len(before)-1]) || after != "" && wordy(after[0]) {
			continue
		}
		if !plain || !isKey(after) && !inSentence(before, after) {
			return true
		}
	}
}

func wordy(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// isKey reports whether what precedes after is the key of a mapping.
func isKey(after string) bool {
	return after == ":" || len(after) > 1 && after[0] == ':' && strings.IndexByte(" \t\r\n", after[1]) >= 0
}

// inSentence reports whether a word is one among others on a line.
func inSentence(before, after string) bool {
	trimmed := strings.TrimRight(before, " ")
	return trimmed != before && trimmed != "" && wordy(trimmed[len(trimmed)-1]) && after != "" && after[0] == ' '
}
