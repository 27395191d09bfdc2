package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // how it stores
	"github.com/sirupsen/logrus"

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

// Handler is a registry that stores in a directory: CNCF Distribution, which
// implements the OCI distribution specification.
func Handler(ctx context.Context, dir string) (h http.Handler, stop func() error, err error) {
	if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return nil, nil, fault.New(fault.Input, "store a registry: %w", err).WithHint("take a directory that can be written with --dir")
	}
	config := &configuration.Configuration{
		Version: "0.1",
		Storage: configuration.Storage{
			"filesystem": {"rootdirectory": dir},
			"delete":     {"enabled": true},
		},
		Catalog: configuration.Catalog{MaxEntries: 1000},
	}
	config.HTTP.Secret = secret()
	// It speaks to the one logger of the program, and takes a question for what
	// is not there as an error. Whoever serves tells of requests.
	logrus.SetLevel(logrus.FatalLevel)
	defer func() {
		if said := recover(); said != nil { // so it refuses a configuration
			err = fault.New(fault.Machine, "start a registry in %s: %v", dir, said)
		}
	}()
	app := handlers.NewApp(ctx, config)
	return app, app.Shutdown, nil
}

// secret signs the state of uploads, which end with the process.
func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Serve serves a registry, without TLS and without passwords, until ctx is done.
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
	handler, stop, err := Handler(ctx, opts.Dir)
	if err != nil {
		listener.Close()
		return err
	}
	server := &http.Server{Handler: watched(handler, opts.Request), ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	if opts.Ready != nil {
		opts.Ready(listener.Addr().String())
	}
	select {
	case err = <-ended:
	case <-ctx.Done():
		// Requests that run may end; those that hang do not keep it.
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err = server.Shutdown(grace); err != nil {
			err = server.Close()
		}
	}
	if err = errors.Join(err, stop()); err != nil {
		return fmt.Errorf("serve a registry: %w", err)
	}
	return nil
}

// watched tells of every request.
func watched(h http.Handler, tell func(Request)) http.Handler {
	if tell == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, answer := time.Now(), &answer{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(answer, r)
		tell(Request{r.RemoteAddr, r.Method, r.URL.Path, answer.status, answer.size, time.Since(start)})
	})
}

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
