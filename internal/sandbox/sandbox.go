package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/tarball"
)

// Spec says what a sandbox is made of. Directories must not be changed by
// others while it lives.
type Spec struct {
	// Lower are the directories of the layers below, the topmost first.
	Lower []string `json:"lower"`
	// Upper receives what is written. Empty: the tree is read-only.
	Upper string `json:"upper"`
	// Scratch is an empty directory on Upper's file system, for overlayfs and
	// for /tmp and /var/tmp of the sandbox. The caller removes it afterwards.
	// With a read-only tree it serves as a mount point, and for the socket.
	Scratch string `json:"scratch"`
	// Bare leaves out /proc, /sys, /dev, /run and /tmp: for a tree that is
	// still empty, or one that is only looked at.
	Bare bool `json:"bare"`
	// Mounts are bound in addition, below /run of the sandbox.
	Mounts []Mount `json:"mounts"`
	// Substitutes stand in the tree while it runs and are taken away by Finish.
	Substitutes []Placeholder `json:"substitutes"`
}

// Mount binds a directory or file of this machine into the sandbox: for data,
// as no program of it can be run and no device opened.
type Mount struct {
	Source   string `json:"source"`
	Target   string `json:"target"` // absolute, below /run
	ReadOnly bool   `json:"readOnly"`
	// Scratch, when set, keeps Source as it is: an overlay's upper and work
	// directories are made there, and what is written goes to Scratch/upper.
	Scratch string `json:"scratch"`
}

// Sandbox is a mounted tree and the agent in it.
type Sandbox struct {
	cmd      *exec.Cmd
	socket   string
	lifeline *os.File // closing it ends the agent
	stderr   *tail
	exited   chan struct{}
}

// Names under which this program starts itself again.
const (
	agentName    = "strata-sandbox"
	launchName   = "strata-launch"
	userName     = "strata-userns"
	observedName = "strata-observed"
)

// Init turns this process into one of the package's helpers if it was started
// as one, and then does not return. Call it first thing in main.
func Init() {
	switch os.Args[0] {
	case agentName:
		agentMain()
	case launchName:
		launchMain()
	case userName:
		userMain()
	case observedName:
		observedMain()
	case mountedName:
		mountedMain()
	}
}

// Start mounts the tree and starts its agent. Stop must be called.
func Start(ctx context.Context, spec Spec) (*Sandbox, error) {
	s := &Sandbox{socket: filepath.Join(spec.Scratch, "agent"), stderr: &tail{}, exited: make(chan struct{})}
	if err := s.start(ctx, spec); err != nil {
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	return s, nil
}

func (s *Sandbox) start(ctx context.Context, spec Spec) error {
	listener, err := listen(s.socket)
	if err != nil {
		return err
	}
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	socket, err := listener.File()
	if err != nil {
		return err
	}
	defer socket.Close()
	ours, theirs, err := socketpair()
	if err != nil {
		return err
	}
	cmd := exec.Command(Executable)
	cmd.Args = []string{agentName}
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.Stderr, cmd.WaitDelay = s.stderr, grace
	cmd.ExtraFiles = []*os.File{socket, theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true,
	}
	err = cmd.Start()
	theirs.Close() // or its end would not be seen
	if err != nil {
		ours.Close()
		if errors.Is(err, unix.EPERM) {
			return noNamespaces(err)
		}
		return err
	}
	s.cmd, s.lifeline = cmd, ours
	go func() { _ = cmd.Wait(); close(s.exited) }()

	if err := s.configure(ctx, spec); err != nil {
		s.kill()
		return err
	}
	return nil
}

// configure hands the agent its spec and waits until the tree is mounted.
func (s *Sandbox) configure(ctx context.Context, spec Spec) error {
	stop := context.AfterFunc(ctx, func() { _ = s.cmd.Process.Kill() })
	defer stop()
	if err := json.NewEncoder(s.lifeline).Encode(spec); err != nil {
		return fmt.Errorf("hand over its description: %w", err)
	}
	var rep reply
	if err := json.NewDecoder(s.lifeline).Decode(&rep); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		<-s.exited
		return fmt.Errorf("it ended while starting: %s", s.stderr)
	}
	return rep.err()
}

// Root is a path of this machine at which the tree can be read while the
// sandbox lives; with a slash at its end, as it is a link. What is below it must be opened confined, as an image may
// hold links that point anywhere: see OpenIn.
func (s *Sandbox) Root() string { return fmt.Sprintf("/proc/%d/root/", s.cmd.Process.Pid) }

