package artifact

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/strata-hpc/strata/internal/layer"
)

// askState tells whether systemd has nothing more to start, and then what came of
// it. It is asked again and again, each time in a new shell: early systemctl may
// find no systemd to ask, and it has been seen to wait for ever.
const askState = `s=$(systemctl is-system-running 2>/dev/null)
echo "state $s"
case $s in initializing|starting|offline|unknown|"") exit 0;; esac
t=$(systemctl get-default)
echo "target $t $(systemctl is-active "$t")"
systemctl list-units --all --state=failed,auto-restart --plain --no-legend --no-pager | while read -r unit rest; do echo "failed $unit"; done`

const (
	askEvery   = 2 * time.Second
	askTimeout = 30 * time.Second // of one answer
)

// unitLogs shows the failed units with the end of their logs.
const unitLogs = `systemctl list-units --all --state=failed,auto-restart --plain --no-legend --no-pager
for u in $(systemctl list-units --all --state=failed,auto-restart --plain --no-legend --no-pager | cut -d" " -f1); do
	echo; echo "$u:"; journalctl -b -u "$u" -n 10 --no-pager -o cat
done`

// reachTarget waits for the guest's shell and then for the default target, and
// notes the failed units.
func (b *boot) reachTarget(ctx context.Context, g *guest, start time.Time) error {
	b.say("waiting for the default target")
	limit := b.opts.Timeout
	late := &tooLate{limit: limit, why: "its shell does not answer"}
	waiting, cancel := context.WithDeadlineCause(ctx, start.Add(limit), late)
	defer cancel()
	if err := g.Ready(waiting); err != nil {
		return causeOf(waiting, err)
	}
	b.say("the guest's shell answers")
	late.why = "systemd does not answer"
	state, target, err := b.settledState(waiting, g, late)
	if errors.Is(err, late) {
		b.report.Detail = b.look(ctx, g, waitingJobs)
	}
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	if state != "running" && state != "degraded" || !strings.HasSuffix(target, " active") {
		b.report.Detail = b.look(ctx, g, unitLogs)
		return fmt.Errorf("systemd did not reach its default target: its state is %q, the target %q", state, target)
	}
	b.report.Seconds = seconds
	b.say(fmt.Sprintf("%s after %.0f s", target, seconds))
	if len(b.report.FailedUnits) > 0 {
		// The tests still run: they may tell more.
		b.report.Failure = "units failed: " + strings.Join(b.report.FailedUnits, ", ")
		b.report.Detail = b.look(ctx, g, unitLogs)
	}
	return nil
}

// tooLate is what a guest comes to that did not reach its target in time.
type tooLate struct {
	limit time.Duration
	why   string
}

func (e *tooLate) Error() string {
	return fmt.Sprintf("the default target was not reached within %d s: %s", int(e.limit.Seconds()), e.why)
}

// settledState waits until systemd has nothing more to start, and returns its state
// and the default target with its own.
func (b *boot) settledState(ctx context.Context, g *guest, late *tooLate) (state, target string, err error) {
	for {
		r, err := g.Run(ctx, askState, min(askTimeout, late.limit))
		switch {
		case ctx.Err() == nil && errors.Is(err, errNoAnswer): // it is busy, and may come to it
			late.why = "its shell does not answer any more"
		case err != nil:
			return "", "", causeOf(ctx, err)
		case r.Status == 0:
			state, target = b.readState(string(r.Output))
			late.why = fmt.Sprintf("systemd's state is %q", state)
		}
		if target != "" {
			return state, target, nil
		}
		select {
		case <-time.After(askEvery):
		case <-ctx.Done():
			return "", "", context.Cause(ctx)
		}
	}
}

// causeOf prefers what ended a context over the error that came of it.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// readState reads what askState prints.
func (b *boot) readState(output string) (state, target string) {
	for line := range strings.Lines(output) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "state":
			state = rest
		case "target":
			target = rest
		case "failed":
			b.report.FailedUnits = append(b.report.FailedUnits, rest)
		}
	}
	return state, target
}

// waitingJobs shows what systemd has not come to, and what has failed.
const waitingJobs = `echo "systemd's jobs:"; systemctl list-jobs --no-pager` + "\n" + unitLogs

// look is what a script says of a guest that did not come up, for people.
func (b *boot) look(ctx context.Context, g *guest, script string) string {
	r, err := g.Run(ctx, script, askTimeout)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(r.Output))
}

const defaultTestTimeout = 60 // seconds

// notRun is the cause of a test that the guest was lost before.
const notRun = "not run"

// runTests runs the image's tests, all of them, in order. An error means that
// the guest was lost.
func (b *boot) runTests(ctx context.Context, g *guest) error {
	for _, test := range b.image.Tests {
		b.say("test: " + test.Name)
		result, lost := runTest(ctx, g, test)
		b.report.Tests = append(b.report.Tests, result)
		if lost != nil {
			return lost
		}
	}
	return nil
}

func runTest(ctx context.Context, g *guest, test layer.Test) (TestResult, error) {
	timeout := test.Timeout
	if timeout <= 0 {
		timeout = defaultTestTimeout
	}
	t := TestResult{Name: test.Name}
	start := time.Now()
	r, err := g.Run(ctx, test.Run, time.Duration(timeout)*time.Second)
	t.Seconds = time.Since(start).Seconds()
	if err != nil {
		err = fmt.Errorf("the guest was lost in test %q: %w", test.Name, causeOf(ctx, err))
		t.Cause = err.Error()
		return t, err
	}
	t.Output = string(r.Output)
	switch {
	case r.Status == 0:
		t.Passed = true
	case r.Status == 124 && t.Seconds >= float64(timeout):
		t.Cause = fmt.Sprintf("timed out after %d s", timeout)
	default:
		t.Cause = fmt.Sprintf("exit status %d", r.Status)
	}
	return t, nil
}
