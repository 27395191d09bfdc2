package soundness

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// content is a file, or a link, whose data is where it points.
type content struct {
	data string
	mode fs.FileMode
}

func (c *content) isLink() bool { return c.mode&fs.ModeSymlink != 0 }

// files are a project's files by path.
type files map[string]*content

// with returns the files after a change, in which nil stands for no file.
func (f files) with(change files) files {
	all := files{}
	for _, from := range []files{f, change} {
		for name, c := range from {
			if c == nil {
				delete(all, name)
				continue
			}
			all[name] = c
		}
	}
	return all
}

// identified is a file system that tells contents apart, as that of a commit
// does, so that what was read of one project is used for the next.
type identified struct {
	fstest.MapFS
	of files
}

// ObjectID is a name for the content of a file.
func (f identified) ObjectID(name string) (string, error) {
	c := f.of[name]
	if c == nil || c.isLink() {
		return "", fs.ErrNotExist
	}
	return c.data, nil
}

func (f files) fsys() fs.FS {
	m := fstest.MapFS{}
	for name, c := range f {
		m[name] = &fstest.MapFile{Data: []byte(c.data), Mode: c.mode}
	}
	return identified{m, f}
}

// job is what a driver is told.
type job struct {
	ID        string           `json:"id"`
	Files     map[string]entry `json:"files"`
	Playbooks []string         `json:"playbooks"`
	Host      string           `json:"host"`
	Groups    []string         `json:"groups"`
	Inventory []string         `json:"inventory"`
	Extra     map[string]any   `json:"extra,omitempty"`
	Password  string           `json:"password"`
	Tags      string           `json:"tags,omitempty"`
}

type entry struct {
	Data []byte `json:"data"`
	Mode uint32 `json:"mode"`
	Link string `json:"link,omitempty"`
}

// outcome is what came of a run.
type outcome struct {
	ID     string
	Status int
	Tree   map[string]string
	Opened []string // what Ansible asked for of the project, directories that it listed as DIRECTORY/; //subprocess if a program may have
	Log    string

	saw map[string]bool // Opened
}

func (x *trial) job() job {
	p, n := x.project, x.node
	j := job{ID: x.name, Files: map[string]entry{}, Playbooks: n.playbooks, Host: n.host, Groups: n.groups,
		Inventory: p.inventory, Extra: p.extra, Password: p.password, Tags: p.tags}
	for name, c := range p.files.with(x.change) {
		if j.Files[name] = (entry{Data: []byte(c.data), Mode: uint32(c.mode.Perm())}); c.isLink() {
			j.Files[name] = entry{Link: c.data}
		}
	}
	if x.groups != nil {
		j.Groups = x.groups(n.groups)
	}
	return j
}

// drivers run Ansible, one for each processor.
type drivers struct {
	all  []*driver
	runs int // so far
}

type driver struct {
	in  *json.Encoder
	out *bufio.Reader
	err *bytes.Buffer
}

func newDrivers(t *testing.T) *drivers {
	t.Helper()
	python := "/usr/bin/python3"
	for _, program := range []string{"ansible-playbook", "unshare", python} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s, which is not installed", program)
		}
	}
	top, err := os.MkdirTemp("", "strata-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	script, err := filepath.Abs("driver.py")
	if err != nil {
		t.Fatal(err)
	}
	d := &drivers{}
	for i := range runtime.NumCPU() {
		// Each in its own mount namespace, all see the same path.
		cmd := exec.Command("unshare", "--mount", python, script, filepath.Join(top, "work"))
		one := &driver{err: &bytes.Buffer{}}
		cmd.Stderr = one.err
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		one.in, one.out = json.NewEncoder(in), bufio.NewReaderSize(out, 1<<20)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			in.Close()
			_ = cmd.Wait()
		})
		if line, err := one.out.ReadString('\n'); err != nil || line != "ready\n" {
			t.Fatalf("driver %d: %q %v\n%s", i, line, err, one.err)
		}
		d.all = append(d.all, one)
	}
	return d
}

func (d *driver) run(j job) (o outcome, err error) {
	if err = d.in.Encode(j); err != nil {
		return o, err
	}
	line, err := d.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	return o, err
}

// runAll runs the trials that are to run.
func (d *drivers) runAll(t *testing.T, trials []*trial) {
	t.Helper()
	queue := make(chan *trial)
	var wait sync.WaitGroup
	start, done := time.Now(), 0
	var mu sync.Mutex
	for _, one := range d.all {
		wait.Go(func() {
			for x := range queue {
				if t.Failed() {
					continue
				}
				o, err := one.run(x.job())
				mu.Lock()
				x.outcome, x.done = o, true
				if what := x.node.before.difference(o); err == nil && x.says == keep && what != "" && len(x.change) < 2 {
					t.Logf("so far missed: %s: %s: for %s: %.300s", x.project.name, x.name, x.node.host, what)
				}
				if err != nil {
					x.run = false
					t.Errorf("run %s: %v\n%s", x.name, err, one.err)
				}
				d.runs++
				if done++; done%100 == 0 {
					t.Logf("%d runs after %d s", done, int(time.Since(start).Seconds()))
				}
				mu.Unlock()
			}
		})
	}
	for _, x := range trials {
		if x.run && !x.done {
			queue <- x
		}
	}
	close(queue)
	wait.Wait()
}

// unhex reads a file that is not text.
func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func number(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil
}
