package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/sandbox"
)

func checkKernel(_ context.Context, m machine, _ Options) []Finding {
	kernel := Finding{Name: "kernel", Level: OK, Message: "Linux " + m.release, Needed: "overlay mounts without root from 5.11 on"}
	if m.namespaced && !atLeast(m.release, "5.11") {
		// Not missing: distributions carry it back, and overlay is tried.
		kernel.Level = Warning
		kernel.Message += " is older than 5.11"
		kernel.Hint = "build as root, or on a newer kernel, unless 'overlay' below works"
	}
	open := Finding{Name: "openat2", Level: OK, Message: "works", Needed: "reading files of an image without following its links onto this machine"}
	if err := m.openat2(); err != nil {
		open.Level, open.Message = Missing, err.Error()
		open.Hint = "it needs Linux 5.6 or newer; in a container, a seccomp profile that knows openat2 (a newer runtime, or seccomp=unconfined)"
	}
	return []Finding{kernel, open}
}

// containerNeeds is what a container must be given so that Strata builds in it.
const containerNeeds = "a container needs user namespaces and mounts allowed by its seccomp and AppArmor profiles " +
	"(--security-opt seccomp=unconfined --security-opt apparmor=unconfined), CAP_SETUID and CAP_SETGID for newuidmap, " +
	"65536 ids besides its own, and the store on a volume"

func checkContainer(_ context.Context, m machine, _ Options) []Finding {
	kind := containerKind(m)
	if kind == "" {
		return nil
	}
	return []Finding{{
		Name: "container", Level: Note, Message: "this is a " + kind + " container", Needed: "knowing what it must allow",
	}}
}

// containerKind names the sort of container that this machine is, or "".
func containerKind(m machine) string {
	switch {
	case m.exists("/run/.containerenv"):
		return "podman"
	case m.exists("/.dockerenv"):
		return "docker"
	case m.exists("/var/run/secrets/kubernetes.io"):
		return "kubernetes"
	}
	return m.read("/run/systemd/container")
}

func checkNamespaces(_ context.Context, m machine, opts Options) []Finding {
	f := Finding{Name: "user namespaces", Level: OK, Message: "work", Needed: "building without root"}
	hint := namespaceHint(m)
	if hint == "" && containerKind(m) != "" && m.idsLacking() == "" {
		hint = containerNeeds
	}
	switch {
	case !m.namespaced:
		f.Message = "not needed: this is root"
	case opts.Namespace != nil:
		f.Level, f.Message, f.Hint = Missing, opts.Namespace.Error(), hint
		if hint == "" {
			f.Hint = "see 'subordinate ids' and 'newuidmap'"
		}
	case !m.admin && hint != "":
		f.Level, f.Message, f.Hint = Missing, "switched off", hint
	case !m.admin:
		f.Level, f.Message = Note, "not tried"
	}
	return []Finding{f}
}

// namespaceHint names the setting that forbids user namespaces, or "".
func namespaceHint(m machine) string {
	switch {
	case m.read("/proc/sys/kernel/unprivileged_userns_clone") == "0":
		return "as root: sysctl -w kernel.unprivileged_userns_clone=1 (and in /etc/sysctl.d to keep it)"
	case m.read("/proc/sys/user/max_user_namespaces") == "0":
		return "as root: sysctl -w user.max_user_namespaces=15000 (and in /etc/sysctl.d to keep it)"
	case m.read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
		return "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (and in /etc/sysctl.d to keep it), or an AppArmor profile for strata with 'userns,'"
	}
	return ""
}

func checkSubordinateIDs(_ context.Context, m machine, _ Options) []Finding {
	f := Finding{Name: "subordinate ids", Level: OK, Needed: "the users and groups of an image, when building without root"}
	if !m.namespaced || m.uid == 0 {
		f.Message = "not needed: this is root"
		return []Finding{f}
	}
	f.Message = fmt.Sprintf("%s has %d user ids and %d group ids", m.user, m.subordinate("/etc/subuid"), m.subordinate("/etc/subgid"))
	if m.idsLacking() != "" {
		f.Level = Missing
		f.Message += fmt.Sprintf(", and needs %d of each", sandbox.NeededIDs)
		f.Hint = "as root: " + sandbox.GiveIDs(m.root, m.user)
	}
	return []Finding{f}
}

// idsLacking names the file in which the user has too few ids, or is "".
func (m machine) idsLacking() string {
	for _, path := range []string{"/etc/subuid", "/etc/subgid"} {
		// The user's own id is one more.
		if m.uid != 0 && m.subordinate(path)+1 < sandbox.NeededIDs {
			return path
		}
	}
	return ""
}

// subordinate counts the user's ids in a file of subuid(5)'s format.
func (m machine) subordinate(path string) int {
	sum := 0
	for line := range strings.Lines(m.read(path)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 || fields[0] != m.user && fields[0] != strconv.Itoa(m.uid) {
			continue
		}
		if n, err := strconv.Atoi(fields[2]); err == nil {
			sum += n
		}
	}
	return sum
}

func checkIDTools(_ context.Context, m machine, _ Options) []Finding {
	f := Finding{
		Name: "newuidmap", Level: OK, Needed: "using subordinate ids",
		Install: packages{debian: "uidmap", el: "shadow-utils", suse: "shadow"}.commands(),
	}
	if !m.namespaced || m.uid == 0 {
		f.Message = "not needed: this is root"
		return []Finding{f}
	}
	var paths []string
	for _, name := range []string{"newuidmap", "newgidmap"} {
		path, ok := m.lookPath(name)
		if !ok {
			f.Level, f.Message = Missing, name+" is not installed"
			return []Finding{f}
		}
		info, err := fs.Stat(m.root, strings.TrimPrefix(path, "/"))
		if err != nil || info.Mode()&fs.ModeSetuid == 0 && !m.fileCaps(path) {
			f.Level, f.Message = Missing, path+" is neither setuid nor has it capabilities"
			f.Hint = "as root: chmod u+s " + path
			return []Finding{f}
		}
		paths = append(paths, path)
	}
	f.Message = strings.Join(paths, ", ")
	return []Finding{f}
}

func checkKVM(ctx context.Context, m machine, opts Options) []Finding {
	f := Finding{Name: "kvm", Level: OK, Message: "/dev/kvm can be opened", Needed: "fast boot tests; without it guests are translated, some twenty times slower"}
	switch err := m.openKVM(); {
	case !m.exists("/dev/kvm"):
		f.Level, f.Message = Note, "this machine has no /dev/kvm"
	case err != nil:
		f.Level, f.Message = Warning, err.Error()
		f.Hint = fmt.Sprintf("as root: usermod -aG kvm %s, then log in again", m.user)
	case opts.ProbeKVM != nil:
		works, err := opts.ProbeKVM(ctx)
		if err != nil {
			f.Level, f.Message = Warning, err.Error()
		} else if !works {
			f.Level, f.Message = Note, "/dev/kvm is there, but a guest does not run with it"
		} else {
			f.Message = "a guest runs"
		}
	}
	return []Finding{f}
}
