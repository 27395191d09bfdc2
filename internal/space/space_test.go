package space

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
func TestExplain(t *testing.T) {
	elsewhere := fault.New(fault.Failed, "PUT blob: 507: no space left on device").WithHint("ask who runs it")
	said := fault.New(fault.Failed, "it: the disk is full").WithHint("free some")
	for name, c := range map[string]struct {
		err  error
		says string // "": the error stays
	}{
		"the kernel":        {&os.PathError{Op: "write", Path: "/no/such", Err: syscall.ENOSPC}, "the disk is full"},
		"a program":         {errors.New("cp: cannot create directory 'x': No space left on device"), "the disk is full"},
		"apt":               {errors.New("E: You don't have enough free space in /var/cache/apt/archives/."), "the disk is full"},
		"mksquashfs":        {&sandbox.ExitError{Program: "mksquashfs", Status: 1, Output: "Write failed because Disk quota exceeded\nFATAL ERROR: Failed to write to output filesystem"}, "the disk quota is used up"},
		"a quota":           {fmt.Errorf("commit: %w", syscall.EDQUOT), "the disk quota is used up"},
		"read-only":         {&os.PathError{Op: "mkdir", Path: "/no/such", Err: syscall.EROFS}, "the disk is mounted read-only"},
		"a sandbox's /sys":  {errors.New("/bin/sh: 1: cannot create /sys/x: Read-only file system"), ""},
		"a fault":           {fault.New(fault.Machine, "open store: %w", syscall.EROFS), "the disk is mounted read-only"},
		"another machine's": {elsewhere, ""},
		"told already":      {said, ""},
		"something else":    {errors.New("exit status 1"), ""},
		"one of two":        {errors.Join(errors.New("first"), fault.New(fault.Failed, "second: %w", syscall.ENOSPC)), "second: no space left on device: the disk is full"},
	} {
		got := Explain(c.err, t.TempDir())
		switch hint := hints(got); {
		case c.says == "" && got != c.err:
			t.Errorf("%s: %v", name, got)
		case c.says != "" && (!strings.Contains(got.Error(), c.says) || !strings.Contains(hint, "--store")):
			t.Errorf("%s: %v, hint %q", name, got, hint)
		}
	}
	if Explain(nil) != nil {
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
		{"size=64k,nr_inodes=100", "the disk is full: %s has 0 of 0 MiB and"},
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
		got := Explain(err, dir)
		quiet := Note(errors.New("exit status 1"), dir)
		knows := Note(fault.New(fault.Failed, "it is not so").WithHint("do this"), dir)
		entries, _ := os.ReadDir(dir)
		if unmounted := sandbox.Host(t.Context(), sandbox.Cmd{Args: []string{"umount", dir}}); unmounted != nil {
			t.Fatal(unmounted)
		}
		want := fmt.Sprintf(c.says, dir)
		if !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %v, want %s", c.options, got, want)
		}
		for _, e := range entries {
			if !strings.Contains("0123456789", e.Name()[:1]) {
				t.Errorf("%s: asking leaves %s", c.options, e.Name())
			}
		}
		if hints(knows) != "do this" {
			t.Errorf("%s: of one who knows better: %v", c.options, knows)
		}
		// What was noted is said later, when the disk is gone.
		want, quiet = fmt.Sprintf("exit status 1: "+c.says, dir), Explain(quiet)
		if readOnly := strings.HasSuffix(c.options, "ro"); strings.Contains(quiet.Error(), want) == readOnly {
			t.Errorf("%s: of a program that says nothing: %v", c.options, quiet)
		}
	}
}

// A quota that only writing tells of: the file system has room.
func TestDiskTellsOfAQuota(t *testing.T) {
	if _, there := sandbox.LookPath("mkfs.btrfs"); os.Geteuid() != 0 || !there {
		t.Skip("needs root and mkfs.btrfs")
	}
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 150<<20)); err != nil {
		t.Fatal(err)
	}
	do := func(args ...string) error { return sandbox.Host(t.Context(), sandbox.Cmd{Args: args}) }
	if err := do("mkfs.btrfs", "-q", image); err != nil {
		t.Fatal(err)
	}
	if err := do("mount", "-o", "loop", image, dir); err != nil {
		t.Skip(err)
	}
	err := errors.Join(do("btrfs", "quota", "enable", dir), do("btrfs", "qgroup", "limit", "2M", dir))
	before := Note(errors.New("exit status 1"), dir)
	var full error
	for i := 0; err == nil && full == nil; i++ {
		full = os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), make([]byte, 64<<10), 0o600)
	}
	quiet := Note(errors.New("exit status 1"), dir)
	if err = errors.Join(err, do("umount", dir)); err != nil {
		t.Fatal(err)
	}
	want := "the disk quota is used up: no more may be written in " + dir
	if got := Explain(quiet); !strings.Contains(got.Error(), want) || !strings.Contains(hints(got), "have the quota raised") {
		t.Errorf("%v after %v, want %s", got, full, want)
	}
	if !errors.Is(full, syscall.EDQUOT) || Explain(before) != before {
		t.Errorf("%v, and before: %v", full, before)
	}
}
