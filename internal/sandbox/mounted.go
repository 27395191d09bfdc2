package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

const (
	mountedName     = "strata-mounted"
	mountedVariable = "STRATA_MOUNTED"
)

// mounted is what the helper is to mount and to become.
type mounted struct {
	Spec Spec     `json:"spec"`
	Path string   `json:"path"`
	Args []string `json:"args"`
	Env  []string `json:"env"`
}

// HostMounted runs a program of this machine as Host does, with the tree of a
// spec mounted, for that program only, at MountedAt. It is for programs that
// resolve the path of a tree themselves: to them, a Root is this machine's "/".
// The spec must be one that is read-only; c.Env must be set.
func HostMounted(ctx context.Context, spec Spec, c Cmd) error {
	path, err := exec.LookPath(c.Args[0])
	if err != nil {
		return fault.New(fault.Machine, "%s is not installed on this machine", c.Args[0]).
			WithHint("run 'strata doctor' to see which package has it")
	}
	request, err := json.Marshal(mounted{spec, path, c.Args, c.Env})
	if err != nil {
		return err
	}
	name := c.Args[0]
	c.Args, c.Env = []string{Executable}, []string{mountedVariable + "=" + string(request)}
	p, err := startHost(ctx, c, func(cmd *exec.Cmd) {
		cmd.Args[0] = mountedName
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNS
	})
	if err != nil {
		return err
	}
	err = p.Wait()
	if exit, ok := err.(*ExitError); ok {
		exit.Program = name
	}
	return err
}

// Again runs this program again under another name, in a mount namespace of its
// own: what it mounts is gone with it, in whatever way it ends.
func Again(ctx context.Context, name string, args ...string) error {
	p, err := startHost(ctx, Cmd{Args: append([]string{Executable}, args...)}, func(cmd *exec.Cmd) {
		cmd.Args[0] = name
		cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWNS // with all mounts made private
	})
	if err != nil {
		return err
	}
	return p.Wait()
}

// MountedAt is where HostMounted mounts the tree of a spec.
func MountedAt(spec Spec) string { return filepath.Join(spec.Scratch, "root") }

// mountedMain mounts the tree and becomes the program.
func mountedMain() {
	var m mounted
	err := json.Unmarshal([]byte(os.Getenv(mountedVariable)), &m)
	if err == nil {
		err = m.become()
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(126)
}

func (m mounted) become() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	root := MountedAt(m.Spec)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	if err := mountLayers(m.Spec, root); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	return &os.PathError{Op: "start", Path: m.Path, Err: syscall.Exec(m.Path, m.Args, m.Env)}
}
