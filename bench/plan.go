package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// plan measures what it takes to say what a commit rebuilds.
func plan(l *lab) (Findings, error) {
	var found Findings
	if err := installPackages(l, "git", "python3-networkx", "python3-yaml"); err != nil {
		return found, err
	}
	s, dir, err := madeSite(l, 1000)
	if err != nil {
		return found, err
	}
	if err := planSpeed(l, s, dir, &found); err != nil {
		return found, err
	}
	if err := planGrowth(l, &found); err != nil {
		return found, err
	}
	table, ours, theirs, err := needless(l, s, dir)
	if err != nil {
		return found, err
	}
	found.Tables = append(found.Tables, table)
	found.Rows = append(found.Rows, Row{Work: "needless rebuilds over one commit of each kind of change (below)", PeerIs: "the paper's Listing 6, in Python",
		Unit: "nodes", Ours: Series{ours}, Peer: Series{theirs}, Target: Target{Kind: "within", Value: 1}})
	found.Notes = append(found.Notes,
		"Plan: the site is generated, always the same: "+s.describe()+". The commit changes a variable of one family of image types, a role's template, and a comment in another role's defaults. "+
			"Times are of the whole command, the page cache warm. Cold is without anything that earlier plans have left. "+
			"Next commit is another commit in each round, which was never asked about, with the traces that plans of the commits before it have left; the peers are asked about the last one.",
		"Listing 6: `bench/layers.py`, with networkx and PyYAML's safe_load. It maps changed files to layers, roles by the playbooks that name them and files of variables by their group and by the roles that mention what they set, and adds all descendants. "+
			"Needless is a node that is rebuilt (of ours: build or maybe) though neither its own inputs nor those of a node below it are others, as the generator knows.")
	return found, nil
}

func (s *site) describe() string {
	return fmt.Sprintf("%d nodes, %d roles, %d files, %d variables", len(s.nodes()), s.roles, s.files, s.variables)
}

// madeSite returns the site of about this many nodes, and the directory where it
// lies in git.
func madeSite(l *lab, nodes int) (*site, string, error) {
	s, dir := newSite(nodes), l.path(fmt.Sprintf("site%d", nodes))
	if form, err := os.ReadFile(filepath.Join(dir, ".git", "made")); err == nil && string(form) == siteForm {
		s.write(func(string, string) {}) // counts
		return s, dir, nil
	}
	return s, dir, importSite(dir, s)
}

// planning is one run of strata plan.
type planning struct {
	seconds float64
	peak    float64 // resident, MB
	plan    struct {
		Nodes []struct{ ID, Action string }
	}
}

func runPlan(l *lab, dir, base, head string, args ...string) (planning, error) {
	return planWith(l, dir, "plancache", base, head, args...)
}

// planWith is a plan with what others have left in a directory of the lab.
func planWith(l *lab, dir, cache, base, head string, args ...string) (planning, error) {
	var p planning
	c := command{Name: "plan", Dir: dir, Usage: &syscall.Rusage{}, Env: []string{"XDG_CACHE_HOME=" + l.path(cache)}}
	c.Args = append([]string{l.path("strata"), "plan", "--base", base, "--head", head}, args...)
	seconds, out, err := l.output(c)
	if err != nil {
		return p, err
	}
	p.seconds, p.peak = seconds, float64(c.Usage.Maxrss)/1000
	if slices.Contains(args, "json") {
		err = json.Unmarshal(out, &p.plan)
	}
	return p, err
}

func dropPlanCache(l *lab) error { return os.RemoveAll(l.path("plancache")) }

