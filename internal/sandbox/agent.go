package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/tarball"
)

// agent is the init of a sandbox.
type agent struct {
	spec     Spec
	children children
	identity identity
	saved    *substitutes
}

// agentMain mounts the tree and serves requests until the lifeline closes. As
// it is the first process of its PID namespace, all others end with it.
func agentMain() {
	socket, lifeline := os.NewFile(3, "socket"), os.NewFile(4, "lifeline")
	// A terminal's Ctrl-C is the builder's to handle. Caught and not ignored: that
	// would be passed on to every program of a step, which then could not be ended
	// by kill or timeout, nor by the end of a pipe.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	ownSignals()
	unix.CloseOnExec(3)
	unix.CloseOnExec(4)
	a := &agent{}
	decoder := json.NewDecoder(lifeline)
	err := decoder.Decode(&a.spec)
	if err == nil {
		err = a.prepare()
	}
	var listener net.Listener
	if err == nil {
		listener, err = net.FileListener(socket)
	}
	rep := reply{}
	if err != nil {
		rep.fail(err)
	}
	if json.NewEncoder(lifeline).Encode(rep) != nil || err != nil {
		os.Exit(1)
	}
	go func() {
		_, _ = io.Copy(io.Discard, lifeline)
		os.Exit(0)
	}()
	for {
		conn, err := listener.Accept()
		if err != nil {
			os.Exit(1)
		}
		go a.serve(conn.(*net.UnixConn))
	}
}

// prepare makes the tree this process's root.
func (a *agent) prepare() error {
	unix.Umask(0o022)
	if err := ownLimits(); err != nil {
		return err
	}
	if err := mountTree(a.spec); err != nil {
		return err
	}
	if !a.spec.Bare {
		if err := a.identity.begin(); err != nil {
			return err
		}
	}
	var err error
	if a.saved, err = substitute(a.spec.Substitutes); err != nil {
		return err
	}
	return a.children.begin(&a.identity)
}

func (a *agent) serve(conn *net.UnixConn) {
	defer conn.Close()
	req, files, err := receive(conn)
	if err != nil {
		return
	}
	defer closeAll(files)
	var rep reply
	switch req.Op {
	case "run":
		rep.Status, err = a.run(conn, req, files)
	case "unpack":
		if len(files) == 0 {
			err = errors.New("unpack: no stream")
			break
		}
		err = unpack(files[0], "/")
	case "unpack-layer":
		if len(files) == 0 {
			err = errors.New("unpack: no stream")
			break
		}
		err = unpackLayer(files[0], "/", req.First, tarball.Marks(req.Marks))
	case "restore":
		// What a step left running could still write.
		_ = unix.Kill(-1, unix.SIGKILL)
		err = a.saved.restore()
	default:
		err = fmt.Errorf("the agent does not know %q", req.Op)
	}
	if err != nil {
		rep.fail(err)
	}
	_ = json.NewEncoder(conn).Encode(rep)
}

// run starts a program, waits for it, and kills it when the client goes away.
func (a *agent) run(conn *net.UnixConn, req request, files []*os.File) (int, error) {
	if len(files) != 3 || len(req.Args) == 0 {
		return 0, errors.New("run: a request has a program and three descriptors")
	}
	if err := a.identity.follow(); err != nil {
		return 0, err
	}
	pid, exited, err := a.children.start(req, files)
	if err != nil {
		if status, ok := startStatus(err); ok {
			fmt.Fprintln(files[2], err)
			return status, nil
		}
		return 0, err
	}
	closeAll(files)
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn) // the line end of its request may still be there
		close(gone)
	}()
	var ws syscall.WaitStatus
	select {
	case ws = <-exited:
	case <-gone:
		_ = unix.Kill(-pid, unix.SIGKILL)
		ws = <-exited
	}
	_ = unix.Kill(-pid, unix.SIGKILL) // its session's left-overs
	return status(ws), nil
}
