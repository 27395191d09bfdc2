package store

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	drivers "go.podman.io/storage/drivers"
)

// recorder takes a layer's tar stream down: its digest, its owners, and the record
// (tar-split) from which a push makes the same bytes again.
type recorder struct {
	*splitter
	owners
	file     *os.File
	buffered *bufio.Writer
}

// newRecorder keeps the record beside a staging directory, without a name.
func newRecorder(dest string) (*recorder, error) {
	file, err := os.CreateTemp(filepath.Dir(dest), "tar-split-")
	if err != nil {
		return nil, err
	}
	os.Remove(file.Name())
	buffered := bufio.NewWriterSize(file, 1<<20)
	return &recorder{newSplitter(buffered), owners{uids: map[uint32]bool{}, gids: map[uint32]bool{}}, file, buffered}, nil
}

// end tells what came out, of a layer whose root has a mode; or, if err is not nil, the
// record goes.
func (r *recorder) end(mode os.FileMode, err error) (out drivers.DriverWithDifferOutput, _ error) {
	err = errors.Join(err, r.splitter.Close())
	if err == nil {
		err = r.buffered.Flush() // else it says the same again
	}
	if err != nil {
		r.file.Close()
		return out, err
	}
	out.UncompressedDigest = digest.NewDigest(digest.SHA256, r.digest.sum)
	out.Size, out.TarSplit, out.Metadata, out.RootDirMode = r.size, r.file, madeHere, &mode
	out.UIDs, out.GIDs = r.lists()
	return out, nil
}
