// Package step applies one step of a layer to a mounted tree: packages, files,
// playbooks, commands, services.
//
// It decides nothing: not whether a step is needed, nor what becomes of the
// tree. It writes to the tree only through the sandbox's agent.
package step

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Work is a tree that a layer's steps are applied to.
type Work struct {
	Box          *sandbox.Sandbox
	Node         layer.Node
	Cluster      layer.Cluster
	Inventory    []string      // the site's Ansible inventory: its sources below the project, in order
	Project      fs.FS         // the project's files
	Dir          string        // where the project is on this machine
	Elsewhere    string        // where roles and collections from elsewhere are on it: roles, collections; "" for nowhere
	Environment  []string      // of every command: KEY=value
	Repositories packages.Set  // that the tree may install from; nil for none
	Packages     packages.Tree // installs from them; nil for none
	Temporary    string        // a directory of this machine that the caller removes
	Log          io.Writer     // receives what programs say
	Vaulted      []Vaulted     // files of variables that are encrypted as a whole, and that playbooks may load

	// Observed is what programs that playbooks started on this machine did with files
	// of the project. Apply adds to it.
	Observed layer.Observed
}

// Apply does one step.
func Apply(ctx context.Context, w *Work, s layer.Step) error {
	switch s := s.(type) {
	case layer.Repositories:
		return w.repositories(ctx, s)
	case layer.Remove:
		return w.remove(ctx, s)
	case layer.Packages:
		return w.packages(ctx, s)
	case layer.Files:
		return w.files(ctx, s)
	case layer.Playbooks:
		return w.playbooks(ctx, s)
	case layer.Run:
		return w.commands(ctx, s)
	case layer.Services:
		return w.services(ctx, s)
	}
	return fmt.Errorf("apply step: unknown kind %q", s.Kind())
}

// Blame names a step in an error. Commands and playbooks tell in theirs which one it was.
func Blame(s layer.Step) string {
	switch s.(type) {
	case layer.Run, layer.Playbooks:
		return s.Kind()
	}
	return s.Title()
}

// run runs a program in the tree.
func (w *Work) run(ctx context.Context, args ...string) error {
	return w.Box.Run(ctx, sandbox.Cmd{Args: args, Env: sandbox.Environ(w.Environment), Stdout: w.Log, Stderr: w.Log}, sandbox.RunOptions{})
}
