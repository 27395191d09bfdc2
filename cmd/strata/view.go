package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// view shows a build to whoever started it. Close leaves nothing behind but
// finished lines, and says what was still going on.
type view interface {
	Event(engine.Event)
	Close()
}

// viewOptions are the extras of newView.
type viewOptions struct {
	Terminal bool             // the output is a terminal: draw what is going on
	Color    bool             // on a terminal
	Width    func() int       // of the terminal; nil means 80
	Height   func() int       // of the terminal; nil means 24
	Quiet    bool             // only what failed
	Verbose  bool             // every line of output on a terminal too
	Now      func() time.Time // nil means time.Now
	Nodes    []layer.NodeID   // those that may appear, so that names line up
	Images   []string         // the same for images
	Sections string           // form of sections in a log, for a CI system; "" for none
}

// newView returns the view that suits the output: live on a terminal, else
// plain lines.
func newView(out io.Writer, opts viewOptions) view {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	p := progress{now: opts.Now}
	for _, id := range opts.Nodes {
		p.nameWidth = max(p.nameWidth, len(id))
	}
	for _, image := range opts.Images {
		p.nameWidth = max(p.nameWidth, len(imageName(image)))
	}
	if opts.Terminal && !opts.Quiet {
		v := newLiveView(out, opts, p)
		go v.loop()
		return v
	}
	return &plainView{out: out, quiet: opts.Quiet, progress: p, section: section{form: opts.Sections}}
}

// imageName is what an image is called beside nodes. No node has a space in its name.
func imageName(image string) string { return "image " + image }

// eventName is the name of the node or image that an event is about.
func eventName(e engine.Event) string {
	if e.Image != "" {
		return imageName(e.Image)
	}
	return string(e.Node)
}

// task is a node or an image that is being worked on.
type task struct {
	name        string
	began       time.Time
	reason      string // why it is being built
	step, steps int
	title       string
	stepBegan   time.Time
	fresh       bool   // the step has said nothing yet
	last        string // line of output, as it came
}

// progress knows the running tasks, in the order in which they began.
type progress struct {
	now       func() time.Time
	nameWidth int
	running   []*task
}

// find returns the running task of that name, or nil.
func (p *progress) find(name string) *task {
	for _, t := range p.running {
		if t.name == name {
			return t
		}
	}
	return nil
}

// follow updates the tasks and returns the one that the event is about. Of a
// task that just ended this is the last time. The result is nil for a task
// that ends without having begun.
func (p *progress) follow(e engine.Event) *task {
	name := eventName(e)
	p.nameWidth = max(p.nameWidth, len(name))
	t := p.find(name)
	if e.Kind == engine.NodeEnded || e.Kind == engine.ImageEnded || e.Kind == engine.MoveEnded {
		p.running = slices.DeleteFunc(p.running, func(other *task) bool { return other == t })
		return t
	}
	if t == nil {
		t = &task{name: name, began: p.now(), reason: e.Reason}
		p.running = append(p.running, t)
	}
	p.update(t, e)
	return t
}

func (p *progress) update(t *task, e engine.Event) {
	switch e.Kind {
	case engine.StepStarted:
		t.step, t.steps, t.title, t.stepBegan, t.last, t.fresh = e.Step, e.Steps, e.Title, p.now(), "", true
	case engine.NodeWaiting:
		t.title = "waits for another build of it"
	case engine.ImageStarted:
		t.title, t.reason = "making artifacts", e.Reason
	case engine.MoveStarted:
		t.title = e.Title
	case engine.Line:
		t.last, t.fresh = e.Line, false
	}
}

// repeatsTitle says whether an event is the heading that a step puts in its
// log, which a view has shown already.
func (p *progress) repeatsTitle(e engine.Event) bool {
	if e.Kind != engine.Line {
		return false
	}
	t := p.find(string(e.Node))
	return t != nil && t.fresh && e.Line == "# "+t.title
}

// mark is how something ended.
type mark int

const (
	finished mark = iota
	skipped       // there was nothing to do
	broken        // it failed
	halted        // it was stopped
)

