package jinja_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
)

// reply is what oracle.py says of one text.
type reply struct {
	Text, Kind, File, Error string
	Undeclared              []string
}

// python finds an interpreter that has jinja2.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "import jinja2, yaml").Run() == nil {
			return name
		}
	}
	t.Skip("python3 with jinja2 and yaml is not here: apt-get install python3-jinja2 python3-yaml")
	return ""
}

func oracle(t *testing.T, stdin io.Reader, args ...string) []reply {
	t.Helper()
	cmd := exec.Command(python(t), append([]string{"testdata/oracle.py"}, args...)...)
	cmd.Stdin = stdin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("oracle: %v\n%s", err, stderr.Bytes())
	}
	var list []reply
	d := json.NewDecoder(bufio.NewReader(bytes.NewReader(out)))
	for d.More() {
		var r reply
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// tally counts how we compare.
type tally struct {
	texts, refused, both, lenient, more, missing, agreed int
	files                                                map[string]bool
}

// check compares one answer with ours.
func (n *tally) check(t *testing.T, r reply) {
	t.Helper()
	ours, err := read(r)
	n.texts++
	if r.Error != "" {
		n.refused++
		if err != nil {
			n.both++
			if testing.Verbose() {
				t.Logf("both refuse: %v; %s", err, r.Error)
			}
		} else {
			n.lenient++
			if testing.Verbose() {
				t.Logf("only jinja2 refuses %q: %s", short(r.Text), r.Error)
			}
		}
		return
	}
	if r.Kind == "template" {
		n.files[r.File] = true
	}
	if err != nil {
		t.Errorf("%s: only we refuse %q: %v", r.File, short(r.Text), err)
	}
	names, globals := used(ours.Names), used(ours.Globals)
	hidden := jinja.Globals()
	for _, u := range r.Undeclared {
		in := names
		if slices.Contains(hidden, u) {
			in = globals
		}
		if !slices.Contains(in, u) {
			n.missing++
			t.Errorf("%s: %q: %s is missing, have %v", r.File, short(r.Text), u, names)
		}
	}
	extra := slices.DeleteFunc(names, func(u string) bool { return slices.Contains(r.Undeclared, u) })
	if len(extra) > 0 {
		n.more++
		if testing.Verbose() {
			t.Logf("%s: %q: more than jinja2: %v", r.File, short(r.Text), extra)
		}
	} else {
		n.agreed++
	}
}

func read(r reply) (*jinja.Text, error) {
	if r.Kind == "expression" {
		return jinja.Expression(r.Text)
	}
	o, rest, _ := jinja.Header(r.Text)
	return jinja.Parse(rest, o)
}

func used(uses []jinja.Use) []string {
	var list []string
	for _, u := range uses {
		list = append(list, u.Name)
	}
	return list
}

func short(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

func (n *tally) report(t *testing.T) {
	t.Helper()
	t.Logf("%d texts of %d files: %d equal, %d with more names, %d names missing; jinja2 refuses %d (we too: %d, we do not: %d)",
		n.texts, len(n.files), n.agreed, n.more, n.missing, n.refused, n.both, n.lenient)
}

// TestOracle compares with jinja2.meta.find_undeclared_variables, over the
// templates and YAML files of Ansible's collections and of our examples.
func TestOracle(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	dirs := []string{"../../../examples", "../../../test"}
	least := 0
	if out, err := exec.Command(python(t), "testdata/oracle.py", "collections").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
		least = 300
	} else {
		t.Log("Ansible's collections are not here: apt-get install ansible")
	}
	n := &tally{files: map[string]bool{}}
	for _, r := range oracle(t, nil, append([]string{"collect"}, dirs...)...) {
		n.check(t, r)
	}
	n.report(t)
	if len(n.files) < least {
		t.Errorf("compared %d files, wanted %d", len(n.files), least)
	}
}
