package inventory

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pattern is what a play's hosts says, in the order in which it is evaluated.
type pattern struct {
	terms   []term
	unknown bool // it is a template
}

// term is one of the patterns that separators join.
type term struct {
	text     string // as written
	sign     byte   // '!', '&' or 0
	name     string // without sign and subscript
	regexp   *python
	glob     glob // nil for a name alone
	subset   *subset
	anywhere bool // hosts are looked at even if a group matches
}

// subset is a subscript: one host, or those from first to last.
type subset struct {
	first, last int
	one         bool
	open        bool // to the end
	unknown     bool // too large a number
}

// Match reports whether a play with this pattern runs on the node, given that
// it is limited to the node. What cannot be known matches, and is not sure.
func (n *Node) Match(text string) (matches, sure bool) { return n.MatchList([]string{text}) }

// MatchList is Match for a play whose hosts is a list.
func (n *Node) MatchList(texts []string) (matches, sure bool) {
	p := n.inv.pattern(texts)
	if p.unknown {
		return true, false
	}
	in := no
	for _, t := range p.terms {
		m := no
		if n.isHost(t.text) {
			// Ansible adds a host that is called so before it looks at signs.
			if t.text == n.name {
				in = yes
			}
			continue
		}
		m = n.term(t)
		switch t.sign {
		case '!':
			in = min(in, yes-m)
		case '&':
			in = min(in, m)
		default:
			in = max(in, m)
		}
	}
	return in != no, in != maybe
}

// Named are the groups and hosts that patterns name; all says that they may mean any,
// by a wildcard, a regular expression or a template.
func (inv *Inventory) Named(texts []string) (names []string, all bool) {
	p := inv.pattern(texts)
	for _, t := range p.terms {
		all = all || t.regexp != nil || t.glob != nil
		names = append(names, t.name)
	}
	return names, all || p.unknown
}

// truth is one of no, maybe and yes.
type truth int

const (
	no truth = iota
	maybe
	yes
)

func truthOf(matches, sure bool) truth {
	switch {
	case !sure:
		return maybe
	case matches:
		return yes
	}
	return no
}

func (n *Node) isHost(name string) bool {
	return n.inv.Hosts[name] != nil || name == n.name && !n.foreign
}

// term reports whether the node is among the hosts of one pattern.
func (n *Node) term(t term) truth {
	if t.subset != nil {
		return n.subscript(t)
	}
	switch {
	case t.regexp != nil:
		found := truthOf(t.regexp.search(n.name))
		for _, g := range n.groups {
			found = max(found, truthOf(t.regexp.search(g.Name)))
		}
		return found
	case t.glob != nil:
		matches := t.glob.match(n.name) || slices.ContainsFunc(n.groups, func(g *Group) bool { return t.glob.match(g.Name) })
		return truthOf(matches, true)
	}
	if n.group(t.name) != nil {
		return truthOf(n.In(t.name) || t.anywhere && t.name == n.name, true)
	}
	if n.isHost(t.name) {
		return truthOf(t.name == n.name, true)
	}
	if localName(t.name) {
		return truthOf(n.localhost() == n.name, true)
	}
	return no
}

// localhost is the host that stands for this machine where none is called as
// the pattern says.
func (n *Node) localhost() string {
	switch {
	case n.inv.local != nil:
		return n.inv.local.Name
	case localName(n.name):
		return n.name
	}
	return ""
}

// subscript reports whether the node is in a subset of a pattern's hosts.
func (n *Node) subscript(t term) truth {
	whole := t
	whole.subset = nil
	if m := n.term(whole); m == no || t.subset.unknown {
		return m
	}
	list, sure := n.enumerate(t)
	if !sure {
		return maybe
	}
	s := *t.subset
	if len(list) == 0 {
		return no
	}
	if s.one {
		if s.first < 0 {
			s.first += len(list)
		}
		if s.first < 0 || s.first >= len(list) {
			return maybe // Ansible stops
		}
		return truthOf(list[s.first] == n.name, true)
	}
	if s.open {
		s.last = len(list) - 1
	}
	last := min(s.last+1, len(list))
	first := min(s.first, last)
	return truthOf(slices.Contains(list[first:last], n.name), true)
}

