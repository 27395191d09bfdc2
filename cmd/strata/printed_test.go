package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/sandbox"
)

// A command whose results get lost has failed, and says so.
func TestResultsThatGetLost(t *testing.T) {
	dir := t.TempDir()
	recipe := "strata: 1\ncluster: {name: c}\nrepositories: {d: {type: apt, suite: bookworm}}\nlayers: {a: {from: {bootstrap: {distribution: debian, repositories: [d]}}}}\n"
	if err := os.WriteFile(filepath.Join(dir, "strata.yaml"), []byte(recipe), 0o600); err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"--help"}, {"version"}, {"validate"}, {"schema"}, {"plan"}, {"why", "a"}, {"graph"}, {"pipeline", "make"}} {
		if os.Geteuid() != 0 && (args[0] == "plan" || args[0] == "why") {
			continue // they open the store, in a process of their own
		}
		var errs bytes.Buffer
		args = append([]string{"-C", dir, "--store", filepath.Join(dir, "store")}, args...)
		if status := run(args, nil, full, &errs); status != 1 || !strings.Contains(errs.String(), "no space left on device: the disk is full") {
			t.Errorf("%v: exit status %d\n%s", args, status, &errs)
		}
	}
}

// Of a report that the disk has no room for, no half stays.
func TestReportWithoutRoom(t *testing.T) {
	a := &app{dir: t.TempDir()}
	if err := a.writeReport("/dev/full", []byte("x")); err == nil {
		t.Error("written to /dev/full")
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Error(err)
	}
	mount := []string{"mount", "-t", "tmpfs", "-o", "size=64k", "strata-test", a.dir}
	if os.Geteuid() != 0 || sandbox.Host(t.Context(), sandbox.Cmd{Args: mount}) != nil {
		t.Skip("needs root: mounts a small tmpfs")
	}
	defer sandbox.Host(context.Background(), sandbox.Cmd{Args: []string{"umount", a.dir}})
	err := a.writeReport("report.xml", make([]byte, 1<<20))
	if left, _ := os.ReadDir(a.dir); err == nil || len(left) > 0 {
		t.Errorf("%v; left: %v", err, left)
	}
}
