package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
)

// How long a command may go on after the first signal before it is left where it
// is. Sandboxes and programs end with this process, whatever happens; what else it
// leaves, the next command cleans up.
const (
	toReturn  = time.Second // it holds nothing: it is in the middle of a thought
	toCleanUp = 5 * time.Second
)

// ending is how a command ends when it is told to by a signal.
type ending struct {
	signals  chan os.Signal
	status   atomic.Int32  // what to exit with: 128 and the signal's number, as shells say; 0 without one
	cleaning atomic.Bool   // there is something to clean up
	now      chan struct{} // closed when the command is left where it is
}

// interruptible returns a context that ends on the signals with which people and
// systems stop a program. SIGHUP stays ignored if this process was started so, by
// nohup; SIGINT does not, which scripts have ignored in whatever they start with &.
func interruptible() (context.Context, *ending) {
	ctx, cancel := context.WithCancelCause(context.Background())
	e := &ending{signals: make(chan os.Signal, 2), now: make(chan struct{})}
	signal.Notify(e.signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(e.signals, syscall.SIGHUP)
	}
	go e.watch(cancel)
	return ctx, e
}

// watch ends ctx at the first signal, and does not wait for ever, nor after a
// second one.
func (e *ending) watch(cancel context.CancelCauseFunc) {
	s, ok := (<-e.signals).(syscall.Signal)
	if !ok {
		return
	}
	e.status.Store(128 + int32(s))
	cancel(fault.New(fault.Interrupted, "stopped by %s", s).
		WithHint("what was finished is kept; the same command goes on from there"))
	patience := toReturn
	if e.cleaning.Load() {
		patience = toCleanUp
	}
	select {
	case <-e.signals:
	case <-time.After(patience):
	}
	close(e.now)
}

// cleans says that from now on the command has something to clean up at its end.
func (e *ending) cleans() { e.cleaning.Store(true) }

// stop leaves signals to others, or to the system.
func (e *ending) stop() { signal.Stop(e.signals) }
