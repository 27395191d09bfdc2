package source

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/strata-hpc/strata/internal/apt"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Refresh brings the cache's lists of the repositories up to date, by this
// machine's apt, which checks their signatures.
func Refresh(ctx context.Context, cache *apt.Cache, repositories []apt.Repository, arch string, log io.Writer) error {
	damaged := func(lists []string) {
		fmt.Fprintf(log, "damaged in the cache, fetched anew: %s\n", strings.Join(lists, " "))
	}
	err := cache.Refresh(ctx, repositories, damaged, func(ctx context.Context, config string, args ...string) error {
		return machineApt(ctx, log, arch, config, args...)
	})
	return apt.Explain(brief(err), output(err))
}

// machineApt runs this machine's apt-get with a configuration file, and nothing
// of the machine's own configuration.
func machineApt(ctx context.Context, log io.Writer, arch, config string, args ...string) error {
	env := []string{"APT_CONFIG=" + config, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	of := []string{"apt-get", "-o", "APT::Architecture=" + arch, "-o", "APT::Architectures::=" + arch}
	return sandbox.Host(ctx, sandbox.Cmd{Args: append(of, args...), Env: append(env, apt.Proxies()...), Stdout: log, Stderr: log})
}
