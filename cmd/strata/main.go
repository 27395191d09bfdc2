// Command strata builds the operating-system images that clusters boot.
//
// This package holds commands, flags, printing and exit codes, and wires the
// other packages together; what it does itself fits on a screen.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/sirupsen/logrus"
	"go.podman.io/storage/pkg/reexec"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/sandbox"
)

func main() {
	sandbox.Init()
	if reexec.Init() {
		return // containers/storage started us for a job of its own
	}
	logrus.SetLevel(logrus.ErrorLevel) // the libraries' progress is no message of ours
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run carries out a command line and returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := interruptible()
	defer stop()
	a := &app{in: stdin, out: stdout, err: stderr}
	cmd := newCommand(a)
	cmd.SetArgs(args)
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	var ended exited
	if errors.As(err, &ended) {
		return int(ended)
	}
	if err == nil {
		return 0
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	a.report(err)
	return fault.KindOf(err).ExitCode()
}

// interruptible returns a context that ends on the signals with which people
// and systems stop a program. A second one ends it at once.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		s, ok := <-signals
		if !ok {
			return
		}
		signal.Reset(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		cancel(fault.New(fault.Interrupted, "stopped by %s", s).
			WithHint("what was finished is kept; the same command goes on from there"))
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}

// exited ends the program with a status that another process gave, which has
// said what there is to say.
type exited int

func (e exited) Error() string { return "" }
