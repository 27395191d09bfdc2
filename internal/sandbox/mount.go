package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

// mountTree mounts what the spec asks for in this process's mount namespace,
// which is new, and makes it the root.
func mountTree(spec Spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	root := filepath.Join(spec.Scratch, "root")
	if err := os.Mkdir(root, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make mount point: %w", err)
	}
	if err := mountLayers(spec, root); err != nil {
		return err
	}
	if !spec.Bare {
		if err := mountSystem(spec, root); err != nil {
			return err
		}
	}
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("enter tree: %w", err)
	}
	// The old root ends up on top of the new one, and is then let go.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("make tree the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the old root: %w", err)
	}
	return unix.Chdir("/")
}

// mountLayers mounts the layers' directories as one tree at root. Devices in it
// can be made and kept but not opened: they are for the cluster node.
func mountLayers(spec Spec, root string) error {
	switch {
	case len(spec.Lower) == 0:
		return bind(spec.Upper, root, unix.MS_NODEV)
	case len(spec.Lower) == 1 && spec.Upper == "":
		return bind(spec.Lower[0], root, unix.MS_RDONLY|unix.MS_NODEV)
	}
	work := ""
	if spec.Upper != "" {
		work = filepath.Join(spec.Scratch, "work")
		if err := os.Mkdir(work, 0o700); err != nil {
			return fmt.Errorf("make overlay's work directory: %w", err)
		}
	}
	return mountOverlay(root, spec.Lower, spec.Upper, work)
}

// mountOverlay mounts lower directories, the topmost first, with upper on top
// unless it is empty, at target.
func mountOverlay(target string, lower []string, upper, work string) error {
	// The option string holds one page, so name the directories from a common
	// parent: fifty layers fit.
	base := commonParent(lower)
	names := make([]string, len(lower))
	for i, dir := range lower {
		rel, err := filepath.Rel(base, dir)
		if err != nil {
			return err
		}
		names[i] = escape(rel)
	}
	// Whatever the kernel's defaults, layers keep the form that other tools read.
	options := []string{"lowerdir=" + strings.Join(names, ":"), "index=off", "metacopy=off", "redirect_dir=off"}
	if upper != "" {
		options = append(options, "upperdir="+escape(upper), "workdir="+escape(work), "volatile")
	}
	if InUserNamespace() {
		options = append(options, "userxattr")
		options = remove(options, "index=off", "metacopy=off", "redirect_dir=off")
	}
	if err := unix.Chdir(base); err != nil {
		return fmt.Errorf("mount overlay: %w", err)
	}
	err := unix.Mount("overlay", target, "overlay", unix.MS_NODEV, strings.Join(options, ","))
	if errors.Is(err, unix.EINVAL) {
		// Kernels before 5.10 know no volatile.
		err = unix.Mount("overlay", target, "overlay", unix.MS_NODEV, strings.Join(remove(options, "volatile"), ","))
	}
	if err != nil {
		return fault.New(fault.Machine, "mount overlay on %s: %w", target, err).
			WithHint("overlayfs needs a file system such as ext4 or xfs below the store, not another overlay; 'strata doctor' tests it")
	}
	return nil
}

