package sandbox

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// kept are the capabilities that package scripts and playbooks need: those
// that OCI runtimes leave to a container.
var kept = map[int]bool{
	unix.CAP_AUDIT_WRITE:      true,
	unix.CAP_CHOWN:            true,
	unix.CAP_DAC_OVERRIDE:     true,
	unix.CAP_DAC_READ_SEARCH:  true, // tar and rsync of trees with odd modes
	unix.CAP_FOWNER:           true,
	unix.CAP_FSETID:           true,
	unix.CAP_KILL:             true,
	unix.CAP_MKNOD:            true,
	unix.CAP_NET_BIND_SERVICE: true,
	unix.CAP_SETFCAP:          true,
	unix.CAP_SETGID:           true,
	unix.CAP_SETPCAP:          true,
	unix.CAP_SETUID:           true,
	unix.CAP_SYS_CHROOT:       true,
}

// limitCapabilities takes the others from what this thread starts. They leave
// the bounding set, so that no program of the tree can get them back.
func limitCapabilities() error {
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		if kept[c] {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: older kernel without it
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	return nil
}

// HasAdmin says whether this process may mount: it has CAP_SYS_ADMIN.
func HasAdmin() bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}
