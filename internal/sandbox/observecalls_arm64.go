package sandbox

import (
	"maps"

	"golang.org/x/sys/unix"
)

// fileCalls are the calls that name files, those of this architecture alone too.
func fileCalls() map[uint32]call {
	all := maps.Clone(calls)
	all[unix.SYS_FSTATAT] = call{use: usesContent, dir: 0, path: 1, flags: 3}
	all[unix.SYS_RENAMEAT] = call{use: usesContent, dir: 0, path: 1, second: 3, stays: true}
	return all
}
