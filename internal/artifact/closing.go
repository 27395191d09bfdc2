package artifact

import (
	"bytes"
	"encoding/binary"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// closing tells when a file of a directory is closed by one who could write to
// it, through inotify(7).
type closing struct {
	fd     int
	events *os.File // the same
	name   string
}

// watchClosing begins to watch; end must be called.
func watchClosing(dir, name string) (*closing, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init", err)
	}
	c := &closing{fd: fd, events: os.NewFile(uintptr(fd), "inotify"), name: name}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CLOSE_WRITE); err != nil {
		c.end()
		return nil, os.NewSyscallError("inotify_add_watch", err)
	}
	return c, nil
}

// wait waits for the first time; false means that stop was called before.
func (c *closing) wait() bool {
	buf := make([]byte, 4096)
	for {
		n, err := c.events.Read(buf)
		if err != nil {
			return false
		}
		// Two in one answer: leave both, as if none had been seen.
		if times := c.count(buf[:n]); times > 0 {
			return times == 1
		}
	}
}

// stop ends a wait.
func (c *closing) stop() { _ = c.events.SetReadDeadline(time.Now()) }

// again says whether there were more times since wait. What a process closed
// by ending counts from when it can be waited for.
func (c *closing) again() bool {
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(c.fd, buf)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return false
		case err != nil || c.count(buf[:n]) > 0:
			return true
		}
	}
}

func (c *closing) end() { c.events.Close() }

// count counts the events that are about the file, or about events being lost.
func (c *closing) count(events []byte) (times int) {
	for len(events) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(events[4:])
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		name, _, _ := bytes.Cut(events[unix.SizeofInotifyEvent:size], []byte{0})
		if string(name) == c.name || mask&unix.IN_Q_OVERFLOW != 0 {
			times++
		}
		events = events[size:]
	}
	return times
}