func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`).Replace(path)
}

func remove(list []string, unwanted ...string) []string {
	var kept []string
next:
	for _, s := range list {
		for _, u := range unwanted {
			if s == u {
				continue next
			}
		}
		kept = append(kept, s)
	}
	return kept
}

func commonParent(dirs []string) string {
	common := filepath.Dir(dirs[0])
	for _, dir := range dirs[1:] {
		for common != "/" && !strings.HasPrefix(dir, common+"/") {
			common = filepath.Dir(common)
		}
	}
	return common
}

// mountSystem mounts /proc, /sys, /dev, /run and /tmp in the tree at root.
func mountSystem(spec Spec, root string) error {
	for _, m := range []struct {
		dir   string
		mount func(target string) error
	}{
		{"proc", mountProc},
		{"sys", mountSys},
		{"dev", mountDev},
		{"run", func(target string) error { return tmpfs(target, "mode=755") }},
		{"tmp", func(target string) error { return scratchDir(spec.Scratch, "tmp", target) }},
		{"var/tmp", func(target string) error { return scratchDir(spec.Scratch, "var-tmp", target) }},
	} {
		target, err := mountPoint(root, m.dir)
		if err != nil {
			return err
		}
		if err := m.mount(target); err != nil {
			return fmt.Errorf("mount /%s: %w", m.dir, err)
		}
	}
	// /run is now ours and empty: names below it can be trusted.
	for _, dir := range []string{"run/lock", "run/strata"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for _, m := range spec.Mounts {
		if err := mountExtra(m, root); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	return nil
}

// mountPoint checks a directory of the tree, which it makes if need be, and
// returns its path. A link on the way is refused: it could point to this
// machine's own directories. Nobody else writes to the tree meanwhile.
func mountPoint(root, dir string) (string, error) {
	path := root
	for name := range strings.SplitSeq(dir, "/") {
		path += "/" + name
		err := os.Mkdir(path, 0o755)
		if err != nil && !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("make /%s of the tree: %w", dir, err)
		}
		st, err := os.Lstat(path)
		if err != nil {
			return "", fmt.Errorf("look at /%s of the tree: %w", dir, err)
		}
		if !st.IsDir() {
			return "", fault.New(fault.Failed, "/%s of the tree is not a directory", dir).
				WithHint("a step or the first layer made it a link or a file; it must be a directory to build on")
		}
	}
	return path, nil
}

func bind(source, target string, flags uintptr) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s: %w", source, err)
	}
	if flags == 0 {
		return nil
	}
	return restrict(target, flags)
}

// untrusted is what no mount may do that is there for data only.
const untrusted = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// restrict adds flags to a mount and to all below it. Only MS_RDONLY, MS_NOSUID,
// MS_NODEV and MS_NOEXEC will do: mount_setattr(2) has the same numbers for them.
func restrict(target string, flags uintptr) error {
	attr := unix.MountAttr{Attr_set: uint64(flags)}
	if unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &attr) == nil {
		return nil
	}
	return remount(target, flags) // before Linux 5.12 there is no such call
}

// remount adds flags to a bind mount, keeping those that a user namespace has
// locked on it.
func remount(target string, flags uintptr) error {
	var st unix.Statfs_t
	if err := unix.Statfs(target, &st); err != nil {
		return err
	}
	for mounted, flag := range map[int64]uintptr{
		unix.ST_NOSUID: unix.MS_NOSUID, unix.ST_NODEV: unix.MS_NODEV, unix.ST_NOEXEC: unix.MS_NOEXEC,
		unix.ST_NOATIME: unix.MS_NOATIME, unix.ST_NODIRATIME: unix.MS_NODIRATIME, unix.ST_RELATIME: unix.MS_RELATIME,
	} {
		if st.Flags&mounted != 0 {
			flags |= flag
		}
	}
	return unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|flags, "")
}

func tmpfs(target, options string) error {
	return unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options)
}

// scratchDir mounts a directory on disk: what steps put in /tmp may be large.
func scratchDir(scratch, name, target string) error {
	dir := filepath.Join(scratch, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		return err
	}
	return bind(dir, target, unix.MS_NODEV)
}

func mountProc(target string) error {
	const flags = untrusted
	if err := unix.Mount("proc", target, "proc", flags, ""); err != nil {
		if !errors.Is(err, unix.EPERM) {
			return err
		}
		// In a container whose own /proc is masked the kernel allows no new one.
		if err := bind("/proc", target, flags); err != nil {
			return err
		}
	}
	// Root in a sandbox must not turn this machine's knobs.
	for _, name := range []string{"sys", "sysrq-trigger", "irq", "bus"} {
		path := target + "/" + name
		if err := bind(path, path, unix.MS_RDONLY); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

func mountSys(target string) error {
	const flags = untrusted | unix.MS_RDONLY
	err := unix.Mount("sysfs", target, "sysfs", flags, "")
	if errors.Is(err, unix.EPERM) {
		// A user namespace has no sysfs of its own while it shares the network.
		err = bind("/sys", target, flags)
	}
	if err != nil {
		return err
	}
	// Who made this machine, its serial numbers and how it boots are nothing
	// that an image for others may depend on.
	for _, dir := range []string{"devices/virtual/dmi", "firmware"} {
		err := unix.Mount("tmpfs", target+"/"+dir, "tmpfs", flags, "mode=755,size=4k")
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("hide /sys/%s: %w", dir, err)
		}
	}
	return nil
}

// mountDev mounts a directory with the few devices that programs need. Each is a
// mount of its own, so that no other can be opened: not one that a step makes.
func mountDev(target string) error {
	if err := tmpfs(target, "mode=755"); err != nil {
		return err
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		path := target + "/" + name
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			return err
		}
		if err := bind("/dev/"+name, path, unix.MS_NOSUID|unix.MS_NOEXEC); err != nil {
			return err
		}
	}
	for name, link := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
		"ptmx": "pts/ptmx",
	} {
		if err := os.Symlink(link, target+"/"+name); err != nil {
			return err
		}
	}
	for _, dir := range []string{"pts", "shm"} {
		if err := os.Mkdir(target+"/"+dir, 0o755); err != nil {
			return err
		}
	}
	// Terminals are devices, and the kernel alone makes them there.
	const options = "newinstance,ptmxmode=0666,mode=0620"
	err := unix.Mount("devpts", target+"/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, options+",gid=5")
	if errors.Is(err, unix.EINVAL) { // group 5 is not mapped
		err = unix.Mount("devpts", target+"/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, options)
	}
	if err != nil {
		return err
	}
	return tmpfs(target+"/shm", "mode=1777")
}

// mountExtra binds a directory or file below /run of the tree.
func mountExtra(m Mount, root string) error {
	if !strings.HasPrefix(m.Target, "/run/") || m.Target != filepath.Clean(m.Target) {
		return errors.New("a mount's target is below /run")
	}
	target := root + m.Target
	st, err := os.Stat(m.Source)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, nil, 0o600); err != nil {
			return err
		}
		return bind(m.Source, target, extraFlags(m))
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if m.Scratch == "" {
		return bind(m.Source, target, extraFlags(m))
	}
	upper, work := filepath.Join(m.Scratch, "upper"), filepath.Join(m.Scratch, "work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := mountOverlay(target, []string{m.Source}, upper, work); err != nil {
		return err
	}
	return restrict(target, untrusted)
}

func extraFlags(m Mount) uintptr {
	if m.ReadOnly {
		return untrusted | unix.MS_RDONLY
	}
	return untrusted
}
