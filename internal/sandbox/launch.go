package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// launchVariable holds the request that the launcher is to carry out.
const launchVariable = "STRATA_LAUNCH"

// launchMain starts a program in conditions that only the process itself can
// set up: a network of its own. The agent starts it with all capabilities; the
// program gets the usual ones.
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
	if err := limit(); err != nil {
		return 126, err
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
