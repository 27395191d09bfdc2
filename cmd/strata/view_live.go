package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/strata-hpc/strata/internal/engine"
)

// liveView draws on a terminal: what has ended as permanent lines, and below
// them one row for each running node, drawn again ten times a second.
//
// It leaves the terminal's modes alone: the cursor is hidden only within a
// frame, so that a terminal is usable even after kill -9.
type liveView struct {
	out     io.Writer
	opts    viewOptions
	cells   *runewidth.Condition
	drawing sync.Mutex // held while a frame is written: a stalled terminal does not stall the build

	mu sync.Mutex
	progress
	above  []string // permanent lines that are not yet written
	frame  []string // the rows on the screen, without colours
	closed chan struct{}
}

const frameTime = 100 * time.Millisecond

func newLiveView(out io.Writer, opts viewOptions, p progress) *liveView {
	if opts.Width == nil {
		opts.Width = func() int { return 80 }
	}
	if opts.Height == nil {
		opts.Height = func() int { return 24 }
	}
	return &liveView{
		out: out, opts: opts, progress: p, closed: make(chan struct{}),
		cells: &runewidth.Condition{StrictEmojiNeutral: true},
	}
}

func (v *liveView) loop() {
	ticker := time.NewTicker(frameTime)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			v.draw()
		case <-v.closed:
			return
		}
	}
}

func (v *liveView) isClosed() bool {
	select {
	case <-v.closed:
		return true
	default:
		return false
	}
}

func (v *liveView) Event(e engine.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isClosed() || v.repeatsTitle(e) {
		return
	}
	t := v.follow(e)
	switch e.Kind {
	case engine.NodeEnded, engine.ImageEnded, engine.MoveEnded:
		how, text := outcome(e, t, v.now())
		v.above = append(v.above, v.permanent(how, eventName(e), text))
	case engine.StepStarted:
		if v.opts.Verbose {
			v.above = append(v.above, v.output(t.name, fmt.Sprintf("== step %d of %d: %s", t.step, t.steps, clean(t.title))))
		}
	case engine.Warning:
		if !v.opts.Verbose { // else its line has said it
			v.above = append(v.above, v.output(t.name, clean(e.Line)))
		}
	case engine.Line:
		if v.opts.Verbose {
			v.above = append(v.above, v.output(t.name, clean(e.Line)))
		}
	}
}

// permanent is the line of something that ended.
func (v *liveView) permanent(how mark, name, text string) string {
	sign, color := "✔", "32"
	switch how {
	case skipped:
		sign, color = "·", "2"
	case broken:
		sign, color = "✘", "31"
	case halted:
		sign, color = "–", "33"
	}
	return fmt.Sprintf("%s %-*s  %s", v.paint(color, sign), v.nameWidth, name, text)
}

func (v *liveView) output(name, line string) string {
	return v.paint("2", fmt.Sprintf("  %-*s | ", v.nameWidth, name)) + line
}

func (v *liveView) paint(color, text string) string {
	if !v.opts.Color || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// Close writes what is not yet written and takes the running rows away.
func (v *liveView) Close() {
	v.mu.Lock()
	if v.isClosed() {
		v.mu.Unlock()
		return
	}
	for _, t := range v.running {
		v.above = append(v.above, v.permanent(halted, t.name, unfinished(t, v.now())))
	}
	v.running = nil
	close(v.closed)
	v.mu.Unlock()
	v.draw()
}

// draw brings the screen up to date.
func (v *liveView) draw() {
	v.drawing.Lock()
	defer v.drawing.Unlock()
	if b := v.nextFrame(); len(b) > 0 {
		_, _ = v.out.Write(b)
	}
}

// nextFrame returns what turns the screen as it is into what it should be, to
// be written in one go; nothing if it is as it should be.
func (v *liveView) nextFrame() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	width, height := max(v.opts.Width(), 1), max(v.opts.Height(), 2)
	rows, painted := v.rows(width, height)
	if len(v.above) == 0 && slices.Equal(rows, v.frame) {
		return nil
	}
	var b bytes.Buffer
	b.WriteString("\x1b[?25l\r")
	if up := v.taken(width); up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	if len(v.above) > 0 || v.taken(width) != len(v.frame) {
		b.WriteString("\x1b[J")
	}
	for _, line := range v.above {
		b.WriteString(line + "\n")
	}
	for _, row := range painted {
		b.WriteString(row + "\x1b[K\n")
	}
	b.WriteString("\x1b[J\x1b[?25h")
	v.above, v.frame = nil, rows
	return b.Bytes()
}

// taken is how many rows of the screen the last frame takes: terminals break
// lines in two when they become narrower.
func (v *liveView) taken(width int) int {
	n := 0
	for _, row := range v.frame {
		n += max(1, (v.cells.StringWidth(row)+width-1)/width)
	}
	return n
}

// rows renders the running tasks, each in at most a row of the screen, and
// all of them in one row less than the screen has; without colours and with.
func (v *liveView) rows(width, height int) (plain, painted []string) {
	shown := v.running
	if len(shown) > height-1 {
		shown = shown[:max(height-2, 0)]
	}
	for _, t := range shown {
		row, dim := v.row(t, width-1)
		plain = append(plain, row+dim)
		painted = append(painted, row+v.paint("2", dim))
	}
	if more := len(v.running) - len(shown); more > 0 {
		row := v.cells.Truncate(fmt.Sprintf("… and %d more", more), width-1, "")
		plain, painted = append(plain, row), append(painted, row)
	}
	return plain, painted
}

// Widths of a row's parts, in columns.
const (
	barWidth   = 10
	wideEnough = 72 // for a bar and a title beside the output
)

// row renders a task in at most width columns; dim is the program's output at
// its end.
func (v *liveView) row(t *task, width int) (row, dim string) {
	nameWidth := min(v.nameWidth, max(8, width*2/5))
	row = v.cells.FillRight(v.cells.Truncate(t.name, nameWidth, "…"), nameWidth) + " "
	counter := ""
	if t.steps > 0 {
		counter = fmt.Sprintf("%d/%d", t.step, t.steps)
	}
	wide := width >= wideEnough
	if wide {
		row += bar(t) + " "
	}
	row += fmt.Sprintf("%-5s %5s  ", counter, clock(v.now().Sub(t.began)))
	left := width - v.cells.StringWidth(row)
	if left < 4 {
		return strings.TrimRight(v.cells.Truncate(row, width, ""), " "), ""
	}
	title, last := clean(t.title), clean(t.last)
	switch {
	case last == "":
		return row + v.cells.Truncate(title, left, "…"), ""
	case !wide:
		return row, v.cells.Truncate(last, left, "…")
	}
	title = v.cells.Truncate(title, max(12, left*2/5), "…") + "  "
	return row + title, v.cells.Truncate(last, left-v.cells.StringWidth(title), "…")
}

// bar shows how many of the steps are done.
func bar(t *task) string {
	done := 0
	if t.steps > 0 && t.step > 0 {
		done = (t.step - 1) * barWidth / t.steps
	}
	return strings.Repeat("━", done) + strings.Repeat("╌", barWidth-done)
}

// clock renders a duration in few columns that do not jump.
func clock(d time.Duration) string {
	s := int(d / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
