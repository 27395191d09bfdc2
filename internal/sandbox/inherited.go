package sandbox

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What processes inherit from the one that starts them must not be the
// builder's: neither do its shell's settings belong into a layer, nor can a
// step rely on them.

// ownLimits sets the resource limits to what systemd gives a service, where the
// hard limits of the builder allow it.
func ownLimits() error {
	const (
		unlimited = ^uint64(0)
		mebibyte  = 1 << 20
	)
	for resource, l := range map[int]syscall.Rlimit{
		unix.RLIMIT_NOFILE: {Cur: 1024, Max: 524288},
		unix.RLIMIT_STACK:  {Cur: 8 * mebibyte, Max: unlimited},
		unix.RLIMIT_CORE:   {Cur: 0, Max: unlimited},
		unix.RLIMIT_FSIZE:  {Cur: unlimited, Max: unlimited},
		unix.RLIMIT_CPU:    {Cur: unlimited, Max: unlimited},
		unix.RLIMIT_AS:     {Cur: unlimited, Max: unlimited},
		unix.RLIMIT_DATA:   {Cur: unlimited, Max: unlimited},
	} {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(resource, &now); err != nil {
			return fmt.Errorf("read resource limit %d: %w", resource, err)
		}
		l.Max = min(l.Max, now.Max)
		l.Cur = min(l.Cur, l.Max)
		// This one also keeps Go from giving programs the number of files that it was started with.
		if err := syscall.Setrlimit(resource, &l); err != nil {
			return fmt.Errorf("set resource limit %d: %w", resource, err)
		}
	}
	return nil
}

// ownPersonality undoes what setarch(8) may have set, for this thread and what
// it starts.
func ownPersonality() {
	_, _, _ = unix.Syscall(unix.SYS_PERSONALITY, 0, 0, 0)
}

// ownSignals makes this process heed the signals that Go leaves as they were when
// it was started, so that what it starts heeds them too: those of job control, and
// those that C libraries use among their threads. make, for one, starts programs
// with some of them ignored (posix_spawn of glibc before 2.38).
func ownSignals() {
	var byDefault [4]uint64 // struct sigaction of the kernel; 0 is SIG_DFL
	for _, signal := range []uintptr{uintptr(syscall.SIGCONT), uintptr(syscall.SIGTSTP), uintptr(syscall.SIGTTIN), uintptr(syscall.SIGTTOU), 32, 33, 34} {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, signal, uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
	}
}
