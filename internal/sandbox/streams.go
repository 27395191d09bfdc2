package sandbox

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// streams join a program's input and output with readers and writers of this
// process. Whichever side fails, the other one hears of it: a writer that takes
// no more closes the pipe, so that the program ends as by a shell's pipe; a
// reader that fails ends the program's input. Nobody waits for a program that is
// gone, or for what a process holds open that it left behind.
type streams struct {
	in, out, errw *os.File // the program's; given closes them
	source        *source  // nil if the input needs no copying
	outputs       []*output
}

// grace is how long the output of a finished program is still awaited when a
// process that it left behind holds it open.
const grace = 200 * time.Millisecond

// mostHeld is what a pipe can hold, in bytes, unless root has made it larger: no
// more of a finished program's output can be left.
const mostHeld = 1 << 20

// newStreams makes the descriptors of a program. Nil is /dev/null; two writers
// that are one share a pipe. Files are handed over as they are.
func newStreams(stdin io.Reader, stdout, stderr io.Writer) (s *streams, err error) {
	s = &streams{}
	defer func() {
		if err != nil {
			s.given()
		}
	}()
	if s.in, err = s.input(stdin); err != nil {
		return nil, err
	}
	if s.out, err = s.output(stdout); err != nil {
		return nil, err
	}
	if same(stdout, stderr) {
		s.errw, err = duplicate(s.out)
	} else {
		s.errw, err = s.output(stderr)
	}
	return s, err
}

// given closes the program's descriptors, which it has by now, or will not get.
func (s *streams) given() {
	for _, f := range []*os.File{s.in, s.out, s.errw} {
		if f != nil {
			f.Close()
		}
	}
}

// wait returns when the output of the program, which has ended, has arrived. The
// error is that of the reader or the writer that failed. When ctx is done, a
// writer that is stuck is left alone, and the error is ctx's.
func (s *streams) wait(ctx context.Context) error {
	for _, o := range s.outputs {
		if !o.finish(ctx) {
			return ctx.Err()
		}
	}
	if err := s.source.failure(); err != nil {
		return fmt.Errorf("read its input: %w", err)
	}
	for _, o := range s.outputs {
		if o.err != nil {
			return fmt.Errorf("write its output: %w", o.err)
		}
	}
	return nil
}

func (s *streams) input(r io.Reader) (*os.File, error) {
	switch r := r.(type) {
	case nil:
		return os.Open(os.DevNull)
	case *os.File:
		return duplicate(r)
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.source = &source{r: r}
	go func() {
		// That it takes no more is the program's business, and no error.
		_, _ = io.Copy(pw, s.source)
		pw.Close()
	}()
	return pr, nil
}

func (s *streams) output(w io.Writer) (*os.File, error) {
	switch w := w.(type) {
	case nil:
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	case *os.File:
		return duplicate(w)
	}
	r, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o := &output{r: r, w: w, done: make(chan struct{})}
	s.outputs = append(s.outputs, o)
	go o.copy()
	return pw, nil
}

// source remembers why it could not be read to its end.
type source struct {
	r   io.Reader
	mu  sync.Mutex
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *source) failure() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// output is a pipe that is copied to a writer.
type output struct {
	r     *os.File
	w     io.Writer
	ended atomic.Bool   // the program has
	done  chan struct{} // closed when nothing more comes, or can be written
	err   error         // of the writer; to be read once done is closed
}

func (o *output) copy() {
	defer close(o.done)
	defer o.r.Close()
	buf := make([]byte, 32<<10)
	for left := mostHeld; left > 0; {
		ended := o.ended.Load()
		if ended {
			// Anew for each: the writer may have taken its time.
			_ = o.r.SetReadDeadline(time.Now().Add(grace))
		}
		n, err := o.r.Read(buf)
		if n > 0 {
			if _, o.err = o.w.Write(buf[:n]); o.err != nil {
				return
			}
		}
		if err != nil {
			return
		}
		if ended {
			left -= n
		}
	}
}

// finish waits for what is left of a program's output, and says whether all of it
// was dealt with before ctx was done.
func (o *output) finish(ctx context.Context) bool {
	o.ended.Store(true)
	_ = o.r.SetReadDeadline(time.Now().Add(grace))
	select {
	case <-o.done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-o.done:
		return true
	case <-time.After(grace):
		return false
	}
}

func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
