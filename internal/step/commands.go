package step

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/limit"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// commands runs commands and scripts, one after the other.
func (w *Work) commands(ctx context.Context, s layer.Run) error {
	for _, c := range s.Commands {
		if err := w.command(ctx, c); err != nil {
			var exit *sandbox.ExitError
			if errors.As(err, &exit) {
				// The caller shows the log; the command is what matters here.
				return fmt.Errorf("%s: exit status %d", c.Title(), exit.Status)
			}
			return fmt.Errorf("%s: %w", c.Title(), err)
		}
	}
	return nil
}

func (w *Work) command(ctx context.Context, c layer.Command) error {
	args := []string{"/bin/sh", "-ec", c.Command}
	if c.Script != "" {
		content, err := limit.Read(w.Project, path.Clean(c.Script), limit.Script)
		if err != nil {
			return fmt.Errorf("read script: %w", err)
		}
		inside := "/run/strata/script/" + path.Base(c.Script)
		var t tree
		t.file(inside, string(content), entry{mode: 0o755})
		if err := w.unpack(ctx, t); err != nil {
			return err
		}
		args = []string{inside}
	}
	env := append(sandbox.Environ(w.Environment), sandbox.Variables(c.Env)...)
	opts := sandbox.RunOptions{NoNetwork: c.Network == "none"}
	if c.Kernel == "image" {
		if err := w.needKernel(); err != nil {
			return err
		}
	}
	return w.Box.Run(ctx, sandbox.Cmd{Args: args, Env: env, Stdout: w.Log, Stderr: w.Log}, opts)
}

// needKernel is an error if the tree has no kernel: its commands would see this
// machine's.
func (w *Work) needKernel() error {
	release, err := sandbox.KernelIn(w.Box.Root())
	if err == nil && release == "" {
		return fault.New(fault.Failed, "the image has no kernel for 'kernel: image'").
			WithHint("install a kernel package in this layer or below")
	}
	return err
}

// Reveal writes secrets into the tree's /run, which is in memory and in no layer.
func (w *Work) Reveal(ctx context.Context, secrets map[string][]byte) error {
	var t tree
	for name, value := range secrets {
		t.file("/run/secrets/"+name, string(value), entry{mode: 0o400})
	}
	return w.unpack(ctx, t)
}
