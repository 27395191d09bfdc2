// Package store keeps layers and images on this machine, in the store that
// Podman, Buildah and CRI-O use (containers/storage, overlay driver).
//
// It does not build: it lends a staging directory to whoever does, seals what
// was written there, and commits it by a rename. It mounts nothing and talks to
// no registry. A build that ends anywhere, even by kill -9, leaves nothing that
// looks like an image; Open cleans up after it.
package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.podman.io/storage"
	"go.podman.io/storage/types"
	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// ErrNotFound says that the store has no such image.
var ErrNotFound = errors.New("not in the store")

// Store is an open store. Its methods may be called at the same time.
type Store struct {
	st  storage.Store
	dir string // Strata's own files: locks, artifacts, failed trees
}

// Open opens the store at root, or the user's own when root is "".
func Open(root string) (*Store, error) {
	opts, err := options(root)
	if err != nil {
		return nil, err
	}
	if opts.GraphDriverName != "overlay" {
		return nil, fault.New(fault.Machine, "the store at %s uses the %s driver; Strata builds with overlay", opts.GraphRoot, opts.GraphDriverName).
			WithHint("set driver = \"overlay\" in storage.conf before the store's first use, or use --store DIR")
	}
	if _, err := os.Stat(filepath.Join(opts.GraphRoot, "vfs-images")); err == nil {
		return nil, fault.New(fault.Machine, "the store at %s was made with the vfs driver; Strata builds with overlay", opts.GraphRoot).
			WithHint("set driver = \"overlay\" in storage.conf and 'podman system reset', or use --store DIR")
	}
	if err := os.MkdirAll(opts.GraphRoot, 0o700); err != nil {
		return nil, fault.New(fault.Machine, "open store: %w", err).WithHint("take another directory with --store DIR")
	}
	if !keepsAttributes(opts.GraphRoot) {
		return nil, fault.New(fault.Machine, "the store at %s is on a file system that keeps no extended attributes", opts.GraphRoot).
			WithHint("layers need them, for what they take away and for capabilities and ACLs: take a directory on ext4, xfs or btrfs with --store DIR")
	}
	if err := ready(opts.GraphRoot, opts.RunRoot); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	st, err := storage.GetStore(opts)
	if err != nil {
		return nil, fault.New(fault.Machine, "open store %s: %w", opts.GraphRoot, err).
			WithHint("'strata doctor' says what this machine lacks; --store DIR takes another directory")
	}
	s := &Store{st: st, dir: filepath.Join(st.GraphRoot(), "strata")}
	for _, dir := range []string{s.dir, s.locks(), s.artifacts(), s.failedDir(), s.logs()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	s.keepReserve()
	return s, nil
}

// keepsAttributes says whether a directory's file system keeps extended attributes
// of the kind that overlayfs uses here: trusted ones, or in a user namespace, which
// may not set those, the user's.
func keepsAttributes(dir string) bool {
	for _, name := range []string{"trusted.strata", "user.strata"} {
		err := unix.Setxattr(dir, name, []byte("y"), 0)
		if errors.Is(err, unix.EPERM) {
			continue
		}
		_ = unix.Removexattr(dir, name)
		return !errors.Is(err, unix.ENOTSUP)
	}
	return true
}

// DefaultRoot is the directory of the user's own store.
func DefaultRoot() (string, error) {
	opts, err := options("")
	return opts.GraphRoot, err
}

func options(root string) (types.StoreOptions, error) {
	opts, err := types.DefaultStoreOptions()
	if err != nil {
		return opts, fault.New(fault.Machine, "read storage.conf: %w", err)
	}
	if root != "" {
		abs, err := filepath.Abs(root)
		if err != nil {
			return opts, err
		}
		sum := sha256.Sum256([]byte(abs))
		opts.GraphRoot, opts.ImageStore = abs, ""
		opts.RunRoot = filepath.Join(filepath.Dir(opts.RunRoot), "strata-"+hex.EncodeToString(sum[:6]))
		opts.GraphDriverOptions = slices.DeleteFunc(slices.Clone(opts.GraphDriverOptions), func(o string) bool {
			return strings.Contains(o, "imagestore")
		})
	}
	if opts.GraphDriverName == "" || root != "" {
		opts.GraphDriverName = "overlay"
	}
	// Its self-mount would stay behind in the machine's mount table.
	opts.GraphDriverOptions = append(slices.Clone(opts.GraphDriverOptions), "overlay.skip_mount_home=true")
	return opts, nil
}

// Root returns the store's directory.
func (s *Store) Root() string { return s.st.GraphRoot() }

// RunRoot returns the directory of the store's run-time state.
func (s *Store) RunRoot() string { return s.st.RunRoot() }

// ArtifactDir is where finished artifacts of an image are kept, each set in a
// directory of its own.
func (s *Store) ArtifactDir(cluster, image string) string {
	return filepath.Join(s.artifacts(), of(cluster, image))
}

// LogPath is where the log of a node's last build is.
func (s *Store) LogPath(cluster string, node layer.NodeID) string {
	return filepath.Join(s.logs(), of(cluster, string(node))+".log")
}

// of names something of a cluster below a directory: several projects share a
// store.
func of(cluster, name string) string { return filepath.Join(strings.ToLower(cluster), name) }

func (s *Store) artifacts() string { return filepath.Join(s.dir, "artifacts") }

func (s *Store) logs() string { return filepath.Join(s.dir, "logs") }

func (s *Store) locks() string { return filepath.Join(s.dir, "locks") }

func (s *Store) failedDir() string { return filepath.Join(s.dir, "failed") }

// Close lets go of the store. It does not shut it down as Podman does when it
// is the last: other builds may be running.
func (s *Store) Close() { s.st.Free() }

// Prune removes what builds left that ended in the middle. Call it before this
// process builds.
func (s *Store) Prune(ctx context.Context) error {
	unlock, err := s.lock(ctx, "staging")
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := os.ReadDir(s.staging())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.pruneOne(filepath.Join(s.staging(), e.Name())); err != nil {
			return fmt.Errorf("clean up after an earlier build: %w", err)
		}
	}
	if err := errors.Join(s.pruneArtifacts(), s.pruneScratch()); err != nil {
		return fmt.Errorf("clean up after an earlier build: %w", err)
	}
	return nil
}

func (s *Store) staging() string { return filepath.Join(s.st.GraphRoot(), "overlay", "staging") }

// localPrefix begins the names of what was made on this machine.
const localPrefix = "localhost/"

// NodeImage names a node's image in the store; OCI wants lower case.
func NodeImage(cluster string, node layer.NodeID) string {
	return localPrefix + strings.ToLower(cluster) + "/" + string(node)
}

// KeyTag is the tag under which a node is found by its key.
func KeyTag(key layer.Key) string { return "key-" + string(key) }
