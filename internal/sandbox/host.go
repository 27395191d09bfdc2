package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"

	"github.com/strata-hpc/strata/internal/fault"
)

// Cmd is a program to run, on this machine or in a sandbox.
type Cmd struct {
	Args   []string
	Env    []string // the whole environment, as KEY=value; nil means the caller's own on the host, and the standard one in a sandbox
	Dir    string
	Stdin  io.Reader  // nil: /dev/null
	Stdout io.Writer  // nil: thrown away
	Stderr io.Writer  // nil: thrown away, but its end is in the error
	Files  []*os.File // on the host: descriptors from 3 on
}

// ExitError says that a program ran and did not succeed.
type ExitError struct {
	Program string
	Status  int    // exit status; 128 plus the signal's number when a signal ended it
	Output  string // the end of what it wrote on standard error
}

func (e *ExitError) Error() string {
	msg := fmt.Sprintf("%s ended with exit status %d", e.Program, e.Status)
	lines := strings.Split(e.Output, "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		msg += ": " + last
	}
	return msg
}

// Said returns the end of what the program wrote on standard error.
func (e *ExitError) Said() string { return e.Output }

// Host runs a program of this machine to its end. It runs in a process group
// of its own, which is killed when ctx is done and when this process dies. A
// program that is not installed is a fault of kind Machine.
func Host(ctx context.Context, c Cmd) error {
	p, err := StartHost(ctx, c)
	if err != nil {
		return err
	}
	return p.Wait()
}

// Process is a running program of this machine.
type Process struct {
	ctx    context.Context
	cmd    *exec.Cmd
	joined *streams
	tail   *tail
	once   sync.Once
	err    error
}

// StartHost starts a program of this machine; Wait must be called.
func StartHost(ctx context.Context, c Cmd) (*Process, error) {
	return startHost(ctx, c, func(*exec.Cmd) {})
}

func startHost(ctx context.Context, c Cmd, adjust func(*exec.Cmd)) (*Process, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("start program: no arguments")
	}
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Env, cmd.Dir = c.Env, c.Dir
	t := &tail{next: c.Stderr}
	stdout := c.Stdout
	if same(c.Stdout, c.Stderr) {
		stdout = t // one pipe: nothing is written twice at a time, and the order is kept
	}
	// Not os/exec's own copying, which waits for a reader that is stuck, and for
	// whoever still holds a pipe.
	joined, err := newStreams(c.Stdin, stdout, t)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Args[0], err)
	}
	defer joined.given()
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = joined.in, joined.out, joined.errw, c.Files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	adjust(cmd)
	if err := cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, fault.New(fault.Machine, "%s is not installed on this machine", c.Args[0]).
				WithHint("run 'strata doctor' to see which package has it")
		}
		return nil, fmt.Errorf("start %s: %w", c.Args[0], err)
	}
	return &Process{ctx: ctx, cmd: cmd, joined: joined, tail: t}, nil
}

// Pid returns the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Kill ends the process and its group at once.
func (p *Process) Kill() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// Wait returns when the process has ended: nil for exit status 0, ctx's error
// when ctx ended it, that of its reader or writer when one of those failed, an
// *ExitError otherwise.
func (p *Process) Wait() error {
	p.once.Do(func() {
		err := p.cmd.Wait()
		failed := p.joined.wait(p.ctx)
		var exit *exec.ExitError
		switch {
		case errors.Join(err, failed) != nil && p.ctx.Err() != nil:
			p.err = p.ctx.Err()
		case failed != nil:
			p.err = fmt.Errorf("run %s: %w", p.cmd.Args[0], failed)
		case errors.As(err, &exit):
			p.err = &ExitError{Program: p.cmd.Args[0], Status: status(exit.Sys().(syscall.WaitStatus)), Output: p.tail.String()}
		default:
			p.err = err
		}
	})
	return p.err
}

func status(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// LookPath returns the path of a program of this machine, and whether it is there.
func LookPath(name string) (string, bool) {
	path, err := exec.LookPath(name)
	return path, err == nil
}

// tail passes on what is written and remembers the end of it.
type tail struct {
	next io.Writer
	mu   sync.Mutex
	buf  []byte
}

const tailSize = 2048

// same says whether two writers are one.
func same(a, b io.Writer) bool {
	return a != nil && b != nil && reflect.TypeOf(a).Comparable() && a == b
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - tailSize; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	t.mu.Unlock()
	if t.next != nil {
		return t.next.Write(p)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(bytes.ToValidUTF8(t.buf, nil)))
}

// Executable is the path under which this very program can be started again,
// even when its file was replaced meanwhile.
const Executable = "/proc/self/exe"
