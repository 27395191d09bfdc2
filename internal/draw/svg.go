package draw

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/strata-hpc/strata/internal/plan"
	"github.com/strata-hpc/strata/internal/printable"
)

//go:embed svg.css
var svgStyle string

// Sizes of what is drawn, in pixels. A font of fixed width keeps the promise
// that text stays in its box: no such font is wider than cellWidth says.
const (
	cellWidth  = 8.1 // of a sign of a node's name, 13 pixels high
	smallWidth = 6.9 // of a sign of anything else, 11 pixels high
	nameLine   = 18
	smallLine  = 15
	inset      = 12 // between a box and its text
	imageLine  = 28 // an image with the space above it
	imageInset = 22 // from the left of its node
	mostCells  = 30 // of a line of a name
	leastCells = 14
	margin     = 28
)

// svg draws one picture.
type svg struct {
	g Graph
	forest
	placed
	boxes []svgBox
	width int // of every box
	bytes.Buffer
}

// svgBox is the text of a node, in lines, and its height without the images.
type svgBox struct {
	name, reason []string
	h            int
}

// SVG draws the graph as a picture. It brings its own styles, for dark and
// light, and needs nothing else.
func SVG(w io.Writer, g Graph) error {
	s := &svg{g: g, forest: g.forest()}
	s.measure()
	size := make([]extent, len(g.Nodes))
	for i, b := range s.boxes {
		size[i] = extent{s.width, b.h + imageLine*len(g.Nodes[i].Images), b.h / 2}
	}
	s.placed = lay(s.forest, size)
	s.draw()
	_, err := w.Write(s.Bytes())
	return err
}

// measure breaks all text into lines and makes all boxes as wide as the widest
// needs to be.
func (s *svg) measure() {
	s.boxes = make([]svgBox, len(s.g.Nodes))
	most := leastCells
	for i, n := range s.g.Nodes {
		s.boxes[i].name = wrap(string(n.ID), mostCells, 0)
		for _, line := range s.boxes[i].name {
			most = max(most, cells(line))
		}
		for _, image := range n.Images {
			most = max(most, min(cells(printable.Line(image)), mostCells)+4)
		}
	}
	if s.g.Plan {
		most = max(most, 24)
	}
	s.width = 2*inset + int(float64(most)*cellWidth) + 1
	for i, n := range s.g.Nodes {
		b := &s.boxes[i]
		if n.Action != "" {
			b.reason = wrap(said(n), int(float64(s.width-2*inset)/smallWidth), 2)
		}
		b.h = nameLine*len(b.name) + smallLine*len(b.reason) + inset
	}
}

// said is what is done with a node, and why.
func said(n Node) string {
	if n.Reason == "" {
		return string(n.Action)
	}
	return string(n.Action) + ": " + n.Reason
}

