package artifact

import (
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// server hands one file to the guest over HTTP, on the loopback interface and
// under a name that others cannot guess: an image is not for every user of
// this machine.
type server struct {
	http *http.Server
	port int
	path string
}

// serve starts to serve dir/name, and calls asked at each request for it; the
// caller must call Close.
func serve(dir, name string, asked func()) (*server, error) {
	file := filepath.Join(dir, name)
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("serve %s: %w", name, err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w", name, err)
	}
	s := &server{port: listener.Addr().(*net.TCPAddr).Port, path: "/" + rand.Text() + "/" + name}
	mux := http.NewServeMux()
	mux.HandleFunc(s.path, func(w http.ResponseWriter, r *http.Request) {
		asked()
		http.ServeFile(w, r, file)
	})
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.http.Serve(listener) }()
	return s, nil
}

// URL is where the guest finds the file: QEMU's user network shows this
// machine's loopback interface as 10.0.2.2.
func (s *server) URL() string { return fmt.Sprintf("http://10.0.2.2:%d%s", s.port, s.path) }

// Close ends all requests.
func (s *server) Close() { _ = s.http.Close() }
