package sandbox

import (
	"bytes"
	"context"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ignore has this process ignore a signal that package signal does not know.
func ignore(signal syscall.Signal) {
	ignored := [4]uint64{1} // SIG_IGN
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal), uintptr(unsafe.Pointer(&ignored)), 0, 8, 0, 0)
}

// A program in a tree inherits nothing of how the builder was started.
func TestNothingOfTheBuilderIsInherited(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	umask := unix.Umask(0o077)
	signal.Ignore(syscall.SIGHUP, syscall.SIGQUIT)
	ignore(syscall.SIGTSTP)
	ignore(32) // as make does
	t.Setenv("TZ", "Asia/Tokyo")
	if err := syscall.Setrlimit(unix.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 700, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	tree := busyboxTree(t)
	s := start(t, Spec{Lower: []string{tree}, Upper: t.TempDir()})
	unix.Umask(umask)
	signal.Reset(syscall.SIGHUP, syscall.SIGQUIT)
	ownSignals()
	if err := syscall.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	var ignored bytes.Buffer // asked without busybox' shell, which ignores one itself
	if err := s.Run(context.Background(), Cmd{Args: []string{"grep", "SigIgn", "/proc/self/status"}, Stdout: &ignored}, RunOptions{}); err != nil || strings.Trim(ignored.String(), "SigIn:0\t\n") != "" {
		t.Errorf("signals that are ignored: %s, %v", ignored.String(), err)
	}
	for _, opts := range []RunOptions{{}, {NoNetwork: true}} {
		says(t, s, opts, [][2]string{
			{"umask", "0022"},
			{"ulimit -S -n", "1024"},
			{"ulimit -S -c", "0"},
			{"ulimit -S -s", "8192"},
			{"echo $TZ$LANG", "C.UTF-8"},
			{"date +%Z", "UTC"},
			{"cat /proc/self/personality", "00000000"},
			{"(sh -c 'kill -TERM $$; echo still there') || true", ""},
		})
	}
}
