package sandbox

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Instructions of a seccomp filter, which sees a struct seccomp_data.
const (
	nrOffset   = 0
	archOffset = 4
	jumpEqual  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	load       = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	ret        = unix.BPF_RET | unix.BPF_K
)

// onCalls is a filter that gives a verdict on the calls that are listed for an
// architecture, and lets all others pass.
func onCalls(verdict uint32, arch uint32, calls ...uint32) []unix.SockFilter {
	n := uint8(len(calls))
	filter := []unix.SockFilter{
		{Code: load, K: archOffset},
		{Code: jumpEqual, Jf: n + 1, K: arch},
		{Code: load, K: nrOffset},
	}
	for i, call := range calls {
		filter = append(filter, unix.SockFilter{Code: jumpEqual, Jt: n - uint8(i), K: call})
	}
	return append(filter,
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: ret, K: verdict},
	)
}

// addFilter puts a filter on this thread and on what it starts. With
// CAP_SYS_ADMIN in the user namespace that needs no no_new_privs, which would
// keep su and sudo from working.
func addFilter(filter []unix.SockFilter, flags uintptr) (fd int, err error) {
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// nativeArch and compatArch are what a filter calls this machine's own calls
// and those of its 32-bit programs.
func nativeArch() uint32 {
	if runtime.GOARCH == "arm64" {
		return unix.AUDIT_ARCH_AARCH64
	}
	return unix.AUDIT_ARCH_X86_64
}

func compatArch() uint32 {
	if runtime.GOARCH == "arm64" {
		return unix.AUDIT_ARCH_ARM
	}
	return unix.AUDIT_ARCH_I386
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
	notifContinue     = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE: let the kernel answer
)

// serveCalls lets answer deal with each call that a listener hears of, until
// the processes with its filter are gone: seccomp_unotify(2).
func serveCalls(listener int, answer func(notif *seccompNotif) seccompNotifResp) {
	for {
		var notif seccompNotif
		if err := ioctl(listener, ioctlNotifRecv, unsafe.Pointer(&notif)); err != nil {
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) {
				continue
			}
			return
		}
		resp := answer(&notif)
		resp.id = notif.id
		_ = ioctl(listener, ioctlNotifSend, unsafe.Pointer(&resp))
	}
}

// waiting says whether the process that made a call still waits for the answer:
// its id is not yet another's.
func waiting(listener int, notif *seccompNotif) bool {
	return ioctl(listener, ioctlNotifIDValid, unsafe.Pointer(&notif.id)) == nil
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}
