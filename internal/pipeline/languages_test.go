package pipeline

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

// pieces are what texts are made of here: each ends, begins or means something in
// one of the languages.
func pieces() []string {
	return []string{
		"\n", "\r", "\r\n", "\t", " ", "  ", "endef", "define B", "\nendef\nX != touch made\ndefine B\n", "ifdef X", "include x", "-", "@", "+", ": ", "#", " #",
		`\`, `\\`, "\\\n", "$", "$$", "$(MAKE)", "${MAKE}", "$(shell touch made)", "$X", "${HOME}", "%PATH%", "%", "`touch made`", "'", `"`, ";", "&", "|", "<<X\n", "*", "~", "!",
		"${{", "}}", "${{ github.token }}", "${{ '", "$${{", "{{", "${", "---\n", "- ", "? ", "!!binary", "&a", "*a", "[", "]", "{", "yes", "0x1", "null", "1e3",
		"\x1b[0K", "\x07", "\x7f", "\u0085", "\u2028", "\u202e", "\ufeff", "é", "日本", "\U000e0001", "::set-output name=a::b", "=", ":=", ",", "$(eval X:=1)",
	}
}

// anyText is a text of some pieces.
func anyText(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteString(pieces()[r.IntN(len(pieces()))])
	}
	return b.String()
}

// TestQuote runs several shells with words of any bytes.
func TestQuote(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	words := []string{"", "\xff\xfe", "a\x80b\xc3", "\n", "\n\n", "\r\n", "x\r", "'", "''", "\u202e'"}
	for range 200 {
		words = append(words, anyText(r))
	}
	script := "printf '%s\\0' " + quoted(words)
	if strings.ContainsFunc(script, func(r rune) bool { return r != '\n' && (r < ' ' || r == 0x7f || r == 0x202e) }) || !utf8.ValidString(script) {
		t.Error("what is quoted holds signs that are not to be seen")
	}
	for _, shell := range [][]string{{"sh", "-c"}, {"bash", "-c"}, {"busybox", "sh", "-c"}} {
		if _, err := exec.LookPath(shell[0]); err != nil {
			continue
		}
		out, err := exec.Command(shell[0], append(shell[1:], script)...).Output()
		if err != nil {
			t.Fatalf("%s: %v", shell, err)
		}
		got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if len(got) != len(words) {
			t.Fatalf("%s: %d words, want %d", shell, len(got), len(words))
		}
		for i, w := range words {
			if got[i] != w {
				t.Errorf("%s: %q became %q by %s", shell, w, got[i], quote(w))
			}
		}
	}
}

// textPipeline has these texts at every place where a site, a file name or a
// directory can put one.
func textPipeline(text, script, dir string) *Pipeline {
	p := &plan.Plan{Nodes: []plan.Decision{{Node: layer.Node{ID: "n"}, Action: plan.Build, Reason: text}}}
	project := &layer.Project{Nodes: []layer.Node{p.Nodes[0].Node}, Pipeline: layer.Pipeline{
		Runner:    layer.Runner{Image: "image" + literalWord(text), Tags: []string{"tag" + literalWord(text)}},
		Variables: map[string]string{"A": text, "SHELL": "/bin/nonsense " + text, "MAKEFLAGS": "-n", "nothing": "it"},
		AfterNode: []layer.Hook{{Name: "h", Run: []string{script}}},
	}}
	return Of(p, project, Options{Command: []string{"true", text}, Dir: dir, Reports: true})
}

// literalWord is a text as a word of configuration, without spaces.
func literalWord(s string) string { return strings.Join(strings.Fields(s), "") }

// hereDocument is a script that writes a text with its lines as they are.
func hereDocument(text string) string {
	return "cat >script <<'THE END'\n" + text + "\nTHE END\nprintf '%s' \"$A\" >variable\nprintf '%s' \"$SHELL\" >shell"
}

// checkMake runs what Make makes of texts, and looks at what arrives.
func checkMake(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	work := filepath.Join(dir, "made in \u202e$X 'here'\n")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	script := strings.ReplaceAll(text, "\r", "")
	if err := Make(&file, textPipeline(text, hereDocument(script), filepath.Base(work))); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"--dry-run", "--silent"} {
		cmd := exec.Command("make", mode, "-f", "-")
		cmd.Dir, cmd.Stdin = dir, bytes.NewReader(file.Bytes())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: make %s: %v\n%s\n%s", text, mode, err, out, file.String())
		}
		if mode == "--silent" {
			break
		}
		if list, err := os.ReadDir(work); err != nil || len(list) > 0 {
			t.Fatalf("%q: a dry run made %v %v\n%s", text, list, err, file.String())
		}
	}
	for name, want := range map[string]string{"variable": text, "script": script + "\n", "shell": "/bin/nonsense " + text} {
		got, err := os.ReadFile(filepath.Join(work, name))
		if err != nil || string(got) != want {
			t.Errorf("%s is %q %v, want %q\n%s", name, got, err, want, file.String())
		}
	}
	for _, d := range []string{dir, work} {
		if _, err := os.Lstat(filepath.Join(d, "made")); err == nil {
			t.Errorf("%q: code in it ran\n%s", text, file.String())
		}
	}
}

