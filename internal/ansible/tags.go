package ansible

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// Tags of a layer leave tasks out: see Taggable.evaluate_tags and Block.filter_tagged_tasks of
// ansible-core 2.14. A task that is left out is loaded, and nothing more: what it would do,
// read and lead to counts for nothing. Handlers that are notified run whatever their tags.

// selection is which tasks run by their tags.
type selection struct{ only, skip []string }

// anyTag stands among tags for some that nobody can know: such a task may run.
const anyTag = unknownText

// selects returns the selection of a query; nil for all tasks. Tags of ansible.cfg come
// together with those that are given: then all tasks count.
func (w *walk) selects() *selection {
	if len(w.q.Tags)+len(w.q.SkipTags) == 0 || w.cfg.tags {
		return nil
	}
	s := &selection{only: splitTags(w.q.Tags), skip: splitTags(w.q.SkipTags)}
	if len(s.only) == 0 {
		s.only = []string{"all"}
	}
	return s
}

func splitTags(list []string) []string {
	var all []string
	for _, one := range list { // as --tags takes them
		for _, tag := range strings.Split(one, ",") {
			all = append(all, strings.TrimSpace(tag))
		}
	}
	return all
}

// runs reports whether a task may run that has these tags.
func (s *selection) runs(tags []string) bool {
	if slices.Contains(tags, anyTag) {
		return true
	}
	untagged := len(tags) == 0
	if untagged {
		tags = []string{"untagged"}
	}
	has := func(tag string) bool { return slices.Contains(tags, tag) }
	tagged := !untagged && !(len(tags) == 1 && has("untagged"))
	only := slices.ContainsFunc(s.only, has) || has("always") || !has("never") && (slices.Contains(s.only, "all") || tagged && slices.Contains(s.only, "tagged"))
	switch {
	case !only:
		return false
	case slices.Contains(s.skip, "all"):
		return has("always") && !slices.Contains(s.skip, "always")
	}
	return !slices.ContainsFunc(s.skip, has) && !(tagged && slices.Contains(s.skip, "tagged"))
}

// tagsOf are the tags that a keyword gives.
func tagsOf(v value.Value) []string {
	var all []string
	for _, one := range v.List() {
		switch {
		case !one.Scalar() || computes(one.Text):
			return []string{anyTag}
		case v.Kind == value.List:
			all = append(all, one.Text)
		default:
			all = append(all, splitTags([]string{one.Text})...)
		}
	}
	return all
}

// joinTags are tags as an owner has them, with further ones.
func joinTags(tags string, more ...string) string {
	if tags != "" {
		more = append(strings.Split(tags, tagSeparator), more...)
	}
	more = slices.Sorted(slices.Values(more))
	return strings.Join(slices.Compact(more), tagSeparator)
}

// ownerTags are those of an owner.
func ownerTags(tags string) []string {
	if tags == "" {
		return nil
	}
	return strings.Split(tags, tagSeparator)
}

const (
	tagSeparator = "\x1f"
	passedTags   = "\x00tags" // a keyword of ours: the tags that a task gives those that it leads to
	leftOut      = "\x00left" // a keyword of ours: what Ansible loads of a task that does not run
)

// from is a list of tasks without those that do not run. within are tags of blocks around
// them, around what else they have.
func (s *selection) from(list value.Value, within, around []string) value.Value {
	if list.Kind != value.List {
		return list
	}
	var kept []value.Value
	for _, item := range list.Items() {
		if one, ok := s.task(item, within, around); ok {
			kept = append(kept, one)
		}
	}
	return list.WithItems(kept)
}

// task is a task that may run, or what is left of it; false if that is nothing.
func (s *selection) task(item value.Value, within, around []string) (value.Value, bool) {
	if item.Kind != value.Map {
		return item, true
	}
	own := append(slices.Clip(within), tagsOf(item.At("tags"))...)
	if _, block := item.Get("block"); block {
		return s.block(item, own, around)
	}
	passes, static, leads := own, false, false
	for _, p := range item.Pairs() {
		switch builtin(p.Key.Text) {
		case "import_tasks", "import_role":
			static, leads = true, true
		case "include_tasks", "include_role":
			leads = true
			passes = append(slices.Clip(within), tagsOf(p.Value.At("apply").At("tags"))...)
			passes = append(passes, tagsOf(item.At("args").At("apply").At("tags"))...)
		case "include": // in the old way, by its file it is one of both
			static, leads, passes = true, true, []string{anyTag}
		case "action", "local_action":
			if !p.Value.Scalar() || strings.Contains(p.Value.Text, "include") || strings.Contains(p.Value.Text, "import") {
				static, leads, passes = true, true, []string{anyTag}
			}
		}
	}
	switch {
	case !static && !s.runs(append(slices.Clip(around), own...)):
		return left(item)
	case !leads:
		return item, true
	}
	tags := value.Value{Kind: value.List}.WithItems(nil)
	for _, tag := range passes {
		tags = tags.WithItems(append(tags.Items(), value.Value{Kind: value.String, Text: tag}))
	}
	key := value.Value{Kind: value.String, Text: passedTags}
	return item.WithPairs(append(slices.Clip(item.Pairs()), value.Pair{Key: key, Value: tags})), true
}

