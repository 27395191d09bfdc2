package sandbox

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/layer"
)

// Observer notes what programs of this machine, and all that they start, do with
// the files below a directory. Each is put under a seccomp filter as it starts, by
// this program itself, which then becomes it; the kernel tells of its calls that
// name files, and lets them pass once they are noted.
//
// What starts them must say so: see Start. Nobody else pays anything.
type Observer struct {
	roots    []root
	listener *net.UnixListener
	socket   string
	calls    map[uint32]call

	mu       sync.Mutex
	ready    bool // what starts programs said that it tells of all of them
	unknown  string
	programs []*Program
	threads  map[int]*Program // what runs in them, by id
	hard     map[inode]string // files below the directory with several names, once one was met
}

// Program is a program that ran, and what it did itself.
type Program struct {
	Args   []string
	Parent *Program // that started it; nil for what Ansible started itself
	layer.Observed

	uses map[sighting]bool
}

type sighting struct {
	use  use
	path string
}

type inode struct{ dev, ino uint64 }

// Observe begins to observe what is done below dir. Joined are directories of links that
// lie elsewhere, by the names that they have below it. Scratch is an empty directory, which
// the caller removes after Close.
func Observe(dir, scratch string, joined map[string]string) (*Observer, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, err
	}
	roots, err := rootsOf(real)
	if err != nil {
		return nil, err
	}
	for name, dir := range joined {
		more, err := linkedRoots(dir, name)
		if err != nil {
			return nil, err
		}
		roots = append(roots, more...)
	}
	o := &Observer{roots: roots, socket: filepath.Join(scratch, "observer"), calls: fileCalls(), threads: map[int]*Program{}}
	if o.listener, err = listen(o.socket); err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := o.listener.AcceptUnix()
			if err != nil {
				return
			}
			go o.hear(conn)
		}
	}()
	return o, nil
}

// Start is what programs are started by in place of themselves: the program to
// execute, and its first arguments. The number of paths under which the program is
// to be looked for, those paths, and its own arguments follow.
func (o *Observer) Start() (program string, args []string) {
	return "/proc/" + strconv.Itoa(os.Getpid()) + "/exe", []string{observedName, o.socket}
}

// Socket is where what starts programs says {"op": "ready"} once all of them will
// be started so, {"op": "missing", "args": [path…]} of one that is not there, and
// {"op": "unobserved", "args": [why]} of one that was started otherwise.
func (o *Observer) Socket() string { return o.socket }

// Close returns what was seen. Programs that still run are observed on, for nothing,
// as long as this process lives.
func (o *Observer) Close() (programs []*Program, unknown string) {
	o.listener.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.programs {
		p.sort()
	}
	if !o.ready && o.unknown == "" {
		o.unknown = "the Python that runs ansible-playbook does not say what it starts"
	}
	return slices.Clone(o.programs), o.unknown
}

// sort makes lists of what was noted.
func (p *Program) sort() {
	lists := map[use]*[]string{usesContent: &p.Contents, usesKind: &p.Kinds, usesNames: &p.Names, usesLink: &p.Links}
	for _, list := range lists {
		*list = nil
	}
	for _, s := range slices.SortedFunc(maps.Keys(p.uses), func(a, b sighting) int { return strings.Compare(a.path, b.path) }) {
		*lists[s.use] = append(*lists[s.use], s.path)
	}
}

// hear deals with one message of what starts programs, or of a program.
func (o *Observer) hear(conn *net.UnixConn) {
	defer conn.Close()
	req, files, err := receive(conn)
	if err != nil {
		o.lost("a program was started in an unknown way")
		return
	}
	switch req.Op {
	case "ready":
		o.mu.Lock()
		o.ready = true
		o.mu.Unlock()
	case "missing":
		p := o.starts(req.Args)
		for _, name := range req.Args {
			o.see(p, usesKind, 0, req.Dir, name, false)
		}
	case "observe":
		if len(files) != 1 {
			o.lost("no listener came with a program")
			break
		}
		fd, err := unix.FcntlInt(files[0].Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			o.lost("observe a program: " + err.Error())
			break
		}
		go o.serve(fd, o.starts(req.Args))
	default:
		o.lost(strings.Join(req.Args, " "))
	}
	closeAll(files)
	_ = json.NewEncoder(conn).Encode(reply{})
}

// starts notes a program that Ansible starts.
func (o *Observer) starts(args []string) *Program {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := &Program{Args: args}
	o.programs = append(o.programs, p)
	return p
}

// lost notes why it is not known what programs read.
func (o *Observer) lost(why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unknown == "" {
		o.unknown = why
	}
}

// program is what runs in a thread.
func (o *Observer) program(thread int, first *Program) *Program {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.threads[thread]; p != nil && p.root() == first {
		return p
	}
	id, parent := processOf(thread)
	for _, of := range []int{id, parent} {
		if p := o.threads[of]; p != nil && p.root() == first {
			o.threads[thread] = p
			return p
		}
	}
	o.threads[thread] = first
	return first
}

// becomes notes that a thread's process executes a program.
func (o *Observer) becomes(thread int, p *Program, args []string) {
	if slices.Equal(p.Args, args) {
		return
	}
	id, _ := processOf(thread)
	next := &Program{Args: args, Parent: p}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.threads[id] = next
	o.programs = append(o.programs, next)
}

// root is the program that Ansible started.
func (p *Program) root() *Program {
	for p.Parent != nil {
		p = p.Parent
	}
	return p
}

// name is a program for people.
func (p *Program) name() string {
	if len(p.Args) == 0 {
		return "a program"
	}
	return filepath.Base(p.Args[0])
}

// Commands are a program as a shell would be told it: its arguments with blanks
// between them, and of a shell that is given its text, that too.
func (p *Program) Commands() []string {
	all := []string{strings.Join(p.Args, " ")}
	if len(p.Args) > 2 && strings.HasSuffix(p.Args[0], "sh") && p.Args[1] == "-c" {
		all = append(all, p.Args[2])
	}
	return all
}

// processOf returns the process of a thread, and its parent.
func processOf(thread int) (id, parent int) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(thread) + "/status")
	if err != nil {
		return thread, 0
	}
	id = thread
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "Tgid":
			id, _ = strconv.Atoi(strings.TrimSpace(value))
		case "PPid":
			parent, _ = strconv.Atoi(strings.TrimSpace(value))
			return id, parent
		}
	}
	return id, parent
}
