package sandbox

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// says runs commands in a sandbox and compares what they print.
func says(t *testing.T, s *Sandbox, opts RunOptions, want [][2]string) {
	t.Helper()
	for _, w := range want {
		command, text := w[0], w[1]
		if out, err := sh(t, s, command, opts); err != nil || out != text {
			t.Errorf("%s: got %q, %v; want %q", command, out, err, text)
		}
	}
}

// What a sandbox says of itself is what its tree makes it, from the moment on
// at which a step makes it so.
func TestIdentityFollowsTheTree(t *testing.T) {
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: t.TempDir()})
	machine, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	release := strings.TrimSpace(string(machine))
	says(t, s, RunOptions{}, [][2]string{
		{"uname -r", release},
		{"cat /proc/sys/kernel/osrelease", release},
		{"cat /proc/1/comm", "init"},
		{"uname -n", "localhost"},
		{"cat /proc/sys/kernel/domainname; cat /proc/cmdline | tr -d '\\n'", "(none)"},
		{"ls /sys/class/dmi/id/ /sys/firmware 2>/dev/null | grep -v : || true", ""},
	})
	// The next command sees it, and so does the same.
	says(t, s, RunOptions{}, [][2]string{{"mkdir -p /lib/modules/extra /lib/modules/6.1.9-old /lib/modules/6.1.10-new; uname -r", "6.1.10-new"}})
	if err := os.WriteFile(filepath.Join(s.Root(), "vmlinuz"), bzImage("6.1.10-new (b@h) #7 SMP 6.1.10-1 (2024-02-02)"), 0o644); err != nil {
		t.Fatal(err)
	}
	says(t, s, RunOptions{}, [][2]string{
		{"mkdir /boot /sbin; mv /vmlinuz /boot/vmlinuz-6.1.10-new; ln -s /lib/systemd/systemd /sbin/init; echo '# eagle' >/etc/hostname; echo node.example >>/etc/hostname", ""},
	})
	for _, opts := range []RunOptions{{}, {NoNetwork: true}} {
		says(t, s, opts, [][2]string{
			{"uname -rv", "6.1.10-new #7 SMP 6.1.10-1 (2024-02-02)"},
			{"cat /proc/sys/kernel/osrelease", "6.1.10-new"},
			{"cat /proc/sys/kernel/version", "#7 SMP 6.1.10-1 (2024-02-02)"},
			{"cat /proc/version", "Linux version 6.1.10-new #7 SMP 6.1.10-1 (2024-02-02)"},
			{"cat /proc/1/comm", "systemd"},
			{"uname -n", "node.example"},
			{"grep NoNewPrivs /proc/self/status; echo x 2>/dev/null >/proc/version || echo refused", "NoNewPrivs:\t0\nrefused"},
		})
	}
	says(t, s, RunOptions{}, [][2]string{
		{"hostname transient", ""},
		{"rm -r /lib/modules/*; uname -rn", "transient " + release},
		{"su -s /bin/sh nobody -c 'hostname x' 2>/dev/null || uname -n", "transient"},
	})
}

// bzImage is the beginning of a kernel that bears a text.
func bzImage(banner string) []byte {
	image := make([]byte, 0x400)
	copy(image[0x202:], "HdrS")
	binary.LittleEndian.PutUint16(image[0x20e:], 0x100)
	return append(append(image[:0x300], banner...), 0)
}

// Nothing in a tree that only looks like a kernel or a name keeps the agent.
func TestIdentityOfHostileTrees(t *testing.T) {
	for name, command := range map[string]string{
		"endless":   "mkdir -p /boot /lib/modules/1.2.3; ln -s /dev/zero /boot/vmlinuz-1.2.3; ln -s /dev/zero /etc/hostname",
		"pipes":     "mkdir -p /boot /lib/modules/1.2.3; mknod /boot/vmlinuz-1.2.3 p; mknod /etc/hostname p",
		"loops":     "mkdir -p /boot /lib/modules/1.2.3; ln -s x /boot/vmlinuz-1.2.3; ln -s /sbin/init /sbin/init; ln -s hostname /etc/hostname",
		"long":      "mkdir -p /lib/modules/1.2.3; head -c 1000000 /dev/zero >/etc/hostname",
		"directory": "mkdir -p /boot/vmlinuz-1.2.3 /lib/modules/1.2.3 /etc/hostname",
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: t.TempDir()})
			if _, err := sh(t, s, "mkdir /sbin; "+command, RunOptions{}); err != nil {
				t.Fatal(err)
			}
			says(t, s, RunOptions{}, [][2]string{{"uname -rvn", "localhost 1.2.3 #1 SMP"}})
		})
	}
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: t.TempDir()})
	says(t, s, RunOptions{}, [][2]string{{"mkdir -p /usr/lib; mknod /usr/lib/modules p; uname -s", "Linux"}})
}
