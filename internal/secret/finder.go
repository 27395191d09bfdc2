package secret

import (
	"encoding/binary"
	"slices"
)

// Finder finds secrets in long streams. It looks at each fourth place only: one of
// the first four bytes of a form is at such a place, and which four bytes begin there
// is known. What is around them is then compared as a whole.
type Finder struct {
	forms  []form
	words  map[uint32][]place // where four bytes are in which forms
	filter []uint64           // a bit for the hash of each of words
	keep   int                // how many bytes the longest form can take
}

// place is a byte of a form.
type place struct{ form, inner int }

// word is how many bytes are looked at at once.
const word = 4

const filterBits = 18

func hashed(w uint32) uint32 { return w * 2654435769 >> (32 - filterBits) }

// NewFinder prepares for some values. A Finder may be used by several goroutines.
func NewFinder(values Values) *Finder {
	f := &Finder{forms: formsOf(values), words: map[uint32][]place{}, filter: make([]uint64, 1<<filterBits/64)}
	for i, form := range f.forms {
		f.keep = max(f.keep, len(form.text)+len(form.text)/8+2*word)
		f.begins(i, form.text, 0, 0)
		for at := 1; form.folds && at < 2*word; at++ {
			for _, end := range []string{"\n", "\r\n"} {
				f.begins(i, slices.Concat(form.text[:at], []byte(end), form.text[at:]), at, len(end))
			}
		}
	}
	return f
}

// begins notes the first words of a form's text, in which there are n signs more
// from a place on.
func (f *Finder) begins(form int, text []byte, at, n int) {
	for i := range word {
		inner := i
		if i >= at {
			inner = max(at, i-n)
		}
		w := binary.LittleEndian.Uint32(text[i:])
		if p := (place{form, inner}); !slices.Contains(f.words[w], p) {
			f.words[w] = append(f.words[w], p)
		}
		h := hashed(w)
		f.filter[h/64] |= 1 << (h % 64)
	}
}

// Found is a secret at a place.
type Found struct {
	Secret string
	How    string // "in base64"
	From   int64  // in the stream, in bytes
}

// In returns what is found in a text.
func (f *Finder) In(text []byte) []Found {
	var all []Found
	f.search(text, func(form *form, from int) { all = append(all, Found{form.secret, form.how, int64(from)}) })
	return all
}

// search calls found for each form in p.
func (f *Finder) search(p []byte, found func(form *form, from int)) {
	if len(f.forms) == 0 {
		return
	}
	for i := 0; i+word <= len(p); i += word {
		w := binary.LittleEndian.Uint32(p[i:])
		if h := hashed(w); f.filter[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		for _, at := range f.words[w] {
			form := &f.forms[at.form]
			if from, _, ok := form.at(p, i, at.inner); ok {
				found(form, from)
			}
		}
	}
}

// Stream searches a stream that comes in pieces.
type Stream struct {
	finder *Finder
	found  func(Found)
	buf    []byte
	start  int64 // of buf in the stream
	last   map[string]int64
}

// streamPart is how much is searched at once.
const streamPart = 256 << 10

// Stream returns a stream that calls found for each secret, once for each place.
// What is at its end, Close searches.
func (f *Finder) Stream(found func(Found)) *Stream {
	return &Stream{finder: f, found: found, buf: make([]byte, 0, streamPart+f.keep), last: map[string]int64{}}
}

// Write implements io.Writer.
func (s *Stream) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := min(len(p), cap(s.buf)-len(s.buf))
		s.buf, p = append(s.buf, p[:n]...), p[n:]
		if len(s.buf) == cap(s.buf) {
			s.scan()
			left := copy(s.buf, s.buf[len(s.buf)-s.finder.keep:])
			s.start += int64(len(s.buf) - left)
			s.buf = s.buf[:left]
		}
	}
	return total, nil
}

func (s *Stream) scan() {
	s.finder.search(s.buf, func(form *form, from int) {
		at := s.start + int64(from)
		if last, ok := s.last[form.secret]; ok && last >= at {
			return // several places of it led there
		}
		s.last[form.secret] = at
		s.found(Found{form.secret, form.how, at})
	})
}

// Pending is how many bytes at the end of what has come have not been searched.
func (s *Stream) Pending() int { return len(s.buf) }

// Close searches what is left.
func (s *Stream) Close() error {
	s.scan()
	s.buf = s.buf[:0]
	return nil
}
