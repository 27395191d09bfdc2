package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/printable"
	"github.com/strata-hpc/strata/internal/store"
)

func newImagesCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "images", Short: "List the built nodes that the store has", Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return runImages(a) },
	}
}

// listed is a line of images.
type listed struct {
	Name    string       `json:"name"`
	Digest  layer.Digest `json:"digest"`
	Key     layer.Key    `json:"key"`  // for which it was built last
	Keys    []layer.Key  `json:"keys"` // all for which it came out
	Layers  int          `json:"layers"`
	Latest  bool         `json:"latest"`
	Built   time.Time    `json:"built"`
	Seconds float64      `json:"seconds"`
	Size    int64        `json:"size"` // of all layers, uncompressed
}

func runImages(a *app) error {
	st, err := a.open()
	if err != nil {
		return err
	}
	defer st.Close()
	images, err := st.Images()
	if err != nil {
		return err
	}
	list := []listed{}
	for _, im := range images {
		entries, err := describeImage(st, im)
		if err != nil {
			return err
		}
		list = append(list, entries...)
	}
	slices.SortFunc(list, func(x, y listed) int {
		if c := strings.Compare(x.Name, y.Name); c != 0 {
			return c
		}
		return y.Built.Compare(x.Built)
	})
	if a.json() {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tDIGEST\tKEY\tLAYERS\tSIZE\tBUILT")
	for _, l := range list {
		latest := ""
		if l.Latest {
			latest = " (latest)"
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\t%d\t%s\t%s\n", printable.Line(l.Name), latest, l.Digest.Short(), l.Key.Short(), l.Layers, size(l.Size),
			l.Built.Local().Format("2006-01-02 15:04"))
	}
	return w.Flush()
}

// describeImage returns a line for each node that an image is of.
func describeImage(st *store.Store, im *store.Image) ([]listed, error) {
	total, err := st.Size(im)
	if err != nil {
		return nil, err
	}
	byName := map[string]*listed{}
	var names []string
	for _, full := range im.Names {
		name, tag, _ := strings.Cut(strings.TrimPrefix(full, "localhost/"), ":")
		l := byName[name]
		if l == nil {
			l = &listed{Name: name, Digest: im.Digest, Layers: len(im.Layers), Size: total}
			byName[name] = l
			names = append(names, name)
		}
		if tag == "latest" {
			l.Latest = true
		}
		if key, ok := strings.CutPrefix(tag, store.KeyTag("")); ok {
			r, err := st.Record(im, layer.Key(key))
			if err == nil && r.Address {
				continue
			}
			l.Keys = append(l.Keys, layer.Key(key))
			if err == nil && r.Started.After(l.Built) {
				l.Key, l.Built, l.Seconds = r.Key, r.Started, r.Seconds
			}
		}
	}
	var list []listed
	for _, name := range names {
		if len(byName[name].Keys) > 0 {
			list = append(list, *byName[name])
		}
	}
	return list, nil
}

// findNode returns the latest image of a node or image of the project.
func findNode(st *store.Store, p *project, name string) (layer.Node, *store.Image, error) {
	want, _, err := plan.Select(p.Project, []string{name})
	if err != nil {
		return layer.Node{}, nil, err
	}
	n, _ := p.Node(want[0])
	im, err := st.Latest(p.Cluster.Name, n.ID)
	if errors.Is(err, store.ErrNotFound) {
		return n, nil, fault.New(fault.Input, "%s has not been built yet", name).WithHint("strata build %s", name)
	}
	return n, im, err
}

// look loads the configuration and opens the store.
func (a *app) look() (*project, *store.Store, error) {
	p, err := a.load()
	if err != nil {
		return nil, nil, err
	}
	st, err := a.open()
	return p, st, err
}

func newInspectCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "inspect NODE|IMAGE", Short: "Show everything that is known about a built node", Args: args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeNames,
		RunE:              func(_ *cobra.Command, names []string) error { return runInspect(a, names[0]) },
	}
}