// outcome says in a few words how a node or an image ended.
func outcome(e engine.Event, t *task, now time.Time) (mark, string) {
	took := e.Took
	if took == 0 && t != nil {
		took = now.Sub(t.began)
	}
	switch {
	case errors.Is(e.Err, context.Canceled) || e.Err != nil && fault.KindOf(e.Err) == fault.Interrupted:
		return halted, "stopped after " + span(took)
	case e.Err != nil || e.Status == engine.Failed:
		verdict := "failed after " + span(took)
		if t == nil && took == 0 {
			verdict = "not built"
		}
		if cause := failureCause(e); cause != "" {
			verdict += ": " + cause
		}
		return broken, verdict
	case e.Kind == engine.MoveEnded && e.Title == engine.Pushed && e.Blobs == 0:
		return skipped, "is in the registry"
	case e.Kind == engine.MoveEnded && e.Image != "" && e.Blobs == 0:
		return skipped, "its artifacts are there"
	case e.Kind == engine.MoveEnded:
		return finished, fmt.Sprintf("%s %s in %s%s", e.Title, size(e.Size), span(took), because(e.Reason))
	case e.Status == engine.Cached || e.Status == engine.Kept || e.Status == engine.Pulled:
		return skipped, string(e.Status) + because(e.Reason)
	case e.Kind == engine.ImageEnded && t != nil:
		return finished, "made in " + span(took) + because(t.reason)
	case e.Kind == engine.ImageEnded:
		return finished, "made in " + span(took)
	}
	return finished, "built in " + span(took)
}

// because is a reason behind what it explains; "" for none.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + clean(reason) + ")"
}

// failureCause is one line: the whole story is told at the end of the command.
func failureCause(e engine.Event) string {
	cause := e.Reason
	if faults := fault.All(e.Err); len(faults) > 0 {
		cause = faults[0].Message
	} else if e.Err != nil {
		cause = e.Err.Error()
	}
	cause, _, _ = strings.Cut(cause, "\n")
	for _, name := range []string{"node " + string(e.Node) + ": ", imageName(e.Image) + ": "} {
		cause = strings.TrimPrefix(cause, name)
	}
	return clean(cause)
}

// unfinished says what a task was at when the build ended around it.
func unfinished(t *task, now time.Time) string {
	text := "stopped"
	if t.step > 0 {
		text += fmt.Sprintf(" in step %d of %d (%s)", t.step, t.steps, clean(t.title))
	}
	return text + " after " + span(now.Sub(t.began))
}

// span renders a duration for a sentence.
func span(d time.Duration) string {
	switch {
	case d < 9950*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute-500*time.Millisecond:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	d = d.Round(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
}

// clean makes one printable line of what a program wrote: without escape
// sequences, control characters and characters that change what others mean.
func clean(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return s
	}
	var b strings.Builder
	for s = strings.ToValidUTF8(s, "\uFFFD"); s != ""; {
		if n := escapeLength(s); n > 0 {
			s = s[n:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		switch {
		case r == '\t' || r == '\r' || r == '\n' || r == '\u2028' || r == '\u2029':
			b.WriteByte(' ')
		case !unicode.Is(unicode.C, r):
			b.WriteRune(r)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// escapeLength is the length of the escape sequence that s begins with, or 0.
func escapeLength(s string) int {
	switch {
	case strings.HasPrefix(s, "\u009b"):
		return len("\u009b") + controlLength(s[len("\u009b"):])
	case s[0] != '\x1b':
		return 0
	case len(s) == 1:
		return 1
	}
	switch s[1] {
	case '[':
		return 2 + controlLength(s[2:])
	case ']', 'P', 'X', '^', '_': // a string up to BEL or ESC \
		for i := 2; i < len(s); i++ {
			if s[i] == '\a' {
				return i + 1
			}
			if s[i] == '\x1b' && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	i := 1
	for i < len(s) && ' ' <= s[i] && s[i] <= '/' {
		i++
	}
	if i < len(s) && '0' <= s[i] && s[i] <= '~' {
		i++
	}
	return i
}

// controlLength is the length of parameters and final byte of a control sequence.
func controlLength(s string) int {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '?' {
			if '@' <= c && c <= '~' {
				return i + 1
			}
			return i
		}
	}
	return len(s)
}
