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

	"github.com/sirupsen/logrus"
	"go.podman.io/storage/pkg/reexec"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/space"
)

func main() {
	sandbox.Init()
	if reexec.Init() {
		return // containers/storage started us for a job of its own
	}
	logrus.SetLevel(logrus.ErrorLevel) // the libraries' progress is no message of ours
	if os.Args[0] == probeName {
		os.Exit(probe(os.Args[1]))
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run carries out a command line and returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, ending := interruptible()
	defer ending.stop()
	form := sectionsOf(os.Getenv)
	out := &printed{to: stdout}
	a := &app{in: stdin, out: inJob(out, form), err: inJob(stderr, form), document: stdout, ending: ending}
	cmd := newCommand(a)
	cmd.SetArgs(args)
	cmd.SetIn(stdin)
	cmd.SetOut(out)
	cmd.SetErr(stderr)
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	var err error
	select {
	case err = <-ended:
	case <-ending.now:
		err = context.Cause(ctx)
	}
	if err == nil {
		err = out.lost()
	}
	var status exited
	switch {
	case errors.As(err, &status):
		return int(status)
	case err == nil:
		return 0
	case ctx.Err() == nil:
		a.report(space.Explain(err, a.places()...))
		return fault.KindOf(err).ExitCode()
	}
	a.report(context.Cause(ctx))
	return int(ending.status.Load())
}

// exited ends the program with a status that another process gave, which has
// said what there is to say.
type exited int

func (e exited) Error() string { return "" }
