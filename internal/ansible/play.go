package ansible

import (
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// play is one play of a playbook, or the import of another playbook.
type play struct {
	hosts       value.Value
	digest      string // of what it says but its name, its hosts and its variables
	named       string // the same with names
	line        int
	roles       []value.Value
	roleReads   reads // of the entries of roles
	tasks       []*taskList
	reads       reads // of its keywords
	vars        []value.Pair
	varsFiles   value.Value
	prompts     value.Value
	collects    []value.Value // collections that short names are looked up in
	defaults    bool          // it has module_defaults
	tags        []string
	local       bool // hosts of which nothing else is said are this machine
	environment []value.Pair
	// conditional is of an import with a condition, which each play of it has.
	conditional bool
	imports     value.Value // the playbook that is imported; null for a play
}

// playbook is a file of plays.
type playbook struct {
	plays []play
	valid bool // it is a list of plays
}

// readPlaybook reads a list of plays.
func readPlaybook(v value.Value) *playbook {
	b := &playbook{valid: v.Kind == value.List && len(v.Items()) > 0} // Ansible refuses an empty one
	for _, item := range v.Items() {
		if item.Kind != value.Map || !isPlay(item) {
			b.valid = false
			continue
		}
		b.plays = append(b.plays, readPlay(item))
	}
	return b
}

func isPlay(v value.Value) bool {
	if _, ok := v.Get("hosts"); ok {
		return true
	}
	return imported(v).Kind != value.Null
}

// imported is the argument of import_playbook, or null.
func imported(v value.Value) value.Value {
	for _, p := range v.Pairs() {
		if builtin(p.Key.Text) == "import_playbook" {
			return p.Value
		}
	}
	return value.Value{}
}

func readPlay(v value.Value) play {
	p := play{line: v.Line, imports: imported(v), tags: tagsOf(v.At("tags"))}
	var rest, named []value.Pair
	for _, pair := range v.Pairs() {
		entry, full := pair.Value, pair.Value
		switch key := pair.Key.Text; key {
		case "name":
			named = append(named, pair)
			p.reads.value(entry)
			continue
		case "hosts":
			p.hosts = entry
			p.reads.value(entry)
			continue
		case "vars":
			p.vars = variablesOf(entry)
			continue
		case "vars_files":
			p.varsFiles = entry
			p.reads.value(entry)
		case "vars_prompt":
			p.prompts = entry
			p.reads.value(entry)
		case "roles":
			p.roles = entry.List()
			for _, role := range p.roles {
				p.roleReads.entry(role)
			}
		case "tasks", "pre_tasks", "post_tasks", "handlers":
			list := readUnguarded(entry)
			list.handlers = key == "handlers"
			p.tasks = append(p.tasks, list)
			pair.Value, full = normalTasks(entry, key == "handlers"), normalTasks(entry, true)
		case "collections":
			p.collects = entry.List()
		case "connection":
			p.local = entry.Text == "local"
		case "environment":
			p.environment = environment(entry)
			p.reads.value(entry)
		case "when":
			p.reads.expression(entry)
			p.conditional = true
		default:
			p.defaults = p.defaults || key == "module_defaults"
			p.reads.value(entry)
		}
		rest = append(rest, pair)
		pair.Value = full
		named = append(named, pair)
	}
	says := func(pairs []value.Pair) string { return sorted(value.Value{Kind: value.Map}.WithPairs(pairs)).Digest() }
	p.digest, p.named = says(rest), says(named)
	return p
}

// entry adds what an entry of a play's roles, or a dependency, reads: the
// parameters of the role and its conditions.
func (r *reads) entry(v value.Value) {
	if v.Kind != value.Map {
		r.value(v)
		return
	}
	for _, p := range v.Pairs() {
		if p.Key.Text == "when" {
			r.expression(p.Value)
			continue
		}
		r.value(p.Value)
	}
}
