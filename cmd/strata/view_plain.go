package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/strata-hpc/strata/internal/engine"
)

// plainView writes lines for a log: each has its node's name in front, and
// those that are not a program's output begin with two equal signs.
type plainView struct {
	mu    sync.Mutex
	out   io.Writer
	quiet bool
	progress
	section section
	closed  bool
}

func (v *plainView) Event(e engine.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || v.repeatsTitle(e) {
		return
	}
	switch e.Kind {
	case engine.NodeStarted, engine.ImageStarted, engine.MoveStarted:
		// A node that turns out to be there gets one line only, at its end.
		v.follow(e)
	case engine.NodeWaiting:
		t := v.follow(e)
		v.note(t.name, t.title)
	case engine.StepStarted:
		v.stepStarted(e)
	case engine.Line:
		t := v.follow(e)
		if line := clean(e.Line); !v.quiet && line != "" {
			v.line(t.name, line)
		}
	case engine.Warning:
		if t := v.follow(e); v.quiet { // else its line has said it
			v.line(t.name, clean(e.Line))
		}
	case engine.NodeEnded, engine.ImageEnded, engine.MoveEnded:
		t := v.follow(e)
		how, text := outcome(e, t, v.now())
		if how == finished {
			v.stepDone(t)
		}
		v.section.end(v.out, v.now())
		if how == broken || how == halted || !v.quiet {
			v.line(eventName(e), "== "+text)
		}
	}
}

func (v *plainView) stepStarted(e engine.Event) {
	v.stepDone(v.find(eventName(e)))
	t := v.follow(e)
	if t.step == 1 && t.reason != "" {
		v.note(t.name, "build: "+clean(t.reason))
	}
	if !v.quiet {
		v.section.begin(v.out, v.now())
	}
	v.note(t.name, fmt.Sprintf("step %d of %d: %s", t.step, t.steps, clean(t.title)))
}

// stepDone tells how long the task's step took, if it has one.
func (v *plainView) stepDone(t *task) {
	if t != nil && t.step > 0 {
		v.note(t.name, fmt.Sprintf("step %d of %d took %s", t.step, t.steps, span(v.now().Sub(t.stepBegan))))
	}
}

func (v *plainView) note(name, text string) {
	if !v.quiet {
		v.line(name, "== "+text)
	}
}

func (v *plainView) line(name, text string) {
	_, _ = fmt.Fprintf(v.out, "%-*s | %s\n", v.nameWidth, name, text)
}

func (v *plainView) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, t := range v.running {
		v.line(t.name, "== "+unfinished(t, v.now()))
	}
	v.section.end(v.out, v.now())
	v.running, v.closed = nil, true
}
