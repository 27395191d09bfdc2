package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/strata-hpc/strata/bench/replay"
)

// replayHelp is what bench replay -h prints.
const replayHelp = `usage: bench/run replay PATH RANGE [--strata FILE|DIRECTORY]

Plans every commit of a range of a site's repository against its first parent,
with Strata and with the paper's Listing 6, and says what each would have rebuilt.
Only first parents are followed: a merge is one change. The site is only read.

  bench/run replay ../site HEAD~150..HEAD                      # it has a strata.yaml
  bench/run replay ../site HEAD~150..HEAD --strata site.yaml   # it has none yet

It needs git, and python3 with networkx and PyYAML.

`

// replaying is the subcommand replay: of one site, and not a subject, as the
// sites are elsewhere.
func replaying(ctx context.Context, dir string, args []string) error {
	if dir == "" {
		return errors.New("start it with bench/run")
	}
	repo, err := os.Getwd()
	if err != nil {
		return err
	}
	o := replay.Options{Dir: replayDir(dir), Strata: filepath.Join(dir, "strata"), Listing: filepath.Join(repo, "bench", "layers.py"), Progress: os.Stdout}
	flags := flag.NewFlagSet("replay", flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), replayHelp); flags.PrintDefaults() }
	flags.StringVar(&o.Overlay, "strata", "", "`FILE` that is laid over every commit as strata.yaml, or a directory whose files are laid over it")
	flags.StringVar(&o.Galaxy, "galaxy", "", "`directory` with roles and collections that strata lock got: strata/galaxy of a cache")
	flags.Func("submodule", "`NAME=DIRECTORY`: the repository of a submodule that the site has not fetched; several times", func(one string) error {
		o.Modules = append(o.Modules, one)
		return nil
	})
	flags.StringVar(&o.Name, "name", "", "what to call the results, instead of the description's name")
	flags.StringVar(&o.Dir, "results", o.Dir, "`directory` for the results")
	flags.DurationVar(&o.Limits.Time, "time", time.Minute, "longest that a plan may take")
	flags.BoolVar(&o.Check, "check", false, "plan each commit once more without traces of others, and compare the plans byte by byte")
	megabytes := flags.Int64("memory", 2000, "most `megabytes` that a plan may take")
	var named []string
	for len(args) > 0 { // flags may stand behind what they are for
		if err := flags.Parse(args); err != nil {
			return err
		}
		args = flags.Args()
		if len(args) > 0 {
			named, args = append(named, args[0]), args[1:]
		}
	}
	if len(named) != 2 {
		flags.Usage()
		return errors.New("name a repository and a range of commits")
	}
	o.Site, o.Range, o.Limits.Memory = named[0], named[1], *megabytes*1_000_000
	sum, err := replay.Run(ctx, o)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s", sum.Markdown())
	if len(sum.Different) > 0 {
		return fmt.Errorf("%d commits have another plan without traces", len(sum.Different))
	}
	return nil
}

func replayDir(dir string) string { return filepath.Join(dir, "replay") }

// replayed are the findings of the last replays of the sites that bench/sites
// describes; false if there were none.
func replayed(dir, repo string) (Findings, bool, error) {
	found := Findings{Subject: "replay", Repeats: 1, Notes: []string{replayNote}}
	sums, err := loadReplays(dir, repo)
	if err != nil || len(sums) == 0 {
		return found, false, err
	}
	all := Table{Title: "Replay of real sites", Head: replay.Head()}
	wide := Table{Title: "Replay: places that could not be followed", Head: []string{"site", "place", "nodes built for nothing else"}}
	var commits, refused, idle, idleBuilt int
	for _, sum := range sums {
		if sum.When.After(found.When) {
			found.When = sum.When
		}
		all.Rows = append(all.Rows, sum.Row())
		for _, w := range sum.Widest(5) {
			wide.Rows = append(wide.Rows, []string{sum.Site, "`" + w.At + "`", fmt.Sprint(w.Nodes)})
		}
		if sum.Listed > 0 {
			found.Rows = append(found.Rows, Row{Work: fmt.Sprintf("nodes rebuilt over %d commits of %s", sum.Compared, sum.Site), PeerIs: "the paper's Listing 6, in Python",
				Unit: "nodes", Ours: Series{float64(sum.Build + sum.Maybe)}, Peer: Series{float64(sum.Listed)}, Target: Target{Kind: "within", Value: 0.5}})
		}
		commits, refused, idle, idleBuilt = commits+sum.Commits, refused+sum.Refused(), idle+sum.Idle, idleBuilt+len(sum.IdleBuilt)
	}
	for _, sum := range sums {
		found.Rows = append(found.Rows,
			Row{Work: "next commit of " + sum.Site + ", processor time", Unit: "ms", Ours: inMilli(sum.CPU), Target: Target{Kind: "below", Value: 150}},
			Row{Work: "a cold plan of " + sum.Site + ", processor time", Unit: "s", Ours: sum.ColdCPU(), Target: Target{Kind: "below", Value: 2}},
			Row{Work: "most memory of a plan of " + sum.Site, Unit: "MB", Ours: Series{max(sum.Peak, sum.ColdPeak())}, Target: Target{Kind: "below", Value: 300}})
	}
	found.Rows = append(found.Rows,
		Row{Work: fmt.Sprintf("commits of these sites without an answer, of %d", commits), Unit: "commits", Ours: Series{float64(refused)}, Target: Target{Kind: "below", Value: 1}},
		Row{Work: fmt.Sprintf("commits beside the layers that rebuild something, of %d", idle), Unit: "commits", Ours: Series{float64(idleBuilt)}, Target: Target{Kind: "below", Value: 1}})
	found.Tables = append(found.Tables, all)
	if len(wide.Rows) > 0 {
		found.Tables = append(found.Tables, wide)
	}
	return found, true, nil
}

// loadReplays are the summaries of the sites that bench/sites describes, of those
// that were replayed.
func loadReplays(dir, repo string) ([]*replay.Summary, error) {
	entries, err := os.ReadDir(filepath.Join(repo, "bench", "sites"))
	if err != nil {
		return nil, err
	}
	var sums []*replay.Summary
	for _, entry := range entries {
		sum, err := replay.Load(replayDir(dir), strings.TrimSuffix(entry.Name(), filepath.Ext(entry.Name())))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		sums = append(sums, sum)
	}
	return sums, nil
}

const replayNote = "Replay: `bench/run replay` plans every commit of a site's branch (first parents: a merge is one change) against the one before, with the description that is in `bench/sites` laid over both. " +
	"The sites are public: dell/omnia, rug-cit-hpc/league-of-robots, Azure/az-hop, usegalaxy-eu/infrastructure-playbook, openstack/kolla-ansible and k3s-io/k3s-ansible. " +
	"Rebuilt is build or maybe. Numbers of nodes are of the commits that both sides answered. A commit is beside the layers if it changes documentation, files of a CI, and playbooks that no layer runs, and nothing else. " +
	"No answer: the plan was refused, or stopped at the limits of its replay (a minute and 2 GB if no others are given). Each plan is of a commit that was never asked about before, with the traces that the ones before it have left; one of ten is made once more with nothing kept (cold). " +
	"The machine was busy with other work: processor times compare, times do not. The replay was run by itself, not with `make bench`."
