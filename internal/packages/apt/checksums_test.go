package apt

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What differs from the signed lists goes; what no list knows, and what is whole,
// stays.
func TestDropDamaged(t *testing.T) {
	c, err := NewCache(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	repositories := []Repository{{Name: "a"}}
	list := ""
	for _, name := range []string{"whole", "flipped", "short"} {
		list += fmt.Sprintf("Package: %s\nVersion: 1:2\nArchitecture: all\nSHA256: %x\n\n", name, sha256.Sum256([]byte(name)))
	}
	write := func(path, content string) error { return os.WriteFile(path, []byte(content), 0o644) }
	in := func(name string) string { return filepath.Join(c.Archives(), name+"_1%3a2_all.deb") }
	err = errors.Join(os.MkdirAll(c.Lists(repositories), 0o755), write(filepath.Join(c.Lists(repositories), "x_Packages"), list),
		write(in("whole"), "whole"), write(in("flipped"), "flopped"), write(in("short"), "s"), write(in("other"), "other"))
	if err != nil {
		t.Fatal(err)
	}
	damaged, err := c.DropDamaged(repositories)
	slices.Sort(damaged)
	if want := []string{"flipped_1%3a2_all.deb", "short_1%3a2_all.deb"}; err != nil || !slices.Equal(damaged, want) {
		t.Errorf("got %q, %v, want %q", damaged, err, want)
	}
	left, _ := filepath.Glob(filepath.Join(c.Archives(), "*.deb"))
	if len(left) != 2 {
		t.Errorf("there are %q", left)
	}
}