// planSpeed compares with reading every file once, and with Listing 6.
func planSpeed(l *lab, s *site, dir string, found *Findings) error {
	var coldPeaks, nextPeaks, changedPeaks Series
	next := nextCommits{lab: l, site: s, dir: dir}
	series, err := alternate(l,
		func(int) (float64, error) {
			if err := dropPlanCache(l); err != nil {
				return 0, err
			}
			p, err := runPlan(l, dir, "HEAD~1", "HEAD")
			coldPeaks = append(coldPeaks, p.peak)
			return p.seconds, err
		},
		func(int) (float64, error) {
			return l.run(command{Name: "plan-read", Dir: dir, Args: []string{"sh", "-c", "git diff --name-only HEAD~1 && git archive HEAD | cat > /dev/null"}})
		},
		func(round int) (float64, error) {
			p, err := next.plan(round)
			nextPeaks = append(nextPeaks, p.peak)
			return 1000 * p.seconds, err
		},
		func(int) (float64, error) { // all that the last commit changes counts but for a comment
			const cache = "changedcache"
			if err := os.RemoveAll(l.path(cache)); err != nil {
				return 0, err
			}
			if _, err := planWith(l, dir, cache, "HEAD~2", "HEAD~1"); err != nil {
				return 0, err
			}
			p, err := planWith(l, dir, cache, "HEAD~1", "HEAD")
			changedPeaks = append(changedPeaks, p.peak)
			return 1000 * p.seconds, err
		},
		func(int) (float64, error) {
			return l.run(command{Name: "plan-layers", Dir: dir, Args: []string{"python3", filepath.Join(l.repo, "bench", "layers.py"), "HEAD~1", "HEAD"}})
		},
	)
	if err != nil {
		return err
	}
	cold, read, coming, changed, layers := series[0], series[1], series[2], series[3], series[4]
	at := "`plan --base HEAD~1 --head HEAD` of a site of 1,000 nodes"
	reading, listing := "`git diff --name-only`, and every file read once (`git archive`)", "the paper's Listing 6, in Python"
	found.Rows = append(found.Rows,
		Row{Work: at + ", next commit", PeerIs: listing, Unit: "ms", Ours: coming, Peer: inMilli(layers), Target: Target{Kind: "faster", Value: 10}},
		Row{Work: at + ", next commit", PeerIs: reading, Unit: "ms", Ours: coming, Peer: inMilli(read), Target: Target{Kind: "below", Value: 100}},
		Row{Work: "the same, peak memory", Unit: "MB", Ours: nextPeaks, Target: Target{Kind: "below", Value: 100}},
		Row{Work: at + ", next commit, which changes a variable and a template", PeerIs: listing, Unit: "ms", Ours: changed, Peer: inMilli(layers), Target: Target{Kind: "faster", Value: 10}},
		Row{Work: at + ", next commit, which changes a variable and a template", PeerIs: reading, Unit: "ms", Ours: changed, Peer: inMilli(read), Target: Target{Kind: "below", Value: 100}},
		Row{Work: "the same, peak memory", Unit: "MB", Ours: changedPeaks, Target: Target{Kind: "below", Value: 100}},
		Row{Work: at + ", cold", PeerIs: listing, Unit: "s", Ours: cold, Peer: layers, Target: Target{Kind: "faster", Value: 1}},
		Row{Work: at + ", cold", PeerIs: reading, Unit: "s", Ours: cold, Peer: read},
		Row{Work: "the same, peak memory", Unit: "MB", Ours: coldPeaks, Target: Target{Kind: "below", Value: 250}},
	)
	return nil
}

func inMilli(s Series) Series {
	all := make(Series, len(s))
	for i, v := range s {
		all[i] = 1000 * v
	}
	return all
}

// nextCommits plans commits that the program has never been asked about, each with
// what plans of the commits before it have left.
type nextCommits struct {
	lab  *lab
	site *site
	dir  string
}

// plan plans the commit of a round: another one each time, until there are none left
// and it begins anew.
func (n nextCommits) plan(round int) (planning, error) {
	commits := len(n.site.changes()) + 1
	round %= commits - 1
	ago := func(i int) string { return fmt.Sprintf("HEAD~%d", i) }
	const cache = "nextcache"
	if round == 0 {
		if err := os.RemoveAll(n.lab.path(cache)); err != nil {
			return planning{}, err
		}
		if _, err := planWith(n.lab, n.dir, cache, ago(commits), ago(commits-1)); err != nil {
			return planning{}, err
		}
	}
	return planWith(n.lab, n.dir, cache, ago(commits-1-round), ago(commits-2-round))
}

