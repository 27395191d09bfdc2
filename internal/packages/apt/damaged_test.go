package apt

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Lists that are not what their index says go, with the index; those of others stay.
func TestDamagedLists(t *testing.T) {
	packages := "Package: less\nVersion: 1\n"
	sum := sha256.Sum256([]byte(packages))
	index := fmt.Sprintf("Origin: x\nMD5Sum:\n 00 1 main/binary-amd64/Packages\nSHA256:\n %s %d main/binary-amd64/Packages\n 00 9 main/binary-amd64/Packages.xz\n 00 9 contrib/binary-amd64/Packages\nSHA512:\n 00 1 main/binary-amd64/Packages\n",
		hex.EncodeToString(sum[:]), len(packages))
	for name, c := range map[string]struct {
		content string
		index   string
		dropped int
		left    []string
	}{
		"whole":                   {packages, index, 0, []string{"h_dists_x_InRelease", "h_dists_x_main_binary-amd64_Packages"}},
		"cut off":                 {packages[:9], index, 1, nil},
		"empty":                   {"", index, 1, nil},
		"changed":                 {packages[:len(packages)-2] + "2\n", index, 1, nil},
		"an index that says less": {packages, "garbage\x00", 0, []string{"h_dists_x_InRelease", "h_dists_x_main_binary-amd64_Packages"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			err := errors.Join(os.WriteFile(filepath.Join(dir, "h_dists_x_InRelease"), []byte(c.index), 0o644),
				os.WriteFile(filepath.Join(dir, "h_dists_x_main_binary-amd64_Packages"), []byte(c.content), 0o644),
				os.WriteFile(filepath.Join(dir, "other_main_binary-amd64_Packages"), []byte("x"), 0o644))
			if err != nil {
				t.Fatal(err)
			}
			dropped, err := dropDamaged(dir)
			var left []string
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				left = append(left, e.Name())
			}
			if err != nil || len(dropped) != c.dropped || !slices.Equal(left, append(c.left, "other_main_binary-amd64_Packages")) {
				t.Errorf("dropped %v, left %v, %v", dropped, left, err)
			}
		})
	}
	if dropped, err := dropDamaged(filepath.Join(t.TempDir(), "none")); err != nil || len(dropped) > 0 {
		t.Errorf("%v, %v", dropped, err)
	}
}
