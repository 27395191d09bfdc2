package inventory

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
)

// ini reads the INI form, as the plugin "ini" does.
func (b *builder) ini(name string, text []byte) error {
	r := &iniReader{b: b, group: b.inv.Groups["ungrouped"], section: "hosts", pending: map[string]*pending{}}
	r.at.file = name
	for line := range lines(string(text)) {
		r.at.line++
		line = strings.TrimFunc(line, isSpace)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if err := r.line(line); err != nil {
			return err
		}
	}
	return r.unresolved()
}

// iniReader reads lines of one file.
type iniReader struct {
	b       *builder
	at      place
	group   *Group
	section string // hosts, children or vars
	pending map[string]*pending
	waiting []*pending // as pending, in the order of the file
}

// pending is a group that was named but not declared yet.
type pending struct {
	name    string
	at      place
	vars    bool // only by [name:vars]
	parents []*Group
	places  []place
}

func (r *iniReader) fail(format string, args ...any) *fault.Error {
	return fault.New(fault.Input, format, args...).At(r.at.file, r.at.line, 1)
}

func (r *iniReader) line(line string) error {
	if group, section, ok := header(line); ok {
		return r.header(group, section)
	}
	if line[0] == '[' && line[len(line)-1] == ']' {
		return r.fail("section %s is not valid", line).
			WithHint("a section is [group], [group:children] or [group:vars], without blanks")
	}
	switch r.section {
	case "vars":
		return r.variable(line)
	case "children":
		return r.child(line)
	}
	return r.hosts(line)
}

// header takes [group] or [group:section] apart.
func header(line string) (group, section string, ok bool) {
	if line[0] != '[' {
		return "", "", false
	}
	name := line[1:]
	i := strings.IndexFunc(name, func(c rune) bool { return c == ':' || c == ']' || isSpace(c) })
	if i <= 0 {
		return "", "", false
	}
	name, rest := name[:i], name[i:]
	if rest[0] == ':' {
		end := strings.IndexFunc(rest[1:], func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsNumber(c) && c != '_' }) + 1
		if end <= 1 {
			return "", "", false
		}
		section, rest = rest[1:end], rest[end:]
	}
	if rest[0] != ']' {
		return "", "", false
	}
	rest = strings.TrimLeftFunc(rest[1:], isSpace)
	return name, section, rest == "" || rest[0] == '#'
}

func (r *iniReader) header(name, section string) error {
	if section == "" {
		section = "hosts"
	}
	if !slices.Contains([]string{"hosts", "children", "vars"}, section) {
		f := r.fail("section [%s:%s] is of an unknown type", name, section)
		if near := fault.Nearest(section, []string{"hosts", "children", "vars"}); near != "" {
			return f.WithHint("[%s:%s]?", name, near)
		}
		return f
	}
	r.section = section
	waiting := r.pending[name]
	if r.b.inv.Groups[name] == nil && section == "vars" && waiting == nil {
		waiting = r.wait(name)
		waiting.vars = true
	}
	r.group = r.b.group(name, r.at)
	if waiting != nil && section != "vars" {
		if waiting.vars {
			r.resolve(waiting)
		} else {
			r.adopt(waiting)
		}
	}
	return nil
}

func (r *iniReader) wait(name string) *pending {
	p := &pending{name: name, at: r.at}
	r.pending[name] = p
	r.waiting = append(r.waiting, p)
	return p
}

func (r *iniReader) resolve(p *pending) {
	delete(r.pending, p.name)
	r.waiting = slices.DeleteFunc(r.waiting, func(q *pending) bool { return q == p })
}

// adopt makes a group that is declared at last a child of those that named it.
func (r *iniReader) adopt(p *pending) {
	r.resolve(p)
	for i, parent := range p.parents {
		r.b.child(parent, r.b.group(p.name, r.at), p.places[i])
		if q := r.pending[parent.Name]; q != nil && !q.vars {
			r.adopt(q)
		}
	}
}

// unresolved says which group is never declared.
func (r *iniReader) unresolved() error {
	if len(r.waiting) == 0 {
		return nil
	}
	p := r.waiting[0]
	hint := "declare it with [" + p.name + "], which may be empty"
	if near := fault.Nearest(p.name, r.b.groupNames(p.name)); near != "" {
		hint = near + "? Otherwise " + hint
	}
	if p.vars {
		return fault.New(fault.Input, "section [%s:vars] is of a group that is not defined", p.name).
			At(p.at.file, p.at.line, 1).WithHint("%s", hint)
	}
	return fault.New(fault.Input, "section [%s:children] names group %s, which is not defined", p.parents[0].Name, p.name).
		At(p.at.file, p.at.line, 1).WithHint("%s", hint)
}