// planGrowth measures sites of a tenth and of ten times the size.
func planGrowth(l *lab, found *Findings) error {
	t := Table{Title: "Plan: growth", Head: []string{"site", "cold", "per node and file", "peak memory", "next commit", "peak memory"}}
	var each, largest Series
	var next []Series
	for _, nodes := range []int{100, 1000, 10000} {
		s, dir, err := madeSite(l, nodes)
		if err != nil {
			return err
		}
		var seconds, coming, peaks, comingPeaks Series
		commits := nextCommits{lab: l, site: s, dir: dir}
		for began, i := time.Now(), 0; i < l.n && (i == 0 || time.Since(began) < 2*time.Minute); i++ {
			if err := dropPlanCache(l); err != nil {
				return err
			}
			p, err := runPlan(l, dir, "HEAD~1", "HEAD")
			if err != nil {
				return err
			}
			seconds, peaks = append(seconds, p.seconds), append(peaks, p.peak)
			if p, err = commits.plan(i); err != nil {
				return err
			}
			coming, comingPeaks = append(coming, 1000*p.seconds), append(comingPeaks, p.peak)
		}
		one := 1e6 * seconds.Median() / float64(len(s.nodes())+s.files)
		each, next, largest = append(each, one), append(next, coming), peaks
		t.Rows = append(t.Rows, []string{s.describe(), seconds.Text("s"), number(one) + " µs", number(slices.Max(peaks)) + " MB", coming.Text("ms"), number(slices.Max(comingPeaks)) + " MB"})
	}
	found.Tables = append(found.Tables, t)
	found.Rows = append(found.Rows,
		Row{Work: "next commit of a site of 10,000 nodes", PeerIs: "one of 1,000 nodes", Unit: "ms", Ours: next[2], Peer: next[1], Target: Target{Kind: "within", Value: 5}},
		Row{Work: "growth of a cold plan from 100 to 10,000 nodes: time per node and file, of the largest beside the smallest", PeerIs: "the smallest site",
			Unit: "µs", Ours: Series{each[2]}, Peer: Series{each[0]}, Target: Target{Kind: "within", Value: 1}},
		Row{Work: "cold plan of a site of 10,000 nodes, peak memory", Unit: "MB", Ours: largest, Target: Target{Kind: "below", Value: 1000}})
	return nil
}

// needless counts the nodes that are rebuilt though nothing of them is another.
func needless(l *lab, s *site, dir string) (Table, float64, float64, error) {
	t := Table{Title: "Plan: nodes rebuilt, by kind of change", Head: []string{"what a commit changes", "concerned", "ours: build + maybe", "needless", "Listing 6", "needless"}}
	var ours, theirs int
	changes := s.changes()
	for i, c := range changes {
		head := fmt.Sprintf("HEAD~%d", len(changes)-i)
		p, err := runPlan(l, dir, head+"~1", head, "--output", "json")
		if err != nil {
			return t, 0, 0, err
		}
		var build, maybe []string
		for _, n := range p.plan.Nodes {
			switch n.Action {
			case "build":
				build = append(build, n.ID)
			case "maybe":
				maybe = append(maybe, n.ID)
			}
		}
		_, out, err := l.output(command{Name: "plan-layers", Dir: dir, Args: []string{"python3", filepath.Join(l.repo, "bench", "layers.py"), head + "~1", head}})
		if err != nil {
			return t, 0, 0, err
		}
		concerned := s.concerned(c)
		for id := range concerned {
			if !slices.Contains(build, id) && !slices.Contains(maybe, id) {
				return t, 0, 0, fmt.Errorf("%s: %s must be built, and the plan keeps it", c.what, id)
			}
		}
		beyond := func(nodes []string) int {
			return len(slices.DeleteFunc(slices.Clone(nodes), func(id string) bool { return concerned[id] }))
		}
		listed := strings.Fields(string(out))
		mine, other := beyond(slices.Concat(build, maybe)), beyond(listed)
		ours, theirs = ours+mine, theirs+other
		t.Rows = append(t.Rows, []string{c.what, fmt.Sprint(len(concerned)), fmt.Sprintf("%d + %d", len(build), len(maybe)), fmt.Sprint(mine), fmt.Sprint(len(listed)), fmt.Sprint(other)})
	}
	return t, float64(ours), float64(theirs), nil
}

// concerned are the nodes that a change really affects, and all that stand on
// them.
func (s *site) concerned(c siteChange) map[string]bool {
	all := map[string]bool{}
	for _, n := range s.nodes() { // parents come first
		if all[n.parent] || c.affects != nil && c.affects(n) {
			all[n.id] = true
		}
	}
	return all
}
