package ansible

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/value"
)

// A block without rescue and always is its tasks, each with what the block says of them:
// so each can be told by itself that never runs.

// inherits are the keywords of a block that its tasks have where they do not say otherwise.
var inherits = setOf("any_errors_fatal", "become", "become_exe", "become_flags", "become_method", "become_user", "check_mode", "connection",
	"delegate_facts", "delegate_to", "diff", "ignore_errors", "ignore_unreachable", "no_log", "notify", "port", "remote_user", "run_once", "throttle", "timeout")

// apart are the tasks of a block, with what they have of it; false for what is no such
// block, or not as good as its tasks.
func apart(block value.Value) ([]value.Value, bool) {
	list := block.At("block")
	if list.Kind != value.List || len(list.Items()) == 0 || len(oddities(block)) > 0 {
		return nil, false
	}
	for _, p := range block.Pairs() {
		switch key := p.Key.Text; {
		case key == "vars" && p.Value.Kind != value.Map, !inherits[key] && !joins[key] && key != "block" && key != "name" && key != "vars":
			return nil, false
		}
	}
	all := make([]value.Value, len(list.Items()))
	for i, item := range list.Items() {
		if vars := item.At("vars"); item.Kind != value.Map || vars.Kind != value.Null && vars.Kind != value.Map {
			return nil, false
		}
		all[i] = inBlock(block, item)
	}
	return all, true
}

// joins are keywords of which a task has those of its blocks, too: theirs come first.
var joins = setOf("environment", "tags", "when")

// inBlock is a task with what it has of the block that it is in.
func inBlock(block, item value.Value) value.Value {
	pairs := slices.Clone(item.Pairs())
	at := func(key string) int {
		return slices.IndexFunc(pairs, func(p value.Pair) bool { return p.Key.Text == key })
	}
	for _, p := range block.Pairs() {
		key, i := p.Key.Text, at(p.Key.Text)
		switch {
		case key == "block" || key == "name" || key == "delegate_to" && at("local_action") >= 0:
		case i < 0:
			pairs = append(pairs, p)
		case joins[key]:
			own := pairs[i].Value
			pairs[i].Value = own.WithItems(append(slices.Clip(wordsOf(key, p.Value)), wordsOf(key, own)...))
			pairs[i].Value.Kind = value.List
		case key == "vars":
			pairs[i].Value = withDefaults(pairs[i].Value, p.Value)
		}
	}
	return item.WithPairs(pairs)
}

// wordsOf is a keyword's value as a list. Tags in one text have commas between them.
func wordsOf(key string, v value.Value) []value.Value {
	if v.Kind != value.String || key != "tags" {
		return v.List()
	}
	var all []value.Value
	for _, word := range strings.Split(v.Text, ",") {
		one := v
		one.Text = strings.TrimSpace(word)
		all = append(all, one)
	}
	return all
}

// withDefaults is a mapping with those of another that it has not.
func withDefaults(v, others value.Value) value.Value {
	pairs := slices.Clone(v.Pairs())
	for _, p := range others.Pairs() {
		if _, own := v.Get(p.Key.Text); !own {
			pairs = append(pairs, p)
		}
	}
	return v.WithPairs(pairs)
}
