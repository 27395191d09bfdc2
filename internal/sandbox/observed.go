package sandbox

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// observedMain is a program that is to be observed, until it becomes it: see
// Observer.Start for its arguments.
func observedMain() {
	status, err := observed(os.Args[1:])
	os.Stderr.WriteString(err.Error() + "\n")
	os.Exit(status)
}

func observed(args []string) (int, error) {
	if len(args) < 2 {
		return 126, errors.New("observe a program: arguments are missing")
	}
	count, err := strconv.Atoi(args[1])
	if err != nil || len(args) < 3+count {
		return 126, errors.New("observe a program: arguments are missing")
	}
	paths, own := args[2:2+count], args[2+count:]
	runtime.LockOSThread() // which the filter is on
	announce(args[0], own)
	err = error(unix.ENOENT)
	for _, path := range paths {
		if e := syscall.Exec(path, own, os.Environ()); e != unix.ENOENT && e != unix.ENOTDIR {
			err = &os.PathError{Op: "start", Path: path, Err: e}
		}
	}
	if errors.Is(err, unix.ENOENT) {
		return 127, err
	}
	return 126, err
}

// announce puts a filter on this thread, and tells the observer of it. What cannot
// be observed runs all the same.
func announce(socket string, args []string) {
	conn, err := dial(socket)
	if err != nil {
		return // it is not there any more: nobody wants to know
	}
	defer conn.Close()
	req, files := request{Op: "observe", Args: args}, []*os.File(nil)
	listener, err := addFilter(observing(fileCalls()), unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	if err != nil {
		req = request{Op: "unobserved", Args: []string{"the kernel, or a container's profile, does not let programs be observed: " + err.Error()}}
	} else {
		unix.CloseOnExec(listener)
		files = append(files, os.NewFile(uintptr(listener), "listener"))
	}
	_, _ = exchange(conn, req, files...)
	closeAll(files)
}
