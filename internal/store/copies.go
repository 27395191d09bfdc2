package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// largestCopy is how many bytes a copy of a file that stood in the tree has at most
// that is looked for.
const largestCopy = 64 << 10

// unmark takes out of a file what a step copied from a file that stood in the tree
// only while it was built. It says whether nothing else was in it: then the file is no
// part of the layer.
func (s *sealer) unmark(path string, st *unix.Stat_t) (_ *unix.Stat_t, nothing bool, err error) {
	if s.how.Unmark == nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size == 0 || st.Size > largestCopy {
		return st, false, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, false, err
	}
	text, ours := s.how.Unmark(string(content))
	if !ours || text == "" {
		return st, ours, nil
	}
	now, err := s.rewrite(path, st, text)
	if err == nil {
		now.Mtim = st.Mtim
	}
	return now, false, err
}