func (b *builder) groupNames(except string) (names []string) {
	for _, g := range b.inv.groups {
		if g.Name != except {
			names = append(names, g.Name)
		}
	}
	return names
}

// variable reads a line of [group:vars].
func (r *iniReader) variable(line string) error {
	name, text, ok := strings.Cut(line, "=")
	if !ok {
		return r.fail("expected name=value for group %s, not %q", r.group.Name, line)
	}
	v := variable(strings.TrimFunc(name, isSpace), r.value(strings.TrimFunc(text, isSpace)), r.at.file, r.at.line)
	return r.b.set(r.group.Name, v)
}

func (r *iniReader) value(text string) value.Value {
	v, ok := value.Literal(text)
	if !ok {
		v = value.Value{Kind: value.String, Text: text}
	}
	placed(&v, r.at.line)
	return v
}

// placed sets the line of a value and all that is in it.
func placed(v *value.Value, line int) {
	v.Line = line
	for i := range v.Items() {
		placed(&v.Items()[i], line)
	}
	for i := range v.Pairs() {
		placed(&v.Pairs()[i].Key, line)
		placed(&v.Pairs()[i].Value, line)
	}
}

// child reads a line of [group:children].
func (r *iniReader) child(line string) error {
	i := strings.IndexFunc(line, func(c rune) bool { return c == ':' || c == ']' || isSpace(c) })
	if i < 0 {
		i = len(line)
	}
	rest := strings.TrimLeftFunc(line[i:], isSpace)
	if i == 0 || rest != "" && rest[0] != '#' {
		return r.fail("expected the name of a group, not %q", line)
	}
	name := line[:i]
	if g := r.b.inv.Groups[name]; g != nil {
		r.b.child(r.group, g, r.at)
		return nil
	}
	p := r.pending[name]
	if p == nil {
		p = r.wait(name)
	}
	p.parents = append(p.parents, r.group)
	p.places = append(p.places, r.at)
	return nil
}

// hosts reads a line with a host, or a range of them, and their variables.
func (r *iniReader) hosts(line string) error {
	tokens, err := words(line)
	if err != nil {
		return r.fail("host definition %q: %w", line, err)
	}
	if len(tokens) == 0 {
		return r.fail("expected a host, not %q", line)
	}
	p, err := expandPattern(tokens[0])
	if err != nil {
		return r.fail("host %q: %w", tokens[0], err)
	}
	switch {
	case strings.HasSuffix(strings.TrimFunc(tokens[0], isSpace), ":") && p.port == "":
		return r.fail("host %q: it ends in a colon, but has no port", tokens[0])
	case slices.ContainsFunc(p.names, func(n string) bool { return strings.TrimFunc(n, isSpace) == "---" }):
		return r.fail("host %q: this is how YAML begins", tokens[0])
	}
	var variables []Variable
	for _, t := range tokens[1:] {
		name, text, ok := strings.Cut(t, "=")
		if !ok {
			return r.fail("host %s: expected name=value, not %q", tokens[0], t)
		}
		// Of a name that is there twice Ansible keeps the last value, in the first place.
		v := variable(name, r.value(text), r.at.file, r.at.line)
		if i := slices.IndexFunc(variables, func(w Variable) bool { return w.Name() == name }); i >= 0 {
			variables[i] = v
		} else {
			variables = append(variables, v)
		}
	}
	return r.b.hosts(p, variables, r.group, r.at)
}

// lines are those of Python's str.splitlines, without their ends.
func lines(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for s != "" {
			i := strings.IndexFunc(s, isLineEnd)
			if i < 0 {
				yield(s)
				return
			}
			line := s[:i]
			if strings.HasPrefix(s[i:], "\r\n") {
				s = s[i+2:]
			} else {
				_, size := utf8.DecodeRuneInString(s[i:])
				s = s[i+size:]
			}
			if !yield(line) {
				return
			}
		}
	}
}

func isLineEnd(r rune) bool {
	return r >= '\n' && r <= '\r' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
}

// isSpace is Python's str.isspace.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
