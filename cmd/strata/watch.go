package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/plan"
)

type watchOptions struct {
	plan     planOptions
	build    bool
	interval time.Duration
}

func newWatchCommand(a *app) *cobra.Command {
	var opts watchOptions
	cmd := &cobra.Command{
		Use:   "watch [NODE|IMAGE]...",
		Short: "Plan again whenever files change",
		Long: "Watch prints the plan, and again whenever a file of the project, or of a directory that\n" +
			"--override names, has changed in a way that matters to it; with --build it builds as well.\n" +
			"A mistake is printed, and watching goes on. It ends when it is interrupted.",
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := noneEmpty(cmd, "base"); err != nil {
				return err
			}
			return runWatch(cmd, a, names, opts)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.build, "build", false, "build what the plan says")
	flags.StringVar(&opts.plan.base, "base", "", "compare with this `commit` instead of what the store has")
	flags.DurationVar(&opts.interval, "interval", time.Second, "how often to look for changes")
	return cmd
}

func runWatch(cmd *cobra.Command, a *app, names []string, opts watchOptions) error {
	if err := a.enter(); err != nil {
		return err
	}
	dirs, err := a.watched()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	seen := signature(dirs)
	shown := a.replan(names, opts.plan)
	a.show(cmd, names, shown, opts)
	for {
		if seen, err = change(ctx, dirs, seen, opts.interval); err != nil {
			return err
		}
		now := a.replan(names, opts.plan)
		// What is printed may itself be written below one of the directories.
		if now.sum == shown.sum {
			continue
		}
		if a.output == "text" {
			fmt.Fprintf(a.out, "\n== %s: files changed\n", time.Now().Format(time.TimeOnly))
		}
		a.show(cmd, names, now, opts)
		shown = now
	}
}

// replanned is a plan, or what is wrong.
type replanned struct {
	made    *plan.Plan
	project *layer.Project
	said    string // notes
	err     error
	sum     [sha256.Size]byte // of all that it depends on
}

// replan plans.
func (a *app) replan(names []string, opts planOptions) replanned {
	var r replanned
	var said bytes.Buffer
	usual := a.err
	a.err = &said
	r.made, r.project, r.err = a.makePlan(names, opts)
	a.err, r.said = usual, said.String()
	whole, err := json.Marshal([]any{r.made, r.project, r.said, fmt.Sprint(r.err)})
	if err != nil {
		whole = fmt.Append(nil, time.Now()) // a value that JSON does not have, such as infinity
	}
	r.sum = sha256.Sum256(whole)
	return r
}

// show prints a plan, or what is wrong, and builds if it is asked to.
func (a *app) show(cmd *cobra.Command, names []string, now replanned, opts watchOptions) {
	fmt.Fprint(a.err, now.said)
	err := now.err
	if err == nil {
		err = a.printPlan(now.made, now.project)
	}
	if err == nil && opts.build {
		err = runBuild(cmd, a, names, buildOptions{jobs: runtime.NumCPU()})
	}
	if err != nil {
		a.report(err)
	}
}

// watched are the directories whose files decide the plan.
func (a *app) watched() ([]string, error) {
	project, err := filepath.Abs(filepath.Dir(a.path(a.file)))
	if err != nil {
		return nil, err
	}
	dirs := []string{project}
	for _, entry := range a.overrides {
		if _, dir, ok := strings.Cut(entry, "="); ok {
			if info, err := os.Stat(dir); err == nil && info.IsDir() {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs, nil
}

// change waits until the files are others and have stayed so for an interval: an
// editor or git may be at work.
func change(ctx context.Context, dirs []string, seen uint64, interval time.Duration) (uint64, error) {
	ticks := time.NewTicker(max(interval, 10*time.Millisecond))
	defer ticks.Stop()
	last := seen
	for {
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-ticks.C:
		}
		now := signature(dirs)
		if now != seen && now == last {
			return now, nil
		}
		last = now
	}
}

// signature is a number that is another one when a file has changed: made of
// names, sizes, modes and times. What git keeps for itself does not count.
func signature(dirs []string) uint64 {
	h := fnv.New64a()
	for _, dir := range dirs {
		// What cannot be read now is as good as not there.
		_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if d.IsDir() {
				if d.Name() == ".git" {
					return fs.SkipDir
				}
				fmt.Fprintf(h, "%q/", name)
				return nil
			}
			if info, err := d.Info(); err == nil {
				fmt.Fprintf(h, "%q %d %d %d\n", name, info.Size(), info.Mode(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return h.Sum64()
}
