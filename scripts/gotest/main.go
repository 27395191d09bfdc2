// Command gotest reads the events of `go test -json`, shows what a person needs
// of them, and counts.
//
// It runs no tests. A test with subtests is not counted itself, unless it fails
// although none of them did; a package that fails without a failing test (it
// does not compile, it panics, it times out) counts as one failure.
//
//	go test -json ./... | gotest FILE   also keeps the events in FILE
//	gotest -total FILE...               counts kept events; the last line says "N passed, N failed, N skipped"
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// event is one of `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output
	Test       string
	Elapsed    float64
	Output     string
}

type test struct {
	pkg, name string
	end       string // pass, fail, skip; "" while it runs
	seconds   float64
	output    []string
	parent    bool
}

type tally struct {
	show    io.Writer // nil: only count
	tests   map[string]*test
	order   []*test
	broken  []string // packages that failed by themselves
	failing map[string]bool
}

func main() {
	t := &tally{tests: map[string]*test{}, failing: map[string]bool{}}
	var err error
	switch {
	case len(os.Args) > 2 && os.Args[1] == "-total":
		for _, name := range os.Args[2:] {
			var f *os.File
			if f, err = os.Open(name); err == nil {
				err = t.read(f, io.Discard)
				f.Close()
			}
			if err != nil {
				break
			}
		}
		t.details(os.Stdout)
	case len(os.Args) == 2:
		t.show = os.Stdout
		var keep *os.File
		if keep, err = os.Create(os.Args[1]); err == nil {
			err = t.read(os.Stdin, keep)
			keep.Close()
		}
	default:
		fmt.Fprintln(os.Stderr, "usage: gotest FILE | gotest -total FILE...")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
	passed, failed, skipped := t.count()
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

// read takes events until the end, and copies them.
func (t *tally) read(r io.Reader, copyTo io.Writer) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			t.print(lines.Text() + "\n") // the go command's own words
			continue
		}
		if _, err := fmt.Fprintf(copyTo, "%s\n", lines.Bytes()); err != nil {
			return err
		}
		t.take(e)
	}
	return lines.Err()
}

func (t *tally) print(text string) {
	if t.show != nil {
		fmt.Fprint(t.show, text)
	}
}

func (t *tally) take(e event) {
	switch {
	case e.Action == "build-output":
		t.print(e.Output)
	case e.Test == "":
		t.takePackage(e)
	default:
		t.takeTest(e)
	}
}

func (t *tally) takePackage(e event) {
	switch e.Action {
	case "output":
		// PASS and FAIL stand alone before the line that says it in full.
		if text := strings.TrimSpace(e.Output); text != "PASS" && text != "FAIL" {
			t.print(e.Output)
		}
	case "fail":
		if !t.failing[e.Package] {
			t.broken = append(t.broken, e.Package)
		}
		for _, x := range t.order {
			if x.pkg == e.Package && x.end == "" {
				x.end = "fail" // it ran when the end came
			}
		}
	}
}

func (t *tally) takeTest(e event) {
	id := e.Package + " " + e.Test
	x := t.tests[id]
	if x == nil {
		x = &test{pkg: e.Package, name: e.Test}
		t.tests[id] = x
		t.order = append(t.order, x)
		if i := strings.LastIndex(e.Test, "/"); i >= 0 {
			if above := t.tests[e.Package+" "+e.Test[:i]]; above != nil {
				above.parent = true
			}
		}
	}
	switch e.Action {
	case "output":
		x.output = append(x.output, e.Output)
	case "pass", "fail", "skip":
		x.end, x.seconds = e.Action, e.Elapsed
		if e.Action == "fail" {
			t.failing[e.Package] = true
			t.print(strings.Join(x.output, ""))
		}
		if e.Action != "skip" {
			x.output = nil
		}
	}
}

// leaf says whether a test counts: it has no subtests, or failed without one that did.
func (t *tally) leaf(x *test) bool {
	if !x.parent {
		return true
	}
	return x.end == "fail" && !slices.ContainsFunc(t.order, func(y *test) bool {
		return y.pkg == x.pkg && y.end == "fail" && strings.HasPrefix(y.name, x.name+"/")
	})
}

func (t *tally) count() (passed, failed, skipped int) {
	failed = len(t.broken)
	for _, x := range t.order {
		switch {
		case !t.leaf(x):
		case x.end == "pass":
			passed++
		case x.end == "skip":
			skipped++
		default:
			failed++
		}
	}
	return passed, failed, skipped
}

// details lists what took long, what was skipped and why, and what failed.
func (t *tally) details(w io.Writer) {
	var leaves []*test
	for _, x := range t.order {
		if t.leaf(x) {
			leaves = append(leaves, x)
		}
	}
	slowest := slices.Clone(leaves)
	slices.SortStableFunc(slowest, func(x, y *test) int { return cmp.Compare(y.seconds, x.seconds) })
	fmt.Fprintln(w, "slowest tests:")
	for _, x := range slowest[:min(10, len(slowest))] {
		fmt.Fprintf(w, "  %7.1f s  %s %s\n", x.seconds, x.pkg, x.name)
	}
	for _, x := range leaves {
		if x.end == "skip" {
			fmt.Fprintf(w, "skipped: %s %s: %s\n", x.pkg, x.name, reason(x))
		}
	}
	for _, x := range leaves {
		if x.end != "skip" && x.end != "pass" {
			fmt.Fprintf(w, "FAILED: %s %s\n", x.pkg, x.name)
		}
	}
	for _, name := range t.broken {
		fmt.Fprintf(w, "FAILED: %s\n", name)
	}
}

// reason is what a test said when it was skipped.
func reason(x *test) string {
	for _, line := range x.output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	return "no reason given"
}
