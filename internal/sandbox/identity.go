package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

// identity is what a sandbox says of itself: the kernel, the first process and
// the host's name are those that the tree would have as a booted system, as far
// as the tree decides. What it does not decide is the same on every machine
// that builds, but for a tree without a kernel, which sees the machine's.
//
// It follows the tree: a step may install a kernel or systemd, and what it does
// next sees them.
type identity struct {
	mu       sync.Mutex
	machine  kernel // of the machine that builds
	shown    kernel
	files    map[string]*os.File // stand over files of /proc
	hostname string              // of /etc/hostname, when it was last looked at
	init     string
}

// kernel is how a kernel introduces itself.
type kernel struct{ release, version, banner string }

// defaultHostname is the name of a system that was given none: systemd's too.
const defaultHostname = "localhost"

// Places where /proc tells of the kernel.
const (
	procRelease = "/proc/sys/kernel/osrelease"
	procVersion = "/proc/sys/kernel/version"
	procBanner  = "/proc/version"
	procCmdline = "/proc/cmdline"
)

// begin gives the sandbox its identity. The process is in the tree.
func (id *identity) begin() error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	banner, err := os.ReadFile(procBanner)
	if err != nil {
		return err
	}
	id.machine = kernel{unix.ByteSliceToString(name.Release[:]), unix.ByteSliceToString(name.Version[:]), string(banner)}
	if id.files, err = standOver(procRelease, procVersion, procBanner, procCmdline); err != nil {
		return err
	}
	// What the machine was booted with is not what the cluster node will be.
	if err := rewrite(id.files[procCmdline], "\n"); err != nil {
		return err
	}
	id.hostname = defaultHostname
	if err := nameHost(id.hostname); err != nil {
		return err
	}
	if err := unix.Setdomainname([]byte("(none)")); err != nil {
		return fmt.Errorf("set domain name: %w", err)
	}
	return id.follow()
}

func nameHost(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fault.New(fault.Machine, "set host name: %w", err).
			WithHint("a container's seccomp profile forbids it: run the container with --security-opt seccomp=unconfined")
	}
	return nil
}

// standOver puts files of memory over files of /proc, in which programs of the
// tree only read, and returns them to be written.
func standOver(paths ...string) (map[string]*os.File, error) {
	const place = "/run/strata"
	if err := tmpfs(place, "mode=755,size=64k"); err != nil {
		return nil, fmt.Errorf("mount %s: %w", place, err)
	}
	defer func() { _ = unix.Unmount(place, unix.MNT_DETACH) }() // the files stay where they are bound
	files := map[string]*os.File{}
	for _, path := range paths {
		own := filepath.Join(place, filepath.Base(filepath.Dir(path))+"-"+filepath.Base(path))
		f, err := os.OpenFile(own, os.O_RDWR|os.O_CREATE, 0o444)
		if err != nil {
			return nil, err
		}
		files[path] = f
		if err := bind(own, path, untrusted|unix.MS_RDONLY); err != nil {
			return nil, fmt.Errorf("stand over %s: %w", path, err)
		}
	}
	return files, nil
}

// rewrite replaces the content of a file, which is short.
func rewrite(f *os.File, content string) error {
	if _, err := f.WriteAt([]byte(content), 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(content)))
}

// follow brings the identity up to what the tree has now.
func (id *identity) follow() error {
	id.mu.Lock()
	defer id.mu.Unlock()
	if id.files == nil {
		return nil // a bare tree: it runs no programs
	}
	if err := id.followKernel(); err != nil {
		return fmt.Errorf("follow the tree's kernel: %w", err)
	}
	if name := initName(); name != id.init {
		if err := os.WriteFile("/proc/self/comm", []byte(name), 0); err != nil {
			return fmt.Errorf("follow the tree's init: %w", err)
		}
		id.init = name
	}
	// A name that was set by sethostname stays until the file says another.
	if name := hostnameOf("/etc/hostname"); name != id.hostname {
		if err := nameHost(name); err != nil {
			return err
		}
		id.hostname = name
	}
	return nil
}

func (id *identity) followKernel() error {
	release, err := KernelIn("/")
	if err != nil {
		release = "" // such as a link in place of the directory
	}
	k := id.machine
	if release != "" {
		k = kernel{release: cut(release), version: cut(kernelVersion(release))}
		k.banner = fmt.Sprintf("Linux version %s %s\n", k.release, k.version)
	}
	if k == id.shown {
		return nil
	}
	for path, content := range map[string]string{procRelease: k.release + "\n", procVersion: k.version + "\n", procBanner: k.banner} {
		if err := rewrite(id.files[path], content); err != nil {
			return err
		}
	}
	id.shown = k
	return nil
}

