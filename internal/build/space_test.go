package build

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Whatever way the news of a disk that takes no more comes, the error says which
// it is and what to do; what is not about one stays as it is.
func TestWithSpace(t *testing.T) {
	elsewhere := fault.New(fault.Failed, "PUT blob: 507: no space left on device").WithHint("ask who runs it")
	said := fault.New(fault.Failed, "it: the disk is full").WithHint("free some")
	for name, c := range map[string]struct {
		err  error
		says string // "": the error stays
	}{
		"the kernel":        {&os.PathError{Op: "write", Path: "/no/such", Err: syscall.ENOSPC}, "the disk is full"},
		"a program":         {errors.New("cp: cannot create directory 'x': No space left on device"), "the disk is full"},
		"apt":               {errors.New("E: You don't have enough free space in /var/cache/apt/archives/."), "the disk is full"},
		"mksquashfs":        {errors.New("FATAL ERROR: Failed to write to output filesystem"), "the disk is full"},
		"a quota":           {fmt.Errorf("commit: %w", syscall.EDQUOT), "the disk quota is used up"},
		"read-only":         {&os.PathError{Op: "mkdir", Path: "/no/such", Err: syscall.EROFS}, "the disk is mounted read-only"},
		"a fault":           {fault.New(fault.Machine, "open store: %w", syscall.EROFS), "the disk is mounted read-only"},
		"another machine's": {elsewhere, ""},
		"told already":      {said, ""},
		"something else":    {errors.New("exit status 1"), ""},
		"one of two":        {errors.Join(errors.New("first"), fault.New(fault.Failed, "second: %w", syscall.ENOSPC)), "second: no space left on device: the disk is full"},
	} {
		got := WithSpace(c.err, t.TempDir())
		switch hint := hints(got); {
		case c.says == "" && got != c.err:
			t.Errorf("%s: %v", name, got)
		case c.says != "" && (!strings.Contains(got.Error(), c.says) || !strings.Contains(hint, "--store")):
			t.Errorf("%s: %v, hint %q", name, got, hint)
		}
	}
	if WithSpace(nil) != nil {
		t.Error("no error became one")
	}
}

func hints(err error) (all string) {
	for _, f := range fault.All(err) {
		all += f.Hint
	}
	return all
}

// The disk itself is asked: whether it lacks space or inodes, and how much is left.
func TestDiskTellsWhatItLacks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a small tmpfs")
	}
	for _, c := range []struct{ options, says string }{
		{"size=64k,nr_inodes=100", "the disk is full: %s has 0 of 0 MiB and 82 inodes free"},
		{"size=64m,nr_inodes=4", "no inodes are left: %s has 63 of 64 MiB and 0 inodes free"},
		{"size=64m,ro", "the disk is mounted read-only: %s has"},
	} {
		dir := t.TempDir()
		if err := sandbox.Host(t.Context(), sandbox.Cmd{Args: []string{"mount", "-t", "tmpfs", "-o", c.options, "strata-test", dir}}); err != nil {
			t.Skip(err)
		}
		var err error
		for i := 0; err == nil; i++ {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), make([]byte, 4096), 0o600)
		}
		got := WithSpace(err, dir)
		quiet := whileThere(errors.New("exit status 1"), "", []string{dir})
		if unmounted := sandbox.Host(t.Context(), sandbox.Cmd{Args: []string{"umount", dir}}); unmounted != nil {
			t.Fatal(unmounted)
		}
		if want := fmt.Sprintf(c.says, dir); !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %v, want %s", c.options, got, want)
		}
		if readOnly := strings.HasSuffix(c.options, "ro"); (quiet == nil) != readOnly {
			t.Errorf("%s: of a program that says nothing: %v", c.options, quiet)
		}
	}
}