// Socket is the path at which the agent listens.
func (s *Sandbox) Socket() string { return s.socket }

// RunOptions are the extras of Run.
type RunOptions struct {
	NoNetwork bool // only a loopback device
}

// Run runs a program in the tree to its end. Error as Host's.
func (s *Sandbox) Run(ctx context.Context, c Cmd, opts RunOptions) error {
	if len(c.Args) == 0 {
		return errors.New("run in sandbox: no arguments")
	}
	t := &tail{next: c.Stderr}
	stdout := c.Stdout
	if same(c.Stdout, c.Stderr) {
		stdout = t
	}
	joined, err := newStreams(c.Stdin, stdout, t)
	if err != nil {
		return fmt.Errorf("run %s: %w", c.Args[0], err)
	}
	req := request{Op: "run", Args: c.Args, Env: c.Env, Dir: c.Dir}
	if req.Env == nil {
		req.Env = Environ(nil)
	}
	if opts.NoNetwork {
		req.Network = "none"
	}
	rep, err := s.call(ctx, req, joined.in, joined.out, joined.errw)
	joined.given()
	// What its input or output failed of counts before what that did to it.
	if failed := joined.wait(ctx); failed != nil && (err == nil || ctx.Err() == nil) {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", c.Args[0], err)
	}
	if rep.Status != 0 {
		return &ExitError{Program: c.Args[0], Status: rep.Status, Output: t.String()}
	}
	return nil
}

// Unpack unpacks a tar stream into the tree. Owners given only by name are
// looked up in the tree's own passwd and group. Directories that the tree has
// as links stay links.
func (s *Sandbox) Unpack(ctx context.Context, r io.Reader) error {
	return s.unpack(ctx, r, request{Op: "unpack"})
}

// UnpackLayer unpacks the tar stream of an image's layer into the tree, which
// is Upper alone and empty. What the layer takes away becomes overlayfs's marks;
// first says that nothing is below it. It is an error if the tree would be
// another than that of the stream.
func (s *Sandbox) UnpackLayer(ctx context.Context, r io.Reader, first bool) error {
	return s.unpack(ctx, r, request{Op: "unpack-layer", First: first, Marks: string(tarball.OverlayMarks())})
}

func (s *Sandbox) unpack(ctx context.Context, r io.Reader, req request) error {
	joined, err := newStreams(r, nil, nil)
	if err != nil {
		return fmt.Errorf("unpack into sandbox: %w", err)
	}
	_, err = s.call(ctx, req, joined.in, joined.out, joined.errw)
	joined.given()
	if failed := joined.wait(ctx); failed != nil && (err == nil || ctx.Err() == nil) {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("unpack into sandbox: %w", err)
	}
	return nil
}

// Finish kills what still runs in the tree, takes the substitutes away, and
// stops. After it, Upper holds just what was done.
func (s *Sandbox) Finish(ctx context.Context) error {
	_, err := s.call(ctx, request{Op: "restore"})
	if err != nil {
		err = fmt.Errorf("finish sandbox: %w", err)
	}
	return errors.Join(err, s.Stop())
}

// Stop ends everything in the sandbox and unmounts it.
func (s *Sandbox) Stop() error {
	s.kill()
	if err := os.Remove(s.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("stop sandbox: %w", err)
	}
	return nil
}

func (s *Sandbox) kill() {
	s.lifeline.Close()
	_ = s.cmd.Process.Kill()
	<-s.exited
}

func (s *Sandbox) call(ctx context.Context, req request, files ...*os.File) (reply, error) {
	conn, err := dial(s.socket)
	if err != nil {
		return reply{}, errors.Join(ctx.Err(), err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	rep, err := exchange(conn, req, files...)
	if ctx.Err() != nil {
		return rep, ctx.Err()
	}
	return rep, err
}

// Environ is the standard environment of a step, with more variables added.
func Environ(more []string) []string {
	return append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root",
		"USER=root",
		"LOGNAME=root",
		"SHELL=/bin/sh",
		"LANG=C.UTF-8",
		"LC_ALL=C.UTF-8",
		"TERM=dumb",
		"DEBIAN_FRONTEND=noninteractive",
		"DEBCONF_NONINTERACTIVE_SEEN=true",
		"SYSTEMD_OFFLINE=1",
	}, more...)
}

func socketpair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "lifeline"), os.NewFile(uintptr(fds[1]), "lifeline"), nil
}

// Variables turns a map into sorted KEY=value.
func Variables(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}
