package apt

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/packages/conformance"
	"github.com/strata-hpc/strata/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// TestConformance runs on a repository of two packages; as root, with
// STRATA_TEST_BOOT=1, on a Debian, too.
func TestConformance(t *testing.T) {
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, ok := sandbox.LookPath(tool); !ok {
			t.Skip(tool + " is not installed")
		}
	}
	cache, err := NewCache(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	served := smallRepository(t)
	// Like a mirror without a signature.
	if err := os.WriteFile(filepath.Join(served, "Release"), []byte("Suite: small\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(served)))
	t.Cleanup(server.Close)
	of := func(name, url string, trusted bool) packages.Repository {
		return packages.Repository{Name: name, Repository: layer.Repository{Type: "apt", URL: url, Suite: "./", Trusted: trusted}}
	}
	f := conformance.Fixture{
		Manager: cache, Arch: "amd64", Extra: "tzdata",
		Small: of("small", server.URL, true), Unsigned: of("unsigned", server.URL+"/", false), Away: of("away", "http://127.0.0.1:1", true),
	}
	if os.Getenv("STRATA_TEST_BOOT") == "1" && os.Geteuid() == 0 {
		f.Distribution = &packages.Repository{Name: "debian", Repository: layer.Repository{Type: "apt", Suite: "bookworm"}}
	}
	conformance.Run(t, f)
}

// smallRepository makes a directory with a package and what it needs, in apt's flat form.
func smallRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	list := ""
	for _, p := range []struct{ name, version, depends string }{{"alpha", "1.0", "beta (>= 2)"}, {"beta", "2.0", ""}} {
		tree, file := filepath.Join(t.TempDir(), p.name), p.name+"_"+p.version+"_all.deb"
		control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: a <a@localhost>\nDescription: x\n", p.name, p.version)
		if p.depends != "" {
			control += "Depends: " + p.depends + "\n"
		}
		err := errors.Join(os.MkdirAll(tree+"/DEBIAN", 0o755), os.WriteFile(tree+"/DEBIAN/control", []byte(control), 0o644))
		if err == nil {
			err = sandbox.Host(t.Context(), sandbox.Cmd{Args: []string{"dpkg-deb", "--root-owner-group", "--build", tree, filepath.Join(dir, file)}})
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		list += control + fmt.Sprintf("Filename: ./%s\nSize: %d\nSHA256: %x\n\n", file, len(content), sha256.Sum256(content))
	}
	if err := os.WriteFile(filepath.Join(dir, "Packages"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
