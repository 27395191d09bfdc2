package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Findings are what measuring a subject brought.
type Findings struct {
	Subject string
	When    time.Time
	Repeats int
	Rows    []Row
	Tables  []Table
	Notes   []string
}

// Row is a line of the comparison.
type Row struct {
	Work    string
	PeerIs  string // "" where there is no peer
	Unit    string
	Ours    Series
	Peer    Series
	Target  Target
	Comment string // instead of numbers, for what passes or fails
	Passed  bool
}

// Target is what is to be reached.
type Target struct {
	Kind  string // "": none; "faster": the peer's median is at least Value times ours; "within": ours is at most Value times the peer's; "below": ours is below Value; "equal": see Row.Passed
	Value float64
}

func (t Target) text(unit string) string {
	switch t.Kind {
	case "faster":
		return fmt.Sprintf("at least %s× faster", trim(t.Value))
	case "within":
		return fmt.Sprintf("at most %s× %s", trim(t.Value), beside(unit))
	case "below":
		return fmt.Sprintf("under %s %s", trim(t.Value), unit)
	case "":
		return "–"
	}
	return "all equal"
}

// beside is what of a peer's is multiplied.
func beside(unit string) string {
	if unit == "nodes" {
		return "as many"
	}
	return "its time"
}

func trim(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

// ratio compares the medians, in words.
func (r Row) ratio() string {
	if len(r.Peer) == 0 {
		return "–"
	}
	ours, peer := r.Ours.Median(), r.Peer.Median()
	if r.Target.Kind == "within" {
		return fmt.Sprintf("%.2f× %s", ours/peer, beside(r.Unit))
	}
	return fmt.Sprintf("%.1f× faster", peer/ours)
}

func (r Row) reached() bool {
	switch r.Target.Kind {
	case "faster":
		return r.Peer.Median() >= r.Target.Value*r.Ours.Median()
	case "within":
		return r.Ours.Median() <= r.Target.Value*r.Peer.Median()
	case "below":
		return r.Ours.Median() < r.Target.Value
	}
	return r.Passed
}

// cells are the row as the document shows it.
func (r Row) cells() []string {
	ours, reached := r.Ours.Text(r.Unit), "yes"
	if r.Comment != "" {
		ours = r.Comment
	}
	switch {
	case r.Target.Kind == "":
		reached = "–"
	case !r.reached():
		reached = "**no**"
	}
	peerIs := r.PeerIs
	if peerIs == "" {
		peerIs = "–"
	}
	return []string{r.Work, peerIs, ours, r.Peer.Text(r.Unit), r.ratio(), r.Target.text(r.Unit), reached}
}

// Table is a small table of a subject's own.
type Table struct {
	Title string
	Head  []string
	Rows  [][]string
}

func resultsDir(dir string) string { return filepath.Join(dir, "results") }

// saveFindings keeps findings until the subject is measured again.
func saveFindings(dir string, f Findings) error {
	if err := os.MkdirAll(resultsDir(dir), 0o755); err != nil {
		return err
	}
	content, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("keep results: %w", err)
	}
	return os.WriteFile(filepath.Join(resultsDir(dir), f.Subject+".json"), content, 0o644)
}

// loadFindings returns what was measured last, in the order of the subjects.
func loadFindings(dir string) ([]Findings, error) {
	var all []Findings
	for _, s := range subjects() {
		content, err := os.ReadFile(filepath.Join(resultsDir(dir), s.Name+".json"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		var f Findings
		if err == nil {
			err = json.Unmarshal(content, &f)
		}
		if err != nil {
			return nil, fmt.Errorf("read results of %s: %w", s.Name, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// printFindings prints for the person who waits.
func printFindings(w io.Writer, f Findings) {
	for _, r := range f.Rows {
		fmt.Fprintln(w, "  "+strings.Join(r.cells(), " | "))
	}
	for _, t := range f.Tables {
		fmt.Fprintf(w, "  %s\n", t.Title)
		for _, row := range t.Rows {
			fmt.Fprintln(w, "    "+strings.Join(row, " | "))
		}
	}
	for _, note := range f.Notes {
		fmt.Fprintln(w, "  "+note)
	}
}
