package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/trace"
)

// What two analyses asked that was answered otherwise, for people and programs. It
// decides nothing.

// Search is how an analysis looked for a file that it did not find.
type Search struct {
	Dir   string // the directory that was listed; "" if the file was asked for by its name
	Below bool   // and at any depth
}

// Searched says of files that are not there how the analysis looked for them; what it did
// not look for is left out. One that was asked for by its name is not said to be listed.
func (a *Analysis) Searched(names []string) map[string]Search {
	found, wanted, in := map[string]Search{}, map[string]bool{}, map[string][]string{}
	for _, name := range names {
		wanted[name] = true
		in[path.Dir(name)] = append(in[path.Dir(name)], name)
	}
	listed := func(by Search, names []string) {
		for _, name := range names {
			if known, ok := found[name]; by.lists(name) && (!ok || by.closer(known)) {
				found[name] = by
			}
		}
	}
	a.Asked().All(func(q trace.Question) {
		switch q.Kind {
		case tree.AskKind, tree.AskContent, tree.AskMode, tree.AskDocument, tree.AskTemplate, tree.AskVariables:
			if wanted[q.Name] {
				found[q.Name] = Search{}
			}
		case tree.AskNames:
			listed(Search{Dir: q.Name}, in[q.Name])
		case tree.AskBelow:
			listed(Search{Dir: q.Name, Below: true}, names)
		}
	})
	return found
}

func (s Search) lists(name string) bool {
	return path.Dir(name) == s.Dir || s.Below && (s.Dir == "." || strings.HasPrefix(name, s.Dir+"/"))
}

// closer reports whether a search says more of a file than another one does.
func (s Search) closer(than Search) bool {
	switch {
	case than.Dir == "":
		return false
	case s.Below != than.Below:
		return than.Below
	}
	return len(s.Dir) > len(than.Dir)
}

// OtherPattern returns the hosts of the first play of a playbook that is followed in one
// of two analyses only, though it says the same in both; "" if there is none.
func OtherPattern(was, now *Analysis, playbook string) string {
	one, other := was.walk.readOf(playbook), now.walk.readOf(playbook)
	if one == nil || other == nil || len(one.book.plays) != len(other.book.plays) {
		return ""
	}
	pattern := ""
	for i := range one.book.plays {
		p, q := &one.book.plays[i], &other.book.plays[i]
		if p.named != q.named || p.hosts.Digest() != q.hosts.Digest() {
			return ""
		}
		if pattern == "" && one.followed[i] != other.followed[i] {
			pattern = patternOf(p)
		}
	}
	return pattern
}

// readOf is a playbook that was read, nil if it was not.
func (w *walk) readOf(name string) *bookRead {
	i := slices.IndexFunc(w.books, func(b *bookRead) bool { return w.real(b.name) == name })
	if i < 0 {
		return nil
	}
	return w.books[i]
}

// patternOf are the hosts of a play as one pattern.
func patternOf(p *play) string {
	var all []string
	for _, v := range p.hosts.List() {
		if v.Kind == value.String {
			all = append(all, v.Text)
		}
	}
	return strings.Join(all, ",")
}

// OtherSetting returns the first setting, by name, that an ansible.cfg has another value
// for in two projects; "" if there is none.
func OtherSetting(was, now *Project, file string) string {
	one, other := was.settingsOf(file), now.settingsOf(file)
	var names []string
	for name, set := range one {
		if also, ok := other[name]; !ok || also != set {
			names = append(names, name)
		}
	}
	for name := range other {
		if _, ok := one[name]; !ok {
			names = append(names, name)
		}
	}
	names = slices.DeleteFunc(names, harmless)
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}

func (p *Project) settingsOf(file string) map[string]string {
	text, err := p.files.Text(file)
	if err != nil {
		return nil
	}
	all, _ := settings(string(text))
	return all
}

// Config is the ansible.cfg that the analysis read, "" if there is none.
func (a *Analysis) Config() string { return a.walk.real(a.walk.cfg.file) }
