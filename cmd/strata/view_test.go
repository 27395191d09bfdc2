package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/strata-hpc/strata/internal/engine"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// tick is a clock that the test moves.
type tick struct{ time.Time }

func (c *tick) now() time.Time         { return c.Time }
func (c *tick) pass(d time.Duration)   { c.Time = c.Add(d) }
func newTick() *tick                   { return &tick{time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)} }
func started(n layer.NodeID) ev        { return ev{Kind: engine.NodeStarted, Node: n} }
func line(n layer.NodeID, s string) ev { return ev{Kind: engine.Line, Node: n, Line: s} }
func ended(n layer.NodeID, s engine.Status, took time.Duration) ev {
	return ev{Kind: engine.NodeEnded, Node: n, Status: s, Took: took}
}
func stepped(n layer.NodeID, i, of int, title string) ev {
	return ev{Kind: engine.StepStarted, Node: n, Step: i, Steps: of, Title: title}
}

type ev = engine.Event

// aBuild sends the events of a build to a view.
func aBuild(v view, clock *tick) {
	v.Event(ev{Kind: engine.NodeEnded, Node: "hsn", Status: engine.Cached})
	v.Event(ev{Kind: engine.NodeStarted, Node: "base", Reason: "a package was added"})
	v.Event(stepped("base", 1, 2, "bootstrap debian"))
	v.Event(line("base", "# bootstrap debian"))
	clock.pass(12 * time.Second)
	v.Event(line("base", "\x1b[32mSetting up\x1b[0m bash\t(5.2)\a …"))
	v.Event(stepped("base", 2, 2, "install chrony"))
	v.Event(started("slurm-compute"))
	v.Event(ev{Kind: engine.NodeWaiting, Node: "slurm-compute"})
	v.Event(stepped("slurm-compute", 1, 1, "playbook slurm.yml"))
	v.Event(line("slurm-compute", "\x1b]0;title\x1b\\TASK [munge]\r"))
	clock.pass(2500 * time.Millisecond)
	v.Event(ended("base", engine.Built, 14500*time.Millisecond))
	v.Event(ev{
		Kind: engine.NodeEnded, Node: "slurm-compute", Status: engine.Failed, Took: 2500 * time.Millisecond,
		Err: fault.New(fault.Failed, "node slurm-compute: playbook slurm.yml: exit status 2\nmore"),
	})
	v.Event(ev{Kind: engine.NodeEnded, Node: "slurm-uan", Status: engine.Failed, Reason: "its parent failed"})
	v.Event(ev{Kind: engine.ImageStarted, Image: "uan"})
	clock.pass(70 * time.Second)
	v.Event(ev{Kind: engine.ImageEnded, Image: "uan"})
	v.Event(started("late"))
	v.Event(stepped("late", 3, 7, "run make"))
	clock.pass(time.Second)
}

var aBuildNodes = []layer.NodeID{"base", "hsn", "slurm-compute"}

func TestPlainView(t *testing.T) {
	const all = `hsn           | == cached
base          | == build: a package was added
base          | == step 1 of 2: bootstrap debian
base          | Setting up bash (5.2) …
base          | == step 1 of 2 took 12 s
base          | == step 2 of 2: install chrony
slurm-compute | == waits for another build of it
slurm-compute | == step 1 of 1: playbook slurm.yml
slurm-compute | TASK [munge]
base          | == step 2 of 2 took 2.5 s
base          | == built in 14 s
slurm-compute | == failed after 2.5 s: playbook slurm.yml: exit status 2
slurm-uan     | == not built: its parent failed
image uan     | == made in 1 min 10 s
late          | == step 3 of 7: run make
late          | == stopped in step 3 of 7 (run make) after 1.0 s
`
	const quiet = `slurm-compute | == failed after 2.5 s: playbook slurm.yml: exit status 2
slurm-uan     | == not built: its parent failed
late          | == stopped in step 3 of 7 (run make) after 1.0 s
`
	for _, c := range []struct {
		name string
		opts viewOptions
		want string
	}{
		{"log", viewOptions{}, all},
		{"verbose", viewOptions{Verbose: true}, all},
		{"quiet", viewOptions{Quiet: true}, quiet},
		{"quiet on a terminal", viewOptions{Quiet: true, Terminal: true}, quiet},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			clock := newTick()
			c.opts.Now, c.opts.Nodes = clock.now, aBuildNodes
			v := newView(&out, c.opts)
			aBuild(v, clock)
			v.Close()
			v.Close()
			v.Event(line("base", "too late"))
			if out.String() != c.want {
				t.Errorf("got\n%s\nwant\n%s", out.String(), c.want)
			}
		})
	}
}

