package test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
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
)

// mirror is a package repository with one package, strata-probe, that can stop
// to answer.
type mirror struct {
	url    string
	key    string // armoured public key that signs it
	dir    string
	size   int
	silent atomic.Bool // from now on, cut off packages in the middle
	slow   atomic.Bool // from now on, send packages byte by byte
	asked  atomic.Int32
}

// newMirror makes the package, the lists and a signature with a key made for it.
func newMirror(t *testing.T) *mirror {
	t.Helper()
	need(t, "dpkg-deb", "gpg", "gpg-agent")
	m := &mirror{dir: t.TempDir()}
	pkg := filepath.Join(m.dir, "pkg")
	writeFile(t, pkg+"/DEBIAN/control", "Package: strata-probe\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@localhost>\nDescription: probe\n")
	// It must not fit into a socket's buffer.
	noise := make([]byte, 4<<20)
	state := uint32(1)
	for i := range noise {
		state = state*1664525 + 1013904223
		noise[i] = byte(state >> 24)
	}
	writeFile(t, pkg+"/usr/share/strata-probe", string(noise))
	must(t, exec.Command("dpkg-deb", "--root-owner-group", "-Znone", "--build", pkg, m.dir+"/strata-probe_1.0_all.deb"))
	m.sign(t)
	files := http.FileServer(http.Dir(m.dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.silent.Load() && strings.HasSuffix(r.URL.Path, ".deb") {
			m.asked.Add(1)
			w.Header().Set("Content-Length", fmt.Sprint(m.size))
			_, _ = w.Write(make([]byte, 1<<20))
			panic(http.ErrAbortHandler) // the connection breaks
		}
		if m.slow.Load() && strings.HasSuffix(r.URL.Path, ".deb") {
			w.Header().Set("Content-Length", fmt.Sprint(m.size))
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte{0})
				w.(http.Flusher).Flush()
				time.Sleep(time.Second)
			}
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

// sign writes Packages, Release and InRelease.
func (m *mirror) sign(t *testing.T) {
	t.Helper()
	deb, err := os.ReadFile(m.dir + "/strata-probe_1.0_all.deb")
	if err != nil {
		t.Fatal(err)
	}
	m.size = len(deb)
	packages := fmt.Sprintf("Package: strata-probe\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@localhost>\n"+
		"Filename: ./strata-probe_1.0_all.deb\nSize: %d\nSHA256: %x\nDescription: probe\n", len(deb), sha256.Sum256(deb))
	writeFile(t, m.dir+"/Packages", packages)
	writeFile(t, m.dir+"/Release", fmt.Sprintf("Origin: strata-test\nDate: Wed, 01 Jan 2020 00:00:00 UTC\nSHA256:\n %x %d Packages\n",
		sha256.Sum256([]byte(packages)), len(packages)))
	m.key = m.dir + "/key.asc"
	signWith(t, m.dir, m.key)
}

// signWith signs the Release in dir with a new key, whose public half goes to key.
func signWith(t *testing.T, dir, key string) {
	t.Helper()
	// gpg-agent's socket needs a short path.
	home, err := os.MkdirTemp("", "gpg-")
	if err != nil {
		t.Fatal(err)
	}
	gpg := func(args ...string) *exec.Cmd {
		return exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "gpg-agent").Run()
		os.RemoveAll(home)
	})
	must(t, gpg("--quick-generate-key", "Strata test <test@localhost>", "ed25519", "sign", "never"))
	must(t, gpg("--clearsign", "--output", dir+"/InRelease", dir+"/Release"))
	must(t, gpg("--armor", "--output", key, "--export"))
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(content), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// probeProject installs strata-probe from a repository with these settings.
func probeProject(t *testing.T, m *mirror, settings string) *project {
	t.Helper()
	key, err := os.ReadFile(m.key)
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t, "", "", files{"key.asc": string(key)})
	config := strings.Replace(common, "\nlayers:", fmt.Sprintf("\n  probe: {type: apt, url: %q, suite: ./, %s}\nlayers:", m.url, settings), 1)
	p.write("strata.yaml", config+`
  probe: {parent: base, repositories: [probe], packages: [strata-probe]}
images:
  probe: {node: probe, artifacts: [tar]}
`)
	p.ownCache() // nobody else can use this mirror
	return p
}

// ownCache gives the project a cache of its own, with what the shared one has.
func (p *project) ownCache() {
	p.t.Helper()
	p.cache = filepath.Join(p.top, "cache")
	must(p.t, exec.Command("mkdir", "-p", p.cache+"/strata/apt"))
	must(p.t, exec.Command("cp", "-al", theLab().cache+"/strata/apt/lists", theLab().cache+"/strata/apt/archives", p.cache+"/strata/apt/"))
}

