package draw

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// nasty are texts that end or begin something in one of the formats.
func nasty() []string {
	return []string{
		`</script><script>alert(1)</script>`, `<!--<script>`, `--><img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`,
		`]]>`, `&lt;&quot;&#0;`, `\`, `\"`, `a\nb\l\N`, "line\nline", "nul\x00bell\a", "\xff\xfe\xed\xa0\x80", "\u202eright\u2066",
		`"]; end`, "end", `#quot;#35;`, "`**bold**`", "1. list", "- list", "%%{init: {}}%%", "{{.}}", "${x}", "javascript:alert(1)",
		"http://example.com/", `';alert(1);'`, strings.Repeat("long", 200), "節点", "__proto__", "constructor", "graph", "style", "\uFFFE\uFFFF",
	}
}

// hostile is a graph where every text is nasty, each at every place.
func hostile() Graph {
	list := nasty()
	g := Graph{Title: list[0], Plan: true, Base: list[1], Head: list[2], Unused: list, Removed: list, Images: list}
	for i, s := range list {
		n := Node{
			ID: layer.NodeID(s), Layer: s, Variant: s, Groups: list[:3], Place: s, Images: []string{s}, Reason: s,
			Reasons: []plan.Reason{{Kind: s, Name: s, File: s, Line: 3, Old: s, New: s, Via: list}},
			Inputs:  []Input{{s, s, s, s, s, i, list}}, Key: layer.Key(s), BaseKey: "b", Action: actions()[i%3].Action,
		}
		if i > 0 {
			n.Parent = g.Nodes[i/2].ID
		}
		if i == len(list)-1 {
			n.Action = plan.Action(s)
		}
		g.Nodes = append(g.Nodes, n)
	}
	return g
}

func TestSVGIsXML(t *testing.T) {
	for name, g := range map[string]Graph{"hostile": hostile(), "figures": Of(figures()), "site": Of(site(300)), "empty": {}} {
		d := xml.NewDecoder(strings.NewReader(drawn(t, SVG, g)))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			start, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			if start.Name.Local == "script" || start.Name.Local == "img" {
				t.Errorf("%s: an element %s", name, start.Name.Local)
			}
			for _, a := range start.Attr {
				if strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("%s: an attribute %s", name, a.Name.Local)
				}
			}
		}
	}
}

func TestHTMLEscapes(t *testing.T) {
	page := drawn(t, HTML, hostile())
	if n := strings.Count(page, "<script"); n != 2 {
		t.Errorf("%d scripts", n)
	}
	if !utf8.ValidString(page) {
		t.Error("the page is not UTF-8")
	}
	markup := strings.Replace(strings.Replace(page, pageCSS, "", 1), pageJS, "", 1)
	for _, bad := range []string{"<img", "<svg", "<!--", "onerror=alert(1)>", " style=", " onclick="} {
		if strings.Contains(markup, bad) {
			t.Errorf("there is %s on the page", bad)
		}
	}
	markup = regexp.MustCompile(`(?s)<script type="application/json".*?</script>`).ReplaceAllString(markup, "")
	for _, m := range regexp.MustCompile(`\s(?:src|href|action)="([^"]*)"`).FindAllStringSubmatch(markup, -1) {
		if !strings.HasPrefix(m[1], "#") {
			t.Errorf("a link leads to %s", m[1])
		}
	}
	var d data
	_, rest, _ := strings.Cut(page, `<script type="application/json" class="data">`)
	text, _, _ := strings.Cut(rest, "</script>")
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Nodes) != len(nasty()) || d.Nodes[0].ID != nasty()[0] || d.Reasons[0].Old != nasty()[0] {
		t.Errorf("the data do not say what was put in: %d nodes", len(d.Nodes))
	}
}

// TestPolicy holds the hashes in the policy against the page, as a browser does.
func TestPolicy(t *testing.T) {
	page := drawn(t, HTML, Of(figures()))
	m := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("no policy")
	}
	policy := html.UnescapeString(m[1])
	for _, kind := range []string{"style", "script"} {
		_, rest, _ := strings.Cut(page, "<"+kind+">")
		own, _, _ := strings.Cut(rest, "</"+kind+">")
		sum := sha256.Sum256([]byte(own))
		if want := kind + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}
	if !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy is %q", policy)
	}
}

// TestDotIsRead lets Graphviz read what is written for it.
func TestDotIsRead(t *testing.T) {
	dot, err := exec.LookPath("dot")
	if err != nil {
		t.Skip("there is no dot here")
	}
	for name, g := range map[string]Graph{"hostile": hostile(), "figures": Of(figures()), "layers": Layers(project()), "empty": {}} {
		cmd := exec.Command(dot, "-Tsvg")
		cmd.Stdin = strings.NewReader(drawn(t, Dot, g))
		var complaints strings.Builder
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil || complaints.Len() > 0 {
			t.Errorf("%s: %v\n%s", name, err, complaints.String())
		}
		if err := xml.Unmarshal(out, &struct{}{}); err != nil {
			t.Errorf("%s: what dot draws: %v", name, err)
		}
	}
}

// TestMermaidLabels keeps everything that means something to Mermaid out of labels.
func TestMermaidLabels(t *testing.T) {
	line := regexp.MustCompile(`^  n\d+(\["[^"\x60<{}\\]*(<br>[^"\x60<{}\\]*)*"\](:::\w+)?| --> n\d+| -\.- i\d+_\d+\(\["[^"\x60<{}\\]*"\]\))$`)
	for _, l := range strings.Split(strings.TrimSpace(drawn(t, Mermaid, hostile())), "\n") {
		if strings.HasPrefix(l, "  n") && !line.MatchString(l) {
			t.Errorf("a line is %s", l)
		}
	}
}
