package main

import (
	"fmt"
	"os"
	"strings"
)

// writeDocument writes what was measured last.
func writeDocument(path string, l *lab) error {
	all, err := loadFindings(l.dir)
	if err != nil {
		return err
	}
	sites, ok, err := replayed(l.dir, l.repo)
	if err != nil {
		return err
	}
	if ok {
		all = append(all, sites)
	}
	var b strings.Builder
	b.WriteString(`# Benchmarks

Strata beside the programs that people use for the same work, measured on one machine. The two sides of a comparison
are measured in one run, in turns (ours, peer, ours, peer …); the subjects, each at its own time, which is given below. ` + "`bench/run`" + `
wrote this page; edit it there.

`)
	rows := Table{Head: []string{"work", "peer", "ours: median (range)", "peer: median (range)", "ratio", "target", "reached"}}
	for _, f := range all {
		for _, r := range f.Rows {
			rows.Rows = append(rows.Rows, r.cells())
		}
	}
	b.WriteString(rows.markdown())
	b.WriteString("\n" + taken(all) + "\n\n## The machine\n\n")
	for _, line := range describeMachine(l) {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteString("\nA shared machine is noisy: compare ratios, and mind the ranges. A range that is wider than the difference says so.\n")
	b.WriteString(howTo)
	b.WriteString("\n## What exactly is measured\n\n")
	for _, f := range all {
		for _, note := range f.Notes {
			fmt.Fprintf(&b, "- %s\n", note)
		}
	}
	b.WriteString("\n## Where the time goes\n")
	for _, f := range all {
		for _, t := range f.Tables {
			fmt.Fprintf(&b, "\n### %s\n\n%s", t.Title, t.markdown())
		}
	}
	b.WriteString(notRun())
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// taken says when each subject was measured, and how often.
func taken(all []Findings) string {
	parts := make([]string, len(all))
	for i, f := range all {
		parts[i] = fmt.Sprintf("%s %s (%d)", f.Subject, f.When.UTC().Format("2006-01-02 15:04"), f.Repeats)
	}
	return "When each subject was measured, UTC, and in how many rounds: " + strings.Join(parts, ", ") + "."
}

// markdown renders a table.
func (t Table) markdown() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.Head)
	line(strings.Split(strings.Repeat("---,", len(t.Head)-1)+"---", ","))
	for _, r := range t.Rows {
		line(r)
	}
	return b.String()
}

const howTo = `
## How to run it

    make bench                      # everything; an hour or two; writes this page
    bench/run -list                 # the subjects
    bench/run -n 1 commit pack      # some of them, once; writes nothing here
    bench/run replay PATH RANGE     # the commits of a site, perhaps your own: replay -h

It needs Debian 12 and root (Buildah's and mmdebstrap's side do), installs the peers by apt, and keeps its stores and
packages in ` + "`$XDG_CACHE_HOME/strata-bench`" + `.
`

// notRun names the peers that were not there, with what is known of them.
func notRun() string {
	var b strings.Builder
	b.WriteString("\n## What was not run\n\n")
	for _, p := range []struct{ program, text string }{
		{"image-build", "OpenCHAMI's image-builder itself (Python; `image-build` is not on PATH, and it knows no apt). Instead its way is done by hand with the programs that it calls. Known, from elsewhere, for a tree of 800 MiB: base 60 s, 18 Ansible tasks 59 s (167 `buildah run` processes; 2 of 7 runs failed), commit 9 s, push 9.5 s, squashfs 68 s (gzip)."},
		{"image-thrillhouse", "image-thrillhouse (Go, Buildah as a library; not on PATH). So the targets that name it, one unchanged layer and at least 3× faster for a changed variable, are not compared here. Known, from elsewhere, for a tree of 800 MiB: 31 s for the base, 18 s for the Ansible layer (it installs Ansible in the image), 0.03 s for one unchanged layer."},
	} {
		if onPath(p.program) {
			fmt.Fprintf(&b, "- %s is on PATH, but bench has no comparison with it yet.\n", p.program)
			continue
		}
		fmt.Fprintf(&b, "- %s\n", p.text)
	}
	return b.String()
}