// cut shortens a text to what a field of uname(2) holds.
func cut(s string) string { return s[:min(len(s), 64)] }

// initName is what the kernel's list of processes calls the tree's init. systemd
// gives itself its name; others are called as the kernel starts them.
func initName() string {
	target, err := filepath.EvalSymlinks("/sbin/init")
	if err != nil {
		target, _ = os.Readlink("/sbin/init")
	}
	if filepath.Base(target) == "systemd" {
		return "systemd"
	}
	return "init"
}

var validHostname = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$`)

// hostnameOf reads a hostname(5) file of the tree that this process is in.
func hostnameOf(path string) string {
	f, err := openIn("/", path, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return defaultHostname
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return defaultHostname
	}
	content := make([]byte, 4096)
	n, _ := f.Read(content)
	for line := range bytes.Lines(content[:n]) {
		name := strings.TrimSpace(string(line))
		if name == "" || name[0] == '#' {
			continue
		}
		if validHostname.MatchString(name) {
			return name
		}
		break
	}
	return defaultHostname
}

// Calls of 32-bit programs, the same on x86 and ARM.
const (
	compatUname       = 122
	compatSethostname = 74
)

// answer puts a filter on this thread so that the identity answers uname(2), for
// it and all that it starts: scripts, os.uname in Python and static programs
// alike.
func (id *identity) answer() error {
	filter := onCalls(unix.SECCOMP_RET_USER_NOTIF, nativeArch(), unix.SYS_UNAME, unix.SYS_SETHOSTNAME)
	filter[1].Jf = uint8(len(filter) - 2) // another architecture: on to what follows
	filter = append(filter, onCalls(unix.SECCOMP_RET_USER_NOTIF, compatArch(), compatUname, compatSethostname)...)
	listener, err := addFilter(filter, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	if err != nil {
		return fault.New(fault.Machine, "answer uname: %w", err).
			WithHint("seccomp's user notification is missing, or a container's profile forbids it: Linux 5.0 has it")
	}
	unix.CloseOnExec(listener)
	go serveCalls(listener, func(notif *seccompNotif) seccompNotifResp {
		if notif.data.nr == unix.SYS_UNAME || notif.data.nr == compatUname && notif.data.arch == compatArch() {
			return id.answerUname(listener, notif)
		}
		return answerSethostname(listener, notif)
	})
	return nil
}

// answerUname writes the answer into the memory of the process that asked.
func (id *identity) answerUname(listener int, notif *seccompNotif) seccompNotifResp {
	var name unix.Utsname
	if id.follow() != nil || unix.Uname(&name) != nil {
		return seccompNotifResp{flags: notifContinue}
	}
	id.mu.Lock()
	shown := id.shown
	id.mu.Unlock()
	name.Release, name.Version = [65]byte{}, [65]byte{}
	copy(name.Release[:], shown.release)
	copy(name.Version[:], shown.version)
	if !waiting(listener, notif) {
		return seccompNotifResp{}
	}
	err := transfer(unix.ProcessVMWritev, notif, unsafe.Slice((*byte)(unsafe.Pointer(&name)), unsafe.Sizeof(name)))
	if err == unix.EFAULT {
		return seccompNotifResp{error: -int32(unix.EFAULT)}
	}
	if err != nil { // a security module forbids it
		return seccompNotifResp{flags: notifContinue}
	}
	return seccompNotifResp{}
}

// answerSethostname names the sandbox, whose name is nobody else's, for root of
// the tree: it lacks the capability, which would let it mount too.
func answerSethostname(listener int, notif *seccompNotif) seccompNotifResp {
	size := notif.data.args[1]
	if size > 64 {
		return seccompNotifResp{error: -int32(unix.EINVAL)}
	}
	var st unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d", notif.pid), &st); err != nil || st.Uid != 0 || !waiting(listener, notif) {
		return seccompNotifResp{error: -int32(unix.EPERM)}
	}
	name := make([]byte, size)
	if err := transfer(unix.ProcessVMReadv, notif, name); err != nil {
		return seccompNotifResp{error: -int32(unix.EFAULT)}
	}
	if err := unix.Sethostname(name); err != nil {
		return seccompNotifResp{error: -int32(unix.EPERM)}
	}
	return seccompNotifResp{}
}

// transfer copies between a buffer and what a call's first argument points to.
func transfer(call func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), notif *seccompNotif, buf []byte) error {
	if len(buf) == 0 {
		return nil
	}
	local := unix.Iovec{Base: &buf[0]}
	local.SetLen(len(buf))
	n, err := call(int(notif.pid), []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(notif.data.args[0]), Len: len(buf)}}, 0)
	if err == nil && n != len(buf) {
		return unix.EFAULT
	}
	return err
}
