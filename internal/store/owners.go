package store

import (
	"archive/tar"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// owners collects the ids that a layer's files have; Podman maps user
// namespaces by them.
type owners struct{ uids, gids map[uint32]bool }

func (o owners) note(hdr *tar.Header, _ *unix.Stat_t) error {
	o.uids[uint32(hdr.Uid)], o.gids[uint32(hdr.Gid)] = true, true
	return nil
}

func (o owners) lists() (uids, gids []uint32) {
	return slices.Sorted(maps.Keys(o.uids)), slices.Sorted(maps.Keys(o.gids))
}
