package test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// straits is a disk that can be brought into a state in which it takes no more.
type straits struct {
	name string
	says []string // any of these is in the error
	// mount mounts the disk at a directory.
	mount func(t *testing.T, dir string)
	// squeeze leaves as little as is said; relax makes room again.
	squeeze func(t *testing.T, dir string, leave little)
	relax   func(t *testing.T, dir string)
}

// little does not suffice, on a disk that lacks the one or the other.
type little struct{ mib, inodes int64 }

// taking is something that takes space.
type taking struct {
	name   string
	leave  little
	args   []string
	before func() // brings about that there is something to do
	plenty bool   // it does without
	sample bool   // also if matrices are run as a sample only
}

// A disk that is full, has no inodes left, is over a quota, or read-only, ends
// whatever needs it, soon and with a sentence; nothing is left, and with room the
// same command succeeds.
func TestDiskInStraits(t *testing.T) {
	need(t, "mount", "umount", "fallocate", "mksquashfs", "mkfs.erofs", "ansible-playbook")
	for _, s := range []straits{fullDisk, noInodes, overQuota, readOnly} {
		t.Run(s.name, func(t *testing.T) {
			p := straitsProject(t)
			disk := p.straitsDisk(t, s)
			if err := copyStore(theLab().template("base"), p.store); err != nil {
				t.Fatal(err)
			}
			p.build("small")
			for _, what := range p.takings(disk) {
				if long() || what.sample && (s.name == fullDisk.name || what.name == "run") {
					t.Run(what.name, func(t *testing.T) { p.inStraits(t, s, what, disk) })
				}
			}
		})
	}
}

// The same on the disk of an ordinary user.
func TestDiskInStraitsAsUser(t *testing.T) {
	need(t, "mount", "umount", "fallocate", "mksquashfs", "mkfs.erofs", "ansible-playbook")
	for _, s := range []straits{fullDisk, noInodes, overQuota, readOnly} {
		if !long() && s.name != fullDisk.name {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			p := straitsProject(t)
			disk := p.straitsDisk(t, s)
			p.asUser(t)
			p.env = append(p.env, "XDG_CACHE_HOME="+p.cache)
			must(t, p.command("pull", "base"))
			p.build("small")
			for _, what := range p.takings(disk) {
				if long() || what.name == "run" {
					t.Run(what.name, func(t *testing.T) { p.inStraits(t, s, what, disk) })
				}
			}
		})
	}
}

// straitsDisk mounts a disk for the project's store and cache.
func (p *project) straitsDisk(t *testing.T, s straits) string {
	t.Helper()
	disk := filepath.Join(p.top, "disk")
	s.mount(t, disk)
	p.store, p.cache = disk+"/store", disk+"/cache"
	must(t, exec.Command("mkdir", "-p", p.cache+"/strata/apt"))
	must(t, exec.Command("cp", "-a", theLab().cache+"/strata/apt/lists", p.cache+"/strata/apt/"))
	return disk
}

// sealing writes what there is room for, and leaves names of one file that are files
// of their own once they are sealed: these, and what is recorded of them, have none.
const sealing = `#!/usr/bin/perl
sub noise { open my $f, "<", "/dev/urandom"; read $f, my $bytes, 100; unpack "H*", $bytes }
open my $one, ">", "/one"; print $one "x"; close $one;
link "/one", "/var/log/" . noise() for 1 .. 3000;
my $block = noise() x 20;
open my $fill, ">", "/fill"; syswrite $fill, $block for 1 .. 8000;
for (1 .. 200) { open my $f, ">", "/more$_"; syswrite $f, "x" }
`

