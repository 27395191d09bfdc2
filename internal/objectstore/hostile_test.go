package objectstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/strata-hpc/strata/internal/layer"
)

// bucket is one in an object store that answers as a test wants.
func bucket(t *testing.T, answer http.HandlerFunc) *Bucket {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	b, err := Open(layer.ObjectStore{Bucket: "images", Endpoint: server.URL, Region: "here"}, Options{Patience: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// content answers with an object, of which so many bytes are declared.
func content(declared int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT")
		w.Header().Set("Content-Length", strconv.Itoa(declared))
		_, _ = w.Write([]byte(body))
	}
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestFetchOfWhatIsNotMeant(t *testing.T) {
	for name, sent := range map[string]string{"longer": "12345x" + strings.Repeat("y", 1<<20), "shorter": "1234", "other": "1234x"} {
		t.Run(name, func(t *testing.T) {
			b, to := bucket(t, content(len(sent), sent)), filepath.Join(t.TempDir(), "file")
			err := b.Fetch(t.Context(), "x", to, 5, sumOf("12345"))
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v, want ErrDamaged", err)
			}
			if st, err := os.Stat(to); err != nil || st.Size() > 6 {
				t.Errorf("it wrote %v, %v", st, err)
			}
		})
	}
	b := bucket(t, content(2000, strings.Repeat("x", 2000)))
	if _, err := b.Read(t.Context(), "x", 1000); !errors.Is(err, ErrDamaged) {
		t.Errorf("too large: %v, want ErrDamaged", err)
	}
}

// What is cut off is fetched again; what moves no more is given up.
func TestFetchThatBreaksOff(t *testing.T) {
	asked := 0
	b := bucket(t, func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 1 {
			content(5, "12")(w, r)
			return
		}
		content(5, "12345")(w, r)
	})
	to := filepath.Join(t.TempDir(), "file")
	if err := b.Fetch(t.Context(), "x", to, 5, sumOf("12345")); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, []byte("12345")) {
		t.Errorf("it has %q, %v", got, err)
	}
	silent := func(r *http.Request, _ http.ResponseWriter) { <-r.Context().Done() }
	trickling := func(r *http.Request, w http.ResponseWriter) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	}
	for _, goOn := range []func(*http.Request, http.ResponseWriter){silent, trickling} {
		b = bucket(t, func(w http.ResponseWriter, r *http.Request) {
			content(1<<20, "12")(w, r)
			w.(http.Flusher).Flush()
			goOn(r, w)
		})
		start := time.Now()
		err := b.Fetch(t.Context(), "x", to, 1<<20, sumOf("12345"))
		if err == nil || !strings.Contains(err.Error(), "it moves next to nothing for 300ms") || time.Since(start) > 20*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	}
}

func TestLocal(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "http://localhost:1")
	for endpoint, want := range map[string]bool{"http://127.0.0.1:9": true, "https://[::1]": true, "": true, "http://localhost.example": false, "https://s3.example.org": false} {
		if got := Local(layer.ObjectStore{Endpoint: endpoint}); got != want {
			t.Errorf("%q is on this machine: %v", endpoint, got)
		}
	}
}