// screen is a terminal that knows what the live view uses.
type screen struct {
	t          *testing.T
	cols, x, y int
	rows       [][]rune
	hidden     bool
}

func (s *screen) Write(p []byte) (int, error) {
	text := []rune(string(p))
	for i := 0; i < len(text); i++ {
		switch r := text[i]; r {
		case '\n':
			s.x, s.y = 0, s.y+1
			s.row()
		case '\r':
			s.x = 0
		case '\x1b':
			end := i + 2
			for text[end] < '@' {
				end++
			}
			s.control(string(text[i+2:end]), text[end])
			i = end
		default:
			if r < ' ' {
				s.t.Errorf("control character %q on the screen", r)
			}
			if s.x == s.cols {
				s.x, s.y = 0, s.y+1
			}
			row := s.row()
			for len(*row) <= s.x {
				*row = append(*row, ' ')
			}
			(*row)[s.x] = r
			s.x++
		}
	}
	return len(p), nil
}

func (s *screen) row() *[]rune {
	for len(s.rows) <= s.y {
		s.rows = append(s.rows, nil)
	}
	return &s.rows[s.y]
}

func (s *screen) control(args string, final rune) {
	switch final {
	case 'A':
		n := 0
		_, _ = fmt.Sscan(args, &n)
		s.y -= n
		if s.y < 0 {
			s.t.Fatalf("the cursor went %d rows above the beginning", -s.y)
		}
	case 'K':
		row := s.row()
		*row = (*row)[:min(s.x, len(*row))]
	case 'J':
		row := s.row()
		*row = (*row)[:min(s.x, len(*row))]
		s.rows = s.rows[:s.y+1]
	case 'h', 'l':
		s.hidden = final == 'l'
	case 'm':
	default:
		s.t.Errorf("unexpected control sequence %s%c", args, final)
	}
}

