package artifact

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/strata-hpc/strata/internal/layer"
)

// waitForTarget waits until systemd has nothing more to start and tells what
// came of it. It asks again and again: early systemctl may find no systemd to
// ask, and its --wait has been seen to miss the end and wait for ever.
const waitForTarget = `while :; do
	s=$(systemctl is-system-running 2>/dev/null)
	case $s in initializing|starting|offline|unknown|"") sleep 2;; *) break;; esac
done
t=$(systemctl get-default)
echo "state $s"
echo "target $t $(systemctl is-active "$t")"
systemctl list-units --all --state=failed,auto-restart --plain --no-legend --no-pager | while read -r unit rest; do echo "failed $unit"; done`

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
	waiting, cancel := context.WithDeadlineCause(ctx, start.Add(limit),
		fmt.Errorf("the default target was not reached within %d s", int(limit.Seconds())))
	defer cancel()
	if err := g.Ready(waiting); err != nil {
		return causeOf(waiting, err)
	}
	b.say("the guest's shell answers")
	r, err := g.Run(waiting, waitForTarget, limit)
	if err != nil {
		return causeOf(waiting, err)
	}
	seconds := time.Since(start).Seconds()
	state, target := b.readState(string(r.Output))
	if state != "running" && state != "degraded" || !strings.HasSuffix(target, " active") {
		b.report.Detail = b.unitLogs(ctx, g)
		return fmt.Errorf("systemd did not reach its default target: its state is %q, the target %q", state, target)
	}
	b.report.Seconds = seconds
	b.say(fmt.Sprintf("%s after %.0f s", target, seconds))
	if len(b.report.FailedUnits) > 0 {
		// The tests still run: they may tell more.
		b.report.Failure = "units failed: " + strings.Join(b.report.FailedUnits, ", ")
		b.report.Detail = b.unitLogs(ctx, g)
	}
	return nil
}

// causeOf prefers what ended a context over the error that came of it.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// readState reads what waitForTarget prints.
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

func (b *boot) unitLogs(ctx context.Context, g *guest) string {
	r, err := g.Run(ctx, unitLogs, time.Minute)
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