func (s *svg) draw() {
	heading, foot := s.heading(), s.foot()
	top := margin + 14 + smallLine*len(heading) + 18
	w := s.w
	for _, line := range append(append([]string{}, heading...), foot...) {
		w = max(w, int(float64(cells(line))*smallWidth))
	}
	w = max(w, int(float64(cells(printable.Line(s.g.Title)))*10), 96*len(s.legend()))
	w += 2 * margin
	h := top + s.h + margin + 30 + smallLine*len(foot) + margin
	fmt.Fprintf(s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`+"\n", w, h, w, h)
	fmt.Fprintf(s, "<title id=\"title\">%s</title>\n<style>\n%s</style>\n", escaped(s.g.Title), svgStyle)
	fmt.Fprintf(s, `<rect class="page" width="%d" height="%d"/>`+"\n", w, h)
	s.text("title", margin, margin+10, printable.Line(s.g.Title))
	for i, line := range heading {
		s.text("muted", margin, margin+14+smallLine*(i+1), line)
	}
	fmt.Fprintf(s, `<g transform="translate(%d,%d)">`+"\n", margin, top)
	for _, i := range s.order() {
		s.edges(i)
	}
	for _, i := range s.order() {
		s.node(i)
	}
	s.WriteString("</g>\n")
	s.key(margin, top+s.h+margin)
	for i, line := range foot {
		s.text("muted", margin, top+s.h+margin+30+smallLine*(i+1), line)
	}
	s.WriteString("</svg>\n")
}

// heading says what is compared, and how much is to be done.
func (s *svg) heading() []string {
	nodes := fmt.Sprintf("%d nodes, %d images", len(s.g.Nodes), s.g.images())
	if !s.g.Plan {
		return []string{nodes}
	}
	var counts []string
	for _, a := range actions() {
		counts = append(counts, fmt.Sprintf("%d %s", s.g.count(a.Action), a.Action))
	}
	list := []string{printable.Line(s.g.compared())}
	for _, line := range s.g.About {
		list = append(list, wrap(line, wideLine, 0)...)
	}
	return append(list, nodes+": "+strings.Join(counts, ", "))
}

// wideLine is how many cells a line above or below the nodes takes.
const wideLine = 90

// foot is what a plan says besides.
func (s *svg) foot() []string {
	const most = 8
	var list []string
	for _, n := range s.g.notes() {
		list = append(list, n.Says+":")
		for i, name := range n.Names {
			if left := len(n.Names) - i; i == most && left > 1 {
				list = append(list, fmt.Sprintf("  and %d more", left))
				break
			}
			list = append(list, wrap(name, wideLine, 1)...)
		}
	}
	return list
}

// edges draws the lines from a node to what is below it.
func (s *svg) edges(i int) {
	from := s.at[i]
	x, y := from.x+s.width, from.y+s.boxes[i].h/2
	if r := s.frames[i]; r.w > 0 {
		fmt.Fprintf(s, `<path class="edge" d="M%d %dH%d"/><rect class="frame" x="%d" y="%d" width="%d" height="%d" rx="8"/>`+"\n",
			x, y, r.x, r.x, r.y, r.w, r.h)
		return
	}
	for _, c := range s.children[i] {
		to := point{s.at[c].x, s.at[c].y + s.boxes[c].h/2}
		fmt.Fprintf(s, `<path class="edge" d="%s"/>`+"\n", elbow(point{x, y}, to))
	}
}

// elbow leads from one point to another further right, with round corners.
func elbow(from, to point) string {
	middle, r, down := (from.x+to.x)/2, 6, 1
	if to.y < from.y {
		down = -1
	}
	way := (to.y - from.y) * down
	if way == 0 {
		return fmt.Sprintf("M%d %dH%d", from.x, from.y, to.x)
	}
	r = min(r, way/2)
	return fmt.Sprintf("M%d %dH%dQ%d %d %d %dV%dQ%d %d %d %dH%d",
		from.x, from.y, middle-r, middle, from.y, middle, from.y+r*down,
		to.y-r*down, middle, to.y, middle+r, to.y, to.x)
}

// node draws a box and the images below it. The text is in a picture of its
// own, which cuts off what a strange font might draw further out.
func (s *svg) node(i int) {
	n, b, at := s.g.Nodes[i], s.boxes[i], s.at[i]
	about := string(n.ID)
	if n.Action != "" {
		about += "\n" + said(n)
	}
	fmt.Fprintf(s, `<g class="node %s" transform="translate(%d,%d)"><title>%s</title><rect class="box" width="%d" height="%d" rx="4"/><svg width="%d" height="%d">`,
		class(n.Action), at.x, at.y, escaped(about), s.width, b.h, s.width, b.h)
	y := inset/2 + 13
	for _, line := range b.name {
		s.text("name", inset, y, line)
		y += nameLine
	}
	y -= 2
	for _, line := range b.reason {
		s.text("reason", inset, y, line)
		y += smallLine
	}
	s.WriteString("</svg>")
	for k, image := range n.Images {
		s.image(b.h+imageLine*k, imageLine*k, wrap(image, mostCells, 1), image)
	}
	s.WriteString("</g>\n")
}

// image draws an image at a height below its node, and the line to it from the
// node or from the image above.
func (s *svg) image(y, above int, lines []string, name string) {
	const h = imageLine - 6
	label := strings.Join(lines, "")
	w := int(float64(cells(label))*smallWidth) + h + 2
	start := y
	if above > 0 {
		start = y - h/2
	}
	fmt.Fprintf(s, `<path class="edge" d="M%d %dV%dH%d"/><g class="image"><title>image %s</title><rect x="%d" y="%d" width="%d" height="%d" rx="%d"/>`,
		inset, start, y+6+h/2, imageInset, escaped(name), imageInset, y+6, w, h, h/2)
	s.text("", imageInset+h/2, y+6+h/2+4, label)
	s.WriteString("</g>")
}

// sample is one sign of the legend.
type sample struct{ class, word string }

func (s *svg) legend() []sample {
	var list []sample
	if s.g.Plan {
		for _, a := range actions() {
			list = append(list, sample{class(a.Action), string(a.Action)})
		}
	} else {
		list = append(list, sample{"", "node"})
	}
	return append(list, sample{"image", "image"})
}

// key draws the legend.
func (s *svg) key(x, y int) {
	for _, e := range s.legend() {
		if e.class == "image" {
			fmt.Fprintf(s, `<g class="image" transform="translate(%d,%d)"><rect width="30" height="18" rx="9"/></g>`, x, y)
		} else {
			fmt.Fprintf(s, `<g class="node %s" transform="translate(%d,%d)"><rect class="box" width="30" height="18" rx="4"/></g>`, e.class, x, y)
		}
		s.text("muted", x+38, y+13, e.word)
		s.WriteString("\n")
		x += 96
	}
}

func (s *svg) text(class string, x, y int, text string) {
	if class != "" {
		class = fmt.Sprintf(` class="%s"`, class)
	}
	fmt.Fprintf(s, `<text%s x="%d" y="%d">%s</text>`, class, x, y, escaped(text))
}

// class is the name of an action's style; unknown ones have none.
func class(a plan.Action) string {
	switch a {
	case plan.Build, plan.Maybe, plan.Keep:
		return string(a)
	}
	return ""
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(printable.Text(s))) // a Builder takes everything
	return b.String()
}