func (s *screen) String() string {
	var b strings.Builder
	for _, row := range s.rows {
		b.WriteString(strings.TrimRight(string(row), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// liveOn makes a live view that is drawn when the test says so.
func liveOn(t *testing.T, opts viewOptions) (*liveView, *screen, *tick) {
	clock := newTick()
	opts.Now = clock.now
	s := &screen{t: t, cols: opts.Width()}
	p := progress{now: clock.now}
	for _, id := range opts.Nodes {
		p.nameWidth = max(p.nameWidth, len(id))
	}
	return newLiveView(s, opts, p), s, clock
}

func expect(t *testing.T, s *screen, want string) {
	t.Helper()
	if got := s.String(); got != want {
		t.Errorf("the screen is\n%swant\n%s", got, want)
	}
	for _, row := range s.rows {
		if len(row) > s.cols {
			t.Errorf("row is wider than the screen: %s", string(row))
		}
	}
	if s.hidden {
		t.Error("the cursor is hidden")
	}
}

// What goes to the registry and comes from it is told like what is built, and
// leaves nothing running.
func TestMovesInViews(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		var out bytes.Buffer
		clock := newTick()
		v := newView(&out, viewOptions{Terminal: terminal, Now: clock.now})
		v.Event(ev{Kind: engine.NodeEnded, Node: "base", Status: engine.Pulled, Reason: "the registry has it"})
		v.Event(ev{Kind: engine.MoveStarted, Node: "base", Title: "pulling it"})
		clock.pass(2 * time.Second)
		v.Event(ev{Kind: engine.MoveEnded, Node: "base", Title: string(engine.Pulled), Blobs: 2, Size: 5 << 20, Took: 2 * time.Second})
		for _, e := range []ev{
			{Node: "hsn", Title: engine.Pushed, Blobs: 1, Size: 1 << 10, Took: time.Second},
			{Node: "old", Title: engine.Pushed, Took: time.Second},
			{Node: "uan", Title: engine.Pushed, Took: time.Second, Err: fault.New(fault.Failed, "push to x: 500")},
		} {
			v.Event(ev{Kind: engine.MoveStarted, Node: e.Node, Title: "pushing it"})
			e.Kind = engine.MoveEnded
			v.Event(e)
		}
		v.Close()
		for _, want := range []string{"pulled (the registry has it)", "pulled 5.0 MiB in 2.0 s", "pushed 1.0 KiB in 1.0 s", "is in the registry", "failed after 1.0 s: push to x: 500"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("terminal %v: no %q in\n%s", terminal, want, out.String())
			}
		}
		if strings.Contains(out.String(), "stopped") {
			t.Errorf("terminal %v: something is left:\n%s", terminal, out.String())
		}
	}
}

func TestLiveView(t *testing.T) {
	width := 90
	v, s, clock := liveOn(t, viewOptions{Width: func() int { return width }, Color: true, Nodes: aBuildNodes})
	v.Event(ev{Kind: engine.NodeEnded, Node: "hsn", Status: engine.Cached})
	v.Event(started("base"))
	v.Event(stepped("base", 4, 8, "install chrony, munge"))
	v.Event(line("base", "# install chrony, munge"))
	v.draw()
	expect(t, s, `· hsn            cached
base          ━━━╌╌╌╌╌╌╌ 4/8    0:00  install chrony, munge
`)
	clock.pass(65 * time.Second)
	v.Event(started("slurm-compute"))
	for i := range 10000 {
		v.Event(line("base", fmt.Sprintf("\x1b[1mGet:%d\x1b[0m\thttp://mirror.example/debian bookworm/main amd64 munge", i)))
	}
	v.draw()
	expect(t, s, `· hsn            cached
base          ━━━╌╌╌╌╌╌╌ 4/8    1:05  install chrony, mun…  Get:9999 http://mirror.examp…
slurm-compute ╌╌╌╌╌╌╌╌╌╌        0:00
`)
	v.Event(ended("base", engine.Built, 65*time.Second))
	v.Event(stepped("slurm-compute", 1, 1, "playbook slurm.yml"))
	v.draw()
	expect(t, s, `· hsn            cached
✔ base           built in 1 min 05 s
slurm-compute ╌╌╌╌╌╌╌╌╌╌ 1/1    0:00  playbook slurm.yml
`)
	before := len(s.rows)
	v.draw()
	if len(s.rows) != before || v.nextFrame() != nil {
		t.Error("something is written though nothing changed")
	}
	clock.pass(3 * time.Second)
	v.Event(ev{Kind: engine.NodeEnded, Node: "slurm-compute", Status: engine.Failed, Err: errors.New("exit status 2")})
	v.Event(started("late"))
	v.Event(stepped("late", 1, 2, "run make"))
	v.draw()
	v.Close()
	v.Close()
	v.Event(line("late", "too late"))
	v.draw()
	expect(t, s, `· hsn            cached
✔ base           built in 1 min 05 s
✘ slurm-compute  failed after 3.0 s: exit status 2
– late           stopped in step 1 of 2 (run make) after 0.0 s
`)
}

func TestLiveViewOnANarrowTerminal(t *testing.T) {
	for width := 1; width <= 100; width++ {
		v, s, _ := liveOn(t, viewOptions{Width: func() int { return width }, Nodes: aBuildNodes})
		v.Event(started("slurm-compute"))
		v.Event(stepped("slurm-compute", 3, 7, "install 日本語"))
		v.Event(line("slurm-compute", "日本語の出力 Setting up munge and something longer than the screen is wide"))
		v.draw()
		if n := len(s.rows); n != 2 || len(s.rows[1]) > 0 {
			t.Fatalf("width %d: one task takes %d rows:\n%s", width, n-1, s)
		}
		if n := runewidth.StringWidth(string(s.rows[0])); n >= max(width, 2) {
			t.Errorf("width %d: row of %d columns: %s", width, n, s)
		}
		if width == 40 {
			expect(t, s, "slurm-compute 3/7    0:00  日本語の出…\n")
		}
	}
}

func TestLiveViewAfterAResize(t *testing.T) {
	width, height := 90, 24
	v, s, _ := liveOn(t, viewOptions{
		Width: func() int { return width }, Height: func() int { return height }, Nodes: aBuildNodes,
	})
	v.Event(ended("hsn", engine.Cached, 0))
	for _, id := range []layer.NodeID{"base", "slurm-compute"} {
		v.Event(started(id))
		v.Event(stepped(id, 1, 2, "run make"))
		v.Event(line(id, strings.Repeat("x", 200)))
	}
	v.draw()
	// The terminal becomes narrower and breaks each of the two rows in three.
	width, s.cols = 40, 40
	old := s.rows
	s.rows, s.y = nil, 0
	for _, row := range old[:3] {
		_, _ = s.Write([]byte(string(row) + "\n"))
	}
	v.draw()
	expect(t, s, `· hsn            cached
base          1/2    0:00  xxxxxxxxxxx…
slurm-compute 1/2    0:00  xxxxxxxxxxx…
`)
	height = 3
	v.Event(started("c"))
	v.Event(started("d"))
	v.draw()
	expect(t, s, `· hsn            cached
base          1/2    0:00  xxxxxxxxxxx…
… and 3 more
`)
}

func TestVerboseLiveView(t *testing.T) {
	v, s, clock := liveOn(t, viewOptions{Width: func() int { return 60 }, Verbose: true, Nodes: aBuildNodes})
	v.Event(started("base"))
	v.Event(stepped("base", 1, 2, "run make"))
	v.Event(line("base", "cc a.c"))
	v.draw()
	v.Event(line("base", strings.Repeat("long ", 20)))
	clock.pass(2 * time.Second)
	v.draw()
	v.Event(ev{Kind: engine.NodeEnded, Node: "base", Status: engine.Failed, Err: context.Canceled})
	v.Close()
	expect(t, s, `  base          | == step 1 of 2: run make
  base          | cc a.c
  base          | long long long long long long long long lo
ng long long long long long long long long long long long
– base           stopped after 2.0 s
`)
}

// TestLiveViewDrawsByItself is about the clock, and about events from several goroutines.
func TestLiveViewDrawsByItself(t *testing.T) {
	var out bytes.Buffer
	v := newView(&out, viewOptions{Terminal: true})
	done := make(chan struct{})
	for i := range 4 {
		go func() {
			id := layer.NodeID(fmt.Sprint("n", i))
			v.Event(started(id))
			for j := range 1000 {
				v.Event(line(id, fmt.Sprint(j)))
			}
			time.Sleep(2 * frameTime)
			v.Event(ended(id, engine.Built, time.Second))
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-done
	}
	v.Close()
	if n := strings.Count(out.String(), "\x1b[?25l"); n < 2 || n > 20 {
		t.Errorf("drawn %d times", n)
	}
	if n := strings.Count(out.String(), "built in 1.0 s"); n != 4 {
		t.Errorf("%d nodes ended", n)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                "plain",
		"\x1b[1;31mred\x1b[0m": "red",
		"\x1b[31":              "",
		"a\x1b":                "a",
		"a\x1b(Bb":             "ab",
		"\x1b]8;;http://x.example\alink\x1b]8;;\x1b\\": "link",
		"\x1b]0;endless":                   "",
		"\u009b31mx":                       "x",
		"a\tb\rc\bd\x00e\x7ff":             "a b cdef",
		"bad \xff byte":                    "bad \uFFFD byte",
		"right \u202eto left":              "right to left",
		"ünï ✔":                            "ünï ✔",
		"\x1b[2K\x1b[1;1H\x1b7\x1b8\x1bc!": "!",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[1mx\x1b]0;t\a")
	f.Fuzz(func(t *testing.T, s string) {
		if got := clean(s); strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 }) {
			t.Errorf("clean(%q) = %q", s, got)
		}
	})
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0 s", 3400 * time.Millisecond: "3.4 s", 9990 * time.Millisecond: "10 s", 34 * time.Second: "34 s",
		59900 * time.Millisecond: "1 min 00 s", 65 * time.Second: "1 min 05 s", 62 * time.Minute: "1 h 02 min",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
}

// TestSections: where a CI system folds logs, each step is a section.
func TestSections(t *testing.T) {
	for form, want := range map[string]string{
		"": "base | == step 1 of 2: a\nbase | one\nbase | == step 1 of 2 took 0.0 s\nbase | == step 2 of 2: b\nbase | == step 2 of 2 took 0.0 s\nbase | == built in 0.0 s\n",
		gitlabSections: "\x1b[0Ksection_start:7:strata_1[collapsed=true]\r\x1b[0Kbase | == step 1 of 2: a\nbase | one\nbase | == step 1 of 2 took 0.0 s\n\x1b[0Ksection_end:7:strata_1\r\x1b[0K\n" +
			"\x1b[0Ksection_start:7:strata_2[collapsed=true]\r\x1b[0Kbase | == step 2 of 2: b\nbase | == step 2 of 2 took 0.0 s\n\x1b[0Ksection_end:7:strata_2\r\x1b[0K\nbase | == built in 0.0 s\n",
		githubSections: "::group::base | == step 1 of 2: a\nbase | one\nbase | == step 1 of 2 took 0.0 s\n::endgroup::\n::group::base | == step 2 of 2: b\nbase | == step 2 of 2 took 0.0 s\n::endgroup::\nbase | == built in 0.0 s\n",
	} {
		var out bytes.Buffer
		v := newView(&out, viewOptions{Sections: form, Now: func() time.Time { return time.Unix(7, 0) }, Nodes: []layer.NodeID{"base"}})
		for _, e := range []engine.Event{
			{Kind: engine.StepStarted, Node: "base", Step: 1, Steps: 2, Title: "a"}, line("base", "one"),
			{Kind: engine.StepStarted, Node: "base", Step: 2, Steps: 2, Title: "b"}, {Kind: engine.NodeEnded, Node: "base", Status: engine.Built},
		} {
			v.Event(e)
		}
		v.Close()
		if got := out.String(); got != want {
			t.Errorf("%s:\n%q\nwant\n%q", form, got, want)
		}
	}
}
