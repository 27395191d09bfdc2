package sandbox

import (
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const page = 4096

// text reads a text of a process's memory.
func text(notif *seccompNotif, at uint64) (string, error) {
	var found []byte
	for len(found) < unix.PathMax {
		buf := make([]byte, page-at%page) // what follows may not be there
		if err := peek(notif, at, buf); err != nil {
			return "", err
		}
		if i := slices.Index(buf, 0); i >= 0 {
			return string(append(found, buf[:i]...)), nil
		}
		found, at = append(found, buf...), at+uint64(len(buf))
	}
	return string(found), nil
}

// peek reads a process's memory.
func peek(notif *seccompNotif, at uint64, buf []byte) error {
	local := unix.Iovec{Base: &buf[0]}
	local.SetLen(len(buf))
	n, err := unix.ProcessVMReadv(int(notif.pid), []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(at), Len: len(buf)}}, 0)
	if err == nil && n != len(buf) {
		return unix.EFAULT
	}
	return err
}

// arguments reads the arguments of a program, the first of them.
func arguments(notif *seccompNotif, at uint64) []string {
	const most = 64
	var args []string
	for len(args) < most {
		var pointer [8]byte
		if peek(notif, at, pointer[:]) != nil {
			break
		}
		to := *(*uint64)(unsafe.Pointer(&pointer))
		if to == 0 {
			break
		}
		arg, err := text(notif, to)
		if err != nil {
			break
		}
		args, at = append(args, arg), at+8
	}
	return args
}

// quiet are services that read no files of a project for who asks them.
var quiet = []string{"/run/nscd/", "/var/run/nscd/", "/run/systemd/", "/run/dbus/", "/var/run/dbus/", "/dev/log", "/run/user/"}

// peer is the socket of another program that a call connects to; "" for one that
// reads nothing for others, and for what is not of this machine.
func peer(notif *seccompNotif) string {
	size := min(notif.data.args[2], unix.SizeofSockaddrUnix)
	if size < 3 {
		return ""
	}
	address := make([]byte, size)
	if peek(notif, notif.data.args[1], address) != nil || *(*uint16)(unsafe.Pointer(&address[0])) != unix.AF_UNIX {
		return ""
	}
	name, _, _ := strings.Cut(string(address[2:]), "\x00")
	if strings.HasPrefix(filepath.Base(name), "S.gpg-agent") || strings.HasPrefix(filepath.Base(name), "agent.") ||
		slices.ContainsFunc(quiet, func(q string) bool { return strings.HasPrefix(name, q) }) {
		return ""
	}
	if name == "" {
		return "another program"
	}
	return name
}
