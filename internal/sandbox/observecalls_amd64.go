package sandbox

import (
	"maps"

	"golang.org/x/sys/unix"
)

// fileCalls are the calls that name files, those of this architecture alone too.
func fileCalls() map[uint32]call {
	all := maps.Clone(calls)
	maps.Copy(all, map[uint32]call{
		unix.SYS_OPEN:       {use: usesOpen, dir: none, path: 0, flags: 1},
		unix.SYS_CREAT:      {use: usesKind, dir: none, path: 0},
		unix.SYS_STAT:       {use: usesContent, dir: none, path: 0},
		unix.SYS_LSTAT:      {use: usesContent, dir: none, path: 0, stays: true},
		unix.SYS_NEWFSTATAT: {use: usesContent, dir: 0, path: 1, flags: 3},
		unix.SYS_ACCESS:     {use: usesKind, dir: none, path: 0},
		unix.SYS_READLINK:   {use: usesLink, dir: none, path: 0, stays: true},
		unix.SYS_GETDENTS:   {use: usesNames, dir: 0, path: none},
		unix.SYS_LINK:       {use: usesContent, dir: none, path: 0, second: 1},
		unix.SYS_RENAME:     {use: usesContent, dir: none, path: 0, second: 1, stays: true},
		unix.SYS_RENAMEAT:   {use: usesContent, dir: 0, path: 1, second: 3, stays: true},
		unix.SYS_MKDIR:      {use: usesKind, dir: none, path: 0, stays: true},
		unix.SYS_RMDIR:      {use: usesKind, dir: none, path: 0, stays: true},
		unix.SYS_MKNOD:      {use: usesKind, dir: none, path: 0, stays: true},
		unix.SYS_SYMLINK:    {use: usesKind, dir: none, path: 1, stays: true},
		unix.SYS_UNLINK:     {use: usesKind, dir: none, path: 0, stays: true},
		unix.SYS_CHMOD:      {use: usesKind, dir: none, path: 0},
		unix.SYS_CHOWN:      {use: usesKind, dir: none, path: 0},
		unix.SYS_LCHOWN:     {use: usesKind, dir: none, path: 0, stays: true},
		unix.SYS_UTIME:      {use: usesKind, dir: none, path: 0},
		unix.SYS_UTIMES:     {use: usesKind, dir: none, path: 0},
		unix.SYS_FUTIMESAT:  {use: usesKind, dir: 0, path: 1},
	})
	return all
}
