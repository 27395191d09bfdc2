package apt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Refresh implements packages.Set, by this machine's apt, which checks signatures.
func (s *set) Refresh(ctx context.Context, log io.Writer) error {
	damaged := func(lists []string) {
		fmt.Fprintf(log, "damaged in the cache, fetched anew: %s\n", strings.Join(lists, " "))
	}
	err := s.cache.Refresh(ctx, s.repositories, damaged, func(ctx context.Context, config string, args ...string) error {
		return s.apt(ctx, log, config, args...)
	})
	return explain(err)
}

// apt runs this machine's apt-get with a configuration file, and nothing of the
// machine's own configuration.
func (s *set) apt(ctx context.Context, log io.Writer, config string, args ...string) error {
	env := []string{"APT_CONFIG=" + config, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	of := []string{"apt-get", "-o", "APT::Architecture=" + s.arch, "-o", "APT::Architectures::=" + s.arch}
	return sandbox.Host(ctx, sandbox.Cmd{Args: append(of, args...), Env: append(env, Proxies()...), Stdout: log, Stderr: log})
}

// Resolve implements packages.Set.
func (s *set) Resolve(ctx context.Context, log io.Writer, names []string) ([]packages.Package, error) {
	var found []packages.Package
	err := s.cache.Locked(ctx, func() error {
		config, err := s.cache.MachineConfig(s.repositories)
		if err != nil {
			return err
		}
		nothing, err := os.MkdirTemp(s.cache.scratch(), "resolve-")
		if err != nil {
			return fmt.Errorf("use package cache: %w", err)
		}
		defer os.RemoveAll(nothing)
		list, err := s.needed(ctx, config, nothing, append([]string{"install", "--"}, names...))
		for _, p := range list {
			found = append(found, p.Package)
		}
		return err
	})
	if err != nil {
		fmt.Fprintln(log, output(err))
	}
	return found, explain(err)
}

// needed is one file that apt would download.
type needed struct {
	packages.Package
	file string // its name
}

// printed is a line of apt-get --print-uris: 'address' file size checksum.
var printed = regexp.MustCompile(`(?m)^'[^']*' (\S+\.deb) (\d+)(?: SHA256:([0-9a-f]{64}))?`)

// needed lists what apt would download for an installation into an empty system. With
// nothing, an empty directory, as the place of what was downloaded, it lists all.
func (s *set) needed(ctx context.Context, config, nothing string, install []string) ([]needed, error) {
	if err := os.MkdirAll(filepath.Join(nothing, "partial"), 0o755); err != nil {
		return nil, err
	}
	var list bytes.Buffer
	if err := s.apt(ctx, &list, config, append([]string{"--print-uris", "-o", "Dir::Cache::archives=" + nothing + "/"}, install...)...); err != nil {
		return nil, err
	}
	sums, err := checksums(s.cache.Lists(s.repositories))
	if err != nil {
		return nil, fmt.Errorf("read package lists: %w", err)
	}
	var all []needed
	for _, m := range printed.FindAllStringSubmatch(list.String(), -1) {
		n := needed{file: m[1]}
		n.SHA256 = cmp.Or(m[3], sums[m[1]]) // apt prints none of a repository that it does not check
		n.Size, _ = strconv.ParseInt(m[2], 10, 64)
		if parts := strings.Split(strings.TrimSuffix(m[1], ".deb"), "_"); len(parts) == 3 {
			n.Name, n.Version, n.Arch = parts[0], strings.ReplaceAll(parts[1], "%3a", ":"), parts[2]
		}
		all = append(all, n)
	}
	return all, nil
}

// explain leaves out of an error what apt said, which is in the log, and says what to do
// about it.
func explain(err error) error { return Explain(brief(err), output(err)) }

// output is what a program said at its end.
func output(err error) string {
	var exit *sandbox.ExitError
	if errors.As(err, &exit) {
		return exit.Output
	}
	return ""
}

// brief leaves out what a program said: the log has it, and the caller shows
// the log.
func brief(err error) error {
	var exit *sandbox.ExitError
	if errors.As(err, &exit) && exit.Program != "dpkg-deb" { // which writes no log
		return fmt.Errorf("%s: exit status %d", exit.Program, exit.Status)
	}
	return err
}
