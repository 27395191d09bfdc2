package artifact

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// put writes a file below root, with its directories.
func put(t *testing.T, root, name, content string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, root, name string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestNoLinkLeadsOutOfTheTree(t *testing.T) {
	host := t.TempDir()
	put(t, host, "secret", "the host's")
	dir := filepath.Join(host, "tree")
	put(t, dir, "etc/os-release", "the image's")
	secret := filepath.Join(host, "secret")
	symlink(t, secret, dir, "boot/vmlinuz-1")
	symlink(t, "../../../../../../../../../.."+secret, dir, "boot/vmlinuz-2")
	symlink(t, "../../secret", dir, "boot/vmlinuz-3")
	symlink(t, host, dir, "lib")
	symlink(t, "/proc/self/root"+secret, dir, "boot/vmlinuz-4")
	symlink(t, "loop", dir, "boot/loop")
	tree := Tree{Dir: dir}

	for _, name := range []string{"/boot/vmlinuz-1", "boot/vmlinuz-2", "/boot/vmlinuz-3", "/boot/vmlinuz-4",
		"/lib/secret", "../secret", "/../../../x"} {
		if data, err := tree.ReadFile(name, 100); err == nil {
			t.Errorf("%s gave %q", name, data)
		} else if !isAbsent(err) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), dir) {
			t.Errorf("the error tells a path of this machine: %v", err)
		}
	}
	if _, err := tree.Stat("/boot/loop"); !isAbsent(err) {
		t.Errorf("a link to itself: %v", err)
	}
	if names, err := tree.Names("/lib"); err != nil || names != nil {
		t.Errorf("names below a link to the host: %v, %v", names, err)
	}
	kernels, err := findKernels(tree)
	if err != nil || len(kernels) != 0 {
		t.Errorf("kernels found through hostile links: %v, %v", kernels, err)
	}

	// The same links are good where they lead to something in the image.
	put(t, dir, secret, "the image's own")
	for _, name := range []string{"/boot/vmlinuz-1", "/boot/vmlinuz-2"} {
		if data, err := tree.ReadFile(name, 100); err != nil || string(data) != "the image's own" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

func TestOpenOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "long", "12345")
	tree := Tree{Dir: dir}
	if _, err := tree.Open("/fifo"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("open a FIFO: %v", err)
	}
	if _, err := tree.Open("/"); err == nil {
		t.Error("a directory was opened as a file")
	}
	if _, err := tree.ReadFile("/long", 4); err == nil {
		t.Error("a file longer than the limit was read")
	}
}
