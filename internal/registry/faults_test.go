package registry

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.podman.io/storage"

	"github.com/strata-hpc/strata/internal/fault"
)

// disturb changes what a server answers.
func (s *server) disturbed(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disturb = f
}

func is(r *http.Request, method, part string) bool {
	return r.Method == method && strings.Contains(r.URL.Path, part)
}

// status answers every request of a kind with a status.
func status(code int, method, part string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !is(r, method, part) {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
		return true
	}
}

// silent keeps requests of a kind waiting.
func silent(method, part string) func(http.ResponseWriter, *http.Request) bool {
	return func(_ http.ResponseWriter, r *http.Request) bool {
		if !is(r, method, part) {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body) // else the client's going away is not noticed
		<-r.Context().Done()
		return true
	}
}

// cut sends the first half of the answers of a kind, and says that it is all.
func cut(method, part string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if is(r, method, part) {
			w.Header().Set("Content-Length", "5")
			_, _ = w.Write([]byte("trunc"))
			return true
		}
		return false
	}
}

// broken says that an answer is longer than it is.
func broken(method, part string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if is(r, method, part) {
			w.Header().Set("Content-Length", "500000")
			_, _ = w.Write([]byte("trunc"))
			panic(http.ErrAbortHandler)
		}
		return false
	}
}

// drip sends a byte now and then.
func drip(method, part string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !is(r, method, part) {
			return false
		}
		w.Header().Set("Content-Length", "500000")
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			time.Sleep(20 * time.Millisecond)
		}
		return true
	}
}

// sentOn sends who asks for a blob to another place.
func sentOn(place string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !is(r, "GET", "/blobs/") {
			return false
		}
		w.Header().Set("Location", place)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
}