func runInspect(a *app, name string) error {
	p, st, err := a.look()
	if err != nil {
		return err
	}
	defer st.Close()
	n, im, err := findNode(st, p, name)
	if err != nil {
		return err
	}
	record, err := st.LastRecord(im, p.Cluster.Name, n.ID)
	if err != nil {
		return err
	}
	about := struct {
		Node   layer.NodeID   `json:"node"`
		Parent layer.NodeID   `json:"parent,omitempty"`
		Key    layer.Key      `json:"key"`
		Digest layer.Digest   `json:"digest"`
		ID     string         `json:"id"`
		Names  []string       `json:"names"`
		Layers []layer.Digest `json:"layers"`
		Groups []string       `json:"groups"`
		Config any            `json:"config"`
		Source *store.Source  `json:"source,omitempty"` // where it was pulled from; nothing for what was built here
		Record store.Record   `json:"record"`
	}{n.ID, n.Parent, record.Key, im.Digest, im.ID, im.Names, im.Layers, n.Groups, im.Config.Config, nil, record}
	from := st.Source(im, record.Key)
	if from.Ref != "" {
		about.Source = &from
	}
	if a.json() {
		return a.printJSON(about)
	}
	w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	for _, row := range [][2]string{
		{"node", string(n.ID)},
		{"parent", string(n.Parent)},
		{"groups", strings.Join(n.Groups, " ")},
		{"key", string(record.Key)},
		{"digest", string(im.Digest)},
		{"image id", im.ID},
		{"built", record.Started.Local().Format(time.RFC1123) + " in " + seconds(record.Seconds) + " by strata " + printable.Line(record.Tool)},
		{"from", printable.Line(commitsText(record.Commits))},
		{"same from", printable.Line(confirmedText(record.Confirmed))},
		{"taken from", printable.Line(takenFrom(from))},
		{"programs read", printable.Line(observedText(record.Observed))},
		{"names", printedList(im.Names)},
		{"env", printedList(im.Config.Config.Env)},
	} {
		if row[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
		}
	}
	for _, d := range im.Layers {
		fmt.Fprintf(w, "layer\t%s\n", d)
	}
	for _, label := range slices.Sorted(maps.Keys(im.Config.Config.Labels)) {
		fmt.Fprintf(w, "label\t%s=%s\n", printable.Line(label), printable.Line(im.Config.Config.Labels[label]))
	}
	return w.Flush()
}

// observedText says what programs of playbooks read of the project on the machine that
// built.
func observedText(o *layer.Observed) string {
	const most = 20 // nobody reads more in a line
	switch {
	case o == nil || o.Empty():
		return ""
	case o.Unknown != "":
		return "not known: " + o.Unknown
	}
	var all []string
	for mark, list := range map[string][]string{"": o.Contents, "?": o.Kinds, "/*": o.Names, "@": o.Links} {
		for _, name := range list {
			all = append(all, name+mark)
		}
	}
	slices.Sort(all)
	if more := len(all) - most; more > 0 {
		all = append(all[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, " ")
}

// takenFrom says where an image was pulled from, and why it was believed.
func takenFrom(from store.Source) string {
	if from.Ref == "" {
		return ""
	}
	return from.Ref + " (" + cmp.Or(from.Why, "a registry that is trusted") + ")"
}

func newHistoryCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "history NODE|IMAGE", Short: "Show each layer of an image: its steps, size, key and time", Args: args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeNames,
		RunE:              func(_ *cobra.Command, names []string) error { return runHistory(a, names[0]) },
	}
}

func runHistory(a *app, name string) error {
	p, st, err := a.look()
	if err != nil {
		return err
	}
	defer st.Close()
	n, _, err := findNode(st, p, name)
	if err != nil {
		return err
	}
	records := []store.Record{}
	for {
		im, err := st.Latest(p.Cluster.Name, n.ID)
		if err != nil {
			return fmt.Errorf("find node %s: %w", n.ID, err)
		}
		r, err := st.LastRecord(im, p.Cluster.Name, n.ID)
		if err != nil {
			return fmt.Errorf("find the record of node %s: %w", n.ID, err)
		}
		records = append(records, r)
		if n.Parent == "" {
			break
		}
		n, _ = p.Node(n.Parent)
	}
	if a.json() {
		return a.printJSON(records)
	}
	w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tKEY\tSIZE\tTIME\tBUILT\tLAYER")
	for _, r := range records {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Node, r.Key.Short(), size(r.Size), seconds(r.Seconds),
			r.Started.Local().Format("2006-01-02 15:04"), r.DiffID.Short())
		if from := commitsText(r.Newest()); from != "" {
			fmt.Fprintf(w, "  from %s\t\t\t\t\t\n", printable.Line(from))
		}
		for _, s := range r.Steps {
			fmt.Fprintf(w, "  %s\t\t\t%s\t\t\n", shorten(printable.Line(s.Title), 60), seconds(s.Seconds))
		}
	}
	return w.Flush()
}

// printedList is a list in the second column of a table.
func printedList(list []string) string {
	lines := make([]string, len(list))
	for i, s := range list {
		lines[i] = printable.Line(s)
	}
	return strings.Join(lines, "\n\t")
}

// commitsText lists commits; what several layers have in common, once.
func commitsText(commits []layer.Commit) string {
	var texts []string
	for i, c := range commits {
		same := func(other layer.Commit) bool { return other.URL == c.URL && other.ID == c.ID }
		if slices.IndexFunc(commits, same) < i {
			continue
		}
		var names []string
		for _, other := range commits[i:] {
			if same(other) {
				names = append(names, other.Name)
			}
		}
		texts = append(texts, strings.Join(names, ", ")+" "+c.Short())
	}
	return strings.Join(texts, "; ")
}

// confirmedText is the newest build that came to the same as the one that is recorded.
func confirmedText(c *store.Confirmation) string {
	if c == nil {
		return ""
	}
	return commitsText(c.Commits) + ", on " + c.Time.Local().Format(time.RFC1123)
}

// shorten cuts a text that would make a table too wide.
func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
