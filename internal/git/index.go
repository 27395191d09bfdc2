package git

import (
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
)

// stats is what git's index knows of the files of a work tree.
type stats struct {
	entries map[string]*index.Entry // by path from the top
	written time.Time               // of the index itself
	filters bool                    // files may differ from their blobs: ends of lines, LFS
}

// readStats reads a work tree's index. One that is missing, or has a form that
// go-git does not read (split, sparse), costs time only: files are then hashed.
func (r *Repository) readStats() stats {
	s := stats{entries: map[string]*index.Entry{}, filters: r.convertsByConfig()}
	f, err := os.Open(filepath.Join(r.git, "index"))
	if err != nil {
		return s
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return s
	}
	var idx index.Index
	if err := index.NewDecoder(f).Decode(&idx); err != nil && !unsummed(f, info.Size(), err) {
		return s
	}
	s.written = info.ModTime()
	for _, e := range idx.Entries {
		// Not entries of a merge, nor what was added in name only.
		if e.Stage == 0 && !e.IntentToAdd {
			s.entries[e.Name] = e
		}
		s.filters = s.filters || path.Base(e.Name) == ".gitattributes"
	}
	return s
}

// unsummed says whether an index has no checksum because git was told to write none
// (index.skipHash), which go-git takes for a wrong one.
func unsummed(f *os.File, size int64, err error) bool {
	var sum plumbing.Hash
	if !errors.Is(err, index.ErrInvalidChecksum) {
		return false
	}
	_, err = f.ReadAt(sum[:], size-int64(len(sum)))
	return (err == nil || errors.Is(err, io.EOF)) && sum.IsZero()
}

func (r *Repository) convertsByConfig() bool {
	if _, err := os.Stat(filepath.Join(r.common, "info", "attributes")); err == nil {
		return true
	}
	for _, key := range []string{"autocrlf", "eol", "attributesfile"} {
		if value := r.config.get("core", "", key); value != "" && !isFalse(value) {
			return true
		}
	}
	return false
}

// known returns the id that the index has for a file, if the file is certainly as
// it was when the index was written.
func (s stats) known(name string, info os.FileInfo) (plumbing.Hash, bool) {
	e := s.entries[name]
	st, ok := info.Sys().(*syscall.Stat_t)
	if e == nil || !ok || canonical(uint32(e.Mode)) != canonical(st.Mode) {
		return plumbing.ZeroHash, false
	}
	same := e.Size == uint32(st.Size) && e.Inode == uint32(st.Ino) &&
		sameTime(e.ModifiedAt, st.Mtim) && sameTime(e.CreatedAt, st.Ctim)
	// Racily clean (git's Documentation/technical/racy-git.txt): it may have been
	// written after it was hashed, at the very time that the index has. git marks
	// such entries with a size of 0 when it writes the next index.
	racy := !e.ModifiedAt.Before(s.written) || e.ModifiedAt.Nanosecond() == 0 && e.ModifiedAt.Unix() >= s.written.Unix()
	smudged := e.Size == 0 && e.Hash != emptyBlob()
	return e.Hash, same && !racy && !smudged
}

// sameTime compares as finely as the index does: git can be built to keep seconds.
func sameTime(t time.Time, ts syscall.Timespec) bool {
	return t.Unix() == ts.Sec && (t.Nanosecond() == 0 || int64(t.Nanosecond()) == ts.Nsec)
}

func emptyBlob() plumbing.Hash { return blobID(nil) }

// mode is the mode that git takes a file on disk to have.
func (s stats) mode(name string, info os.FileInfo, trust bool) filemode.FileMode {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return filemode.Regular
	}
	mode := canonical(st.Mode)
	if e := s.entries[name]; !trust && e != nil && info.Mode().IsRegular() && canonical(uint32(e.Mode)) == filemode.Executable {
		return filemode.Executable
	}
	if !trust && mode == filemode.Executable {
		return filemode.Regular
	}
	return mode
}