// enumerate is _enumerate_matches of ansible/inventory/manager.py: names, with
// those that are there twice.
func (n *Node) enumerate(t term) (list []string, sure bool) {
	match := func(s string) bool {
		if t.glob != nil {
			return t.glob.match(s)
		}
		return t.name == s
	}
	sure = true
	found := false
	groups := n.inv.groups
	for _, g := range n.given {
		if g.own == nil {
			groups = append(slices.Clip(groups), g)
		}
	}
	for _, g := range groups {
		if match(g.Name) {
			hosts, ordered := n.members(g)
			list = append(list, hosts...)
			sure = sure && ordered
			found = true
		}
	}
	if !found || t.anywhere {
		for _, h := range n.inv.hosts {
			if match(h.Name) {
				list = append(list, h.Name)
			}
		}
		if n.host == nil && match(n.name) {
			list = append(list, n.name)
		}
	}
	if local := n.localhost(); len(list) == 0 && t.glob == nil && localName(t.name) {
		list = append(list, local)
	}
	return list, sure
}

// pattern returns the pattern of a play, read once.
func (inv *Inventory) pattern(texts []string) *pattern {
	key := strings.Join(texts, "\x00")
	inv.mu.RLock()
	p := inv.plays[key]
	inv.mu.RUnlock()
	if p == nil {
		p = newPattern(texts)
		inv.mu.Lock()
		inv.plays[key] = p
		inv.mu.Unlock()
	}
	return p
}

func newPattern(texts []string) *pattern {
	p := &pattern{}
	var with, without []term
	for _, text := range texts {
		if strings.Contains(text, "{{") || strings.Contains(text, "{%") {
			p.unknown = true
		}
		for _, part := range splitPattern(text) {
			t := newTerm(part)
			switch t.sign {
			case '&':
				with = append(with, t)
			case '!':
				without = append(without, t)
			default:
				p.terms = append(p.terms, t)
			}
		}
	}
	if len(p.terms) == 0 {
		p.terms = append(p.terms, newTerm("all"))
	}
	p.terms = append(append(p.terms, with...), without...)
	return p
}

// splitPattern is split_host_pattern: at commas, or else at colons where the
// whole is no address.
func splitPattern(s string) (parts []string) {
	pieces := []string{s}
	if strings.Contains(s, ",") {
		pieces = strings.Split(s, ",")
	} else if _, ok := parseAddress(s); !ok {
		pieces = colonPieces(s)
	}
	for _, p := range pieces {
		if p = strings.TrimFunc(p, isSpace); p != "" {
			parts = append(parts, p)
		}
	}
	return parts
}

// colonPieces returns what is between blanks and colons, except for those in
// brackets.
func colonPieces(s string) (pieces []string) {
	start := -1
	end := func(i int) {
		if start >= 0 {
			pieces = append(pieces, s[start:i])
		}
		start = -1
	}
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if closing := strings.IndexByte(s[i:], ']'); r == '[' && closing > 0 {
			size = closing + 1
		} else if r == '[' || r == ']' || r == ':' || isSpace(r) {
			end(i)
			i += size
			continue
		}
		if start < 0 {
			start = i
		}
		i += size
	}
	end(len(s))
	return pieces
}

var subscripted = regexp.MustCompile(`^(.+)\[(?:(-?[0-9]+)|([0-9]+)([:-])([0-9]*))\]$`)

func newTerm(s string) term {
	t := term{text: s, name: s}
	if s[0] == '!' || s[0] == '&' {
		t.sign, t.name = s[0], s[1:]
	}
	if strings.HasPrefix(t.name, "~") {
		re := pythonPrefix(t.name[1:])
		t.regexp = &re
		return t
	}
	if m := subscripted.FindStringSubmatch(t.name); m != nil {
		t.name = m[1]
		t.subset = newSubset(m[2], m[3], m[5])
	}
	if strings.ContainsAny(t.name, "*?[") {
		t.glob = newGlob(t.name)
	}
	t.anywhere = strings.ContainsAny(t.name, ".?*[")
	return t
}

// newSubset reads [one], or [first:last] with the last one in it. A last one of
// 0 is none for Ansible, and means the first alone.
func newSubset(one, first, last string) *subset {
	s := &subset{}
	var err, err2 error
	switch {
	case one != "":
		s.one = true
		s.first, err = strconv.Atoi(one)
	default:
		s.first, err = strconv.Atoi(first)
		s.open = last == ""
		if !s.open {
			s.last, err2 = strconv.Atoi(last)
			s.one = s.last == 0
		}
	}
	s.unknown = err != nil || err2 != nil
	return s
}
