package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/registry"
)

// Traces of plans are in the registry beside the nodes, as one artifact of files: the
// newest that somebody pushed. A plan does without, so that what is not believed counts
// as not there.
const tracesFile = "traces"

// tracesRef is where the traces of plans are that have this name. No node has a slash in
// its name.
func (x *Exchange) tracesRef(of string) string {
	host, dir, _ := strings.Cut(x.At, "/")
	return "docker://" + path.Join(host, strings.ToLower(dir), "traces", "plan") + ":" + of
}

func (x *Exchange) tracesOptions(of string) registry.Options {
	opts := x.Options
	opts.Trust, opts.Claims = x.Trust, map[string]string{"io.strata.cluster": strings.ToLower(x.Cluster), "io.strata.traces": of}
	return opts
}

// PutTraces sends a file of traces, in place of what is there.
func (x *Exchange) PutTraces(ctx context.Context, of string, traces []byte) (Shelving, error) {
	dir, err := os.MkdirTemp("", "strata-traces-")
	if err != nil {
		return Shelving{}, err
	}
	defer os.RemoveAll(dir)
	var files []registry.File
	for _, f := range []struct {
		name    string
		content []byte
	}{{"about", []byte(of + "\n")}, {tracesFile, traces}} {
		at := filepath.Join(dir, f.name)
		if err := os.WriteFile(at, f.content, 0o600); err != nil {
			return Shelving{}, err
		}
		sum := sha256.Sum256(f.content)
		files = append(files, registry.File{Name: f.name, Path: at, Size: int64(len(f.content)), Digest: layer.Digest("sha256:" + hex.EncodeToString(sum[:]))})
	}
	res, err := registry.PushFiles(ctx, files, x.tracesRef(of), x.tracesOptions(of))
	if err != nil {
		return Shelving{}, err
	}
	return Shelving{At: res.Ref, Files: res.Blobs, Size: res.Moved}, nil
}

// TakeTraces writes what the registry has of these traces into an empty directory, and
// returns the name of the file. The error is registry.ErrNotThere if there are none, and
// an *Unfit if they are not believed.
func (x *Exchange) TakeTraces(ctx context.Context, of, dir string) (string, Shelving, error) {
	res, err := registry.PullFiles(ctx, x.tracesRef(of), dir, x.tracesOptions(of), nil)
	switch {
	case err == nil:
		return filepath.Join(dir, tracesFile), Shelving{At: res.Ref, Files: res.Blobs, Size: res.Moved, Why: res.Why}, nil
	case Unusable(err) != "":
		return "", Shelving{}, &Unfit{Unusable(err)}
	}
	return "", Shelving{}, err
}
