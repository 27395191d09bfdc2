package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// launchVariable holds the request that the launcher is to carry out.
const launchVariable = "STRATA_LAUNCH"

// launchMain starts a program in conditions that only the process itself can
// set up: a network of its own, or another answer from uname. The agent starts
// it with all capabilities; the program gets the usual ones.
func launchMain() {
	runtime.LockOSThread() // namespaces, capabilities and filters belong to threads
	var req request
	status, err := 126, json.Unmarshal([]byte(os.Getenv(launchVariable)), &req)
	if err == nil {
		status, err = launch(req)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if s, ok := startStatus(err); ok {
			status = s
		}
	}
	os.Exit(status)
}

func launch(req request) (int, error) {
	if req.Network == "none" {
		if err := ownNetwork(); err != nil {
			return 126, err
		}
	}
	path, err := lookPath(req.Args[0], req.Env)
	if err != nil {
		return 127, err
	}
	if req.Dir != "" {
		if err := os.Chdir(req.Dir); err != nil {
			return 126, err
		}
	}
	forgetSyncs()
	if err := limitCapabilities(); err != nil {
		return 126, err
	}
	if req.Uname != "" {
		return runWithUname(path, req)
	}
	return 126, &os.PathError{Op: "start", Path: path, Err: syscall.Exec(path, req.Args, req.Env)}
}

// ownNetwork moves this thread to a network namespace with a loopback device.
func ownNetwork() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("take the network away: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("set up loopback: %w", err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("set up loopback: %w", err)
	}
	return nil
}

// runWithUname runs a program whose uname(2) is answered here, by way of
// seccomp's user notification (seccomp_unotify(2)): it works for scripts, for
// os.uname in Python and for static programs alike.
func runWithUname(path string, req request) (int, error) {
	listener, err := notifyUname()
	if err != nil {
		return 126, fmt.Errorf("answer uname: %w", err)
	}
	go answerUname(listener, req.Uname)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	// This thread has the filter, so what it starts has it.
	pid, err := syscall.ForkExec(path, req.Args, &syscall.ProcAttr{
		Env:   req.Env,
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 126, &os.PathError{Op: "start", Path: path, Err: err}
	}
	for {
		var ws syscall.WaitStatus
		_, err := syscall.Wait4(pid, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return 126, fmt.Errorf("wait for %s: %w", path, err)
		}
		return status(ws), nil
	}
}

// notifyUname puts a filter on this thread that sends uname to a listener.
func notifyUname() (int, error) {
	const (
		archOffset = 4 // of struct seccomp_data
		jumpEqual  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		load       = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		ret        = unix.BPF_RET | unix.BPF_K
	)
	filter := []unix.SockFilter{
		{Code: load, K: archOffset},
		{Code: jumpEqual, Jf: 3, K: auditArch()},
		{Code: load, K: 0},
		{Code: jumpEqual, Jf: 1, K: unix.SYS_UNAME},
		{Code: ret, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return 0, errno
	}
	unix.CloseOnExec(int(fd))
	return int(fd), nil
}

func auditArch() uint32 {
	if runtime.GOARCH == "arm64" {
		return unix.AUDIT_ARCH_AARCH64
	}
	return unix.AUDIT_ARCH_X86_64
}

// Structures and requests of linux/seccomp.h.
type (
	seccompData struct {
		nr                 int32
		arch               uint32
		instructionPointer uint64
		args               [6]uint64
	}
	seccompNotif struct {
		id    uint64
		pid   uint32
		flags uint32
		data  seccompData
	}
	seccompNotifResp struct {
		id    uint64
		val   int64
		error int32
		flags uint32
	}
)

const (
	ioctlNotifRecv    = 0xc0502100
	ioctlNotifSend    = 0xc0182101
	ioctlNotifIDValid = 0x40082102
)

// answerUname answers until the listener's processes are gone.
func answerUname(listener int, release string) {
	for {
		var notif seccompNotif
		if err := ioctl(listener, ioctlNotifRecv, unsafe.Pointer(&notif)); err != nil {
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) {
				continue
			}
			return
		}
		resp := seccompNotifResp{id: notif.id}
		if err := writeUname(listener, &notif, release); err != nil {
			resp.error = -int32(unix.EFAULT)
		}
		_ = ioctl(listener, ioctlNotifSend, unsafe.Pointer(&resp))
	}
}

// writeUname writes the answer into the memory of the process that asked.
func writeUname(listener int, notif *seccompNotif, release string) error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	name.Release = [65]byte{}
	copy(name.Release[:64], release)
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", notif.pid), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer mem.Close()
	// Now that its memory is open: is it still the process that asked?
	if err := ioctl(listener, ioctlNotifIDValid, unsafe.Pointer(&notif.id)); err != nil {
		return err
	}
	_, err = mem.WriteAt(unsafe.Slice((*byte)(unsafe.Pointer(&name)), unsafe.Sizeof(name)), int64(notif.data.args[0]))
	return err
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}
