package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// long says whether matrices are run whole.
func long() bool { return os.Getenv("STRATA_TEST_LONG") != "" }

// signalled is a command to be sent signals.
type signalled struct {
	name    string
	args    []string
	before  func()        // brings about what the command then does; may be nil
	holds   string        // a file whose lock another process has meanwhile
	within  time.Duration // signals come in this time; 0 is as long as the command takes
	endless bool          // it ends by a signal only
	seldom  bool          // only if matrices are run whole
	unswept bool          // it cleans up nothing of its own
	user    bool          // an ordinary user runs it as well
}

// stopped is how long a command may take to end on a loaded machine; idle, it is
// two seconds.
const stopped = 15 * time.Second

// cleaningUp is after how long a command leaves to the next one what it has not
// cleaned up.
const cleaningUp = 5 * time.Second

// A signal at any moment, and a second one, ends any command soon and with its
// status; nothing is left, and the command then does what it should.
func TestSignals(t *testing.T) {
	need(t, "ansible-playbook", "mksquashfs", "git")
	random := seed(t)
	p := signalProject(t)
	for _, c := range p.signalled() {
		if c.seldom && !long() {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			q := *p
			q.t = t
			q.signal(c, random)
		})
	}
	t.Run("rootless", func(t *testing.T) { p.signalRootless(t, random) })
}

// signalRootless is a sample for an ordinary user, whose commands run again in a
// user namespace, to which signals must find their way.
func (p *project) signalRootless(t *testing.T, random *rand.Rand) {
	q := *p
	q.t = t
	os.RemoveAll(p.store) // what is root's is of no use there; the registry has all of it
	q.asUser(t)
	q.store = filepath.Join(q.top, "home/.local/share/containers/storage")
	q.build("more")
	for _, c := range q.signalled() {
		if c.user {
			t.Run(c.name, func(t *testing.T) {
				r := q
				r.t = t
				r.signal(c, random)
			})
		}
	}
}

