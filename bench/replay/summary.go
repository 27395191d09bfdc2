package replay

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Summary is what the records of a site come to.
type Summary struct {
	Site     string
	When     time.Time
	Commits  int
	Nodes    int // most that a commit has
	Compared int // commits that both sides answered; the next five are of these
	Build    int // nodes over all commits
	Maybe    int
	Listed   int // Listing 6's
	Beyond   int // only Strata's
	Less     int // only Listing 6's

	Why       map[string]int // of the nodes that only Strata builds, by what their first reason is about
	Widened   int            // builds for nothing but what could not be followed
	Wide      []Place        // a build counts at each of its places; those with most builds first
	Idle      int            // commits beside the layers
	IdleBuilt []string       // those of them of which Strata builds something
	Different []string       // commits whose plan is another without traces of others
	Refusals  map[string]int // commits without an answer, by why
	Seconds   []float64      // of each plan, answered or not
	CPU       []float64      // seconds of processor time of the same
	Peak      float64        // the largest, MB
	Cold      []Cost         // of some commits, with nothing kept
	Listing   []float64      // seconds of processor time of each answer of Listing 6
}

// Place is a line beyond which Strata could not follow.
type Place struct {
	At    string // "file:line: why", as of the last commit that met it
	Text  string // what the line says
	Nodes int    // built for nothing but such places
}

// widen counts a build at a line, whatever its number has been before.
func (s *Summary) widen(at, text string) {
	name, rest, _ := strings.Cut(at, ":")
	_, why, _ := strings.Cut(rest, ": ")
	i := slices.IndexFunc(s.Wide, func(p Place) bool {
		return p.At == at || text != "" && p.Text == text && strings.HasPrefix(p.At, name+":") && strings.HasSuffix(p.At, ": "+why)
	})
	if i < 0 {
		s.Wide, i = append(s.Wide, Place{}), len(s.Wide)
	}
	s.Wide[i] = Place{at, text, s.Wide[i].Nodes + 1}
}

func (s *Summary) add(r *Record) {
	if s.Refusals == nil {
		s.Refusals, s.Why = map[string]int{}, map[string]int{}
	}
	if r.Cold != nil {
		s.Cold = append(s.Cold, *r.Cold)
	}
	s.Commits++
	s.Nodes = max(s.Nodes, r.Strata.All)
	s.Seconds, s.Peak = append(s.Seconds, r.Strata.Seconds), max(s.Peak, r.Strata.Peak)
	s.CPU, s.Listing = append(s.CPU, r.Strata.CPU), append(s.Listing, r.Listing.CPU)
	if r.Differs {
		s.Different = append(s.Different, r.Commit)
	}
	if r.idle() {
		s.Idle++
		if len(r.Strata.Nodes) > 0 {
			s.IdleBuilt = append(s.IdleBuilt, r.Commit)
		}
	}
	if !r.Strata.answered() {
		s.Refusals[r.Strata.refusal()]++
		return
	}
	for _, n := range r.Strata.Nodes {
		if n.widened() {
			s.Widened++
			for at := range n.Wide {
				s.widen(at, r.Lines[at])
			}
		}
	}
	if !r.compared() {
		return
	}
	s.Compared++
	for _, n := range r.Strata.Nodes {
		if slices.Contains(r.Beyond, n.ID) {
			s.Why[n.about()]++
		}
		if n.Action == "build" {
			s.Build++
		} else {
			s.Maybe++
		}
	}
	s.Listed += len(r.Listing.Nodes)
	s.Beyond += len(r.Beyond)
	s.Less += len(r.Less)
}

// Refused is how many commits have no answer.
func (s *Summary) Refused() int {
	n := 0
	for _, one := range s.Refusals {
		n += one
	}
	return n
}

// Head is the head of the table that Row is a row of.
func Head() []string {
	return []string{"site", "nodes", "commits", "Strata: build + maybe", "Listing 6", "only Strata", "only Listing 6", "built because something could not be followed",
		"no answer", "commits beside the layers", "of them, built something", "time: median (max)", "processor time: median (max)", "peak memory", "cold: processor time", "cold: peak memory", "Listing 6: processor time"}
}

