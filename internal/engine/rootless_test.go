package engine

import (
	"bytes"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"testing"

	"github.com/strata-hpc/strata/internal/sandbox"
)

// TestTreesAreTheSameForAnOrdinaryUser is the test of trees again, as a user
// with subordinate ids; scripts/rootless-user finds or makes one.
func TestTreesAreTheSameForAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 || sandbox.InUserNamespace() {
		t.Skip("needs root, to become another")
	}
	var name bytes.Buffer
	if err := sandbox.Host(t.Context(), sandbox.Cmd{Args: []string{"../../scripts/rootless-user"}, Stdout: &name}); err != nil {
		t.Skipf("no user has subordinate ids: %v", err)
	}
	who, err := user.Lookup(string(bytes.TrimSpace(name.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "strata-trees-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	self := filepath.Join(dir, "test")
	if err := copyProgram(self); err != nil {
		t.Fatal(err)
	}
	chown := sandbox.Cmd{Args: []string{"chown", "-R", who.Uid + ":" + who.Gid, dir}}
	if err := sandbox.Host(t.Context(), chown); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = sandbox.Host(t.Context(), sandbox.Cmd{
		Args: []string{"setpriv", "--reuid", who.Uid, "--regid", who.Gid, "--clear-groups", self, "-test.v", "-test.run", "TestTreesAreTheSameEverywhere"},
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "USER=" + who.Username, "LOGNAME=" + who.Username, "TMPDIR=" + dir,
			"STRATA_TEST_ROOTLESS=1", "STRATA_TEST_LONG=" + os.Getenv("STRATA_TEST_LONG"), "STRATA_TEST_SEED=" + os.Getenv("STRATA_TEST_SEED")},
		Dir: dir, Stdout: &out, Stderr: &out,
	})
	if err != nil || !bytes.Contains(out.Bytes(), []byte("--- PASS: TestTreesAreTheSameEverywhere/")) {
		t.Errorf("%v\n%s", err, out.Bytes())
	}
}

// copyProgram copies this program to where others may read it.
func copyProgram(path string) error {
	from, err := os.Open(sandbox.Executable)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return err
	}
	return to.Close()
}