// evaluated is a text of a workflow after a forge has evaluated its expressions,
// of which there may only be ones that are strings.
func evaluated(t *testing.T, s string) string {
	t.Helper()
	expression := regexp.MustCompile(`\$\{\{ '((?:[^']|'')*)' \}\}`)
	rest := expression.ReplaceAllString(s, "")
	if strings.Contains(rest, "${{") {
		t.Errorf("an expression in %q", s)
	}
	return expression.ReplaceAllStringFunc(s, func(m string) string {
		return strings.ReplaceAll(expression.FindStringSubmatch(m)[1], "''", "'")
	})
}

// checkForges reads back what GitLab and GitHub are given.
func checkForges(t *testing.T, text string) {
	t.Helper()
	script := hereDocument(text)
	p := textPipeline(text, script, "some $DIR ${{ x }}")
	var gitlab, github, parent bytes.Buffer
	if err := GitLab(&gitlab, p); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if err := GitHub(&github, p); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if err := GitHubParent(&parent, p, Options{Command: []string{"strata", "-C", text}}); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var top struct{ Variables map[string]any }
	if err := yaml.Unmarshal(gitlab.Bytes(), &top); err != nil {
		t.Fatalf("%q: %v\n%s", text, err, gitlab.String())
	}
	var jobs map[string]yaml.Node
	if err := yaml.Unmarshal(gitlab.Bytes(), &jobs); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var hook struct{ Script []string }
	job := jobs["after-n__h"]
	if err := job.Decode(&hook); err != nil {
		t.Fatal(err)
	}
	value := top.Variables["A"]
	if m, ok := value.(map[string]any); ok {
		if m["expand"] != false {
			t.Errorf("GitLab expands %v", m)
		}
		value = m["value"]
	} else if strings.ContainsAny(text, "$%") {
		t.Errorf("GitLab expands %q", value)
	}
	if value != text || len(hook.Script) != 2 || hook.Script[1] != script {
		t.Errorf("GitLab gets %q and %q\n%s", value, hook.Script, gitlab.String())
	}
	for _, file := range []*bytes.Buffer{&github, &parent} {
		var doc struct {
			Env  map[string]string
			Jobs map[string]struct {
				Container string
				RunsOn    []string `yaml:"runs-on"`
				Steps     []struct{ Run string }
			}
		}
		if err := yaml.Unmarshal(file.Bytes(), &doc); err != nil {
			t.Fatalf("%q: %v\n%s", text, err, file.String())
		}
		job := doc.Jobs["after-n__h"]
		want := "cd 'some $DIR $''{{ x }}'\n" + script
		if got := evaluated(t, job.Steps[1].Run); !strings.HasSuffix(got, want) {
			t.Errorf("GitHub gets %q, want %q", got, want)
		}
		if got, ok := doc.Env["A"]; ok && (got != text || strings.Contains(got, "${{")) || !ok && !strings.HasPrefix(job.Steps[1].Run, "export A="+quote(text)+"\n") {
			t.Errorf("GitHub's variable is %q, want %q", got, text)
		}
		for _, s := range append(job.RunsOn, job.Container) {
			if got := evaluated(t, s); !strings.HasSuffix(got, literalWord(text)) {
				t.Errorf("GitHub's %q is %q", s, got)
			}
		}
		if plan, ok := doc.Jobs["plan"]; ok && !strings.Contains(evaluated(t, plan.Steps[1].Run), quoted([]string{"strata", "-C", text})) {
			t.Errorf("GitHub's plan is %q", plan.Steps[1].Run)
		}
	}
}

// TestLanguages runs and reads what pipelines make of texts.
func TestLanguages(t *testing.T) {
	texts := pieces()
	r := rand.New(rand.NewPCG(2, 2))
	most := 40
	if os.Getenv("STRATA_TEST_LONG") != "" {
		most = 2000
	}
	for range most {
		texts = append(texts, anyText(r))
	}
	_, err := exec.LookPath("make")
	for _, text := range texts {
		checkForges(t, text)
		if err == nil {
			checkMake(t, text)
		}
	}
}

// FuzzLanguages is the same for texts that nobody thought of.
func FuzzLanguages(f *testing.F) {
	for _, s := range pieces() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") || strings.Contains(text, "THE END") {
			t.Skip("a configuration cannot hold it")
		}
		checkForges(t, text)
		checkMake(t, text)
	})
}

// TestHookLines keeps the lines of the site's own commands as they are written.
func TestHookLines(t *testing.T) {
	checkMake(t, "-minus\n+plus\n@at\n- item\n\ttabbed\n    indented:\n\n\n\\\n\\\\\nend \\\n# no comment\n$$ $( `")
}
