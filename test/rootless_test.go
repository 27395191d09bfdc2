package test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const otherUser = "strata-test"

// ordinaryUser is the id of a user with subordinate ids, made if need be.
func ordinaryUser(t *testing.T) string {
	t.Helper()
	needRoot(t)
	need(t, "useradd", "usermod", "userdel", "newuidmap", "newgidmap", "setpriv")
	if _, err := user.Lookup(otherUser); err != nil {
		must(t, exec.Command("useradd", "--no-create-home", otherUser))
		t.Cleanup(func() { _ = exec.Command("userdel", otherUser).Run() })
	}
	for option, file := range map[string]string{"--add-subuids": "/etc/subuid", "--add-subgids": "/etc/subgid"} {
		content, _ := os.ReadFile(file)
		if !strings.Contains("\n"+string(content), "\n"+otherUser+":") {
			must(t, exec.Command("usermod", option, "3000000-3065535", otherUser))
		}
	}
	u, err := user.Lookup(otherUser)
	if err != nil {
		t.Fatal(err)
	}
	return u.Uid
}

// asUser lets a project be built by an ordinary user, with a home of its own.
func (p *project) asUser(t *testing.T) {
	t.Helper()
	id := ordinaryUser(t)
	home := filepath.Join(p.top, "home")
	cache := filepath.Join(home, "cache")
	writeFile(t, home+"/.config/containers/storage.conf", "[storage]\ndriver = \"overlay\"\n")
	must(t, exec.Command("mkdir", "-p", cache+"/strata"))
	must(t, exec.Command("cp", "-r", theLab().cache+"/strata/apt", cache+"/strata/"))
	must(t, exec.Command("chown", "-R", id+":"+id, p.top))
	p.via = []string{"setpriv", "--reuid", id, "--regid", id, "--clear-groups"}
	p.env = append(p.env, "HOME="+home, "USER="+otherUser, "LOGNAME="+otherUser, "XDG_CACHE_HOME="+cache, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "XDG_RUNTIME_DIR=")
	t.Cleanup(func() {
		n, _ := strconv.Atoi(id)
		// Podman leaves a process behind that holds the user's namespaces.
		for _, pid := range pids() {
			if st, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil && int(st.Sys().(*syscall.Stat_t).Uid) == n {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		for _, dir := range []string{fmt.Sprintf("/tmp/containers-user-%d", n), fmt.Sprintf("/tmp/storage-run-%d", n), fmt.Sprintf("/tmp/podman-run-%d", n), fmt.Sprintf("/run/user/%d/containers", n)} {
			os.RemoveAll(dir)
		}
	})
}

// An ordinary user builds the very images that root builds, and Podman shows
// them to that user.
func TestRootless(t *testing.T) {
	need(t, "ansible-playbook", "mksquashfs")
	want := newProject(t, wholeLayers, "", wholeFiles()).build()
	p := newProject(t, wholeLayers, "", wholeFiles())
	p.asUser(t)
	p.store = filepath.Join(p.top, "home/.local/share/containers/storage") // where Podman has that user's
	got := p.build()
	sameBuild(t, want, got)
	p.swept()
	// A second build has nothing to do.
	for _, n := range p.build().Nodes {
		if n.Status != "cached" {
			t.Errorf("%s is %s in a second build", n.ID, n.Status)
		}
	}
	if out := p.shell("left", "cat /etc/hello; id -u"); out != "Hello, world!\n0\n" {
		t.Errorf("in the layer: %q", out)
	}
	t.Run("podman", func(t *testing.T) {
		need(t, "podman")
		cmd := exec.Command(p.via[0], append(p.via[1:], "podman", "images", "--format", "{{.Repository}}:{{.Tag}}")...)
		cmd.Env, cmd.Dir = append(os.Environ(), p.env...), p.top
		out := must(t, cmd)
		for _, node := range []string{"base", "tools", "left", "right"} {
			if !strings.Contains(out, "localhost/test/"+node+":latest") {
				t.Errorf("podman images of that user does not list %s:\n%s", node, out)
			}
		}
	})
}

// A user without subordinate ids is told how to get them.
func TestRootlessWithoutSubordinateIDs(t *testing.T) {
	needRoot(t)
	need(t, "setpriv")
	p := newProject(t, "", "", nil).freshStore()
	must(t, exec.Command("chown", "-R", "64999:64999", p.top))
	p.via = []string{"setpriv", "--reuid", "64999", "--regid", "64999", "--clear-groups"}
	p.env = append(p.env, "HOME="+p.top, "XDG_CACHE_HOME="+p.top+"/cache")
	p.fails(1, []string{"subordinate ids", "hint: as root: usermod --add-subuids"}, "build", "base")
	p.clean()
}

// Root that may not mount, as in a container without more rights, builds in a
// user namespace with all ids that it has.
func TestRootWithoutAdmin(t *testing.T) {
	need(t, "setpriv")
	layers := "  plain: {parent: base, run: [\"id > /id\"], packages: [hello]}\n"
	want := newProject(t, layers, "", nil).build("plain")
	p := newProject(t, layers, "", nil).freshStore()
	p.via = []string{"setpriv", "--bounding-set=-sys_admin,-mknod,-net_admin,-sys_ptrace", "--inh-caps=-sys_admin,-mknod,-net_admin,-sys_ptrace"}
	sameBuild(t, want, p.build("plain"))
	p.swept()
}

// In a container with as few rights as there can be, it builds the same.
func TestInContainer(t *testing.T) {
	need(t, "podman", "runc")
	layers := "  plain: {parent: base, run: [\"id > /id\"], packages: [hello]}\n"
	p := newProject(t, layers, "", nil).ownStore()
	want := p.build("plain")
	pod := newPodman(t, p.store)
	cache := p.top + "/cache/strata"
	must(t, exec.Command("mkdir", "-p", cache))
	must(t, exec.Command("cp", "-r", theLab().cache+"/strata/apt", cache+"/"))
	inside := []string{"run", "--rm", "--network=host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
		"--cap-drop", "all", "--cap-add", "SETUID", "--cap-add", "SETGID", "--cap-add", "SETFCAP",
		"--security-opt", "seccomp=unconfined", "--security-opt", "no-new-privileges",
		// The store must not be on the container's own root, which is an overlay.
		"--volume", p.top + ":/top", "--volume", theLab().dir + ":/lab:ro", "--volume", "/etc/apt:/etc/apt:ro",
		"--volume", "/usr/share/keyrings:/usr/share/keyrings:ro", "--env", "XDG_CACHE_HOME=/top/cache", "localhost/test/base"}
	if r := run(t, pod.command(append(inside, "true")...)); r.code != 0 {
		t.Skipf("podman cannot run containers on this machine: %s", r.err)
	}
	out := pod.must(append(inside, "/lab/strata", "-C", "/top/project", "--store", "/top/inside", "--output", "json", "build", "plain")...)
	got := parse[built](t, out)
	sameBuild(t, want, got)
	p.clean()
}
