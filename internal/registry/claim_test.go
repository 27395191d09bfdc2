package registry

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What a push that fails made is gone, unless somebody else is at it; what was there
// stays, and so does what a push that succeeds made.
func TestClaimGoesWithItsPush(t *testing.T) {
	failed := errors.New("no")
	for _, c := range []struct {
		name, ref string
		earlier   bool // something is there already
		shared    bool // another push is at it
		err       error
		stays     bool
	}{
		{"layout", "oci:out:tag", false, false, failed, false},
		{"layout that was there", "oci:out:tag", true, false, failed, true},
		{"layout that another writes", "oci:out:tag", false, true, failed, true},
		{"layout that is whole", "oci:out:tag", false, false, nil, true},
		{"directory", "dir:out", false, false, failed, false},
		{"directory that was there", "dir:out", true, false, failed, true},
		{"archive", "oci-archive:out:tag", false, false, failed, false},
		{"archive that was there", "docker-archive:out:name:tag", true, false, failed, true},
	} {
		t.Chdir(t.TempDir())
		if c.earlier {
			os.WriteFile("out", nil, 0o600)
			if c.ref == "oci:out:tag" {
				os.Remove("out")
				os.Mkdir("out", 0o755)
			}
		}
		to, err := parse(c.ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		held, err := to.claim()
		if err != nil {
			t.Fatal(err)
		}
		path := held.path
		if c.shared {
			other, err := to.claim()
			if err != nil || other.made {
				t.Fatal(other, err)
			}
			defer other.end(nil)
		}
		if _, err := os.Stat(path); err != nil { // an archive, or a directory
			os.WriteFile(path, []byte("part"), 0o600)
		} else if held.dir != nil {
			os.WriteFile(filepath.Join(path, "blob"), []byte("part"), 0o600)
		}
		if err := held.end(c.err); err != c.err {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := os.Stat(path); (err == nil) != c.stays {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	to, err := parse("docker://localhost/a:b", nil)
	if err != nil {
		t.Fatal(err)
	}
	if held, err := to.claim(); held != nil || err != nil {
		t.Errorf("of a registry: %v, %v", held, err)
	}
}
