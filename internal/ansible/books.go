package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// playbook follows a playbook of the query, or one that another imports.
func (w *walk) playbook(name string, from place, sure certainty) {
	if surer := w.visits(visit{file: name, tags: w.playTags}, sure); !surer {
		return
	}
	if w.lacks(name, true, from) {
		return
	}
	if w.files.Kind(name) != tree.File {
		w.mistake(sure, w.Project.fault(from, "the playbook %s does not exist", name).
			WithHint("playbooks are named relative to the project's directory, imported ones relative to the playbook that imports them"))
		return
	}
	d := w.files.Document(name)
	switch {
	case d.Vaulted:
		w.whole(name, "encrypted playbook", from)
		w.everything("it is encrypted, and its plays may read anything", place{file: name, line: 1})
		return
	case d.Err != nil:
		w.unread(name, "playbook", d.Err, sure, from)
		return
	}
	book := w.playsFor(d, w.playTags)
	if !book.valid {
		w.whole(name, "playbook", from)
		w.mistake(sure, w.Project.fault(place{file: name, line: 1, col: 1}, "%s is not a playbook", name).
			WithHint("a playbook is a list of plays, each with hosts and tasks or roles"))
		return
	}
	if dir := path.Dir(name); !slices.Contains(w.dirs, dir) {
		w.dirs = append(w.dirs, dir)
		w.places++
		w.besidePlaybook(dir)
		w.readScope()
	}
	w.plays(name, book, from, sure)
}

// bookRead is a playbook that is followed: which of its plays are.
type bookRead struct {
	name     string
	book     *playbook
	from     place
	sure     certainty
	followed []bool
	tags     string // that its plays have of what imports it
}

// plays follows the plays that match the node.
func (w *walk) plays(name string, book *playbook, from place, sure certainty) {
	for i := range book.plays { // those of other hosts are read, too
		for _, l := range book.plays[i].tasks {
			w.odd(l, name, sure)
		}
	}
	w.books = append(w.books, &bookRead{name, book, from, sure, make([]bool, len(book.plays)), w.playTags})
	w.matchPlays(w.books[len(w.books)-1])
}

// matchPlays follows the plays that match the node and are not followed yet:
// while playbooks run, it may be put in further groups.
func (w *walk) matchPlays(b *bookRead) {
	more := false
	for i := range b.book.plays {
		if p := &b.book.plays[i]; !b.followed[i] && w.matches(p) {
			b.followed[i], more = true, true
			w.play(p, w.tagged(owner{file: b.name, book: path.Dir(b.name), sure: w.certainly(p, b.sure), tags: b.tags}, importTags(p)...))
		}
	}
	if !more {
		return
	}
	w.changes++
	var said, named []string
	plays := w.countedPlays(b)
	for i, followed := range b.followed {
		if followed {
			said = append(said, plays[i].digest)
			named = append(named, plays[i].named)
		}
	}
	w.count(b.name, asNamed, sum(said...), "playbook", b.from)
	w.recount(b.name, func(c *counted) {
		if c.plays = sum(named...); c.form == asNamed {
			c.digest, c.named = sum(said...), c.plays
		}
	})
}

// certainly is how certain it is that a play runs, of a playbook that is this certain.
func (w *walk) certainly(p *play, sure certainty) certainty {
	if p.imports.Kind == value.Null {
		var patterns []string
		for _, pattern := range p.hosts.List() {
			if computes(pattern.Text) {
				return max(sure, loaded)
			}
			patterns = append(patterns, pattern.Text)
		}
		if matches, _ := w.node.MatchList(patterns); !matches {
			return max(sure, loaded)
		}
	}
	if p.conditional {
		return max(sure, loaded)
	}
	return sure
}

func (w *walk) play(p *play, o owner) {
	w.read(&p.reads, o)
	w.define(p.vars, definition{file: o.file, class: "play", owner: o})
	if p.imports.Kind != value.Null {
		w.passed(p.imports)
		w.want(request{kind: wantPlaybook, shape: firstWord(p.imports), owner: o, line: p.imports.Line, must: true, sure: o.sure})
		return
	}
	for _, prompt := range p.prompts.List() {
		w.define([]value.Pair{{Key: prompt.At("name"), Value: prompt.At("default")}}, definition{file: o.file, class: "prompt", owner: o})
	}
	for _, v := range p.varsFiles.List() {
		w.varsFilesEntry(v, o)
	}
	for _, c := range p.collects {
		w.plugins.collection(c.Text)
	}
	w.read(&p.roleReads, o)
	for _, entry := range p.roles {
		w.roleEntry(entry, o, nil)
	}
	w.localPlays = w.localPlays || p.local
	if p.defaults {
		w.givesDefaults()
	}
	for _, v := range p.environment {
		w.want(request{kind: wantEnvironment, shape: shapeOf(v.Value), owner: o, line: v.Value.Line, under: v.Key.Text})
	}
	for _, l := range p.tasks {
		w.list(l, o, asTasks)
	}
}

// varsFilesEntry is a file of variables, or a list of which the first that is
// there is taken.
func (w *walk) varsFilesEntry(v value.Value, o owner) {
	sure := o.sure
	if sure != runs {
		sure = possible
	}
	w.want(request{kind: wantVars, shape: shapeOf(v), owner: o, line: v.Line, sure: sure})
}

// matches reports whether a play may run on the node.
func (w *walk) matches(p *play) bool {
	matches := w.matchesNow(p)
	if w.shared {
		w.matched = append(w.matched, matched{p, matches})
	}
	return matches
}

func (w *walk) matchesNow(p *play) bool {
	if p.imports.Kind != value.Null {
		return true
	}
	var patterns []string
	for _, pattern := range p.hosts.List() {
		if !computes(pattern.Text) {
			patterns = append(patterns, pattern.Text)
			continue
		}
		computed, known := w.hostsOf(p, pattern.Text)
		if !known {
			return true
		}
		patterns = append(patterns, computed...)
	}
	if matches, _ := w.node.MatchList(patterns); matches || len(w.joins)+len(w.joinForms) == 0 {
		return matches
	}
	// The node may be in some of these, or in all.
	named, all := w.inv.Named(patterns)
	made := slices.DeleteFunc(named, func(group string) bool { return !w.mayJoin(group) })
	without := func(p string) bool { return strings.Contains(p, "!") }
	matches, _ := w.inv.Node(w.q.Host, slices.Concat(w.joins, made, w.q.Groups, []string{ImageGroup})).MatchList(patterns)
	return matches || all && len(w.joinForms) > 0 || slices.ContainsFunc(patterns, without)
}

// mayJoin says whether the node may be put in a group of this name while playbooks
// run: also in one that is in no inventory, and of which nobody can name all.
func (w *walk) mayJoin(group string) bool {
	return slices.ContainsFunc(w.joinForms, func(form string) bool { return matches(form, group) })
}
