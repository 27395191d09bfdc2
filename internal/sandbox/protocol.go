package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

// The agent listens on a unix stream socket. A client opens one connection for
// each request, sends one byte that carries its file descriptors (SCM_RIGHTS),
// then the request as JSON; the agent answers with one JSON object and closes.
// When the client goes away first, the agent kills what it was running.
//
// The Ansible connection plugin speaks the same protocol from Python.

// request is what a client asks of the agent.
type request struct {
	Op      string   `json:"op"` // run, unpack, unpack-layer, restore
	Args    []string `json:"args,omitempty"`
	Env     []string `json:"env,omitempty"`
	Dir     string   `json:"dir,omitempty"`
	First   bool     `json:"first,omitempty"`   // of unpack-layer: nothing is below
	Marks   string   `json:"marks,omitempty"`   // of unpack-layer: as in package tarball
	TTY     bool     `json:"tty,omitempty"`     // the first descriptor is a terminal to control
	Network string   `json:"network,omitempty"` // "none": a network namespace with a loopback device only
	User    string   `json:"user,omitempty"`    // of the tree: the program runs as that; not with Network
	Login   bool     `json:"login,omitempty"`   // of a shell in Args: as User's login shell
}

// reply is the agent's answer.
type reply struct {
	Status int    `json:"status"`          // of run: as a shell's $?
	Error  string `json:"error,omitempty"` // the request itself could not be done
	Hint   string `json:"hint,omitempty"`  // what to do about it
}

// fail puts an error into an answer.
func (r *reply) fail(err error) {
	r.Error = err.Error()
	for _, f := range fault.All(err) {
		r.Hint = f.Hint
	}
}

// err is what the agent could not do.
func (r *reply) err() error {
	switch {
	case r.Error == "":
		return nil
	case r.Hint == "":
		return errors.New(r.Error)
	}
	return fault.New(fault.Failed, "%s", r.Error).WithHint("%s", r.Hint)
}

// dial connects to an agent.
func dial(path string) (*net.UnixConn, error) {
	var conn *net.UnixConn
	err := shortly(path, func(short string) (err error) {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reach the sandbox: %w", err)
	}
	return conn, nil
}

func listen(path string) (*net.UnixListener, error) {
	var listener *net.UnixListener
	err := shortly(path, func(short string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}

// shortly calls do with a name for path that fits into a socket's address,
// which has room for 107 bytes: by way of its directory's descriptor.
func shortly(path string, do func(short string) error) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return do(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
}

func exchange(conn *net.UnixConn, req request, files ...*os.File) (reply, error) {
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	if _, _, err := conn.WriteMsgUnix([]byte{0}, unix.UnixRights(fds...), nil); err != nil {
		return reply{}, fmt.Errorf("send to the sandbox: %w", err)
	}
	if err := json.NewEncoder(conn).Encode(req); err != nil {
		return reply{}, fmt.Errorf("send to the sandbox: %w", err)
	}
	var rep reply
	if err := json.NewDecoder(conn).Decode(&rep); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
			err = errors.New("it ended unexpectedly")
		}
		return reply{}, fmt.Errorf("hear from the sandbox: %w", err)
	}
	return rep, rep.err()
}

// receive reads a request and its descriptors. The caller closes the files.
func receive(conn *net.UnixConn) (request, []*os.File, error) {
	const mostFiles = 3
	first, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(mostFiles*4))
	_, n, _, _, err := conn.ReadMsgUnix(first, oob)
	if err != nil {
		return request{}, nil, fmt.Errorf("receive request: %w", err)
	}
	var files []*os.File
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return request{}, nil, fmt.Errorf("receive request: %w", err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "descriptor of a request"))
		}
	}
	var req request
	if err := json.NewDecoder(conn).Decode(&req); err != nil {
		closeAll(files)
		return request{}, nil, fmt.Errorf("receive request: %w", err)
	}
	return req, files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
