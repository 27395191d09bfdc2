package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
)

// ServeOptions say how a registry is served.
type ServeOptions struct {
	Listen string // IP:PORT; nothing else is listened on
	Dir    string // where it stores; made if it is not there
	// Ready is called with the address once requests are answered.
	Ready func(address string)
	// Request is called after every request.
	Request func(Request)
}

// Request is what a registry was asked, and how it answered.
type Request struct {
	From   string
	Method string
	Path   string
	Status int
	Size   int64 // of the answer's body in bytes
	Took   time.Duration
}

// Serve serves a registry, without TLS and without passwords, until ctx is done;
// then the error is ctx's cause.
func Serve(ctx context.Context, opts ServeOptions) error {
	host, _, err := net.SplitHostPort(opts.Listen)
	if err != nil || net.ParseIP(host) == nil && host != "localhost" {
		return fault.New(fault.Input, "%q is not an address to listen on", opts.Listen).
			WithHint("write IP:PORT, such as 127.0.0.1:5000; 0.0.0.0:5000 lets everybody in who can reach this machine, without a password")
	}
	listener, err := net.Listen("tcp", opts.Listen)
	if err != nil {
		return fault.New(fault.Machine, "serve a registry: %w", err).WithHint("take another port with --listen")
	}
	handler, stop, err := Handler(opts.Dir)
	if err != nil {
		listener.Close()
		return err
	}
	server := &http.Server{
		Handler: watched(handler, opts.Request), ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // of clients that go away, and the library's slips
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	if opts.Ready != nil {
		opts.Ready(listener.Addr().String())
	}
	select {
	case err = <-ended:
	case <-ctx.Done():
		// Requests that run may end; those that hang do not keep it.
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err = server.Shutdown(grace); err != nil {
			err = server.Close()
		}
	}
	if err = errors.Join(err, stop()); err != nil {
		return fmt.Errorf("serve a registry: %w", err)
	}
	return context.Cause(ctx)
}

// watched tells of every request.
func watched(h http.Handler, tell func(Request)) http.Handler {
	if tell == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, answer := time.Now(), &answer{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(answer, r)
		if r.Context().Err() != nil { // the client went away: no fault of ours
			answer.status = statusGone
		}
		tell(Request{r.RemoteAddr, r.Method, r.URL.Path, answer.status, answer.size, time.Since(start)})
	})
}

// statusGone is what nginx, too, notes of a client that did not wait.
const statusGone = 499

// answer notes what is answered.
type answer struct {
	http.ResponseWriter
	status int
	size   int64
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.size += int64(n)
	return n, err
}

// Unwrap implements what http.ResponseController looks for.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
