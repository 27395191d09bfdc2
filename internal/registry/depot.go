package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/space"
)

// depot is a registry that keeps an OCI image layout for each repository below
// a directory. The library implements the protocol; the depot adds what it
// leaves open: one server at a time, no leftovers, blobs that several
// repositories have on disk once, and no blob taken away under a push.
type depot struct {
	dir string
	lib *olareg.Server
}

// grace is how long a blob stays that no manifest names: the longest time that
// a push may take.
const grace = 24 * time.Hour

// Handler is a registry that stores in a directory. Stop ends it.
func Handler(dir string) (h http.Handler, stop func() error, err error) {
	if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return nil, nil, fault.New(fault.Input, "store a registry: %w", err).WithHint("take a directory that can be written with --dir")
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, nil, err
	}
	if err := removeUploads(dir); err != nil {
		return nil, nil, errors.Join(fault.New(fault.Machine, "clean up after an earlier registry: %w", err), lock.Close())
	}
	yes, no := true, false
	lib := olareg.New(config.Config{
		Storage: config.ConfigStorage{StoreType: config.StoreDir, RootDir: dir, GC: config.ConfigGC{
			Frequency: time.Hour, GracePeriod: grace, EmptyRepo: &no, RepoUploadMax: -1,
		}},
		API: config.ConfigAPI{DeleteEnabled: &yes, Blob: config.ConfigAPIBlob{DeleteEnabled: &yes}},
	})
	return &depot{dir, lib}, func() error { return errors.Join(lib.Close(), lock.Close()) }, nil
}

// lockDir keeps a second server away, which would collect what the first one is
// being sent.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fault.New(fault.Input, "store a registry: %w", err).WithHint("take a directory that can be written with --dir")
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fault.New(fault.Failed, "another registry serves %s", dir).WithHint("stop that one, or take another directory with --dir")
	}
	return f, nil
}

// uploads is where the library keeps what is being sent to a repository.
const uploads = "_uploads"

// removeUploads removes what a server that was killed was being sent.
func removeUploads(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		switch d.Name() {
		case uploads:
			if err := os.RemoveAll(name); err != nil {
				return err
			}
			return fs.SkipDir
		case "blobs":
			return fs.SkipDir
		}
		return nil
	})
}

// ServeHTTP implements http.Handler.
func (d *depot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/v2/")
	repo, rest, _ := cutLast(name, "/blobs/")
	switch {
	case r.Method == http.MethodHead || r.Method == http.MethodGet:
		d.discard(repo, rest)
		// Who asks for a blob and is told that it is there will not send it.
		d.keep(repo, rest)
		d.lib.ServeHTTP(w, r)
		return
	case r.Method == http.MethodPost && r.URL.Query().Get("mount") != "":
		d.mount(repo, r.URL.Query().Get("from"), r.URL.Query().Get("mount"))
	case r.Method == http.MethodPut:
		if repo, _, ok := cutLast(name, "/manifests/"); ok {
			defer d.withoutForeign(repo, r)()
		} else if repo, _, ok := cutLast(name, "/blobs/uploads/"); ok {
			defer d.relink(repo, r.URL.Query().Get("digest"))()
		}
	}
	told := &roomy{ResponseWriter: w, dir: d.dir}
	d.lib.ServeHTTP(told, r)
	if _, session, ok := cutLast(name, "/blobs/uploads/"); ok && session != "" && told.failed {
		d.cancel(r)
	}
}

// cancel gives up what was sent of a blob: the library keeps it for a day, and on a
// full disk nothing else could be sent.
func (d *depot) cancel(r *http.Request) {
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Method, r.Body = http.MethodDelete, http.NoBody
	d.lib.ServeHTTP(nobody{http.Header{}}, r)
}

// roomy answers that there is no room where the library has a fault for lack of it.
type roomy struct {
	http.ResponseWriter
	dir    string
	failed bool
}

