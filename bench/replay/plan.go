package replay

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Plan is what strata plan said, and what it took.
type Plan struct {
	Nodes   []Node  `json:"nodes,omitempty"` // those that are not kept
	All     int     `json:"all"`             // how many nodes there are
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu"`               // seconds, user and system
	Peak    float64 `json:"peak_mb"`           // resident
	Exit    int     `json:"exit"`              // -1 if it was stopped
	Stopped string  `json:"stopped,omitempty"` // which limit it ran into: time, memory
	Fault   *Fault  `json:"fault,omitempty"`   // why it was refused

	said string // all that it printed, errors included
}

// Node is a node that is built, or may be.
type Node struct {
	ID     string `json:"id"`
	Action string `json:"action"` // build, maybe
	// Own are the reasons that were followed to their end. Values are left out.
	Own []Reason `json:"own,omitempty"`
	// Wide are the places beyond which Strata could not follow, each as
	// "file:line: why", with how many of the reasons are there for nothing else.
	Wide map[string]int `json:"wide,omitempty"`
}

// widened reports whether the node is built only for what could not be followed.
func (n *Node) widened() bool { return n.Action == "build" && len(n.Own) == 0 && len(n.Wide) > 0 }

// Reason is something that changed.
type Reason struct {
	Kind string   `json:"kind"`
	Name string   `json:"name,omitempty"`
	File string   `json:"file,omitempty"`
	Via  []string `json:"via,omitempty"`
}

// about says in a few words what a reason is about: what Listing 6 may not know.
func (r *Reason) about() string {
	name := r.File
	if r.Kind == "file" {
		name = r.Name
	}
	in := func(dir string) bool { return strings.Contains("/"+name, "/"+dir+"/") }
	switch where := ""; {
	case r.Kind != "variable" && r.Kind != "file":
		return r.Kind
	default:
		switch {
		case in("host_vars"):
			where = "in host_vars"
		case in("group_vars"):
			where = "in group_vars"
		case in("roles"):
			where = "in a role"
		case name == "":
			where = "in the inventory"
		case strings.Contains("/"+name, "_plugins/") || in("library") || in("module_utils") || in("plugins"):
			where = "among plugins"
		default:
			where = "beside playbooks"
		}
		return r.Kind + " " + where
	}
}

// about says in a few words why a node is built.
func (n *Node) about() string {
	switch {
	case n.Action != "build":
		return "it stands on one that is built"
	case n.widened():
		return "a line that cannot be followed"
	case len(n.Own) == 0:
		return "no reason given"
	}
	return n.Own[0].about()
}

// Fault is an error of Strata's, as --output json has it.
type Fault struct {
	Kind, Message, Hint, File string
	Line                      int
}

func (p *Plan) answered() bool { return p.Exit == 0 }

// refusal says in a few words why there is no answer.
func (p *Plan) refusal() string {
	switch {
	case p.Stopped != "":
		return "stopped: too much " + p.Stopped
	case p.Fault == nil:
		return fmt.Sprintf("exit %d", p.Exit)
	}
	text := fmt.Sprintf("exit %d: %s", p.Exit, p.Fault.Message)
	_, file, ok := strings.Cut(p.Fault.File, ":") // COMMIT:FILE
	if !ok {
		file = p.Fault.File
	}
	if file != "" && !strings.Contains(p.Fault.Message, file) {
		text += fmt.Sprintf(" (%s:%d)", file, p.Fault.Line)
	}
	return text
}

// rebuilt are the nodes that are built, or may be.
func (p *Plan) rebuilt() []string {
	var all []string
	for _, n := range p.Nodes {
		all = append(all, n.ID)
	}
	return all
}

// lendGalaxy puts a cache of roles and collections into one of Strata's.
func lendGalaxy(dir, cache string) error {
	at := filepath.Join(cache, "strata", "galaxy")
	if _, err := os.Lstat(at); dir == "" || err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return err
	}
	return os.Symlink(dir, at)
}

