package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// loadAverage is the machine's load over one, five and fifteen minutes.
func loadAverage() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(content))[:3], " ")
}

// field returns the value of the first line "NAME : value" of a file.
func field(path, name, separator string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(content)) {
		key, value, ok := strings.Cut(line, separator)
		if ok && strings.TrimSpace(key) == name {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return "unknown"
}

// describeMachine says what the numbers depend on. It names no host and no path.
func describeMachine(l *lab) []string {
	var uts unix.Utsname
	release := "unknown"
	if unix.Uname(&uts) == nil {
		release = unix.ByteSliceToString(uts.Release[:])
		release, _, _ = strings.Cut(release, "-")
	}
	memory := "unknown"
	var kib float64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal", ":"), &kib); err == nil {
		memory = fmt.Sprintf("%.0f GiB", kib/(1<<20))
	}
	virtual := ""
	if content, err := os.ReadFile("/proc/cpuinfo"); err == nil && strings.Contains(string(content), "hypervisor") {
		virtual = ", a virtual machine"
	}
	lines := []string{
		fmt.Sprintf("%s, %d cores, %s of memory%s", field("/proc/cpuinfo", "model name", ":"), runtime.NumCPU(), memory, virtual),
		fmt.Sprintf("%s, Linux %s, %s below the stores", field("/etc/os-release", "PRETTY_NAME", "="), release, fileSystem(l.dir)),
		"load average at the start " + l.load + ", at the end " + loadAverage(),
	}
	return append(lines, versions())
}

func fileSystem(dir string) string {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return "an unknown file system"
	}
	names := map[int64]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs"}
	if name, ok := names[st.Type]; ok {
		return name
	}
	return fmt.Sprintf("file system %#x", st.Type)
}

// versions are those of the peers.
func versions() string {
	var all []string
	for _, p := range []string{"buildah", "skopeo", "ansible-core", "ansible", "mmdebstrap", "squashfs-tools", "erofs-utils", "docker-registry"} {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", p).Output()
		if err == nil {
			version, _, _ := strings.Cut(string(out), "+")
			all = append(all, p+" "+version)
		}
	}
	return strings.Join(all, ", ") + ", built with " + runtime.Version()
}
