package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// writerFunc and readerFunc are a writer and a reader in one function.
type (
	writerFunc func([]byte) (int, error)
	readerFunc func([]byte) (int, error)
)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
func (f readerFunc) Read(p []byte) (int, error)  { return f(p) }

var errSide = errors.New("the other side failed")

// Whatever becomes of the two sides of a program's input and output, neither
// waits for the other for ever, and the error is the cause, not its consequence.
func TestNobodyWaitsForWhoIsGone(t *testing.T) {
	never := make(chan struct{})
	stuck := func([]byte) (int, error) { <-never; return 0, io.EOF }
	fails := func([]byte) (int, error) { return 0, errSide }
	const endless = "while :; do echo y; done"
	cases := []struct {
		name   string
		script string
		stdin  io.Reader
		stdout io.Writer
		stop   bool // a context ends it after a while
		want   error
	}{
		{"a writer fails", endless, nil, writerFunc(fails), false, errSide},
		{"a writer is stuck", endless, nil, writerFunc(stuck), true, context.Canceled},
		{"a writer is stuck, and the program has ended", "echo y", nil, writerFunc(stuck), true, context.Canceled},
		{"a reader fails", "cat", readerFunc(fails), io.Discard, false, errSide},
		{"a reader is stuck, and the program has ended", "echo y", readerFunc(stuck), io.Discard, false, nil},
		{"a reader is stuck", "cat", readerFunc(stuck), io.Discard, true, context.Canceled},
		{"the program takes no more input", "exit 0", strings.NewReader(strings.Repeat("x", 1<<20)), io.Discard, false, nil},
		{"a process that is left holds the output", "setsid sleep 30 & echo y", nil, writerFunc(func(p []byte) (int, error) { return len(p), nil }), false, nil},
		{"a process that is left goes on writing", "setsid sh -c '" + endless + "' & echo y", nil, writerFunc(func(p []byte) (int, error) { return len(p), nil }), false, nil},
	}
	for where, run := range runners(t) {
		for _, c := range cases {
			t.Run(where+"/"+c.name, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.stop {
					time.AfterFunc(200*time.Millisecond, cancel)
				}
				ended := make(chan error, 1)
				go func() {
					ended <- run(ctx, Cmd{Args: []string{"sh", "-c", c.script}, Stdin: c.stdin, Stdout: c.stdout, Stderr: c.stdout})
				}()
				select {
				case err := <-ended:
					if !errors.Is(err, c.want) {
						t.Errorf("got %v, want %v", err, c.want)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("it hangs")
				}
			})
		}
	}
}

// A writer that takes its time gets all, though the program has long ended.
func TestSlowWriterGetsAll(t *testing.T) {
	for where, run := range runners(t) {
		var got bytes.Buffer
		slow := writerFunc(func(p []byte) (int, error) {
			time.Sleep(500 * time.Millisecond)
			return got.Write(p)
		})
		err := run(t.Context(), Cmd{Args: []string{"sh", "-c", "head -c 65000 /dev/zero"}, Stdout: slow})
		if err != nil || got.Len() != 65000 {
			t.Errorf("%s: %d of 65000 bytes, %v", where, got.Len(), err)
		}
	}
}

// runners run a program of this machine, and one in a sandbox.
func runners(t *testing.T) map[string]func(context.Context, Cmd) error {
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: t.TempDir()})
	return map[string]func(context.Context, Cmd) error{
		"host":    Host,
		"sandbox": func(ctx context.Context, c Cmd) error { return s.Run(ctx, c, RunOptions{}) },
	}
}

// A step's programs can be ended by kill, timeout and the end of a pipe: they do
// not inherit what the agent does with signals.
func TestProgramsHeedSignals(t *testing.T) {
	s := start(t, Spec{Lower: []string{busyboxTree(t)}, Upper: t.TempDir()})
	for _, opts := range []RunOptions{{}, {NoNetwork: true}} {
		var status bytes.Buffer
		err := s.Run(t.Context(), Cmd{Args: []string{"cat", "/proc/self/status"}, Stdout: &status}, opts)
		if err != nil || !strings.Contains(status.String(), "SigIgn:\t0000000000000000\n") {
			t.Errorf("%+v: %s, %v", opts, status.String(), err)
		}
		var exit *ExitError
		if _, err := sh(t, s, "kill -TERM $$; sleep 5; echo survived", opts); !errors.As(err, &exit) || exit.Status != 143 {
			t.Errorf("%+v: %v", opts, err)
		}
	}
}