// plan asks Strata, with what it keeps in a directory of the scratch space. A plan
// that fails is an answer; an error is what hinders the replay itself.
func (h *history) plan(o Options, base, head, cache string, more ...string) (Plan, error) {
	cmd := exec.CommandContext(h.ctx, o.Strata, append([]string{"--output", "json", "plan", "--base", base, "--head", head}, more...)...)
	var out, said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = h.dir, &out, &said
	var p Plan
	kept := filepath.Join(filepath.Dir(h.dir), cache)
	if err := lendGalaxy(o.Galaxy, kept); err != nil {
		return p, err
	}
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+kept)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return p, err
	}
	guard := startGuard(cmd.Process, o.Limits)
	err := cmd.Wait()
	p.Stopped = guard.end()
	p.Seconds, p.Exit = time.Since(began).Seconds(), cmd.ProcessState.ExitCode()
	p.CPU, p.said = cpu(cmd.ProcessState), out.String()+said.String()
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		p.Peak = float64(used.Maxrss) / 1000
	}
	if h.ctx.Err() != nil {
		return p, h.ctx.Err()
	}
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return p, err
	}
	if err != nil {
		p.Fault = readFault(said.Bytes())
		return p, nil
	}
	return p, p.read(out.Bytes())
}

// cpu is the processor time of a process that has ended, in seconds.
func cpu(state *os.ProcessState) float64 { return (state.UserTime() + state.SystemTime()).Seconds() }

// readFault takes the last line that is a fault, or all that was said.
func readFault(said []byte) *Fault {
	var f *Fault
	for line := range bytes.Lines(said) {
		var one Fault
		if json.Unmarshal(line, &one) == nil && one.Message != "" {
			f = &one
		}
	}
	return cmp.Or(f, &Fault{Message: strings.TrimSpace(string(said[:min(len(said), 2000)]))})
}

// read takes the plan apart: which reasons were followed, and which are there
// only because something could not be.
func (p *Plan) read(out []byte) error {
	var doc struct {
		Nodes []struct {
			ID, Action string
			Reasons    []Reason
		}
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		return fmt.Errorf("read what strata plan says: %w", err)
	}
	p.All = len(doc.Nodes)
	for _, n := range doc.Nodes {
		if n.Action == "keep" {
			continue
		}
		node := Node{ID: n.ID, Action: n.Action}
		for _, r := range n.Reasons {
			wide, plain := places(r.Via)
			if len(wide) == 0 || len(plain) > 0 {
				node.Own = append(node.Own, Reason{Kind: r.Kind, Name: r.Name, File: r.File, Via: plain})
				continue
			}
			if node.Wide == nil {
				node.Wide = map[string]int{}
			}
			for _, at := range wide {
				node.Wide[at]++
			}
		}
		p.Nodes = append(p.Nodes, node)
	}
	return nil
}

// widening is a place with the reason why more counts than is used there.
var widening = regexp.MustCompile(`^[^:]+(:\d+)?: .`)

func places(via []string) (wide, plain []string) {
	for _, at := range via {
		if widening.MatchString(at) {
			wide = append(wide, at)
		} else {
			plain = append(plain, at)
		}
	}
	return wide, plain
}

// guard kills a process that takes too much.
type guard struct {
	stop    chan struct{}
	stopped chan string
}

// step is how often a guard looks.
const step = 20 * time.Millisecond

func startGuard(process *os.Process, l Limits) *guard {
	g := &guard{stop: make(chan struct{}), stopped: make(chan string, 1)}
	go func() {
		ticks := time.NewTicker(step)
		defer ticks.Stop()
		began, why := time.Now(), ""
		for why == "" {
			select {
			case <-g.stop:
				g.stopped <- ""
				return
			case <-ticks.C:
			}
			switch {
			case l.Time > 0 && time.Since(began) > l.Time:
				why = "time"
			case l.Memory > 0 && resident(process.Pid) > l.Memory:
				why = "memory"
			}
		}
		if process.Kill() != nil { // it has ended by itself
			why = ""
		}
		g.stopped <- why
	}()
	return g
}

// end ends a guard whose process has ended, and says what it was killed for.
func (g *guard) end() string {
	close(g.stop)
	return <-g.stopped
}

// resident is the memory of a process in bytes; 0 if it is gone.
func resident(pid int) int64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
