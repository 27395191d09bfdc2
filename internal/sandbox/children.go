package sandbox

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// children waits for every process of the namespace: those that were asked
// for, and orphans, which fall to an init.
type children struct {
	mu      sync.Mutex
	waiting map[int]chan syscall.WaitStatus
	steps   forker // starts programs of the tree
	helpers forker // starts launchers, which still need all capabilities
}

// forker runs functions on a thread of its own: capabilities and filters belong
// to threads, and only what this one starts inherits them.
type forker chan func()

func newForker(prepare func() error) (forker, error) {
	f, prepared := make(forker), make(chan error)
	go func() {
		runtime.LockOSThread()
		prepared <- prepare()
		for fork := range f {
			fork()
		}
	}()
	return f, <-prepared
}

func (f forker) do(fork func()) {
	done := make(chan struct{})
	f <- func() { fork(); close(done) }
	<-done
}

// begin starts to collect ended processes, and the threads that fork.
func (c *children) begin(id *identity) (err error) {
	c.waiting = map[int]chan syscall.WaitStatus{}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGCHLD)
	go func() {
		for range signals {
			c.collect()
		}
	}()
	c.helpers, err = newForker(func() error {
		ownPersonality()
		return id.answer()
	})
	if err != nil {
		return err
	}
	c.steps, err = newForker(func() error {
		ownPersonality()
		if err := id.answer(); err != nil {
			return err
		}
		return limit()
	})
	return err
}

// limit takes from this thread, and from what it starts, what steps do without.
func limit() error {
	forgetSyncs()
	return limitCapabilities()
}

// start starts a program in a session of its own.
func (c *children) start(req request, files []*os.File) (pid int, exited <-chan syscall.WaitStatus, err error) {
	user, err := req.become()
	if err != nil {
		return 0, nil, err
	}
	req.Env = (&exec.Cmd{Env: req.Env}).Environ() // each variable once, the last one given: programs differ in which of two they take
	attr := &syscall.ProcAttr{
		Dir:   req.Dir,
		Env:   req.Env,
		Files: []uintptr{files[0].Fd(), files[1].Fd(), files[2].Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: req.TTY, Ctty: 0, Credential: user},
	}
	if attr.Dir == "" {
		attr.Dir = "/"
	}
	if req.Network != "" {
		if user != nil {
			return 0, nil, errors.New("become user: not without network")
		}
		launch, err := json.Marshal(req)
		if err != nil {
			return 0, nil, err
		}
		attr.Env = []string{launchVariable + "=" + string(launch)}
		c.helpers.do(func() { pid, exited, err = c.fork(Executable, []string{launchName}, attr) })
		return pid, exited, err
	}
	path, err := lookPath(req.Args[0], req.Env)
	if err != nil {
		return 0, nil, err
	}
	c.steps.do(func() { pid, exited, err = c.fork(path, req.Args, attr) })
	return pid, exited, err
}

func (c *children) fork(path string, argv []string, attr *syscall.ProcAttr) (int, <-chan syscall.WaitStatus, error) {
	c.mu.Lock() // so that its end is not collected before it is known
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return 0, nil, &os.PathError{Op: "start", Path: path, Err: err}
	}
	exited := make(chan syscall.WaitStatus, 1)
	c.waiting[pid] = exited
	return pid, exited, nil
}

func (c *children) collect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if exited, ok := c.waiting[pid]; ok {
			delete(c.waiting, pid)
			exited <- ws
		}
	}
}

// lookPath finds a program as a shell with that environment would.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, v := range env {
		dirs, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for dir := range strings.SplitSeq(dirs, ":") {
			path := filepath.Join(dir, name)
			if unix.Access(path, unix.X_OK) == nil {
				return path, nil
			}
		}
	}
	return "", &os.PathError{Op: "find program", Path: name, Err: os.ErrNotExist}
}

// startStatus is the exit status that a shell reports for a program that could
// not be started.
func startStatus(err error) (int, bool) {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 127, true
	case errors.Is(err, os.ErrPermission), errors.Is(err, unix.ENOEXEC):
		return 126, true
	}
	return 0, false
}
