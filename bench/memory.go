package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// memoryRecipe makes layers whose size differs by a factor of 20.
const memoryRecipe = `layers:
  bench-small:
    parent: base
    run:
      - command: mkdir -p /opt/n && head -c 100M /dev/urandom > /opt/large && head -c 2M /dev/urandom | split -b 1024 -a 5 - /opt/n/
      - "true %[1]s"
  bench-large:
    parent: base
    run:
      - command: mkdir -p /opt/n && for i in 1 2 3 4; do head -c 500M /dev/urandom > /opt/large.$i; done && head -c 40M /dev/urandom | split -b 1024 -a 5 - /opt/n/
      - "true %[1]s"
images:
  bench-small: {node: bench-small, artifacts: [squashfs]}
  bench-large: {node: bench-large, artifacts: [squashfs]}
`

// peaks are resident set sizes in MB.
type peaks struct {
	main  float64 // of the command itself
	agent float64 // of the largest of its agents
	all   float64 // of all that run Strata's binary together, at any one time
}

// memory measures the resident memory of build: of the command and of the
// agents, which are the same program. What Strata starts (apt, Ansible,
// mksquashfs) is not part of it.
func memory(l *lab) (Findings, error) {
	var found Findings
	if err := l.example(); err != nil {
		return found, err
	}
	dir, err := l.project("memory")
	if err != nil {
		return found, err
	}
	table := Table{Title: "Peak memory of `strata build` (resident, MB)", Head: []string{"what is built", "the command", "largest agent", "all of Strata's processes at once"}}
	cases := []struct {
		title string
		args  []string
		keep  bool
	}{
		{"layer of 100 MB and 2,000 files, to squashfs", []string{"bench-small"}, true},
		{"layer of 2 GB and 40,000 files, to squashfs", []string{"bench-large"}, true},
		{"the whole example, nothing from the cache", []string{"--no-cache", "compute", "uan"}, false},
		{"the whole example, nothing changed", []string{"compute", "uan"}, true},
	}
	var command, all Series
	for _, c := range cases {
		var most peaks
		for round := range min(l.n, 3) {
			if round > 0 && !c.keep {
				break // takes minutes, and the peaks are those of the layers
			}
			if err := restoreProject(l, dir); err != nil {
				return found, err
			}
			p, err := peak(l, c.args...)
			if err != nil {
				return found, err
			}
			most = peaks{max(most.main, p.main), max(most.agent, p.agent), max(most.all, p.all)}
		}
		table.Rows = append(table.Rows, []string{c.title, number(most.main), number(most.agent), number(most.all)})
		command, all = append(command, most.main), append(all, most.all)
	}
	largest := func(s Series) Series {
		top := 0.0
		for _, v := range s {
			top = max(top, v)
		}
		return Series{top}
	}
	found.Rows = []Row{
		{Work: "peak memory of the `build` command, the highest of all cases below", Unit: "MB", Ours: largest(command), Target: Target{Kind: "below", Value: 200}},
		{Work: "the same, with its agents (which share the binary's pages)", Unit: "MB", Ours: largest(all), Target: Target{Kind: "below", Value: 200}},
	}
	found.Tables = []Table{table}
	found.Notes = append(found.Notes, "Memory: VmHWM of every process that runs Strata's binary, read every 10 ms; with agents, shared pages count once per process. A process that still has its parent's memory, as it is about to become another program, counts as its parent. Programs that Strata starts are not counted: mksquashfs alone takes up to a quarter of the machine's memory by default.")
	return found, nil
}

// restoreProject gives the project's own layers content that was not built yet.
func restoreProject(l *lab, dir string) error {
	if _, err := l.project("memory"); err != nil {
		return err
	}
	return include(dir, fmt.Sprintf(memoryRecipe, strconv.FormatInt(time.Now().UnixNano(), 36)))
}

// peak builds and watches.
func peak(l *lab, args ...string) (peaks, error) {
	var p peaks
	done, watched := make(chan struct{}), make(chan struct{})
	c := command{Name: "memory", Started: func(pid int) {
		go func() {
			defer close(watched)
			for {
				select {
				case <-done:
					return
				case <-time.After(10 * time.Millisecond):
					p.look(l.path("strata"), pid)
				}
			}
		}()
	}}
	_, err := l.buildWith(c, l.store(), "memory", args...)
	close(done)
	<-watched
	return p, err
}

// look takes the peaks of the processes that run the binary now.
func (p *peaks) look(binary string, main int) {
	var want, st unix.Stat_t
	if unix.Stat(binary, &want) != nil {
		return
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return
	}
	sum := 0.0
	for _, dir := range processes {
		if unix.Stat(filepath.Join(dir, "exe"), &st) != nil || st.Ino != want.Ino || st.Dev != want.Dev {
			continue
		}
		if borrowed(dir) {
			continue
		}
		mb := highWater(dir)
		sum += mb
		if filepath.Base(dir) == strconv.Itoa(main) {
			p.main = max(p.main, mb)
		} else {
			p.agent = max(p.agent, mb)
		}
	}
	p.all = max(p.all, sum)
}

// borrowed reports whether a process still has its parent's memory: one that was
// made by vfork and has not become another program yet. It has the parent's
// command line.
func borrowed(dir string) bool {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return true // it has ended
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return true
	}
	own, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	parent, parentErr := os.ReadFile(filepath.Join("/proc", fields[1], "cmdline"))
	return err == nil && parentErr == nil && bytes.Equal(own, parent)
}

// highWater is a process's highest resident set size so far, in MB.
func highWater(dir string) float64 {
	f, err := os.Open(filepath.Join(dir, "status"))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err == nil {
				return kib * 1024 / 1e6
			}
		}
	}
	return 0
}