func (a *roomy) WriteHeader(status int) {
	if a.failed = status >= http.StatusInternalServerError; a.failed && space.Find(errors.New("not stored"), "", a.dir) != nil {
		status = http.StatusInsufficientStorage
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap implements what http.ResponseController looks for.
func (a *roomy) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// nobody waits for an answer.
type nobody struct{ header http.Header }

func (n nobody) Header() http.Header         { return n.header }
func (n nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n nobody) WriteHeader(int)             {}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// keep makes a blob young again, so that it is there when its manifest comes.
func (d *depot) keep(repo, blob string) {
	if path, err := d.path(repo, blob); err == nil {
		_ = os.Chtimes(path, time.Time{}, time.Now()) // one that is not there need not be kept
	}
}

// mount gives a repository a blob of another one, as a link: the library, which
// then finds it there, would make a copy. If it cannot be linked, that is done.
func (d *depot) mount(to, from, blob string) {
	source, err := d.path(from, blob)
	if err != nil {
		return
	}
	target, err := d.path(to, blob)
	if err != nil || os.MkdirAll(filepath.Dir(target), 0o755) != nil {
		return
	}
	d.keep(from, blob)
	_ = os.Link(source, target)
}

// relink has the repositories that share a file with a blob, which is sent anew since
// it is damaged, share what then comes in its place.
func (d *depot) relink(repo, blob string) (done func()) {
	path, err := d.path(repo, blob)
	if err != nil {
		return func() {}
	}
	was, err := os.Stat(path)
	if err != nil {
		return func() {}
	}
	return func() {
		if is, err := os.Stat(path); err != nil || os.SameFile(was, is) {
			return // it was refused
		}
		_ = d.blobs(filepath.Base(path), func(other string) {
			if is, err := os.Lstat(other); err != nil || !os.SameFile(was, is) {
				return
			}
			link := filepath.Join(filepath.Dir(other), ".new-"+filepath.Base(other))
			if os.Link(path, link) != nil || os.Rename(link, other) != nil {
				_ = os.Remove(link)
			}
		})
	}
}

// blobs calls f for the blob of a name in each repository that has it.
func (d *depot) blobs(name string, f func(path string)) error {
	return filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || e.Name() != "blobs" {
			return err
		}
		for _, algorithm := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
			if _, err := os.Lstat(filepath.Join(path, string(algorithm), name)); err == nil {
				f(filepath.Join(path, string(algorithm), name))
			}
		}
		return fs.SkipDir
	})
}

// discard removes a blob without content that is not the empty one: what a
// machine that lost its power can leave, and withoutForeign.
func (d *depot) discard(repo, blob string) {
	path, err := d.path(repo, blob)
	if err != nil {
		return
	}
	if info, err := os.Stat(path); err == nil && info.Size() == 0 && digest.Digest(blob).Algorithm().FromString("") != digest.Digest(blob) {
		_ = os.Remove(path)
	}
}

// withoutForeign has the library take a manifest with layers that registries
// need not have: it looks for their blobs, and finds something until undo.
func (d *depot) withoutForeign(repo string, r *http.Request) (undo func()) {
	var m v1.Manifest
	content, err := io.ReadAll(io.LimitReader(r.Body, maxManifest+1))
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(content), r.Body))
	if err != nil || json.Unmarshal(content, &m) != nil {
		return func() {}
	}
	var made []string
	for _, l := range m.Layers {
		if !strings.Contains(l.MediaType, ".nondistributable.") && !strings.Contains(l.MediaType, ".foreign.") {
			continue
		}
		path, err := d.path(repo, string(l.Digest))
		if err != nil || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
			continue
		}
		if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o644); err == nil {
			f.Close()
			made = append(made, path)
		}
	}
	return func() {
		for _, path := range made {
			_ = os.Remove(path)
		}
	}
}

// maxManifest is the size of the largest manifest that the library takes.
const maxManifest = 8 << 20

// repository is what the specification lets a repository be called.
var repository = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

// path is where the library has a repository's blob.
func (d *depot) path(repo, blob string) (string, error) {
	sum, err := digest.Parse(blob)
	if err != nil {
		return "", err
	}
	if !repository.MatchString(repo) || strings.Contains("/"+repo+"/", "/blobs/") {
		return "", fmt.Errorf("%q is no name of a repository", repo)
	}
	return filepath.Join(d.dir, filepath.FromSlash(repo), "blobs", string(sum.Algorithm()), sum.Encoded()), nil
}
