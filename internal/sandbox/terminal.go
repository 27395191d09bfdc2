package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// Interactive runs a program in the tree for a person: if its input is a
// terminal, it gets one of its own, with job control. It returns the exit status.
func (s *Sandbox) Interactive(ctx context.Context, c Cmd) (int, error) {
	in, ok := c.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		var exit *ExitError
		err := s.Run(ctx, c, RunOptions{})
		if errors.As(err, &exit) {
			return exit.Status, nil
		}
		return 0, err
	}
	ours, theirs, err := pty.Open()
	if err != nil {
		return 0, fmt.Errorf("open a terminal: %w", err)
	}
	defer ours.Close()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	go func() {
		for range resized {
			_ = pty.InheritSize(in, ours)
		}
	}()
	resized <- syscall.SIGWINCH
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return 0, fmt.Errorf("set up the terminal: %w", err)
	}
	defer func() { _ = term.Restore(int(in.Fd()), before) }()
	go func() { _, _ = io.Copy(ours, in) }()
	shown := &output{r: ours, w: c.Stdout, done: make(chan struct{})}
	go shown.copy()
	env := append(c.Env, "TERM="+os.Getenv("TERM"))
	rep, err := s.call(ctx, request{Op: "run", Args: c.Args, Env: env, Dir: "/", TTY: true}, theirs, theirs, theirs)
	theirs.Close()
	shown.finish(ctx)
	return rep.Status, err
}