// Whatever a registry does wrong in a push is told, with what to do about it,
// and leaves no tag.
func TestPushFaults(t *testing.T) {
	for name, c := range map[string]struct {
		disturb func(http.ResponseWriter, *http.Request) bool
		hint    string
	}{
		"full in the middle of a layer": {status(http.StatusInsufficientStorage, "PATCH", "/uploads/"), "is full: have room made there"},
		"fault at the end of a layer":   {status(http.StatusInternalServerError, "PUT", "/uploads/"), "a fault of its own"},
		"fault at the manifest":         {status(http.StatusBadGateway, "PUT", "/manifests/"), "a fault of its own"},
		"may not push":                  {status(http.StatusForbidden, "POST", "/uploads/"), "login"},
		"says nothing":                  {silent("PATCH", "/uploads/"), "is up"},
		"says nothing about a manifest": {silent("GET", "/manifests/"), "is up"},
	} {
		t.Run(name, func(t *testing.T) {
			from, s, opts := newStore(t), newServer(t), testOptions(t)
			s.disturbed(c.disturb)
			if strings.HasPrefix(name, "says nothing") {
				opts.Patience = 300 * time.Millisecond
			}
			wantFault(t, from, addImage(t, from, "one", "two"), s.ref("a/base:v1"), opts, c.hint)
			s.disturbed(nil)
			opts.Patience = 0
			if _, err := Look(context.Background(), s.ref("a/base:v1"), opts); !errors.Is(err, ErrNotThere) {
				t.Errorf("something is tagged: %v", err)
			}
			left, _ := os.ReadDir(opts.Scratch)
			if len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// The same for a pull, which leaves no image, and goes on when all is well.
func TestPullFaults(t *testing.T) {
	for name, c := range map[string]struct {
		disturb    func(http.ResponseWriter, *http.Request) bool
		says, hint string
	}{
		"fault":                     {status(http.StatusInternalServerError, "GET", "/blobs/"), "500", "a fault of its own"},
		"truncated blob":            {cut("GET", "/blobs/"), "is damaged", "push it again"},
		"connection breaks":         {broken("GET", "/blobs/"), "EOF", "see"},
		"no such blob":              {status(http.StatusNotFound, "GET", "/blobs/"), "it is not there", "push it again"},
		"may not":                   {status(http.StatusForbidden, "GET", "/blobs/"), "403", "your account may not"},
		"says nothing":              {silent("GET", "/blobs/"), "moves next to nothing for 300ms", "is up"},
		"says little":               {drip("GET", "/blobs/"), "bytes", "push it again"},
		"manifest of something":     {cut("GET", "/manifests/v1"), "the image is inconsistent", "push it again"},
		"credentials are asked for": {status(http.StatusUnauthorized, "GET", "/manifests/"), "pull from", "podman login"},
		"sent to nowhere":           {sentOn("http://127.0.0.1:1/x?secret=1"), "connection refused", "to 127.0.0.1:1, or"},
		"sent to a file":            {sentOn("file:///etc/passwd"), "unsupported protocol", "to file:///etc/passwd, or"},
	} {
		t.Run(name, func(t *testing.T) {
			from, s, opts := newStore(t), newServer(t), testOptions(t)
			mustPush(t, from, addImage(t, from, "one", "two"), s.ref("a/base:v1"), opts)
			into := newStore(t)
			if strings.HasPrefix(name, "says nothing") {
				opts.Patience = 300 * time.Millisecond
			}
			s.disturbed(c.disturb)
			_, err := Pull(context.Background(), s.ref("a/base:v1"), into, opts)
			var f *fault.Error
			if !errors.As(err, &f) || f.Hint == "" || !strings.Contains(f.Error(), c.says) || !strings.Contains(f.Hint, c.hint) || strings.Contains(f.Error(), "secret") {
				t.Errorf("%v\n%+v", err, f)
			}
			if images, _ := into.Images(); len(images) > 0 {
				t.Errorf("there is an image: %v", images)
			}
			left, _ := os.ReadDir(opts.Scratch)
			if len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			s.disturbed(nil)
			opts.Patience = 0
			if _, err := Pull(context.Background(), s.ref("a/base:v1"), into, opts); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// A tag that leads to another image than its record is not believed.
func TestWrongManifest(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	mustPush(t, from, addImage(t, from, "one", "two"), s.ref("a/base:v1"), opts)
	mustPush(t, from, addImage(t, from, "one", "else"), s.ref("a/base:v2"), opts)
	s.disturbed(func(w http.ResponseWriter, r *http.Request) bool {
		if is(r, "GET", "/manifests/v1") && !strings.HasSuffix(r.URL.Path, recordSuffix) {
			http.Redirect(w, r, "/v2/a/base/manifests/v2", http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	_, err := Pull(context.Background(), s.ref("a/base:v1"), newStore(t), opts)
	if err == nil || !strings.Contains(err.Error(), "no record") {
		t.Errorf("pulled: %v", err)
	}
}

// atHome runs a test in a process of its own, with an empty home directory: the
// image library looks for one only once. It says whether this is that process.
func atHome(t *testing.T) bool {
	t.Helper()
	if os.Getenv("STRATA_TEST_HOME") == t.Name() {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "STRATA_TEST_HOME="+t.Name(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// configure writes a file of the user's configuration.
func configure(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(os.Getenv("HOME"), ".config", "containers", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestMirror(t *testing.T) {
	if !atHome(t) {
		return
	}
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	at := strings.TrimPrefix(s.URL, "http://")
	configure(t, "registries.conf", fmt.Sprintf(
		"[[registry]]\nlocation = \"registry.invalid/os\"\n[[registry.mirror]]\nlocation = \"%s/mirror\"\ninsecure = true\n", at))
	mustPush(t, from, addImage(t, from, "one", "two"), s.ref("mirror/base:v1"), opts)
	if _, err := Look(context.Background(), "docker://registry.invalid/os/base:v1", opts); err != nil {
		t.Error(err)
	}
	res, err := Pull(context.Background(), "registry.invalid/os/base:v1", newStore(t), opts)
	if err != nil || res.Blobs == 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestPolicy(t *testing.T) {
	if !atHome(t) {
		return
	}
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	mustPush(t, from, addImage(t, from, "one", "two"), s.ref("a/base:v1"), opts)
	configure(t, "policy.json", `{"default": [{"type": "reject"}]}`)
	into := newStore(t)
	for what, do := range map[string]func() error{
		"pull": func() error { _, err := Pull(context.Background(), s.ref("a/base:v1"), into, opts); return err },
		"look": func() error { _, err := Look(context.Background(), s.ref("a/base:v1"), opts); return err },
	} {
		err := do()
		if err == nil || !strings.Contains(err.Error(), "policy.json refuses the image") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if layers, _ := into.Layers(); len(layers) > 0 || s.count("GET", "/blobs/") > 0 {
		t.Errorf("something was fetched: %v, %v", layers, s.asked)
	}
}

// outside is an address of this machine that is not the loopback's, for which
// TLS is asked for.
func outside(t *testing.T) net.IP {
	t.Helper()
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP
		}
	}
	t.Skip("this machine has no address but the loopback's")
	return nil
}

// A registry whose certificate the site signed itself is trusted by certs.d,
// and not without.
func TestOwnCertificate(t *testing.T) {
	ip := outside(t)
	if !atHome(t) {
		return
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{ip}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(ip.String(), "0"))
	if err != nil {
		t.Skip(err)
	}
	from, plain, opts := newStore(t), newServer(t), testOptions(t)
	s := httptest.NewUnstartedServer(plain.Config.Handler)
	s.Listener.Close()
	s.Listener = listener
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	defer s.Close()
	at := listener.Addr().String()
	id := addImage(t, from, "one")
	wantFault(t, from, id, "docker://"+at+"/a/base:v1", opts, "certificate")
	configure(t, filepath.Join("certs.d", at, "ca.crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	mustPush(t, from, id, "docker://"+at+"/a/base:v1", opts)
	if _, err := Pull(context.Background(), at+"/a/base:v1", newStore(t), opts); err != nil {
		t.Error(err)
	}
}

func TestFaultsThatPass(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	var failed atomic.Int32
	s.disturb = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch || failed.Add(1) > 2 {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	mustPush(t, from, addImage(t, from, "one", "two"), s.ref("a/base:v1"), opts)
	if failed.Load() < 3 {
		t.Errorf("only %d uploads", failed.Load())
	}
}

func TestFaultsThatStay(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	id := addImage(t, from, "one", "two")
	s.disturb = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return r.Method == http.MethodPatch
	}
	wantFault(t, from, id, s.ref("a/base:v1"), opts, "a fault of its own")
	if s.count("PUT", "/manifests/") != 0 {
		t.Errorf("something was tagged: %v", s.asked)
	}
	s.Close()
	wantFault(t, from, id, s.ref("a/base:v1"), opts, "is up")
	wantFault(t, from, id, "docker://user:secret@nowhere/x:y", opts, "HOST")
	if _, err := Look(context.Background(), "docker://registry.invalid/x:y", opts); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a name that is not known: %v", err)
	}
}

func wantFault(t *testing.T, st storage.Store, id, ref string, opts Options, hint string) {
	t.Helper()
	_, err := Push(context.Background(), st, id, ref, opts)
	var f *fault.Error
	if !errors.As(err, &f) || !strings.Contains(f.Hint, hint) {
		t.Errorf("no hint with %q: %v", hint, err)
	}
}

func TestDamagedBlobIsRefused(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	id := addImage(t, from, "one", "two")
	mustPush(t, from, id, s.ref("a/base:v1"), opts)
	blobs := known(opts.Known).of(imageDiffIDs(t, from, id)[1])
	path := filepath.Join(s.dir, "a/base/blobs/sha256", blobs[0].Digest.Encoded())
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	into := newStore(t)
	_, err = Pull(context.Background(), s.ref("a/base:v1"), into, opts)
	if err == nil || !strings.Contains(err.Error(), blobs[0].Digest.String()+" is damaged") {
		t.Errorf("damaged blob: %v", err)
	}
	if images, _ := into.Images(); len(images) > 0 {
		t.Errorf("there is an image: %v", images)
	}
}

func TestPullSurvivesFaultsThatPass(t *testing.T) {
	from, s, opts := newStore(t), newServer(t), testOptions(t)
	mustPush(t, from, addImage(t, from, "one", "two"), s.ref("a/base:v1"), opts)
	var failed atomic.Int32
	s.mu.Lock()
	s.disturb = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") || failed.Add(1) > 2 {
			return false
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	s.mu.Unlock()
	if _, err := Pull(context.Background(), s.ref("a/base:v1"), newStore(t), opts); err != nil {
		t.Error(err)
	}
}