// A mirror that breaks off is tried again, then told of; later it works.
func TestMirrorGoneInTheMiddle(t *testing.T) {
	m := newMirror(t)
	p := probeProject(t, m, "key: key.asc").ownStore()
	m.silent.Store(true)
	p.fails(1, []string{"node probe", "a mirror did not deliver", "Failed to fetch " + m.url, "hint: apt tried several times", "whole log: "}, "build")
	if n := m.asked.Load(); n < 3 {
		t.Errorf("the package was asked for %d times, want several", n)
	}
	p.noImage("probe")
	m.silent.Store(false)
	b := p.build()
	p.swept()
	if got := p.shell("probe", "wc -c < /usr/share/strata-probe"); strings.TrimSpace(got) != "4194304" {
		t.Errorf("the package's file has %s bytes", got)
	}
	if got := p.unverified(b); got != "" {
		t.Errorf("a signed repository is recorded as unverified: %s", got)
	}
}

// A mirror that sends a byte now and then ends a step for packages after some
// minutes. That a step which installs may take longer, other tests show.
func TestMirrorThatTrickles(t *testing.T) {
	if !long() {
		t.Skip("takes three minutes")
	}
	m := newMirror(t)
	p := probeProject(t, m, "key: key.asc").ownStore()
	m.slow.Store(true)
	r := p.fails(1, []string{"node probe", "a mirror delivers too slowly: less than 256 KiB came in 3m0s", "hint: the log has what apt asked for last"}, "build")
	if r.took > 5*time.Minute {
		t.Errorf("it took %v", r.took)
	}
	p.noImage("probe")
	m.slow.Store(false)
	p.build()
	p.swept()
}

// A mirror that is not there at all.
func TestMirrorNotThere(t *testing.T) {
	m := newMirror(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.url = "http://" + listener.Addr().String()
	listener.Close() // nobody listens there now
	p := probeProject(t, m, "key: key.asc").ownStore()
	p.fails(1, []string{"a mirror did not deliver", "hint: "}, "build")
	p.noImage("probe")
	p.clean()
}

// A repository that another key signed is refused by name; nothing is published.
func TestBadSignature(t *testing.T) {
	m := newMirror(t)
	p := probeProject(t, m, "key: key.asc").ownStore()
	signWith(t, m.dir, t.TempDir()+"/other.asc") // the project trusts the first key
	p.fails(1, []string{"a repository's signature is not good", m.url, "hint: is it signed by"}, "build")
	p.noImage("probe")
	p.clean()

	p.write("strata.yaml", strings.Replace(readFile(t, p.dir+"/strata.yaml"), "key: key.asc", "trusted: true", 1))
	b := p.build()
	if got := p.unverified(b); got != "probe" {
		t.Errorf("an unverified repository is recorded in manifest.json as %q, want probe", got)
	}
	out := must(t, p.command("--output", "json", "inspect", "probe"))
	if !strings.Contains(out, `"io.strata.unverified": "[\"probe\"]"`) {
		t.Errorf("the image's labels do not record the unverified repository:\n%s", out)
	}
	p.swept()
}

// A package whose bytes are not those of the signed list is refused.
func TestBadChecksum(t *testing.T) {
	m := newMirror(t)
	p := probeProject(t, m, "key: key.asc").ownStore()
	deb, err := os.ReadFile(m.dir + "/strata-probe_1.0_all.deb")
	if err != nil {
		t.Fatal(err)
	}
	deb[len(deb)/2] ^= 1
	writeFile(t, m.dir+"/strata-probe_1.0_all.deb", string(deb))
	p.fails(1, []string{"node probe", "hint: "}, "build")
	p.noImage("probe")
	cached, _ := filepath.Glob(p.top + "/cache/strata/apt/archives/strata-probe*")
	if len(cached) > 0 {
		t.Errorf("the package cache keeps what has a wrong checksum: %v", cached)
	}
	p.clean()
}

// unverified is what the image's manifest.json says.
func (p *project) unverified(b built) string {
	p.t.Helper()
	var m struct{ Unverified []string }
	if err := json.Unmarshal([]byte(readFile(p.t, b.Images[0].Artifacts["manifest"])), &m); err != nil {
		p.t.Fatal(err)
	}
	return strings.Join(m.Unverified, " ")
}

// noImage checks that a node was not published.
func (p *project) noImage(node string) {
	p.t.Helper()
	if digest, ok := p.images()["test/"+node]; ok {
		p.t.Errorf("there is an image of %s: %s", node, digest)
	}
	if dirs, _ := filepath.Glob(p.store + "/strata/artifacts/test/" + node + "/*"); len(dirs) > 0 {
		p.t.Errorf("there are artifacts of %s: %v", node, dirs)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// A package that was damaged in the cache, and has its size still, is named and
// removed; the next build downloads it.
func TestDamagedInTheCache(t *testing.T) {
	m := newMirror(t)
	p := probeProject(t, m, "key: key.asc").ownStore()
	deb, err := os.ReadFile(m.dir + "/strata-probe_1.0_all.deb")
	if err != nil {
		t.Fatal(err)
	}
	copy(deb, "!<arch>\nnothing of what it was")
	cached := p.cache + "/strata/apt/archives/strata-probe_1.0_all.deb"
	writeFile(t, cached, string(deb))
	p.fails(1, []string{"node probe", "damaged in the package cache: strata-probe_1.0_all.deb", "hint: they are removed"}, "build")
	if _, err := os.Stat(cached); err == nil {
		t.Error("the damaged package stays in the cache")
	}
	p.noImage("probe")
	p.build()
	p.swept()
}
