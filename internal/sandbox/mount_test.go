package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A device that a step makes cannot be opened, wherever it makes it: the test
// goes through all mounts that there are.
func TestNoDeviceOfAStepCanBeOpened(t *testing.T) {
	scratch := t.TempDir()
	mounts := []Mount{
		{Source: t.TempDir(), Target: "/run/extra/plain"},
		{Source: t.TempDir(), Target: "/run/extra/read-only", ReadOnly: true},
		{Source: t.TempDir(), Target: "/run/extra/overlay", Scratch: filepath.Join(scratch, "overlay")},
	}
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: t.TempDir(), Scratch: t.TempDir(), Mounts: mounts})
	list, err := sh(t, s, "cat /proc/self/mountinfo", RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	devices := map[string]bool{}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		devices["/dev/"+name] = true
	}
	made := 0
	for line := range strings.Lines(list) {
		fields := strings.Fields(line) // proc_pid_mountinfo(5)
		dir, options := fields[4], ","+fields[5]+","
		if devices[dir] || dir == "/dev/pts" {
			continue
		}
		if !strings.Contains(options, ",nodev,") {
			t.Errorf("%s is mounted with %s", dir, options)
		}
		if strings.HasPrefix(dir, "/run/") && !(strings.Contains(options, ",nosuid,") && strings.Contains(options, ",noexec,")) {
			t.Errorf("%s is mounted with %s", dir, options)
		}
		out, err := sh(t, s, `
			[ -d "$0" ] && mknod "$0/node" c 1 5 2>/dev/null || exit 0
			head -c 1 "$0/node" >/dev/null 2>&1 && echo opened || echo made
			rm "$0/node"`, RunOptions{}, dir)
		if err != nil || out == "opened" {
			t.Errorf("a device made in %s can be opened: %s, %v", dir, out, err)
		}
		if out == "made" {
			made++
		}
	}
	// In a user namespace no device can be made in the first place.
	if want := 8; !InUserNamespace() && made != want {
		t.Errorf("devices could be made in %d mounts, want %d: /, /dev, /dev/shm, /run, /tmp, /var/tmp and two more:\n%s", made, want, list)
	}
	if out, err := sh(t, s, "head -c 1 /dev/zero | wc -c; echo x >/dev/null; echo $(</dev/tty) 2>&1 | cat", RunOptions{}); err != nil || !strings.HasPrefix(out, "1") {
		t.Errorf("the devices that are to be there: %s, %v", out, err)
	}
	if _, err := os.Lstat(mounts[0].Source + "/node"); err == nil {
		t.Error("the test left a device behind")
	}
}
