package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
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
			"--override names, has changed; with --build it builds as well. A mistake is printed, and\n" +
			"watching goes on. It ends when it is interrupted.",
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
	for {
		a.replan(cmd, names, opts)
		if seen, err = change(ctx, dirs, seen, opts.interval); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "\n== %s: files changed\n", time.Now().Format(time.TimeOnly))
	}
}

// replan prints the plan, or what is wrong, and builds if it is asked to.
func (a *app) replan(cmd *cobra.Command, names []string, opts watchOptions) {
	made, project, err := a.makePlan(names, opts.plan)
	if err == nil {
		err = a.printPlan(made, project)
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
