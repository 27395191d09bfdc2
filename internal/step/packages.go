package step

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/apt"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/limit"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// repositories writes those that have an address into the image, and anew those of a
// parent that may have to name another keyring now. The others are this machine's
// business: see Equip.
func (w *Work) repositories(ctx context.Context, s layer.Repositories) error {
	var t tree
	keyrings := map[string]string{} // in the project, by their path in the image
	for _, r := range w.Repositories {
		if r.Named && r.Key != "" && slices.Contains(s.Names, r.Name) {
			keyrings[r.Installed] = r.Key
		}
	}
	for _, r := range w.Repositories {
		if r.Named && (keyrings[r.Installed] != "" || slices.Contains(s.Names, r.Name)) {
			r.Keyring = r.Installed
			t.file("/etc/apt/sources.list.d/"+r.Name+".sources", apt.Sources([]apt.Repository{r}), entry{mode: 0o644})
		}
	}
	for _, installed := range slices.Sorted(maps.Keys(keyrings)) {
		key, err := limit.Read(w.Project, keyrings[installed], limit.Script)
		if err != nil {
			return fmt.Errorf("read key of a repository: %w", err)
		}
		t.file(installed, string(key), entry{mode: 0o644})
	}
	return w.unpack(ctx, t)
}

func (w *Work) remove(ctx context.Context, s layer.Remove) error {
	return w.apt(ctx, append([]string{"purge", "--"}, s.Packages...)...)
}

func (w *Work) packages(ctx context.Context, s layer.Packages) error {
	var files []string
	args := []string{"-o", fmt.Sprintf("APT::Install-Recommends=%t", !s.NoRecommends), "install", "--"}
	for _, name := range s.Install {
		if !local(name) {
			args = append(args, name)
			continue
		}
		files = append(files, path.Clean(name))
		args = append(args, insideOf(name))
	}
	err := w.put(ctx, func(t *tree) error {
		for _, name := range files {
			if err := t.copy(w.Project, name, insideOf(name), entry{mode: 0o644}); err != nil {
				return fmt.Errorf("read local package: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = w.Downloads.Install(ctx, func(ctx context.Context) error { return w.apt(ctx, args...) })
	if err != nil && ctx.Err() == nil {
		err = w.withDamaged(err)
	}
	// What was downloaded serves the next attempt too.
	return errors.Join(err, w.Downloads.Keep(w.Repositories))
}

// insideOf is where a package file is in the tree while it is installed.
func insideOf(name string) string { return "/run/strata/packages/" + path.Base(name) }

// withDamaged says so in an error if the cache had packages that are damaged, and
// removes them.
func (w *Work) withDamaged(err error) error {
	damaged, dropped := w.Downloads.DropDamaged(w.Repositories)
	if dropped != nil || len(damaged) == 0 {
		return errors.Join(err, dropped)
	}
	return fault.New(fault.Failed, "%w: damaged in the package cache: %s", err, strings.Join(damaged, ", ")).
		WithHint("they are removed from it: build again, and they are downloaded anew; if it happens often, look at the disk and its log")
}

// local says whether a name of a package means a file.
func local(name string) bool {
	return strings.HasSuffix(name, ".deb") && strings.Contains(name, "/")
}

func (w *Work) apt(ctx context.Context, args ...string) error {
	env := append(sandbox.Environ(w.Environment), apt.Proxies()...)
	err := w.Box.Run(ctx, sandbox.Cmd{Args: append([]string{"apt-get"}, args...), Env: env, Stdout: w.Log, Stderr: w.Log}, sandbox.RunOptions{})
	return apt.Explain(brief(err), output(err))
}

// brief leaves out what a program said: the log has it, and the caller shows
// the log.
func brief(err error) error {
	var exit *sandbox.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%s: exit status %d", exit.Program, exit.Status)
	}
	return err
}

// output is what a program said at its end.
func output(err error) string {
	var exit *sandbox.ExitError
	if errors.As(err, &exit) {
		return exit.Output
	}
	return ""
}

// services enables, disables and masks systemd units.
func (w *Work) services(ctx context.Context, s layer.Services) error {
	for _, action := range []struct {
		verb  string
		units []string
	}{{"enable", s.Enable}, {"disable", s.Disable}, {"mask", s.Mask}} {
		if len(action.units) == 0 {
			continue
		}
		err := w.run(ctx, append([]string{"systemctl", action.verb, "--"}, action.units...)...)
		var exit *sandbox.ExitError
		if errors.As(err, &exit) && exit.Status == 127 {
			return fault.New(fault.Failed, "the image has no systemctl: %w", err).
				WithHint("services: needs systemd in the layer or below; install package systemd")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
