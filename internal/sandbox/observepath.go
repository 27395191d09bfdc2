package sandbox

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// way is how a path leads to a file, as path_resolution(7) says.
type way struct {
	end   string   // the real path of what it names, or would if it were there
	links []string // the links on the way, by the real paths of where they lie
	cut   bool     // end is a directory on the way that is not there
}

const mostLinks = 40 // as in the kernel

// resolve follows a path of a process, from a directory.
func resolve(pid int, from, name string, stays bool) way {
	w := way{end: "/"}
	if !strings.HasPrefix(name, "/") {
		w.end = from
	}
	rest := strings.Split(name, "/")
	for left := mostLinks; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			w.end = path.Dir(w.end)
			continue
		}
		at := path.Join(w.end, part)
		if at == "/proc/self" || at == "/proc/thread-self" { // the process's, not this one's
			w.end = "/proc/" + strconv.Itoa(pid)
			continue
		}
		if len(rest) == 0 && stays {
			w.end = at
			continue
		}
		var target [unix.PathMax]byte
		n, err := unix.Readlink(at, target[:])
		switch {
		case err == nil && left > 0:
			left--
			w.links = append(w.links, at)
			to := string(target[:n])
			if strings.HasPrefix(to, "/") {
				w.end = "/"
			}
			rest = append(strings.Split(to, "/"), rest...)
		case err == nil, err != unix.EINVAL: // a ring of links, or nothing there
			w.end, w.cut = at, len(rest) > 0
			return w
		default:
			w.end = at
		}
	}
	return w
}

// root is a real directory or file, and what it is called below the directory that is
// observed.
type root struct{ real, name string }

// rootsOf are those of a real directory: itself, and where links in it lead out of it,
// as those do that join a project with repositories of its layers. What such a link has
// the name of lies in the project proper, which is a root as well.
func rootsOf(dir string) ([]root, error) {
	roots := []root{{dir, "."}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		real, err := filepath.EvalSymlinks(filepath.Join(dir, e.Name()))
		if _, inside := below(dir, real); err != nil || inside {
			continue
		}
		roots = append(roots, root{real, e.Name()})
		if project := (root{filepath.Dir(real), "."}); filepath.Base(real) == e.Name() && !slices.Contains(roots, project) {
			roots = append(roots, project)
		}
	}
	return roots, nil
}

// linkedRoots are those of a directory that holds links, however deep, and has a name of
// its own below what is observed.
func linkedRoots(dir, name string) ([]root, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	roots := []root{{real, name}}
	err = filepath.WalkDir(real, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink == 0 {
			return err
		}
		rest, _ := below(real, at)
		if target, err := filepath.EvalSymlinks(at); err == nil {
			roots = append(roots, root{target, path.Join(name, rest)})
		}
		return nil
	})
	return roots, err
}

// inside returns what a real path is called below the directory; false for one that is
// not there.
func (o *Observer) inside(name string) (string, bool) {
	best, found := root{}, ""
	for _, r := range o.roots {
		if rest, ok := below(r.real, name); ok && len(r.real) > len(best.real) {
			best, found = r, path.Join(r.name, rest)
		}
	}
	return found, best.real != ""
}

// below returns a path relative to a directory; false for one that is not below it.
func below(dir, name string) (string, bool) {
	if name == dir {
		return ".", true
	}
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(dir, "/")+"/")
	return rest, ok
}

// interpreter is the program that a script's first line names; "" for none.
func interpreter(script string) string {
	fd, err := unix.Open(script, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	head := make([]byte, 256)
	n, _ := unix.Pread(fd, head, 0)
	line, _, _ := strings.Cut(string(head[:max(n, 0)]), "\n")
	line, ok := strings.CutPrefix(line, "#!")
	if fields := strings.Fields(line); ok && len(fields) > 0 {
		return fields[0]
	}
	return ""
}

// inGit returns what a path names of the repository that what is observed lies in; false
// for one of none.
func (o *Observer) inGit(name string) (string, bool) {
	for _, r := range o.roots {
		for at := r.real; ; at = filepath.Dir(at) {
			if rest, ok := below(filepath.Join(at, ".git"), name); ok {
				return rest, true
			}
			if at == "/" {
				break
			}
		}
	}
	return "", false
}
