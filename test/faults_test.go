package test

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// everyKind is a layer with every kind of step that starts programs, small.
const everyKind = `
  work:
    parent: base
    packages: [hello]
    files: [{src: files, dest: /etc/work}]
    ansible: {playbooks: [site.yml]}
    run: ["hello > /etc/hello", "sleep 0.3", "cp /etc/hello /etc/hello.%s"]
  more:
    parent: work
    run: ["echo more > /etc/more"]
images:
  work: {node: more, artifacts: [squashfs]}
`

// playbook needs no Python in the tree.
const playbook = `
- hosts: strata_image
  gather_facts: false
  tasks:
    - ansible.builtin.raw: echo one > /etc/one
    - ansible.builtin.raw: echo two > /etc/two
`

func everyKindProject(t *testing.T) *project {
	return newProject(t, fmt.Sprintf(everyKind, "a"), "", files{"site.yml": playbook, "files/one": "1", "files/sub/two": "2"})
}

// seed is what the random moments begin with: STRATA_TEST_SEED, or the time.
func seed(t *testing.T) *rand.Rand {
	n, err := strconv.ParseUint(os.Getenv("STRATA_TEST_SEED"), 10, 64)
	if err != nil {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("STRATA_TEST_SEED=%d", n)
	return rand.New(rand.NewPCG(n, 0))
}

// A build that is killed at any moment, or one of its programs, leaves nothing
// that the next command does not clean up, and no half image.
func TestKillAtRandomMoments(t *testing.T) {
	need(t, "ansible-playbook", "mksquashfs")
	random := seed(t)
	p := everyKindProject(t).ownStore()
	// What is built alternates, and gc removes the one before: every round
	// begins without it.
	variants := []string{"a", "b"}
	want := map[string]map[string]string{}
	var took time.Duration
	for _, v := range variants {
		p.vary(v)
		start := time.Now()
		want[v] = p.build().digests(t)
		took = time.Since(start)
		must(t, p.command("gc"))
	}
	const rounds, kills = 10, 3
	killed := map[string]int{}
	for round := range rounds {
		v := variants[round%2]
		p.vary(v)
		for range kills {
			name, moment := p.killBuild(random, took)
			killed[name]++
			p.clean()
			p.checkImages(want)
			if t.Failed() {
				t.Fatalf("after %s was killed at %v in round %d", name, moment, round)
			}
		}
		got := p.build().digests(t)
		if !maps.Equal(got, want[v]) {
			t.Fatalf("round %d: digests %v, undisturbed %v", round, got, want[v])
		}
		p.swept()
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		must(t, p.command("gc"))
	}
	t.Logf("killed: %v; an undisturbed build takes %v", killed, took.Round(time.Millisecond))
}

// vary makes the project one that builds something else.
func (p *project) vary(v string) { p.write("strata.yaml", common+fmt.Sprintf(everyKind, v)) }

// killBuild builds and kills the build, or a program that it started, at some
// moment; it returns which and when.
func (p *project) killBuild(random *rand.Rand, took time.Duration) (string, time.Duration) {
	p.t.Helper()
	cmd := p.command("build")
	log, err := os.Create(filepath.Join(p.top, "kill.log"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	moment := time.Duration(random.Int64N(int64(took)))
	time.Sleep(moment)
	target := process{cmd.Process.Pid, "strata itself"}
	if below := descendants(cmd.Process.Pid); len(below) > 0 && random.IntN(2) == 0 {
		target = below[random.IntN(len(below))]
	}
	_ = syscall.Kill(target.pid, syscall.SIGKILL)
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		p.t.Errorf("the build hangs after %s was killed", target.name)
		_ = cmd.Process.Kill()
		<-done
	}
	if code := cmd.ProcessState.ExitCode(); code != -1 && code != 0 && code != 1 {
		p.t.Errorf("exit status %d after %s was killed", code, target.name)
	}
	return target.name, moment
}

// checkImages checks that every image there is is a whole one.
func (p *project) checkImages(want map[string]map[string]string) {
	p.t.Helper()
	for name, digest := range p.images() {
		node := strings.TrimPrefix(name, "test/")
		if !slices.ContainsFunc(slices.Collect(maps.Values(want)), func(w map[string]string) bool { return w["node "+node] == digest }) {
			p.t.Errorf("the store has an image of %s with digest %s, which no undisturbed build made", name, digest)
		}
	}
	dirs, err := filepath.Glob(p.store + "/strata/artifacts/test/work/*")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, dir := range dirs {
		for _, name := range []string{"manifest.json", "rootfs.squashfs"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				p.t.Errorf("half an artifact: %v", err)
			}
		}
	}
}

// Each program that a build starts is killed once, so that it is known to have
// been: the error names what failed, and the next build succeeds.
func TestKillEachProgram(t *testing.T) {
	need(t, "ansible-playbook", "mksquashfs")
	p := everyKindProject(t).ownStore()
	// The agent is called as the tree's init would be.
	for _, name := range []string{"init", "ansible-playboo", "apt-get", "mksquashfs"} {
		p.vary("k" + name)
		cmd := p.command("build")
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var victim process
		found := eventually(2*time.Minute, func() bool {
			for _, d := range descendants(cmd.Process.Pid) {
				if d.name == name {
					victim = d
					return true
				}
			}
			return false
		})
		if !found {
			t.Errorf("there never was a %s", name)
		} else if err := syscall.Kill(victim.pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 1 {
			t.Errorf("%s was killed: exit status %d, want 1\n%s", name, code, end(out.String()))
		}
		if !strings.Contains(out.String(), "\nstrata: ") {
			t.Errorf("%s was killed: no error is told:\n%s", name, end(out.String()))
		}
		p.clean()
		p.build()
		p.swept()
	}
}

// A program that opens packages and is killed in the middle of it ends the bootstrap;
// the next one succeeds.
func TestKillWhatOpensPackages(t *testing.T) {
	p := newProject(t, "", "", nil).freshStore()
	p.ownCache()
	cmd := p.command("build", "base")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	var killed time.Time
	found := eventually(2*time.Minute, func() bool {
		for _, d := range descendants(cmd.Process.Pid) {
			if d.name == "dpkg-deb" && syscall.Kill(d.pid, syscall.SIGKILL) == nil {
				killed = time.Now()
				return true
			}
		}
		return false
	})
	if !found {
		t.Error("there never was a dpkg-deb")
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the bootstrap hangs")
		_ = cmd.Process.Kill()
		<-ended
	}
	t.Logf("it ended after %v\n%s", time.Since(killed).Round(time.Millisecond), end(out.String()))
	// Ten seconds, idle.
	if took := time.Since(killed); took > 30*time.Second {
		t.Errorf("it took %v to end", took)
	}
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(out.String(), ".deb: dpkg-deb ended with exit status 137") {
		t.Errorf("exit status %d, and no package is named:\n%s", code, end(out.String()))
	}
	p.swept()
	if long() {
		p.build("base")
	}
}

// Of two builds of one node at once, one builds and the other waits, says so,
// and takes what the first made.
func TestTwoBuildsAtOnce(t *testing.T) {
	p := newProject(t, `
  slow:
    parent: base
    run: ["sleep 2; echo slow > /etc/slow"]
`, "", nil).ownStore()
	results := make(chan result, 2)
	for range 2 {
		go func() { results <- run(t, p.command("build", "slow")) }()
	}
	var waited, made int
	for range 2 {
		r := <-results
		if r.code != 0 {
			t.Errorf("exit status %d\n%s", r.code, end(r.all()))
		}
		if strings.Contains(r.out, "wait") {
			waited++
		}
		if strings.Contains(r.out, "step 1 of 1") {
			made++
		}
	}
	if waited != 1 || made != 1 {
		t.Errorf("%d waited and %d built, want one each", waited, made)
	}
	p.swept()
}

// Ctrl-C, and what systems send to stop a program, end a build cleanly.
func TestInterrupt(t *testing.T) {
	p := newProject(t, `
  slow:
    parent: base
    run: ["echo begun; sleep 60"]
`, "", nil).ownStore()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		r, w := io.Pipe()
		cmd := p.command("build", "slow")
		var out strings.Builder
		both := io.MultiWriter(&out, w) // one value, so that one goroutine writes: of two, one may lose what the other says
		cmd.Stdout, cmd.Stderr = both, both
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		begun := make(chan struct{})
		go func() {
			var seen strings.Builder
			buf := make([]byte, 1024)
			told := false
			for {
				n, err := r.Read(buf)
				seen.Write(buf[:n])
				if !told && strings.Contains(seen.String(), "| begun") {
					close(begun)
					told = true
				}
				if err != nil {
					return
				}
			}
		}()
		select {
		case <-begun:
		case <-time.After(time.Minute):
			t.Error("the step never began")
		}
		sent := time.Now()
		_ = cmd.Process.Signal(s)
		_ = cmd.Wait()
		w.Close()
		if code := cmd.ProcessState.ExitCode(); code != 128+int(s) {
			t.Errorf("%v: exit status %d, want %d\n%s", s, code, 128+int(s), out.String())
		}
		if took := time.Since(sent); took > 15*time.Second {
			t.Errorf("%v: it took %v to stop", s, took)
		}
		if !strings.Contains(out.String(), "stopped by "+s.String()) {
			t.Errorf("%v: the error does not say why:\n%s", s, end(out.String()))
		}
		p.swept() // at once: an interrupted build cleans up itself
	}
}

// fill takes all but some MiB of a file system.
func fill(t *testing.T, ballast, disk string, leave int64) {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(disk, &st); err != nil {
		t.Fatal(err)
	}
	size := int64(st.Bavail)*st.Bsize - leave<<20
	if size <= 0 {
		t.Fatalf("the disk has only %d MiB", int64(st.Bavail)*st.Bsize>>20)
	}
	// What the file needs to say where it lies is not known before.
	for less := int64(0); run(t, exec.Command("fallocate", "--length", fmt.Sprint(size-less), ballast)).code != 0; less += 1 << 20 {
		if less > 8<<20 {
			t.Fatalf("cannot fill %s", disk)
		}
	}
}

// A /tmp without space or inodes left is told of, or not needed at all.
func TestTemporaryDirectoryFull(t *testing.T) {
	need(t, "mount", "umount", "ansible-playbook")
	p := everyKindProject(t).ownStore()
	must(t, exec.Command("mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "strata-test", p.tmp))
	mounted := true
	unmount := func() {
		if mounted {
			must(t, exec.Command("umount", p.tmp))
			mounted = false
		}
	}
	t.Cleanup(unmount)
	if err := os.WriteFile(filepath.Join(p.tmp, "full"), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := p.strata("build"); r.code != 0 {
		if r.code != 1 || !strings.Contains(r.err, "no space left on device") || !strings.Contains(r.err, p.tmp) {
			t.Errorf("exit status %d; the error must say that %s is full:\n%s", r.code, p.tmp, end(r.err))
		}
	}
	unmount()
	p.build()
	p.swept()
}
