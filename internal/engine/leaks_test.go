package engine

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/secret"
	"github.com/strata-hpc/strata/internal/store"
)

func openStore(t testing.TB) *store.Store {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestLeaks refuses layers with a secret anywhere, and names the place; what the
// site allows, and what only looks like it, is no reason.
func TestLeaks(t *testing.T) {
	s := openStore(t)
	const token = "correct-horse-battery"
	node := layer.Node{ID: "n", Secrets: map[string]layer.Secret{"token": {Env: "X", Allow: []string{"/opt/app/", "/etc/one"}}}}
	big := strings.Repeat(".", 700_000)
	write := func(name, text string) func(string) error {
		return func(top string) error {
			path := filepath.Join(top, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			return os.WriteFile(path, []byte(text), 0o644)
		}
	}
	for name, c := range map[string]struct {
		fill func(top string) error
		says string // "" if the layer is kept
	}{
		"a file":            {write("etc/x", token), "secret token is in the layer: /etc/x holds it as it is"},
		"a large file":      {write("etc/large", big+token+big), "/etc/large holds it as it is"},
		"the end of one":    {write("etc/end", big+token), "/etc/end holds it as it is"},
		"a name":            {write("etc/a "+token+"\nb/c", ""), `/etc/a correct-horse-battery\nb`},
		"a long name":       {write("etc/"+strings.Repeat("long/", 40)+token, ""), "long/correct-horse"},
		"allowed":           {write("opt/app/deep/x", token), ""},
		"allowed file":      {write("etc/one", token), ""},
		"beside allowed":    {write("etc/one2", token), "/etc/one2 holds it"},
		"above allowed":     {write("opt/app2/x", token), "/opt/app2/x holds it"},
		"something like it": {write("etc/x", "correct-horse-batterz"), ""},
		"a link":            {func(top string) error { return os.Symlink("/run/"+token, filepath.Join(top, "link")) }, "/link holds it"},
		"an attribute": {func(top string) error {
			if err := write("f", "")(top); err != nil {
				return err
			}
			return unix.Setxattr(filepath.Join(top, "f"), "user.note", []byte(token), 0)
		}, "/f holds it"},
		"many": {func(top string) error {
			for i := range 9000 {
				if err := write(fmt.Sprintf("d/%05d", i), fmt.Sprint(i))(top); err != nil {
					return err
				}
			}
			return write("d/08999x", "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5")(top)
		}, "/d/08999x holds it in base64"},
	} {
		_, err := s.AddLayer(t.Context(), "", func(st store.Staging) error {
			st.Inspect(newLeaks(node, secret.Values{"token": []byte(token + "\n")}))
			return c.fill(st.Upper)
		})
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// BenchmarkCommit commits a layer of 500 MB with and without a search in it.
func BenchmarkCommit(b *testing.B) {
	s := openStore(b)
	part := make([]byte, 1<<20)
	_, _ = rand.Read(part)
	node := layer.Node{ID: "n"}
	for round := range 4 {
		start := time.Now()
		var filled time.Duration
		_, err := s.AddLayer(b.Context(), "", func(st store.Staging) error {
			for i := range 500 {
				part[0] = byte(i)
				part[1] = byte(round)
				if err := os.WriteFile(filepath.Join(st.Upper, fmt.Sprint(i)), part, 0o644); err != nil {
					return err
				}
			}
			if round%2 == 1 {
				st.Inspect(newLeaks(node, secret.Values{"token": []byte("correct-horse-battery"), "other": []byte("another one of them")}))
			}
			filled = time.Since(start)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("search %v: %v", round%2 == 1, time.Since(start)-filled)
	}
}
