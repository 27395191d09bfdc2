package tarball

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Names by which the OCI image specification says what a layer takes away: a
// file whose name begins so stands for the rest of the name, and this one for
// everything below its directory. No file of a tree can have such a name.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// Marks is the prefix of the extended attributes in which overlayfs keeps what
// it must remember of an upper directory; "" is that of no overlay.
type Marks string

// The prefixes: the second is that of mounts in a user namespace.
const (
	trustedMarks Marks = "trusted.overlay."
	userMarks    Marks = "user.overlay."
)

// firstUserNamespace is the link of the machine's own (PROC_USER_INIT_INO in the
// kernel's include/linux/proc_ns.h).
const firstUserNamespace = "user:[4026531837]"

// OverlayMarks returns the prefix that the overlays of this process use.
func OverlayMarks() Marks {
	if name, err := os.Readlink("/proc/self/ns/user"); err == nil && name != firstUserNamespace {
		return userMarks
	}
	return trustedMarks
}

// Opaque is the attribute that, with the value "y", hides what is below a directory.
func (m Marks) Opaque() string { return string(m) + "opaque" }

// kernelMarks are the marks that overlayfs writes when it is mounted with
// index, metacopy and redirect_dir off, as sandboxes and Podman do. What it
// keeps for a program that sets such an attribute has another name.
var kernelMarks = []string{"opaque", "impure", "origin", "uuid"}

// Has says whether an attribute is one of the marks.
func (m Marks) Has(name string) bool {
	mark, ok := strings.CutPrefix(name, string(m))
	return ok && m != "" && slices.Contains(kernelMarks, mark)
}

// OfTheTree says whether an extended attribute belongs to a tree's content,
// not to how this machine stores or labels it.
func (m Marks) OfTheTree(name string) bool { return !m.Has(name) && name != "security.selinux" }

// IsWhiteout says whether a file is overlayfs's mark of a name taken away: a
// character device 0:0.
func IsWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}

// ReservedError says that a tree has something that means one thing in a
// directory and another one in a layer or below an overlay.
type ReservedError struct {
	Path string // below the root
	What string // "the name begins with .wh."
}

func (e *ReservedError) Error() string {
	return fmt.Sprintf("%q cannot be in a layer: %s", "/"+e.Path, e.What)
}

// CheckName is an error for a name that layers reserve.
func CheckName(name string) error {
	if strings.HasPrefix(path.Base(name), whiteout) {
		return &ReservedError{name, "names that begin with .wh. say what a layer takes away"}
	}
	return nil
}

// CheckXattr is an error for an attribute that an overlay takes for its own,
// wherever it is mounted.
func CheckXattr(name, attribute string) error {
	if strings.HasPrefix(attribute, string(trustedMarks)) || strings.HasPrefix(attribute, string(userMarks)) {
		return &ReservedError{name, "overlayfs takes the extended attribute " + attribute + " for its own"}
	}
	return nil
}

// checkMark sees that a mark is one that the kernel has written.
func (t *writer) checkMark(e *Entry, name string, value []byte) error {
	good, dir := false, e.Type()&fs.ModeType == fs.ModeDir
	switch strings.TrimPrefix(name, string(t.opts.Overlay)) {
	case "opaque", "impure":
		good = dir && string(value) == "y"
	case "origin": // empty, or struct ovl_fb of the kernel's fs/overlayfs/overlayfs.h
		good = len(value) == 0 || bytes.HasPrefix(value, []byte{0, 0xfb})
	case "uuid":
		good = e.Path == "." && len(value) == 16
	}
	if !good || t.opts.First {
		return CheckXattr(e.Path, name)
	}
	return nil
}
