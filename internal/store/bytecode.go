package store

import (
	"encoding/binary"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// staleBytecode says whether a file is a cache of Python's that is no longer
// valid once times are in their normal form: it holds the time of its source
// (PEP 552), and that is the build's own. Python makes another one or does without.
func (s *sealer) staleBytecode(name, at string, st *unix.Stat_t) (bool, error) {
	const header = 16 // magic number, flags, time of the source, its size
	if st.Mode&unix.S_IFMT != unix.S_IFREG || path.Ext(name) != ".pyc" || path.Base(path.Dir(name)) != "__pycache__" {
		return false, nil
	}
	f, err := os.Open(at)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var begin [header]byte
	if _, err := io.ReadFull(f, begin[:]); err != nil {
		return false, nil // it is no bytecode
	}
	byTime := binary.LittleEndian.Uint32(begin[4:]) == 0
	return byTime && s.clock.ours(unix.Timespec{Sec: int64(binary.LittleEndian.Uint32(begin[8:]))}), nil
}
