package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

// Runner runs a program to its end: args begin with the program's name, env is
// added to the environment; without stdin there is nothing to read. An error has the end
// of standard error in its text.
type Runner func(ctx context.Context, args, env []string, stdin io.Reader) (stdout []byte, err error)

// lockWait is how often a lock that another process has is tried again.
const lockWait = 20 * time.Millisecond

// Fetch brings the commit of ref, a branch, a tag, a full id or "" for the remote's
// HEAD, into the bare repository that the directory cache has for url, with the git
// program and so with its credentials, proxies and ssh. Only that commit is fetched,
// without its history, and nothing if ref is the id of one that is there already.
// Errors show neither the password nor the token that url may have.
//
// Submodules of the commit are fetched when something in them is read.
func Fetch(ctx context.Context, run Runner, url, ref, cache string) (*Repository, Commit, error) {
	r, c, err := fetched(ctx, run, url, ref, cache)
	if err != nil {
		return nil, Commit{}, err
	}
	r.origin, r.lend = url, fromCache(ctx, run, cache)
	return r, c, nil
}

func fetched(ctx context.Context, run Runner, url, ref, cache string) (*Repository, Commit, error) {
	f := fetch{run: run, url: remoteURL(url), ref: ref}
	f.dir = filepath.Join(cache, f.url.directory())
	if url == "" || strings.HasPrefix(url, "-") {
		return nil, Commit{}, fault.New(fault.Input, "%q is not the address of a repository", f.url.shown())
	}
	if ref != "" && ref != "HEAD" && !validRef(strings.TrimPrefix(ref, "-")) {
		return nil, Commit{}, fault.New(fault.Input, "%q is not the name of a branch, a tag or a commit", ref)
	}
	if plumbing.IsHash(ref) {
		// Without waiting for others: what is there stays.
		if r, err := openAt(f.dir); err == nil {
			if c, err := r.Commit(ref); err == nil {
				return r, c, nil
			}
		}
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, Commit{}, err
	}
	unlock, err := lock(ctx, f.dir+".lock")
	if err != nil {
		return nil, Commit{}, fmt.Errorf("lock %s: %w", f.dir, err)
	}
	defer unlock()
	return f.do(ctx)
}

// fetch is one call of Fetch.
type fetch struct {
	run Runner
	url remoteURL
	ref string
	dir string
}

func (f fetch) do(ctx context.Context) (*Repository, Commit, error) {
	if err := f.create(ctx); err != nil {
		return nil, Commit{}, err
	}
	r, err := openAt(f.dir)
	if err != nil {
		return nil, Commit{}, err
	}
	if plumbing.IsHash(f.ref) {
		if c, err := r.Commit(f.ref); err == nil {
			return r, c, nil
		}
	}
	c, err := f.get(ctx, r)
	return r, c, err
}

// create makes the empty repository, under another name until it is whole.
func (f fetch) create(ctx context.Context) error {
	if _, err := os.Stat(f.dir); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, f.sweep())
	}
	made := f.dir + ".new" // there can be one only: we have the lock
	if err := os.RemoveAll(made); err != nil {
		return err
	}
	defer os.RemoveAll(made)
	if err := f.git(ctx, "init", "--quiet", "--bare", "--template=", made); err != nil {
		return f.failed(ctx, "make a repository for", err)
	}
	return os.Rename(made, f.dir)
}

// sweep takes away the locks that a git left that was killed. No other is at work:
// we have the lock of the repository.
func (f fetch) sweep() error {
	var left []string
	for _, pattern := range []string{"*.lock", "refs/strata/*.lock"} {
		found, err := filepath.Glob(filepath.Join(f.dir, pattern))
		if err != nil {
			return err
		}
		left = append(left, found...)
	}
	for _, file := range left {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// get fetches the ref.
func (f fetch) get(ctx context.Context, r *Repository) (Commit, error) {
	from := f.ref
	if from == "" {
		from = "HEAD"
	}
	// A name of our own, so that it does not matter whether ref is a branch or a tag,
	// and so that git gc keeps the commit.
	to := "refs/strata/" + sum(from)
	err := f.fetch(ctx, "--depth=1", "+"+from+":"+to)
	if err == nil {
		return r.Commit(to)
	}
	if plumbing.IsHash(from) && mentions(err, "unadvertised object", "not our ref", "couldn't find remote ref") {
		return f.search(ctx, r)
	}
	if mentions(err, "couldn't find remote ref") {
		return Commit{}, f.noRef(ctx)
	}
	return Commit{}, f.failed(ctx, "fetch "+from+" from", err)
}

// search fetches all branches and tags, from a server that gives out no single
// commits, and looks for the commit in them.
func (f fetch) search(ctx context.Context, r *Repository) (Commit, error) {
	args := []string{"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"}
	if r.isShallow() {
		args = append([]string{"--unshallow"}, args...)
	}
	if err := f.fetch(ctx, args[0], args[1:]...); err != nil {
		return Commit{}, f.failed(ctx, "fetch all branches of", err)
	}
	c, err := r.Commit(f.ref)
	if err != nil {
		return c, fault.New(fault.Input, "repository %s has no commit %s in any branch or tag", f.url.shown(), f.ref).
			WithHint("push it, or name another one")
	}
	return c, nil
}

func (f fetch) fetch(ctx context.Context, first string, rest ...string) error {
	args := []string{"fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--update-head-ok"}
	if strings.HasPrefix(first, "--") {
		args = append(args, first)
	} else {
		rest = append([]string{first}, rest...)
	}
	return f.git(ctx, append(append(args, "--", string(f.url)), rest...)...)
}

func (f fetch) git(ctx context.Context, args ...string) error {
	_, err := f.output(ctx, args...)
	return err
}

func (f fetch) output(ctx context.Context, args ...string) ([]byte, error) {
	all := []string{"git",
		"-c", "fetch.unpackLimit=1", // a pack is there as a whole or not at all; loose objects come one by one
		"-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false", // leave no process behind
		"-c", "core.hooksPath=/dev/null",
	}
	if args[0] != "init" {
		all = append(all, "--git-dir="+f.dir)
	}
	return f.run(ctx, append(all, args...), []string{"GIT_TERMINAL_PROMPT=0", "LC_ALL=C"}, nil)
}

// noRef is the fault of a ref that the remote does not have, with the nearest name.
func (f fetch) noRef(ctx context.Context) error {
	e := fault.New(fault.Input, "repository %s has no branch and no tag %s", f.url.shown(), f.ref)
	if abbreviated.MatchString(f.ref) {
		return e.WithHint("a commit must be named with all 40 digits")
	}
	out, err := f.output(ctx, "ls-remote", "--quiet", "--heads", "--tags", "--", string(f.url))
	if err != nil {
		return e
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		name = strings.TrimPrefix(strings.TrimPrefix(name, "refs/heads/"), "refs/tags/")
		if !strings.HasSuffix(name, "^{}") {
			names = append(names, name)
		}
	}
	if nearest := fault.Nearest(f.ref, names); nearest != "" {
		return e.WithHint("did you mean %s?", nearest)
	}
	return e.WithHint("it has %s", strings.Join(names[:min(len(names), 10)], ", "))
}

func mentions(err error, words ...string) bool {
	for _, w := range words {
		if strings.Contains(strings.ToLower(err.Error()), w) {
			return true
		}
	}
	return false
}

// lock takes the lock of a file, which is made if need be, and waits for it.
func lock(ctx context.Context, file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(lockWait):
		}
	}
}

// sum is a short name for an address.
func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:8])
}
