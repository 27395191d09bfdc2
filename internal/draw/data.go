package draw

import (
	"fmt"
	"strings"

	"github.com/strata-hpc/strata/internal/plan"
)

// mostShown is how many signs of a value go onto a page.
const mostShown = 600

// data is what the page's script shows of a node that is clicked on. Reasons
// and inputs that several nodes share are there once.
type data struct {
	Nodes   []nodeData   `json:"nodes"` // in the order of the page
	Reasons []reasonData `json:"reasons"`
	Inputs  []inputData  `json:"inputs"`
	Texts   []string     `json:"texts"` // what inputs are made of
	Means   [][2]string  `json:"means"` // actions, and what they say
}

type nodeData struct {
	ID      string   `json:"id"`
	Parent  int      `json:"parent"` // -1 of a root
	Layer   string   `json:"layer,omitempty"`
	Variant string   `json:"variant,omitempty"`
	Action  string   `json:"action,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Place   string   `json:"place,omitempty"`
	Groups  []string `json:"groups,omitempty"`
	Images  []string `json:"images,omitempty"`
	Key     string   `json:"key,omitempty"`
	BaseKey string   `json:"baseKey,omitempty"` // if it is another one
	SameKey bool     `json:"sameKey,omitempty"`
	Reasons []int    `json:"reasons,omitempty"`
	Inputs  []int    `json:"inputs,omitempty"` // in runs: the first, how many, the first, how many
}

type reasonData struct {
	Kind  string   `json:"kind"`
	Name  string   `json:"name"`
	Place string   `json:"place,omitempty"`
	Old   string   `json:"old,omitempty"`
	New   string   `json:"new,omitempty"`
	Via   []string `json:"via,omitempty"`
}

// inputData are the indices of kind, name, the first 12 digits of the digest,
// what is shown and file; the line; and the indices of what uses it. What is
// empty at the end is left out.
type inputData []int

func dataOf(g Graph, f forest) data {
	d := data{Nodes: []nodeData{}, Reasons: []reasonData{}, Inputs: []inputData{}, Texts: []string{}, Means: [][2]string{}}
	for _, a := range actions() {
		d.Means = append(d.Means, [2]string{string(a.Action), a.Means})
	}
	order := f.order()
	at := make([]int, len(order))
	for k, i := range order {
		at[i] = k
	}
	reasons, inputs, texts := map[string]int{}, map[string]int{}, map[string]int{}
	text := func(s string) int { return intern(texts, &d.Texts, s) }
	for _, i := range order {
		n := g.Nodes[i]
		e := nodeData{
			ID: string(n.ID), Parent: -1, Layer: n.Layer, Variant: n.Variant, Action: string(n.Action), Reason: n.Reason,
			Place: n.Place, Groups: n.Groups, Images: n.Images, Key: string(n.Key),
		}
		if e.SameKey = n.Key != "" && n.Key == n.BaseKey; !e.SameKey {
			e.BaseKey = string(n.BaseKey)
		}
		if p := f.parent[i]; p >= 0 {
			e.Parent = at[p]
		}
		for _, r := range n.Reasons {
			e.Reasons = append(e.Reasons, intern(reasons, &d.Reasons, reasonOf(r)))
		}
		for _, in := range n.Inputs {
			e.Inputs = extend(e.Inputs, intern(inputs, &d.Inputs, inputOf(in, text)))
		}
		d.Nodes = append(d.Nodes, e)
	}
	return d
}

// intern returns the index of a value in a list, where it is once.
func intern[T any](known map[string]int, list *[]T, v T) int {
	name := fmt.Sprintf("%#v", v)
	i, ok := known[name]
	if !ok {
		i = len(*list)
		known[name] = i
		*list = append(*list, v)
	}
	return i
}

// extend adds an index to a list of runs.
func extend(runs []int, i int) []int {
	if n := len(runs); n > 0 && runs[n-2]+runs[n-1] == i {
		runs[n-1]++
		return runs
	}
	return append(runs, i, 1)
}

func reasonOf(r plan.Reason) reasonData {
	place, old, now := r.Place(), r.Old, r.New
	if r.File == r.Name {
		place = "" // the name says it
	}
	if max(len(old), len(now)) > mostShown {
		old, now = r.Difference()
	}
	return reasonData{r.Kind, r.Name, place, abridged(old), abridged(now), r.Via}
}

func inputOf(in Input, text func(string) int) inputData {
	digest := in.Digest
	if len(digest) > 12 {
		digest = digest[:12]
	}
	if in.File == in.Name {
		in.File = "" // the name says it
	}
	d := inputData{text(in.Kind), text(in.Name), text(digest), text(abridged(in.Shown)), text(in.File), in.Line}
	for _, use := range in.Via {
		d = append(d, text(use))
	}
	empty := []bool{false, false, digest == "", in.Shown == "", in.File == "", in.Line == 0}
	for n := len(d); n <= len(empty) && empty[n-1]; n-- {
		d = d[:n-1]
	}
	return d
}

// abridged is the beginning of a long value.
func abridged(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if r := []rune(s); len(r) > mostShown {
		return fmt.Sprintf("%s… (%d more)", string(r[:mostShown]), len(r)-mostShown)
	}
	return s
}
