package git

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
)

// errMissing says that an object is nowhere.
var errMissing = errors.New("object is missing")

// maxAlternates is how deep git follows alternates of alternates.
const maxAlternates = 5

// cacheSize bounds what is kept of objects as bases for deltas, in bytes.
const cacheSize = 16 << 20

// objects is the object database: a directory of loose objects and packs, and
// those it borrows from. go-git's own ObjectStorage is for one goroutine and opens
// alternates anew for each object; this has its readers of packs and loose objects
// under it.
type objects struct {
	dirs  []*objectDir
	cache cache.Object

	mu       sync.RWMutex
	borrowed []*objectDir // of submodules
}

// borrow makes what is in another directory of objects readable, too.
func (db *objects) borrow(dir string) error {
	other := &objects{cache: db.cache}
	if err := other.add(dir, 0); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, d := range other.dirs {
		if !slices.ContainsFunc(db.borrowed, func(have *objectDir) bool { return have.path == d.path }) {
			db.borrowed = append(db.borrowed, d)
		}
	}
	return nil
}

// all are the directories in which an object is looked for.
func (db *objects) all() []*objectDir {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return slices.Concat(db.dirs, db.borrowed)
}

// openObjects opens the directory and its alternates.
func openObjects(dir string) (*objects, error) {
	db := &objects{cache: deltaCache{cache.NewObjectLRU(cacheSize)}}
	return db, db.add(dir, 0)
}

func (db *objects) add(dir string, depth int) error {
	if slices.ContainsFunc(db.dirs, func(d *objectDir) bool { return d.path == dir }) || depth > maxAlternates {
		return nil
	}
	db.dirs = append(db.dirs, &objectDir{path: dir, cache: db.cache})
	f, err := os.Open(filepath.Join(dir, "info", "alternates"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read alternates: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		other := lines.Text()
		if other == "" || other[0] == '#' {
			continue
		}
		if other[0] == '"' {
			if plain, err := strconv.Unquote(other); err == nil {
				other = plain
			}
		}
		if !filepath.IsAbs(other) {
			other = filepath.Join(dir, other)
		}
		if err := db.add(filepath.Clean(other), depth+1); err != nil {
			return err
		}
	}
	return lines.Err()
}

// read returns an object's type and content, which is shared: not to be changed.
// It checks the content against the id.
func (db *objects) read(id plumbing.Hash) (kind plumbing.ObjectType, content []byte, err error) {
	err = db.find(id, func(p *pack) error {
		kind, content, err = p.read(id)
		return err
	}, func(r *objfile.Reader) error {
		kind, content, err = readLoose(r, id)
		return err
	})
	return kind, content, err
}

// size returns how many bytes an object has, without reading all of it.
func (db *objects) size(id plumbing.Hash) (size int64, err error) {
	err = db.find(id, func(p *pack) error {
		size, err = p.objectSize(id)
		return err
	}, func(r *objfile.Reader) error {
		_, size, err = r.Header()
		return err
	})
	return size, err
}

// find tries every place that has the object until one is whole. A place that is
// damaged is the error only if there is no better one.
func (db *objects) find(id plumbing.Hash, packed func(*pack) error, loose func(*objfile.Reader) error) error {
	damage := errMissing
	try := func(err error) bool {
		if err != nil && !errors.Is(err, errMissing) {
			damage = err
		}
		return err == nil
	}
	// git gc may have moved objects into a new pack since the last look: look twice.
	all := db.all()
	for again := range 2 {
		for _, d := range all {
			packs, err := d.list(again == 1)
			if err != nil {
				return err
			}
			for _, p := range packs {
				if try(p.guard(func() error { return packed(p) })) {
					return nil
				}
			}
			if try(d.loose(id, loose)) {
				return nil
			}
		}
	}
	return damage
}

// withPrefix returns the ids that begin with hexadecimal digits, at least two.
func (db *objects) withPrefix(digits string) ([]plumbing.Hash, error) {
	found := map[plumbing.Hash]bool{}
	for _, d := range db.dirs {
		packs, err := d.list(true)
		if err != nil {
			return nil, err
		}
		for _, p := range packs {
			if err := p.guard(func() error { return p.withPrefix(digits, found) }); err != nil && !errors.Is(err, errMissing) {
				return nil, err
			}
		}
		files, err := os.ReadDir(filepath.Join(d.path, digits[:2]))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, f := range files {
			if name := digits[:2] + f.Name(); strings.HasPrefix(name, digits) && plumbing.IsHash(name) {
				found[plumbing.NewHash(name)] = true
			}
		}
	}
	var ids []plumbing.Hash
	for id := range found {
		ids = append(ids, id)
	}
	return ids, nil
}

// objectDir is one directory of objects.
type objectDir struct {
	path  string
	cache cache.Object

	mu    sync.Mutex
	done  bool
	packs []*pack
}

// list returns the packs; anew when asked, keeping those that are open.
func (d *objectDir) list(again bool) ([]*pack, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done && !again {
		return d.packs, nil
	}
	files, err := os.ReadDir(filepath.Join(d.path, "pack"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	known := map[string]*pack{}
	for _, p := range d.packs {
		known[p.base] = p
	}
	var packs []*pack
	for _, f := range files {
		base, ok := strings.CutSuffix(f.Name(), ".idx")
		if !ok {
			continue
		}
		base = filepath.Join(d.path, "pack", base)
		p := known[base]
		if p == nil {
			p = &pack{base: base, cache: d.cache}
		}
		packs = append(packs, p)
	}
	d.packs, d.done = packs, true
	return packs, nil
}

// loose lets use read the object's own file.
func (d *objectDir) loose(id plumbing.Hash, use func(*objfile.Reader) error) error {
	name := id.String()
	f, err := os.Open(filepath.Join(d.path, name[:2], name[2:]))
	if errors.Is(err, fs.ErrNotExist) {
		return errMissing
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := objfile.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	defer r.Close()
	if err := use(r); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	return nil
}

func readLoose(r *objfile.Reader, id plumbing.Hash) (plumbing.ObjectType, []byte, error) {
	kind, size, err := r.Header()
	if err != nil {
		return kind, nil, err
	}
	if size < 0 {
		return kind, nil, errors.New("its size is below nothing")
	}
	// One byte more than there should be, so that too much is noticed. The size is
	// only what a file claims: not to be believed before it has been read.
	content := make([]byte, 0, min(size, 1<<20)+1)
	for len(content) <= int(size) {
		if len(content) == cap(content) {
			content = slices.Grow(content, len(content))
		}
		n, err := r.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return kind, nil, err
		}
	}
	if int64(len(content)) != size || r.Hash() != id {
		return kind, nil, errors.New("its content is not what its name says")
	}
	return kind, content, nil
}