func (s *selection) block(item value.Value, own, around []string) (value.Value, bool) {
	pairs, tasks := slices.Clone(item.Pairs()), 0
	for i, p := range pairs {
		switch p.Key.Text {
		case "block", "rescue", "always":
			pairs[i].Value = s.from(p.Value, own, around)
			tasks += len(pairs[i].Value.Items())
		}
	}
	if tasks == 0 && !slices.Contains(own, anyTag) {
		return left(item)
	}
	return item.WithPairs(pairs), true
}

// left is what counts of a task that does not run: Ansible stops where it cannot load it.
func left(item value.Value) (value.Value, bool) {
	if loads(item, false) {
		return item, false
	}
	name := func(text string) value.Value { return value.Value{Kind: value.String, Text: text, Line: item.Line} }
	stands := []value.Pair{{Key: name("debug")}, {Key: name(leftOut), Value: name(digestsOf(bareTask(item)).named)}}
	return value.Value{Kind: value.Map, Line: item.Line, Col: item.Col}.WithPairs(stands), true
}

// plays are the plays of a playbook with the tasks that may run.
func (s *selection) plays(book value.Value, around []string) value.Value {
	if book.Kind != value.List {
		return book
	}
	plays := slices.Clone(book.Items())
	for i, play := range plays {
		tags := append(slices.Clip(around), tagsOf(play.At("tags"))...)
		pairs := slices.Clone(play.Pairs())
		for j, p := range pairs {
			switch p.Key.Text {
			case "tasks", "pre_tasks", "post_tasks":
				pairs[j].Value = s.from(p.Value, nil, tags)
			}
		}
		plays[i] = play.WithPairs(pairs)
	}
	return book.WithItems(plays)
}

// selected is what a document is read as with some of its tasks.
type selected struct {
	document *tree.Document
	by, tags string
}

func (s *selection) key() string { return strings.Join(s.only, ",") + " " + strings.Join(s.skip, ",") }

// tasksFor reads a document as the tasks that an owner has run.
func (w *walk) tasksFor(d *tree.Document, o owner) *taskList {
	if w.selection == nil {
		return w.tasksOf(d)
	}
	return w.parsed.selectedLists.Get(selected{d, w.selection.key(), o.tags}, func() *taskList {
		return readTasks(w.selection.from(d.Value, nil, ownerTags(o.tags)))
	})
}

// playsFor reads a document as plays, of which what they have run counts.
func (w *walk) playsFor(d *tree.Document, tags string) *playbook {
	if w.selection == nil {
		return w.playsOf(d)
	}
	return w.parsed.selectedBooks.Get(selected{d, w.selection.key(), tags}, func() *playbook {
		return readPlaybook(w.selection.plays(d.Value, ownerTags(tags)))
	})
}

// counts are the plays of a playbook by which it counts: those that are followed, unless the
// same one is with other tags, too.
func (w *walk) countedPlays(b *bookRead) []play {
	same := func(other *bookRead) bool { return other.name == b.name && other != b }
	if w.selection == nil || !slices.ContainsFunc(w.books, same) {
		return b.book.plays
	}
	return w.playsOf(w.files.Document(b.name)).plays
}

// tagged is an owner with further tags.
func (w *walk) tagged(o owner, tags ...string) owner {
	if w.selection != nil && len(tags) > 0 {
		o.tags = joinTags(o.tags, tags...)
	}
	return o
}

// importTags are the tags that an import of a playbook gives its plays.
func importTags(p *play) []string {
	if strings.Contains(p.imports.Text, "tags=") {
		return []string{anyTag}
	}
	return p.tags
}
