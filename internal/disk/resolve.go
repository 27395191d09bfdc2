package disk

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

// MaxLinks is how many links Linux follows in one path.
const MaxLinks = 40

// Outside is the error for a link whose target is not among the files that it was
// found in: where it points, and not what is there. Both are named as people know
// them.
func Outside(link, target string) error {
	return fault.New(fault.Input, "the link %s leads to %s, which is no part of the project", link, target).
		WithHint("a link may lead to anything in its repository, by a relative path: copy what it leads to into it, or remove the link")
}

// Circle is the error for the last one of more links than Linux follows.
func Circle(link string) error {
	return fault.New(fault.Input, "the link %s leads in a circle, or over more than %d links: %w", link, MaxLinks, unix.ELOOP).
		WithHint("let it lead to a file or a directory")
}

// root is a directory that is open.
type root struct {
	dir  *os.File
	name string // absolute, without links
	old  bool   // do without openat2
}

func openRoot(name string) (*root, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &root{dir: os.NewFile(uintptr(fd), name), name: name}, nil
}

// open opens a place below the root, "" for the root itself. A link on the way is
// ELOOP; at its end as well, but with O_PATH and O_NOFOLLOW.
func (r *root) open(place string, flags uint64) (fd int, err error) {
	defer runtime.KeepAlive(r.dir)
	if place == "" {
		place = "."
	}
	if r.old {
		return r.step(place, flags)
	}
	how := unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err = unix.Openat2(int(r.dir.Fd()), place, &how)
		switch err {
		case unix.EINTR, unix.EAGAIN: // a rename raced with it
			continue
		case unix.ENOSYS, unix.EPERM: // Linux before 5.6, and containers that do not know the call
			return r.step(place, flags)
		}
		return fd, err
	}
}

// step is open, name by name.
func (r *root) step(place string, flags uint64) (int, error) {
	at, err := unix.Dup(int(r.dir.Fd()))
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(at)
	for {
		name, rest, more := strings.Cut(place, "/")
		how := int(flags) | unix.O_NOFOLLOW | unix.O_CLOEXEC
		if more {
			how = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
		}
		next, err := unix.Openat(at, name, how, 0)
		if err == unix.ENOTDIR && isLink(at, name) { // a link that was to be a directory
			err = unix.ELOOP
		}
		unix.Close(at)
		if err != nil {
			return -1, err
		}
		at, place = next, rest
		last := !more && flags&unix.O_NOFOLLOW != 0
		if !last && isLink(at, "") {
			unix.Close(at)
			return -1, unix.ELOOP
		}
		if !more {
			return at, nil
		}
	}
}

// isLink says whether a name in a directory is a link; "" is what is open itself.
func isLink(dir int, name string) bool {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK
}

// readLink reads the link that is open.
func readLink(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	return string(buf[:max(n, 0)]), err
}

// look says what is at a place: the target of a link, "" of anything else, and
// whether it is a directory.
func (r *root) look(place string) (target string, dir bool, err error) {
	fd, err := r.open(place, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return "", false, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", false, err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		target, err = readLink(fd)
	}
	return target, st.Mode&unix.S_IFMT == unix.S_IFDIR, err
}

// resolve is the place that a name leads to as the kernel would follow it, links at
// its end only if follow is set. It opens nothing but links, so that what comes of it
// must be opened, and looked for anew if a link is there then.
func (f *FS) resolve(name string, follow bool) (string, error) {
	at, dir, links, last := f.at, true, 0, ""
	rest := strings.Split(name, "/")
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch {
		case !dir:
			return "", unix.ENOTDIR
		case part == "", part == ".":
			continue
		case part == "..":
			if at == "" {
				return "", f.outside(last)
			}
			at = placed(path.Dir(at))
			continue
		}
		next := part
		if at != "" {
			next = at + "/" + part
		}
		if part == ".git" {
			return "", f.outside(last)
		}
		if len(next) >= unix.PathMax {
			return "", unix.ENAMETOOLONG
		}
		target, isDir, err := f.root.look(next)
		if err != nil {
			return "", err
		}
		if target == "" || len(rest) == 0 && !follow {
			at, dir = next, isDir
			continue
		}
		if links++; links > MaxLinks {
			return "", Circle(f.shown(next))
		}
		if last = next; strings.HasPrefix(target, "/") {
			return "", f.outside(last)
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

// outside is the error for the link at a place, which leads out.
func (f *FS) outside(link string) error {
	target, _, err := f.root.look(link)
	if err != nil {
		return err
	}
	return Outside(f.shown(link), target)
}

// Short is a name as much of it as an error can show.
func Short(name string) string {
	const most = 200
	if len(name) <= most {
		return name
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(name[:most], ""), len(name))
}

// ValidName is fs.ValidPath, but for names that are not UTF-8: Linux and git have
// those too.
func ValidName(name string) bool {
	if name == "." {
		return true
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}
