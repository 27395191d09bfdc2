package test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clean checks that the machine is as if no build had been: no mount, no
// process. A killed one has a second to die.
func (p *project) clean() {
	p.t.Helper()
	var left []string
	if !eventually(time.Second, func() bool { left = p.processes(); return len(left) == 0 }) {
		p.t.Errorf("processes are left:\n%s", strings.Join(left, "\n"))
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, p.store+"/") {
			p.t.Errorf("a mount is left: %s", line)
		}
	}
}

// swept checks that a later build found and removed what an earlier one left.
func (p *project) swept() {
	p.t.Helper()
	p.clean()
	for _, pattern := range []string{
		p.store + "/overlay/staging/*", p.store + "/strata/scratch/*", p.store + "/strata/artifacts/.staging-*", p.store + "/strata/artifacts/*/.staging-*",
		p.tmp + "/*", p.tmp + "/.[!.]*", p.cache + "/strata/apt/scratch/*",
	} {
		left, err := filepath.Glob(pattern)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, path := range left {
			if strings.HasPrefix(filepath.Base(path), "storage-run-") {
				continue // where containers/storage has the run-time state of a user's stores
			}
			p.t.Errorf("%s is left", path)
		}
	}
}

// mine says whether a text names the project's directories.
func (p *project) mine(text string) bool {
	return strings.Contains(text, p.top+"/") || strings.Contains(text, p.store+"/")
}

// processes finds what a build started: the binary itself, whatever has the
// store mounted, and whatever works in the project's directories.
func (p *project) processes() []string {
	var found []string
	for _, pid := range pids() {
		dir := fmt.Sprintf("/proc/%d", pid)
		if pid == os.Getpid() {
			continue
		}
		cmdline, _ := os.ReadFile(dir + "/cmdline")
		if len(cmdline) == 0 {
			continue // a thread of the kernel, or one that is dead already
		}
		exe, _ := os.Readlink(dir + "/exe")
		cwd, _ := os.Readlink(dir + "/cwd")
		mounts, _ := os.ReadFile(dir + "/mountinfo")
		environ, _ := os.ReadFile(dir + "/environ")
		// The store may be on a disk that a test mounted: only what is mounted from it counts.
		mounted := strings.Contains(string(mounts), p.store+"/")
		if strings.HasPrefix(exe, theLab().binary) || mounted || p.mine(cwd+"/") || p.mine(string(environ)) {
			found = append(found, fmt.Sprintf("%d %s", pid, bytes.ReplaceAll(cmdline, []byte{0}, []byte(" "))))
		}
	}
	return found
}

func pids() []int {
	entries, _ := os.ReadDir("/proc")
	var all []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// process is one of a build's.
type process struct {
	pid  int
	name string
}

// descendants are the processes that a process started, and those that they did.
func descendants(of int) []process {
	parents := map[int]int{}
	for _, pid := range pids() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// pid (name) state parent: a name may hold anything.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 && fields[0] != "Z" {
			parents[pid], _ = strconv.Atoi(fields[1])
		}
	}
	below := map[int]bool{of: true}
	for range 20 { // deep enough
		for pid, parent := range parents {
			if below[parent] {
				below[pid] = true
			}
		}
	}
	delete(below, of)
	var all []process
	for _, pid := range slices.Sorted(maps.Keys(below)) {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		all = append(all, process{pid, strings.TrimSpace(string(comm))})
	}
	return all
}

// smallDisk mounts an ext4 of a size, in MiB, of its own.
func smallDisk(t *testing.T, size int, dir string, options ...string) {
	t.Helper()
	mountImage(t, size, dir, append([]string{"mkfs.ext4", "-q", "-F", "-m", "0"}, options...)...)
}

// mountImage mounts a file system of a size, in MiB, that a program makes.
func mountImage(t *testing.T, size int, dir string, mkfs ...string) {
	t.Helper()
	needRoot(t)
	need(t, mkfs[0], "mount", "umount")
	image := dir + ".img"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(image)
	if err == nil {
		err = f.Truncate(int64(size) << 20)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	must(t, exec.Command(mkfs[0], append(mkfs[1:], image)...))
	if r := run(t, exec.Command("mount", "-o", "loop", image, dir)); r.code != 0 {
		t.Skipf("needs loop mounts: %s", r.err)
	}
	t.Cleanup(func() { must(t, exec.Command("umount", dir)); os.Remove(image) })
}