// straitsProject has a node for each kind of step, each of which writes 40 MB.
func straitsProject(t *testing.T) *project {
	p := newProject(t, `
  small: {parent: base, run: ["echo small > /small"]}
  packages: {parent: base, packages: [perl, vim-runtime]}
  files: {parent: base, files: [{src: noise, dest: /noise}, {src: many, dest: /many}]}
  run: {parent: base, run: ["mkdir /many && cd /many && for i in $(seq 3000); do echo $i > $i; done && head -c 40M /dev/urandom > noise"]}
  playbook: {parent: base, ansible: {playbooks: [site.yml]}}
  seal: {parent: base, run: [{script: seal}]}
  probe: {parent: base, run: ["true"]}
images:
  squashfs: {node: base, artifacts: [squashfs]}
  erofs: {node: base, artifacts: [erofs]}
  tar: {node: base, artifacts: [tar]}
  dir: {node: base, artifacts: [dir]}
  oci: {node: base, artifacts: [oci]}
`, "", files{"seal": sealing, "site.yml": strings.Replace(playbook, "echo two > /etc/two", "mkdir /many && cd /many && for i in $(seq 3000); do echo $i > $i; done && head -c 40M /dev/urandom > noise", 1)})
	must(t, exec.Command("sh", "-c", `cd "$1" && head -c 40M /dev/urandom > noise && mkdir many && cd many && seq 3000 | xargs touch`, "sh", p.dir))
	must(t, exec.Command("cp", theLab().binary, p.top+"/serving"))
	p.write("strata.yaml", strings.Replace(readFile(t, p.dir+"/strata.yaml"), "repositories:", "registry: "+p.serve(p.top+"/serving")+"/test\nrepositories:", 1))
	must(t, p.command("push", "base"))
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "--all"}, {"commit", "--quiet", "--message", "all"}} {
		must(t, exec.Command("git", append([]string{"-C", p.dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...))
	}
	return p
}

// takings are the commands, on a disk that store and cache are on.
func (p *project) takings(disk string) []taking {
	out := filepath.Join(disk, "out")
	gone := func(paths ...string) func() {
		return func() {
			for _, path := range paths {
				os.RemoveAll(path)
			}
		}
	}
	artifacts := p.store + "/strata/artifacts"
	return []taking{
		{name: "packages", leave: little{20, 400}, args: []string{"build", "packages"}, sample: true},
		{name: "files", leave: little{20, 400}, args: []string{"build", "files"}},
		{name: "run", leave: little{20, 400}, args: []string{"build", "run"}, sample: true},
		{name: "playbook", leave: little{20, 400}, args: []string{"build", "playbook"}},
		{name: "seal", leave: little{5, 100}, args: []string{"build", "seal"}},
		{name: "bootstrap", leave: little{100, 2000}, args: []string{"--store", disk + "/fresh", "build", "--pull=never", "base"}, before: gone(disk + "/fresh")},
		{name: "push", leave: little{10, 3}, args: []string{"push", "--to", "oci:" + out + "-oci:x", "base"}, before: gone(out + "-oci")},
		{name: "pull", leave: little{50, 1000}, args: []string{"--store", disk + "/pulled", "pull", "base"}, before: gone(disk + "/pulled"), sample: true},
		{name: "squashfs", leave: little{10, 3}, args: []string{"export", "squashfs", out, "--force"}, before: gone(artifacts), sample: true},
		{name: "erofs", leave: little{10, 3}, args: []string{"export", "erofs", out, "--force"}, before: gone(artifacts)},
		{name: "tar", leave: little{10, 3}, args: []string{"export", "tar", out, "--force"}, before: gone(artifacts)},
		{name: "dir", leave: little{1, 200}, // where files share their blocks, it needs few
			args: []string{"export", "dir", out, "--force"}, before: gone(artifacts)},
		{name: "oci", leave: little{10, 3}, args: []string{"export", "oci", out, "--force"}, before: gone(artifacts)},
		{name: "plan", args: []string{"plan", "--base", "HEAD"}, before: gone(p.cache + "/strata/plans"), plenty: true, sample: true},
	}
}

// inStraits runs a command on a disk that does not suffice, and on one that does.
func (project *project) inStraits(t *testing.T, s straits, what taking, disk string) {
	t.Helper()
	mine := *project
	p := &mine
	p.t = t
	if what.before != nil {
		what.before()
	}
	before := filesOf(p.t, disk)
	s.squeeze(p.t, disk, what.leave)
	r := p.strata(what.args...)
	s.relax(p.t, disk)
	p.t.Logf("%v, exit status %d\n%s", r.took.Round(time.Millisecond), r.code, end(r.err))
	want := 1
	if what.plenty {
		want = 0
	}
	if r.code != want {
		p.t.Errorf("exit status %d\n%s", r.code, end(r.all()))
	}
	said := func(text string) bool { return strings.Contains(r.err, text) }
	if !what.plenty && (!slices.ContainsFunc(s.says, said) || !said("hint: ")) {
		p.t.Errorf("the error says none of %q:\n%s", s.says, end(r.err))
	}
	for _, name := range []string{"store", "fresh", "pulled"} {
		q := *p
		q.store = filepath.Join(disk, name)
		q.swept()
	}
	for _, path := range filesOf(p.t, disk) {
		if !slices.Contains(before, path) {
			p.t.Errorf("%s is left", path)
		}
	}
	if p.t.Failed() {
		return
	}
	whole := p.strata(what.args...)
	if whole.code != 0 {
		p.t.Errorf("with room, exit status %d\n%s", whole.code, end(whole.all()))
	}
	// Until the disk takes no more, it does what it does when it does.
	if r.took > whole.took+30*time.Second {
		p.t.Errorf("it took %v, and with room %v", r.took, whole.took)
	}
	os.RemoveAll(filepath.Join(disk, "fresh"))
	os.RemoveAll(filepath.Join(disk, "pulled"))
}

// filesOf lists the files of a disk, apart from those that stay whatever happens: locks,
// logs, what was downloaded, what is noted of an image, and what a store is empty.
func filesOf(t *testing.T, disk string) []string {
	t.Helper()
	var all []string
	stays := regexp.MustCompile(`\.lock$|/ballast|/strata/(logs|locks|apt|reserve)/|/cache/strata/(blobs|plans)/|/overlay-images/[^/]*/=|/overlay-(images|layers)/[a-z-]*\.json$|/overlay/\.has-|/defaultNetworkBackend$`)
	err := filepath.WalkDir(disk, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !stays.MatchString(path) {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A bootstrap on a disk that is too small, wherever in its course that shows, ends
// soon after, and leaves nothing.
func TestBootstrapOnSmallDisks(t *testing.T) {
	sizes := []int{90}
	if long() {
		sizes = []int{60, 90, 120, 150, 190, 230, 260}
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			p := newProject(t, "", "", nil)
			p.ownCache()
			disk := filepath.Join(p.top, "disk")
			smallDisk(t, size, disk)
			p.store = disk + "/store"
			before := used(t, disk)
			filled := make(chan time.Time, 1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { filled <- whenFull(ctx, disk) }()
			r := p.fails(1, []string{"the disk is full", "hint: free some space"}, "build", "base")
			cancel()
			if at := <-filled; at.IsZero() {
				t.Log("the disk was full for a moment at most") // dpkg removes what it cannot finish
			} else if took := time.Since(at); took > 30*time.Second { // idle, it is ten
				t.Errorf("it ended %v after the disk was full\n%s", took, end(r.err))
			} else {
				t.Logf("it ended %v after the disk was full", took.Round(time.Millisecond))
			}
			p.swept()
			if left := used(t, disk) - before; left > 4<<20 {
				t.Errorf("%d bytes are left on the disk", left)
			}
		})
	}
}

// A store on a file system without extended attributes is refused whatever the command,
// and a tree that has some is not put on one.
func TestNoExtendedAttributes(t *testing.T) {
	need(t, "mount", "umount", "ansible-playbook")
	p := newProject(t, `
  files: {parent: base, files: [{src: site.yml, dest: /site}]}
  run: {parent: base, run: ["true"]}
  playbook: {parent: base, ansible: {playbooks: [site.yml]}}
  attributes: {parent: tools, run: ["cp /bin/true /able; setcap cap_net_raw+ep /able"]}
`, `
images: {attributes: {node: attributes, artifacts: [dir]}, none: {node: base, artifacts: [tar]}}
`, files{"site.yml": playbook}).ownStore()
	p.ownCache()
	has, without := p.store, filepath.Join(p.top, "ram")
	must(t, exec.Command("mkdir", without))
	must(t, exec.Command("mount", "-t", "ramfs", "strata-test", without))
	t.Cleanup(func() { must(t, exec.Command("umount", without)) })
	p.store = without + "/store"
	for _, args := range [][]string{{"build", "base"}, {"build", "files"}, {"build", "run"}, {"build", "playbook"}, {"pull", "oci:/nowhere:x"}, {"export", "none", p.top + "/none"}, {"gc"}} {
		p.fails(1, []string{"the store at " + p.store + " is on a file system that keeps no extended attributes", "hint: layers need them", "ext4, xfs or btrfs"}, args...)
	}
	p.swept()
	p.store = has
	p.fails(1, []string{without + " is on a file system that keeps no extended attributes", "hint: a directory of files needs them"}, "export", "attributes", without+"/out")
	if left, _ := filepath.Glob(without + "/*"); len(left) > 1 {
		t.Errorf("left behind: %v", left)
	}
	out := filepath.Join(p.top, "out")
	must(t, p.command("export", "attributes", out))
	if got := xattrs(t, out+"/rootfs/able"); !strings.Contains(got, "security.capability") {
		t.Errorf("the exported file has %q", got)
	}
	p.swept()
}

// used are the bytes that are taken of a file system.
func used(t *testing.T, dir string) int64 {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize
}

// whenFull waits for a disk to have less than 1 MiB, and is zero if it never has.
func whenFull(ctx context.Context, dir string) (at time.Time) {
	for ctx.Err() == nil {
		var st syscall.Statfs_t
		if syscall.Statfs(dir, &st) == nil && int64(st.Bavail)*st.Bsize < 1<<20 {
			return time.Now()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return at
}

var fullDisk = straits{
	name: "full", says: []string{"the disk is full", "MiB are free in"},
	mount: func(t *testing.T, dir string) { smallDisk(t, 2000, dir) },
	squeeze: func(t *testing.T, dir string, leave little) {
		fill(t, dir+"/ballast", dir, leave.mib)
	},
	relax: func(t *testing.T, dir string) { os.Remove(dir + "/ballast") },
}

var noInodes = straits{
	name: "no inodes", says: []string{"no inodes are left"},
	mount: func(t *testing.T, dir string) { smallDisk(t, 2000, dir, "-N", "60000") },
	squeeze: func(t *testing.T, dir string, leave little) {
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil {
			t.Fatal(err)
		}
		must(t, exec.Command("sh", "-c", `mkdir "$1/ballast" && cd "$1/ballast" && seq $2 | xargs touch || true`, "sh", dir, strconv.FormatInt(int64(st.Ffree)-leave.inodes-1, 10)))
	},
	relax: func(t *testing.T, dir string) { os.RemoveAll(dir + "/ballast") },
}

var overQuota = straits{
	name: "over quota", says: []string{"the disk quota is used up"},
	mount: func(t *testing.T, dir string) {
		need(t, "mkfs.btrfs", "btrfs")
		mountImage(t, 2500, dir, "mkfs.btrfs", "-q")
		must(t, exec.Command("btrfs", "quota", "enable", dir))
	},
	squeeze: func(t *testing.T, dir string, leave little) {
		must(t, exec.Command("sync", "-f", dir))
		out := must(t, exec.Command("btrfs", "qgroup", "show", "--raw", dir))
		fields := strings.Fields(out[strings.Index(out, "0/5"):])
		used, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		must(t, exec.Command("btrfs", "qgroup", "limit", fmt.Sprint(used+leave.mib<<20+1<<20), dir))
	},
	relax: func(t *testing.T, dir string) {
		must(t, exec.Command("btrfs", "qgroup", "limit", "none", dir))
	},
}

var readOnly = straits{
	name: "read-only", says: []string{"the disk is mounted read-only"},
	mount:   func(t *testing.T, dir string) { smallDisk(t, 2000, dir) },
	squeeze: func(t *testing.T, dir string, _ little) { must(t, exec.Command("mount", "-o", "remount,ro", dir)) },
	relax:   func(t *testing.T, dir string) { must(t, exec.Command("mount", "-o", "remount,rw", dir)) },
}
