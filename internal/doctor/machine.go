package doctor

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/sandbox"
)

// machine is what the checks look at: this one, or a test's.
type machine struct {
	root     fs.FS
	lookPath func(name string) (string, bool)
	run      func(ctx context.Context, args ...string) string // what a program prints, whatever its exit status
	disk     func(dir string) (disk, error)
	openat2  func() error
	openKVM  func() error
	fileCaps func(path string) bool // the file has capabilities
	overlay  func(ctx context.Context, dir string) error

	arch      string // Go's name
	release   string // of the kernel
	temporary string // directory for temporary files
	uid       int    // of whoever builds, outside of our user namespace
	user      string
	admin     bool // this process may mount
	// namespaced: the build runs in a user namespace that Strata makes.
	namespaced bool
}

// thisMachine fills in what the options leave open.
func thisMachine(opts Options) machine {
	m := machine{
		root: opts.Root, lookPath: opts.LookPath, run: run, disk: diskOf, openat2: tryOpenat2, openKVM: tryKVM,
		fileCaps: hasFileCaps, overlay: tryOverlay,
		arch: runtime.GOARCH, temporary: os.TempDir(), uid: os.Geteuid(), admin: sandbox.HasAdmin(),
	}
	if m.root == nil {
		m.root = os.DirFS("/")
	}
	if m.lookPath == nil {
		m.lookPath = sandbox.LookPath
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err == nil {
		m.release = unix.ByteSliceToString(name.Release[:])
	}
	// In our own user namespace everybody is root; this is who made it.
	outer, err := strconv.Atoi(os.Getenv("_CONTAINERS_ROOTLESS_UID"))
	inside := err == nil
	if inside {
		m.uid = outer
	}
	m.namespaced = inside || !m.admin
	m.user = strconv.Itoa(m.uid)
	if u, err := user.LookupId(m.user); err == nil {
		m.user = u.Username
	}
	return m
}

// programTime is how long a program may take to say its version.
const programTime = 30 * time.Second

func run(ctx context.Context, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, programTime)
	defer cancel()
	var out, msg bytes.Buffer // written to at the same time
	_ = sandbox.Host(ctx, sandbox.Cmd{Args: args, Stdout: &out, Stderr: &msg})
	return out.String() + msg.String()
}

func tryOpenat2() error {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	fd, err := unix.Openat2(unix.AT_FDCWD, "/", &how)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func tryKVM() error {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func hasFileCaps(path string) bool {
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}

// exists says whether the machine has a file of that absolute path.
func (m machine) exists(path string) bool {
	_, err := fs.Stat(m.root, strings.TrimPrefix(path, "/"))
	return err == nil
}

// read returns a small file's content without blanks around it, or "".
func (m machine) read(path string) string {
	content, err := fs.ReadFile(m.root, strings.TrimPrefix(path, "/"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

// atLeast compares the numbers at the beginning of versions such as 5.10.0-8-amd64.
func atLeast(version, least string) bool {
	have, want := numbers(version), numbers(least)
	for i, n := range want {
		if i >= len(have) || have[i] < n {
			return false
		}
		if have[i] > n {
			return true
		}
	}
	return true
}

func numbers(version string) []int {
	var list []int
	for part := range strings.SplitSeq(version, ".") {
		n := 0
		digits, err := fmt.Sscanf(part, "%d", &n)
		if digits != 1 || err != nil {
			break
		}
		list = append(list, n)
		if strconv.Itoa(n) != part {
			break
		}
	}
	return list
}
