package tree

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// ValidName is fs.ValidPath, but for names that are no UTF-8: disks and git have those, too.
func ValidName(name string) bool { return fs.ValidPath(strings.ToValidUTF8(name, "?")) }

// Way is how links lead from a name to what it names.
type Way struct {
	// Links are the links on the way, in the order in which they are followed,
	// each by its own place, on the way to which there is none. What any of them says
	// decides about the name: another target, or no link any more, and it names
	// something else.
	Links []string
	// Real is the place that the name comes to, with no link on the way: what is there
	// is all that decides besides. Of a name that is not there it is the place where
	// it is missing. Outside of the project's directory, in its repository, it begins
	// with "../": what is there no question about a name can ask.
	Real string
}

// Outside reports whether the way leads out of the project's directory.
func (w Way) Outside() bool { return w.Real == ".." || strings.HasPrefix(w.Real, "../") }

// Real implements Files. So a question about a name
// behind links is two about names that are not: what each link says (LinkTarget), and the same about the
// real name. A name that io/fs refuses is its own; so is one behind a
// circle, or behind more links than Linux follows.
func (t *Tree) Real(name string) Way {
	if !ValidName(name) || !t.at(name).linked {
		return Way{Real: name}
	}
	t.mu.RLock()
	w, known := t.ways[name]
	t.mu.RUnlock()
	if !known {
		w = t.way(name)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.ways[name] = w
	}
	return w
}

func (t *Tree) way(name string) Way {
	w := Way{}
	at, rest := ".", strings.Split(name, "/")
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if at = path.Join(at, ".."); at == ".." {
				w.Real = path.Join(append([]string{at}, rest...)...)
				return w
			}
			continue
		}
		next := path.Join(at, part)
		target, ok := t.LinkTarget(next)
		if !ok {
			at = next
			continue
		}
		if w.Links = append(w.Links, next); len(w.Links) > deepest {
			return Way{Links: w.Links, Real: name}
		}
		if strings.HasPrefix(target, "/") { // to nothing that a project has
			return Way{Links: w.Links, Real: path.Join(append([]string{"..", target}, rest...)...)}
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	w.Real = at
	return w
}

// Real implements Files.
func (s *Seen) Real(name string) Way { s.ask(AskKind, name); return s.Files.Real(name) }

// LinkTarget is where a link at a place leads, as it is written; false if there is no link
// there. No link may be on the way to the place.
func (t *Tree) LinkTarget(place string) (string, bool) {
	dir, base := path.Split(place)
	dir = path.Clean(dir)
	up := t.at(dir)
	if up.kind != Directory {
		return "", false
	}
	i, ok := slices.BinarySearch(t.list(up, dir), base)
	if !ok || up.kinds[i] != unknownKind {
		return "", false
	}
	target, err := fs.ReadLink(t.fsys, place)
	return target, err == nil
}
