package apt

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/packages"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// A mirror that sends a byte now and then, that never answers, or that goes silent
// after the headers, ends a bootstrap when its time is up: with its lists and with
// its packages.
func TestMirrorThatIsTooSlow(t *testing.T) {
	if _, ok := sandbox.LookPath("apt-get"); !ok {
		t.Skip("apt-get is not installed")
	}
	trickle := func(w http.ResponseWriter, gone <-chan struct{}, length string) {
		if length != "" {
			w.Header().Set("Content-Length", length)
		}
		for {
			_, _ = w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			select {
			case <-gone:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	for name, answer := range map[string]func(w http.ResponseWriter, gone <-chan struct{}){
		"trickles":          func(w http.ResponseWriter, gone <-chan struct{}) { trickle(w, gone, "100000") },
		"trickles for ever": func(w http.ResponseWriter, gone <-chan struct{}) { trickle(w, gone, "") },
		"never answers":     func(_ http.ResponseWriter, gone <-chan struct{}) { <-gone },
		"stalls": func(w http.ResponseWriter, gone <-chan struct{}) {
			w.Header().Set("Content-Length", "100000")
			w.(http.Flusher).Flush()
			<-gone
		},
	} {
		for what, slow := range map[string]string{"lists": "Packages", "packages": ".deb"} {
			t.Run(name+" with "+what, func(t *testing.T) {
				t.Parallel()
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch {
					case strings.HasSuffix(r.URL.Path, slow):
						answer(w, r.Context().Done())
					case strings.HasSuffix(r.URL.Path, "Packages"):
						for _, pkg := range []string{"apt", "other"} {
							fmt.Fprintf(w, "Package: %s\nVersion: 1\nArchitecture: all\nEssential: yes\nFilename: ./%[1]s.deb\nSize: 100000\nSHA256: %064d\nDescription: x\n\n", pkg, 0)
						}
					default:
						http.NotFound(w, r)
					}
				}))
				t.Cleanup(server.Close)
				tooSlow(t, server.URL)
			})
		}
	}
}

// tooSlow bootstraps from a mirror, which has to be found too slow.
func tooSlow(t *testing.T, url string) {
	t.Helper()
	cache, err := NewCache(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cache.Pace = Pace{Bytes: 10 << 10, Within: 2 * time.Second}
	set, err := cache.Open([]packages.Repository{{Name: "slow", Repository: layer.Repository{URL: url, Suite: "./", Trusted: true}}}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	err = set.Bootstrap(t.Context(), packages.Bootstrap{Upper: t.TempDir(), Scratch: t.TempDir(), Log: io.Discard})
	took := time.Since(start)
	if err == nil || !strings.Contains(err.Error(), "a mirror delivers too slowly: less than 10 KiB came in 2s") || fault.KindOf(err) != fault.Failed {
		t.Errorf("after %v: %v", took, err)
	}
	if took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if left, _ := filepath.Glob("/proc/[0-9]*/environ"); len(left) > 0 {
		for _, path := range left {
			if environ, _ := os.ReadFile(path); strings.Contains(string(environ), cache.Dir()) {
				t.Errorf("a process is left: %s", path)
			}
		}
	}
}
