package git

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// pack is one pack with its index, opened when first needed. go-git's Packfile has
// a position and so is for one goroutine: there are as many as are reading.
type pack struct {
	base  string // path without .idx or .pack
	cache cache.Object

	once    sync.Once
	err     error
	index   *idxfile.MemoryIndex
	file    *os.File
	size    int64
	readers sync.Pool
}

// open reads the index and opens the pack, once.
func (p *pack) open() error {
	p.once.Do(func() { p.err = p.load() })
	return p.err
}

func (p *pack) load() error {
	f, err := os.Open(p.base + ".idx")
	if errors.Is(err, fs.ErrNotExist) {
		return errMissing // taken away by git gc, its objects being elsewhere
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := checkFanout(f); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	p.index = idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(f).Decode(p.index); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	p.file, err = os.Open(p.base + ".pack")
	if errors.Is(err, fs.ErrNotExist) {
		return errMissing
	}
	if err != nil {
		return err
	}
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	p.size = info.Size()
	return nil
}

// checkFanout holds an index's claims of how many objects it has against its size:
// go-git believes them, and would take any amount of memory.
func checkFanout(f *os.File) error {
	const header, buckets, each, end = 8, 256 * 4, 20 + 4 + 4, 2 * 20
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var table [header + buckets]byte
	if _, err := io.ReadFull(f, table[:]); err != nil {
		return err
	}
	last := uint32(0)
	for at := header; at < len(table); at += 4 {
		n := binary.BigEndian.Uint32(table[at:])
		if n < last {
			return errors.New("its table is damaged")
		}
		last = n
	}
	if int64(last)*each+int64(len(table))+end > info.Size() {
		return errors.New("it is shorter than it says")
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// guard opens the pack, and turns a panic of go-git, which a damaged pack or index
// can bring it to, into an error.
func (p *pack) guard(f func() error) (err error) {
	if err := p.open(); err != nil {
		return err
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s.pack is damaged: %v", p.base, v)
		}
	}()
	return f()
}

// with lends a reader of the pack.
func (p *pack) with(id plumbing.Hash, f func(r *packfile.Packfile) error) error {
	if has, err := p.index.Contains(id); err != nil || !has {
		return errMissing
	}
	r, _ := p.readers.Get().(*packfile.Packfile)
	if r == nil {
		r = packfile.NewPackfileWithCache(p.index, nil, section{io.NewSectionReader(p.file, 0, p.size), p.base}, p.cache, 0)
	}
	if err := f(r); err != nil {
		// Not put back: where it stands is unknown.
		return fmt.Errorf("%s.pack: %w", p.base, damaged(err))
	}
	p.readers.Put(r)
	return nil
}

// damaged rewords errors that mean something else to a reader: go-git says "not
// found" also when a pack ends too early or lacks the base of a delta.
func damaged(err error) error {
	if errors.Is(err, plumbing.ErrObjectNotFound) || errors.Is(err, io.EOF) {
		return errors.New("it ends too early, or lacks an object")
	}
	return err
}

func (p *pack) read(id plumbing.Hash) (kind plumbing.ObjectType, content []byte, err error) {
	err = p.with(id, func(r *packfile.Packfile) error {
		obj, err := r.Get(id)
		if err != nil {
			return err
		}
		if obj.Hash() != id {
			return errors.New("the content of an object is not what its name says")
		}
		from, err := obj.Reader()
		if err != nil {
			return err
		}
		defer from.Close()
		kind = obj.Type()
		// The object is in memory, and a bytes.Reader gives it away in one piece.
		if to, ok := from.(io.WriterTo); ok {
			var got piece
			if _, err = to.WriteTo(&got); err == nil && int64(len(got)) == obj.Size() {
				content = got
				return nil
			}
		}
		content, err = io.ReadAll(from)
		return err
	})
	return kind, content, err
}

func (p *pack) objectSize(id plumbing.Hash) (size int64, err error) {
	err = p.with(id, func(r *packfile.Packfile) error {
		offset, err := p.index.FindOffset(id)
		if err != nil {
			return err
		}
		size, err = r.GetSizeByOffset(offset)
		return err
	})
	return size, err
}

// withPrefix adds the ids that begin with the digits.
func (p *pack) withPrefix(digits string, found map[plumbing.Hash]bool) error {
	first, err := hex.DecodeString(digits[:2])
	if err != nil {
		return err
	}
	bucket := p.index.FanoutMapping[first[0]]
	if bucket < 0 || bucket >= len(p.index.Names) {
		return nil
	}
	for names := p.index.Names[bucket]; len(names) >= len(plumbing.Hash{}); names = names[len(plumbing.Hash{}):] {
		if id := plumbing.Hash(names[:20]); strings.HasPrefix(id.String(), digits) {
			found[id] = true
		}
	}
	return nil
}

// piece keeps the slice that is written to it, without a copy.
type piece []byte

func (p *piece) Write(b []byte) (int, error) {
	*p = b
	return len(b), nil
}

// deltaCache hashes an object before it takes the lock, so that goroutines do not
// wait for each other's hashing.
type deltaCache struct{ *cache.ObjectLRU }

// Put implements cache.Object.
func (c deltaCache) Put(obj plumbing.EncodedObject) {
	if obj.Hash().IsZero() {
		return
	}
	c.ObjectLRU.Put(obj)
}

// section is a part of a file as go-git wants it, a billy.File.
type section struct {
	*io.SectionReader
	name string
}

func (s section) Name() string              { return s.name }
func (s section) Write([]byte) (int, error) { return 0, fs.ErrPermission }
func (s section) Truncate(int64) error      { return fs.ErrPermission }
func (s section) Close() error              { return nil }
func (s section) Lock() error               { return nil }
func (s section) Unlock() error             { return nil }
