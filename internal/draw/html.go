package draw

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/strata-hpc/strata/internal/plan"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// When subtrees are closed, and when siblings are wrapped, on a page.
const (
	manyNodes    = 60 // more than so many, and subtrees where all is kept are closed
	manySiblings = 9  // so many leaves in a row are wrapped into columns
)

// page is what the template shows.
type page struct {
	Title    string
	Plan     bool
	Compared string
	About    []string
	Base     string
	Head     string
	Actions  []counted
	Nodes    int
	Images   int
	Notes    []note
	Roots    []*item
	Data     data
	Policy   string
	Style    template.CSS
	Script   template.JS
}

// counted is an action and how many nodes have it.
type counted struct {
	action
	Count int
}

// item is a node on the page, or a row of leaves that are wrapped into columns.
type item struct {
	Node
	Class    string
	Level    int
	Below    int // how many nodes stand on it
	Closed   bool
	Children []*item
	Columns  int // of a row of leaves
	Row      []*item
}

// HTML writes a page that needs nothing from outside, and no server.
func HTML(w io.Writer, g Graph) error {
	t, err := template.New("page").Funcs(template.FuncMap{"short": short}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	f := g.forest()
	p := page{
		Title: g.Title, Plan: g.Plan, Compared: g.compared(), About: g.About, Base: g.Base, Head: g.Head, Notes: g.notes(),
		Nodes: len(g.Nodes), Images: g.images(), Roots: items(g, f), Data: dataOf(g, f),
		Style: template.CSS(pageCSS), Script: template.JS(pageJS),
		Policy: fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", hashed(pageCSS), hashed(pageJS)),
	}
	if g.Plan {
		for _, a := range actions() {
			p.Actions = append(p.Actions, counted{a, g.count(a.Action)})
		}
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	_, err = w.Write(bytes.ToValidUTF8(b.Bytes(), []byte("\uFFFD")))
	return err
}

// hashed is how a policy names a style or a script that may be on the page.
func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// items is the forest as the template walks it.
func items(g Graph, f forest) []*item {
	count, kept := g.below(f)
	var list func(nodes []int, level int) []*item
	list = func(nodes []int, level int) []*item {
		all := make([]*item, len(nodes))
		for k, i := range nodes {
			n := g.Nodes[i]
			all[k] = &item{
				Node: n, Class: class(n.Action), Level: level, Below: count[i],
				Closed:   len(g.Nodes) > manyNodes && count[i] > 0 && kept[i] && n.Action == plan.Keep,
				Children: list(f.children[i], level+1),
			}
		}
		return rows(all)
	}
	return list(f.roots, 1)
}

// rows puts long runs of leaves into rows of columns.
func rows(all []*item) []*item {
	var list []*item
	for from := 0; from < len(all); {
		to := from
		for to < len(all) && all[to].Below == 0 {
			to++
		}
		switch n := to - from; {
		case n >= manySiblings:
			list = append(list, &item{Columns: min(2+n/8, 5), Row: all[from:to]})
			from = to
		default:
			to = max(to, from+1)
			list = append(list, all[from:to]...)
			from = to
		}
	}
	return list
}
