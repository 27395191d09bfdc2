package apt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Cache is a directory of package lists and downloaded packages. Several
// processes may use it at once.
type Cache struct {
	Pace  Pace // of all downloads
	dir   string
	mu    sync.Mutex
	fresh map[string]*refresh // lists that this process has brought up to date
}

type refresh struct {
	once sync.Once
	err  error
}

// NewCache opens the cache in dir and makes it if need be.
func NewCache(dir string) (*Cache, error) {
	c := &Cache{Pace: usual, dir: dir, fresh: map[string]*refresh{}}
	for _, d := range []string{c.Archives(), c.scratch(), filepath.Join(dir, "lists"), filepath.Join(c.Archives(), "partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("open package cache: %w", err)
		}
	}
	return c, nil
}

// Dir is where the cache is.
func (c *Cache) Dir() string { return c.dir }

// Archives is the directory of downloaded packages.
func (c *Cache) Archives() string { return filepath.Join(c.dir, "archives") }

func (c *Cache) scratch() string { return filepath.Join(c.dir, "scratch") }

// Keyring is a file with the content of a keyring, for apt: ext, such as ".asc", tells
// it what that is.
func (c *Cache) Keyring(content []byte, ext string) (string, error) {
	sum := sha256.Sum256(content)
	file := filepath.Join(c.dir, "keyrings", hex.EncodeToString(sum[:])+ext)
	if have, err := os.ReadFile(file); err == nil && bytes.Equal(have, content) {
		return file, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", fmt.Errorf("keep keyring: %w", err)
	}
	made, err := os.CreateTemp(filepath.Dir(file), ".new-")
	if err != nil {
		return "", fmt.Errorf("keep keyring: %w", err)
	}
	defer os.Remove(made.Name())
	_, err = made.Write(content)
	if err = errors.Join(err, made.Chmod(0o644), made.Close()); err == nil {
		err = os.Rename(made.Name(), file)
	}
	if err != nil {
		return "", fmt.Errorf("keep keyring: %w", err)
	}
	return file, nil
}

// Lists is the directory of the package lists of some repositories.
func (c *Cache) Lists(repositories []Repository) string {
	sum := sha256.Sum256([]byte(Sources(repositories)))
	return filepath.Join(c.dir, "lists", hex.EncodeToString(sum[:8]))
}

// Apt runs this machine's apt-get with a configuration file and arguments.
type Apt func(ctx context.Context, config string, args ...string) error

// Refresh brings the lists of the repositories up to date, once in a process.
// Damaged is called with those that are damaged and are fetched anew.
func (c *Cache) Refresh(ctx context.Context, repositories []Repository, damaged func(lists []string), apt Apt) error {
	dir := c.Lists(repositories)
	c.mu.Lock()
	r := c.fresh[dir]
	if r == nil {
		r = &refresh{}
		c.fresh[dir] = r
	}
	c.mu.Unlock()
	r.once.Do(func() {
		r.err = c.Locked(ctx, func() error {
			config, err := c.MachineConfig(repositories)
			if err != nil {
				return err
			}
			dropped, err := dropDamaged(dir)
			if err != nil {
				return err
			}
			if len(dropped) > 0 {
				damaged(dropped)
			}
			return c.Pace.watch(ctx, dir, "", func(ctx context.Context) error { return apt(ctx, config, "update") })
		})
	})
	return r.err
}

// Download calls download, with which apt gets packages, and ends it when they come
// too slowly. The cache is locked.
func (c *Cache) Download(ctx context.Context, download func(context.Context) error) error {
	return c.Pace.watch(ctx, c.Archives(), "", download)
}

// Locked calls f while no other process downloads to the cache.
func (c *Cache) Locked(ctx context.Context, f func() error) error {
	return locked(ctx, filepath.Join(c.dir, "lock"), f)
}

// locked calls f with the lock of a file, for which it waits until ctx is done.
func locked(ctx context.Context, path string, f func() error) error {
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock package cache: %w", err)
	}
	defer lock.Close()
	for {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f()
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("lock package cache: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// MachineConfig writes the configuration with which this machine's apt works
// on the cache for an empty system, untouched by the machine's own
// configuration, and returns its path.
func (c *Cache) MachineConfig(repositories []Repository) (string, error) {
	lists := c.Lists(repositories)
	etc := lists + ".etc"
	for _, dir := range []string{filepath.Join(lists, "partial"), filepath.Join(etc, "empty")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", fmt.Errorf("configure apt: %w", err)
		}
	}
	config := filepath.Join(etc, "apt.conf")
	for path, content := range map[string]string{
		filepath.Join(etc, "strata.sources"): Sources(repositories),
		filepath.Join(etc, "status"):         "",
		config: settings(
			`Dir`, etc+"/",
			`Dir::Etc`, etc+"/",
			`Dir::Etc::main`, "empty/none",
			`Dir::Etc::parts`, "empty",
			`Dir::Etc::preferences`, "empty/none",
			`Dir::Etc::preferencesparts`, "empty",
			`Dir::Etc::netrcparts`, "empty",
			`Dir::Etc::trusted`, "empty/none",
			`Dir::Etc::trustedparts`, "empty",
			`Dir::Etc::sourcelist`, "strata.sources",
			`Dir::Etc::sourceparts`, "empty",
			`Dir::State`, etc+"/",
			`Dir::State::lists`, lists+"/",
			`Dir::State::status`, etc+"/status",
			`Dir::Cache`, etc+"/",
			`Dir::Cache::archives`, c.Archives()+"/",
			`Dir::Log`, "/dev/null",
			`Dir::Bin::dpkg`, "/bin/true",
		) + common,
	} {
		if err := replace(path, content); err != nil {
			return "", fmt.Errorf("configure apt: %w", err)
		}
	}
	return config, nil
}

// common holds for apt on this machine and in a tree.
const common = `APT::Sandbox::User "root";
APT::Get::Assume-Yes "true";
APT::Get::AllowUnauthenticated "false";
APT::Color "0";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
APT::Update::Error-Mode "any";
Dpkg::Use-Pty "0";
Dpkg::Progress-Fancy "0";
quiet "1";
`

// installing is a file in the directory cache of a tree's apt. It says that all
// packages are there.
const installing = "installing"

// TreeConfig is apt's configuration inside a tree while it is built: lists and
// downloads are at the given places, and dpkg neither asks nor waits for the disk.
func TreeConfig(lists, archives, cache string) string {
	return settings(
		`Dir::State::lists`, lists+"/",
		`Dir::Cache`, cache+"/",
		`Dir::Cache::archives`, archives+"/",
		`Binary::apt::APT::Keep-Downloaded-Packages`, "true",
		`APT::Keep-Downloaded-Packages`, "true",
	) + common + `Dpkg::Options { "--force-confdef"; "--force-confold"; "--force-unsafe-io"; };
DPkg::Pre-Invoke { ": >` + cache + "/" + installing + `"; };
`
}

// settings renders pairs of names and values for apt.conf(5).
func settings(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "%s %q;\n", pairs[i], pairs[i+1])
	}
	return b.String()
}

// replace writes a file unless it is as it should be, in one go.
func replace(path, content string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == content {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.WriteString(content); err != nil {
		tmp.Close()
		return err
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
