package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	ioctlNotifSetFlags = 0x40082104
	wakeAtOnce         = 1 // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, of Linux 6.6
)

// serve hears of the calls of a program and all that it starts.
func (o *Observer) serve(listener int, first *Program) {
	defer unix.Close(listener)
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(listener), ioctlNotifSetFlags, wakeAtOnce)
	for {
		polled := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(polled, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if polled[0].Revents&unix.POLLIN == 0 {
			if polled[0].Revents != 0 {
				return // the last process with the filter is gone
			}
			continue
		}
		var notif seccompNotif
		if err := ioctl(listener, ioctlNotifRecv, unsafe.Pointer(&notif)); err != nil {
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) {
				continue
			}
			o.lost("observe a program: " + err.Error())
			return
		}
		o.note(listener, &notif, first)
		resp := seccompNotifResp{id: notif.id, flags: notifContinue}
		_ = ioctl(listener, ioctlNotifSend, unsafe.Pointer(&resp))
	}
}

// note notes one call, whose caller waits.
func (o *Observer) note(listener int, notif *seccompNotif, first *Program) {
	pid := int(notif.pid)
	p := o.program(pid, first)
	c, known := o.calls[uint32(notif.data.nr)]
	switch {
	case notif.data.arch != nativeArch():
		o.lost(p.name() + " is of another architecture than this machine")
		return
	case !known, c.use == usesPaths:
		o.lost(p.name() + " changes what paths mean")
		return
	case c.use == usesOthers:
		if at := peer(notif); at != "" && waiting(listener, notif) {
			o.lost(p.name() + " talks to " + at + ", which may read for it")
		}
		return
	case c.path == none:
		if name, err := os.Readlink(procFile(pid, "fd", int32(notif.data.args[c.dir]))); err == nil {
			o.add(p, usesNames, name)
		}
		return
	}
	name, err := text(notif, notif.data.args[c.path])
	if err == unix.EFAULT || err == nil && name == "" {
		return // the call fails, or is about an open file
	}
	from, err2 := o.directory(pid, c, notif)
	if !waiting(listener, notif) {
		return // it was killed, and what was read may be another's
	}
	if err != nil {
		o.lost("the memory of " + p.name() + " cannot be read: " + err.Error())
		return
	}
	if err2 != nil && !strings.HasPrefix(name, "/") {
		return // no directory is open there: the call fails
	}
	use, stays := c.use, c.stays
	if c.flags != 0 {
		flags := int(notif.data.args[c.flags])
		stays = stays || use != usesOpen && flags&unix.AT_SYMLINK_NOFOLLOW != 0 || use == usesOpen && flags&unix.O_NOFOLLOW != 0
		if use == usesOpen && flags&(unix.O_ACCMODE|unix.O_TRUNC|unix.O_EXCL) == unix.O_WRONLY|unix.O_TRUNC {
			use = usesKind // it is written anew, whatever was in it
		}
	}
	if use == usesOpen {
		use = usesContent
	}
	end := o.see(p, use, pid, from, name, stays)
	switch notif.data.nr {
	case unix.SYS_EXECVE, unix.SYS_EXECVEAT:
		if script := interpreter(end); script != "" {
			o.see(p, usesContent, pid, from, script, false)
		}
		o.becomes(pid, p, arguments(notif, notif.data.args[c.path+1]))
	}
	if c.second == 0 {
		return
	}
	var st unix.Stat_t
	if _, inside := o.inside(end); inside && unix.Lstat(end, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		o.lost(p.name() + " moves a directory of the project")
	}
	if name, err := text(notif, notif.data.args[c.second]); err == nil && name != "" {
		if c.dir != none {
			c.dir = c.second - 1
			from, _ = o.directory(pid, c, notif)
		}
		o.see(p, usesKind, pid, from, name, true)
	}
}

// directory is where a call's relative path begins.
func (o *Observer) directory(pid int, c call, notif *seccompNotif) (string, error) {
	if c.dir == none || int32(notif.data.args[c.dir]) == unix.AT_FDCWD {
		return os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
	}
	return os.Readlink(procFile(pid, "fd", int32(notif.data.args[c.dir])))
}

func procFile(pid int, dir string, fd int32) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + dir + "/" + strconv.Itoa(int(fd))
}

// see notes a use of what a path leads to, and returns the real path of that.
func (o *Observer) see(p *Program, u use, pid int, from, name string, stays bool) string {
	w := resolve(pid, from, name, stays)
	if w.cut {
		u = usesKind
	}
	for _, link := range w.links {
		o.add(p, usesLink, link)
	}
	if _, inside := o.inside(w.end); !inside {
		o.alias(p, u, w.end)
		return w.end
	}
	if stays && u != usesLink {
		// What is said of a link itself is where it leads.
		var target [1]byte
		if _, err := unix.Readlink(w.end, target[:]); err == nil {
			u = usesLink
		}
	}
	if u == usesLink {
		o.add(p, usesKind, w.end) // it may be none
	}
	o.add(p, u, w.end)
	return w.end
}

// alias notes that a file elsewhere is one of the directory by another name.
func (o *Observer) alias(p *Program, u use, name string) {
	var st unix.Stat_t
	if u != usesContent || unix.Lstat(name, &st) != nil || st.Nlink < 2 || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return
	}
	o.mu.Lock()
	if o.hard == nil {
		o.hard = hardLinks(o.roots)
	}
	at, ok := o.hard[inode{uint64(st.Dev), st.Ino}]
	o.mu.Unlock()
	if ok {
		o.add(p, u, at)
	}
}

// hardLinks are the files below directories that have several names.
func hardLinks(roots []root) map[inode]string {
	found := map[inode]string{}
	for _, r := range roots {
		addHardLinks(found, r.real)
	}
	return found
}

func addHardLinks(found map[inode]string, dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
				found[inode{uint64(st.Dev), st.Ino}] = path
			}
		}
		return nil
	})
}

// mostUses is how many things a program may use and still be observed.
const mostUses = 50_000

// add notes a use of a file by its real path.
func (o *Observer) add(p *Program, u use, name string) {
	if of, ok := o.inGit(name); ok {
		o.git(p, u, of, name)
		return
	}
	rest, inside := o.inside(name)
	if !inside {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.uses == nil {
		p.uses = map[sighting]bool{}
	}
	if len(p.uses) >= mostUses && o.unknown == "" {
		o.unknown = p.name() + " uses too many files to note them all"
		return
	}
	p.uses[sighting{u, rest}] = true
}

// git notes what is read of git's own files: most of it says which commit is there,
// which is another one each time.
func (o *Observer) git(p *Program, u use, of, name string) {
	switch {
	case u != usesContent:
		return
	case of == "HEAD":
		// On a branch, it names that and no commit.
		if content, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(content), "ref: ") {
			return
		}
	case of != "index" && of != "packed-refs" && of != "ORIG_HEAD" && of != "FETCH_HEAD" &&
		!strings.HasPrefix(of, "refs/") && !strings.HasPrefix(of, "objects/") && !strings.HasPrefix(of, "logs/"):
		return
	}
	var st unix.Stat_t
	if unix.Stat(name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return
	}
	o.lost(p.name() + " reads what git knows of the commit")
}
