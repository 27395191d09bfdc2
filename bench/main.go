// Command bench measures Strata beside the programs that people use for the
// same work today, in one run and in turns, and writes docs/benchmarks.md.
//
// It is no test: it fails only where something could not be measured. It is no
// part of Strata either; nothing imports it. It needs Debian and root, for its
// peers do. Everything it writes is below one directory, which stays, so that
// the next run finds packages and images there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.podman.io/storage/pkg/reexec"
)

// subject is one thing to measure.
type subject struct {
	Name string
	What string
	Run  func(l *lab) (Findings, error)
}

func subjects() []subject {
	return []subject{
		{"commit", "commit a layer of 500 MB, and one of 20,000 files", commit},
		{"playbook", "a playbook of 60 tasks, beside Ansible inside the root", playbook},
		{"plugin", "the same, beside the buildah connection plugin (minutes each time)", plugin},
		{"unchanged", "build the example with nothing changed", unchanged},
		{"change", "change one variable of the last layer, to a new squashfs", change},
		{"bootstrap", "bootstrap Debian from cached packages", bootstrap},
		{"pack", "squashfs and erofs of an 800 MiB tree", pack},
		{"settings", "what the settings of squashfs and erofs cost and bring", settings},
		{"memory", "peak memory of build", memory},
		{"push", "push an image of which the registry lacks one layer", pushing},
		{"pull", "pull an image of which the store lacks one layer", pulling},
		{"plan", "plan a commit of a site of 1,000 nodes, beside the paper's way", plan},
		{"pipeline", "write a pipeline of 1,000 nodes", pipeline},
		{"reproducible", "build the example three times from nothing: one set of digests", reproducible},
	}
}

func main() {
	if reexec.Init() {
		return // containers/storage started us for a job of its own
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	n := flags.Int("n", 5, "how often each side of a comparison runs")
	dir := flags.String("dir", "", "where to keep everything (bench/run sets it)")
	list := flags.Bool("list", false, "list the subjects")
	write := flags.Bool("write", false, "write docs/benchmarks.md even if not everything was measured in this run")
	profile := flags.String("cpuprofile", "", "write a CPU profile of this process, in which commit is measured, to `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if *list {
		for _, s := range subjects() {
			fmt.Printf("%-13s %s\n", s.Name, s.What)
		}
		fmt.Printf("%-13s %s\n", "replay", "replay the commits of a site of your own: replay -h")
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if flags.Arg(0) == "replay" {
		return replaying(ctx, *dir, flags.Args()[1:])
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("the peers need root: run it as root")
	}
	l, err := newLab(ctx, *dir, *n)
	if err != nil {
		return err
	}
	defer l.close()
	err = measure(l, chosen)
	if *write || (err == nil && len(flags.Args()) == 0) {
		err = errors.Join(err, writeDocument(filepath.Join(l.repo, "docs", "benchmarks.md"), l))
	}
	return err
}

func choose(names []string) ([]subject, error) {
	all := subjects()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []subject
	for _, name := range names {
		i := slices.IndexFunc(all, func(s subject) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no subject %q; -list shows them", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// measure measures the subjects one after the other, and keeps what each
// brought: a failure of one does not lose the others.
func measure(l *lab, chosen []subject) error {
	var failed []string
	for _, s := range chosen {
		fmt.Printf("%s: %s\n", s.Name, s.What)
		began := time.Now()
		found, err := s.Run(l)
		if l.ctx.Err() != nil {
			return context.Cause(l.ctx)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", s.Name, err)
			failed = append(failed, s.Name)
			continue
		}
		found.Subject, found.When, found.Repeats = s.Name, began.UTC(), l.n
		if err := saveFindings(l.dir, found); err != nil {
			return err
		}
		printFindings(os.Stdout, found)
		fmt.Printf("  (%.0f s)\n", time.Since(began).Seconds())
	}
	if len(failed) > 0 {
		return fmt.Errorf("not measured: %s", strings.Join(failed, ", "))
	}
	return nil
}