// signalProject has a node with each kind of step, a large one, an image, a
// registry and a history.
func signalProject(t *testing.T) *project {
	layers := fmt.Sprintf(strings.Split(everyKind, "\nimages:")[0], "a") + `
  waits: {parent: base, run: ["true"]}
  guest: {parent: base, packages: [systemd-sysv, linux-image-cloud-amd64, busybox, live-boot, dbus]}
  large: {parent: base, files: [{src: large, dest: /large}], run: ["cp --sparse=never /large /larger; rm /large"]}
images:
  work: {node: more, artifacts: [squashfs, erofs, tar, dir, oci]}
  guest: {node: guest, artifacts: [squashfs, kernel, initrd]}
`
	p := newProject(t, layers, "", files{"site.yml": playbook, "files/one": "1", "files/sub/two": "2"}).ownStore()
	p.ownCache()
	must(t, exec.Command("truncate", "--size", "256M", p.dir+"/large"))
	// A program of another name is none that a command left.
	must(t, exec.Command("cp", theLab().binary, p.top+"/serving"))
	config := strings.Replace(readFile(t, p.dir+"/strata.yaml"), "repositories:", "registry: "+p.serve(p.top+"/serving")+"/test\nrepositories:", 1)
	p.write("strata.yaml", config)
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "--all"}, {"commit", "--quiet", "--message", "all"}} {
		cmd := exec.Command("git", append([]string{"-C", p.dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
		must(t, cmd)
	}
	p.build("more", "--push")
	return p
}

// signalled are the commands.
func (p *project) signalled() []signalled {
	artifacts := func() { os.RemoveAll(p.store + "/strata/artifacts") }
	out := filepath.Join(p.top, "out")
	return []signalled{
		{name: "build", args: []string{"build", "--no-cache", "more"}, seldom: true},
		{name: "build steps", args: []string{"build", "--no-cache", "work"}, within: 6 * time.Second, seldom: true, user: true},
		{name: "bootstrap", args: []string{"--store", filepath.Join(p.top, "fresh"), "build", "base"}, within: 10 * time.Second},
		{name: "build large", args: []string{"build", "large"}, seldom: true},
		{name: "build waits", args: []string{"build", "waits"}, holds: p.store + "/strata/locks/node-test@waits", endless: true, within: time.Second},
		{name: "build waits for the package cache", args: []string{"--store", filepath.Join(p.top, "waiting"), "build", "base"}, holds: p.cache + "/strata/apt/lock", endless: true, within: time.Second},
		{name: "plan", args: []string{"plan", "--base", "HEAD"}, within: time.Second},
		{name: "export", args: []string{"export", "work", out, "--force"}, before: artifacts, within: 5 * time.Second},
		{name: "push", args: []string{"push", "--to", "oci:" + out + "-oci:x", "more"}, before: func() { os.RemoveAll(out + "-oci") }, seldom: true},
		{name: "pull", args: []string{"--store", filepath.Join(p.top, "pulled"), "pull", "more"}, before: func() { os.RemoveAll(filepath.Join(p.top, "pulled")) }, user: true},
		{name: "gc", args: []string{"gc"}, unswept: true},
		{name: "verify", args: []string{"ci", "verify"}, seldom: true},
		{name: "shell", args: []string{"shell", "more", "--", "sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1; done"}, endless: true, within: time.Second, user: true},
		{name: "boot", args: []string{"boot", "guest", "--from", p.hung()}, endless: true, within: 6 * time.Second},
		{name: "boot to its end", args: []string{"boot", "guest"}, within: 100 * time.Second, seldom: true},
		{name: "serve", args: []string{"registry", "serve", "--listen", "127.0.0.1:0", "--dir", filepath.Join(p.top, "served")}, endless: true, within: time.Second, unswept: true},
		{name: "watch", args: []string{"watch"}, endless: true, within: 2 * time.Second, unswept: true},
		{name: "validate", args: []string{"validate"}, seldom: true, unswept: true},
		{name: "images", args: []string{"images"}, seldom: true, unswept: true},
		{name: "doctor", args: []string{"doctor"}, seldom: true, unswept: true},
		{name: "pipeline", args: []string{"pipeline", "gitlab"}, seldom: true, unswept: true},
	}
}

// hung is an export of an image whose kernel, a few bytes, halts at once: its guest
// never comes up.
func (p *project) hung() string {
	p.t.Helper()
	// A sector for the kernel that there was before protocols (arch/x86/boot of
	// Linux has the offsets), one of code in 16 bits, and one of kernel proper.
	kernel := make([]byte, 3*512)
	kernel[0x1f1] = 1                                    // sectors of code
	copy(kernel[0x1fe:], "\x55\xaa\xeb\x66HdrS\x06\x02") // a jump over what follows, and protocol 2.6
	kernel[0x211] = 1                                    // the kernel proper lies high
	copy(kernel[0x22c:], "\xff\xff\xff\x37")             // an initrd lies below
	copy(kernel[0x268:], "\xf4\xeb\xfd")                 // l: hlt; jmp l
	manifest, err := json.Marshal(map[string]any{
		"image": "guest", "node": "guest", "init": "systemd", "fetch": "live-boot",
		"key": strings.Repeat("0", 64), "digest": "sha256:" + strings.Repeat("0", 64),
		"files": []map[string]any{{"name": "root", "type": "squashfs"}, {"name": "kernel", "type": "kernel"}, {"name": "initrd", "type": "initrd"}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	dir := filepath.Join(p.top, "hung")
	for name, content := range map[string]string{"manifest.json": string(manifest), "kernel": string(kernel), "initrd": "none", "root": "none"} {
		writeFile(p.t, filepath.Join(dir, name), content)
	}
	return dir
}

// signal sends a command signals at random moments.
func (p *project) signal(c signalled, random *rand.Rand) {
	rounds := 2
	if long() {
		rounds = 25
	}
	within := c.within
	if within == 0 {
		within = p.undisturbed(c)
	}
	if c.holds != "" {
		lock, err := os.OpenFile(c.holds, os.O_RDWR|os.O_CREATE, 0o600)
		if err == nil {
			defer lock.Close()
			err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
	var worst time.Duration
	for range rounds {
		if c.before != nil {
			c.before()
		}
		took := p.signalOnce(c, time.Duration(random.Int64N(int64(within))), random)
		worst = max(worst, took)
		if p.t.Failed() {
			return
		}
	}
	if !c.endless && (long() || c.name != "bootstrap" && c.name != "build steps") { // which take their time
		p.undisturbed(c)
	}
	p.t.Logf("the slowest of %d ended after %v; undisturbed it takes %v", rounds, worst.Round(time.Millisecond), within.Round(time.Millisecond))
}

// undisturbed runs a command to its end, and says how long it took.
func (p *project) undisturbed(c signalled) time.Duration {
	p.t.Helper()
	if c.before != nil {
		c.before()
	}
	start := time.Now()
	must(p.t, p.command(c.args...))
	return time.Since(start)
}

// signalOnce sends a command a signal at a moment, or two, and says how long it
// took to end.
func (p *project) signalOnce(c signalled, moment time.Duration, random *rand.Rand) time.Duration {
	p.t.Helper()
	cmd := p.command(c.args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	time.Sleep(moment)
	s := []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP}[random.IntN(3)]
	_ = cmd.Process.Signal(s)
	sent := time.Now()
	twice := random.IntN(3) == 0
	if twice {
		time.Sleep(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
		_ = cmd.Process.Signal(s)
	}
	select {
	case <-ended:
	case <-time.After(stopped):
		p.t.Errorf("%v after %v: it does not end\n%s", s, moment, end(out.String()))
		_ = cmd.Process.Kill()
		<-ended
		return stopped
	}
	took := time.Since(sent)
	state := cmd.ProcessState.Sys().(syscall.WaitStatus)
	// One that has not yet begun to heed signals dies of it, which shells show alike.
	if code := state.ExitStatus(); code != 128+int(s) && (code != 0 || c.endless) && !(state.Signaled() && state.Signal() == s) {
		p.t.Errorf("%v after %v: exit status %d after %v\n%s", s, moment, code, took, end(out.String()))
	}
	p.clean()
	if twice || took >= cleaningUp {
		must(p.t, p.command("shell", "more", "--", "true")) // what was left is swept by the next one
	}
	if !c.unswept {
		p.swept()
	}
	if p.t.Failed() {
		p.t.Logf("%v (twice: %v) after %v of %v: it ended after %v", s, twice, moment, c.args, took)
	}
	return took
}