// Row is the site as a line of a table.
func (s *Summary) Row() []string {
	return []string{s.Site, fmt.Sprint(s.Nodes), fmt.Sprint(s.Commits), fmt.Sprintf("%d + %d", s.Build, s.Maybe), fmt.Sprint(s.Listed), fmt.Sprint(s.Beyond), fmt.Sprint(s.Less),
		fmt.Sprint(s.Widened), fmt.Sprint(s.Refused()), fmt.Sprint(s.Idle), fmt.Sprint(len(s.IdleBuilt)),
		seconds(s.Seconds), seconds(s.CPU), fmt.Sprintf("%.0f MB", s.Peak), seconds(s.ColdCPU()), fmt.Sprintf("%.0f MB", s.ColdPeak()), seconds(s.Listing)}
}

// cold are figures of the plans that were made with nothing kept.
func (s *Summary) cold(of func(Cost) float64) []float64 {
	var all []float64
	for _, c := range s.Cold {
		all = append(all, of(c))
	}
	return all
}

// ColdCPU are the processor times of the plans that were made with nothing kept, in
// seconds.
func (s *Summary) ColdCPU() []float64 { return s.cold(func(c Cost) float64 { return c.CPU }) }

// ColdPeak is the most memory that one of them took, in MB.
func (s *Summary) ColdPeak() float64 {
	return slices.Max(append(s.cold(func(c Cost) float64 { return c.Peak }), 0))
}

// seconds are a median and a maximum in words.
func seconds(all []float64) string {
	if len(all) == 0 {
		return "–"
	}
	sorted := slices.Sorted(slices.Values(all))
	return fmt.Sprintf("%.2f s (%.2f)", sorted[len(sorted)/2], sorted[len(sorted)-1])
}

// Widest are the places that most builds are for alone.
func (s *Summary) Widest(n int) []Place {
	sorted := slices.SortedStableFunc(slices.Values(s.Wide), func(a, b Place) int { return cmp.Compare(b.Nodes, a.Nodes) })
	return sorted[:min(n, len(sorted))]
}

// Markdown is the summary as a page.
func (s *Summary) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Replay of %s\n\n", s.Site)
	for i, cell := range s.Row() {
		fmt.Fprintf(&b, "- %s: %s\n", Head()[i], cell)
	}
	if len(s.Why) > 0 {
		b.WriteString("\n## Nodes that only Strata builds, by what their first reason is about\n\n")
	}
	for _, why := range byCount(s.Why) {
		fmt.Fprintf(&b, "- %d: %s\n", s.Why[why], why)
	}
	if len(s.Wide) > 0 {
		b.WriteString("\n## Nodes built because something could not be followed, by place\n\n")
	}
	for _, p := range s.Widest(20) {
		fmt.Fprintf(&b, "- %d: %s\n", p.Nodes, p.At)
	}
	if len(s.Refusals) > 0 {
		b.WriteString("\n## Commits without an answer, by why\n\n")
	}
	for _, why := range byCount(s.Refusals) {
		fmt.Fprintf(&b, "- %d: %s\n", s.Refusals[why], strings.Join(strings.Fields(why), " "))
	}
	if len(s.Different) > 0 {
		fmt.Fprintf(&b, "\n## Commits whose plan is another without traces\n\n%s\n", strings.Join(s.Different, "\n"))
	}
	if len(s.IdleBuilt) > 0 {
		fmt.Fprintf(&b, "\n## Commits beside the layers that built something\n\n%s\n", strings.Join(s.IdleBuilt, "\n"))
	}
	return b.String()
}

// byCount are the keys of counts, the greatest first.
func byCount(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
}

// save writes the summary beside the records, for programs and for people.
func (s *Summary) save(dir string) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("keep the summary: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, s.Site+".json"), content, 0o644),
		os.WriteFile(filepath.Join(dir, s.Site+".md"), []byte(s.Markdown()), 0o644),
	)
}

// Load returns the summary that a replay of that name has left last.
func Load(dir, name string) (*Summary, error) {
	content, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		return nil, err
	}
	s := &Summary{}
	if err := json.Unmarshal(content, s); err != nil {
		return nil, fmt.Errorf("read the summary of %s: %w", name, err)
	}
	return s, nil
}
