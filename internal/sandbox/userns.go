package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
)

// inUserns marks the run that is already in a user namespace.
const inUserns = "STRATA_USERNS"

// firstUserNamespace is the name of the machine's own, which the kernel fixes.
const firstUserNamespace = "user:[4026531837]"

// InUserNamespace says whether this process's root is not the machine's.
func InUserNamespace() bool {
	name, err := os.Readlink("/proc/self/ns/user")
	return err == nil && name != firstUserNamespace
}

// Rootless makes the process able to mount: it returns at once where it is
// already, and otherwise runs this very program again in a user namespace with
// the user's subordinate ids, and returns that run's exit status and true.
func Rootless() (status int, done bool, err error) {
	again := os.Getenv(inUserns) != ""
	if again {
		os.Unsetenv(inUserns)
		endWithParent()
	}
	if HasAdmin() {
		return 0, false, nil
	}
	if again {
		return 0, false, fault.New(fault.Machine, "a user namespace gave no right to mount").
			WithHint("is the kernel or a security module restricting user namespaces? 'strata doctor' tells more")
	}
	status, err = runInUserNamespace()
	return status, true, err
}

func runInUserNamespace() (int, error) {
	uids, gids, err := idRanges()
	if err != nil {
		return 0, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(Executable, os.Args...)
	cmd.Args = append([]string{userName}, os.Args...)
	// The last two tell containers/storage whose store it is.
	cmd.Env = append(os.Environ(), inUserns+"=1",
		"_CONTAINERS_USERNS_CONFIGURED=done", fmt.Sprintf("_CONTAINERS_ROOTLESS_UID=%d", os.Geteuid()))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		// Mapped before it is executed, it keeps its rights also where a
		// container's no_new_privs keeps root from getting them back.
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = sysMap(uids), sysMap(gids)
		cmd.SysProcAttr.GidMappingsEnableSetgroups = true
	}
	if err := cmd.Start(); err != nil {
		if os.Geteuid() == 0 && errors.Is(err, unix.EPERM) {
			return 0, fault.New(fault.Machine, "make a user namespace: %w", err).
				WithHint("the container must keep CAP_SETUID, CAP_SETGID and CAP_SETFCAP and allow user namespaces")
		}
		return 0, noNamespaces(err)
	}
	r.Close()
	if err := mapIDs(cmd.Process.Pid, uids, gids); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return 0, err
	}
	defer w.Close() // tells of this process's end
	if _, err := w.Write([]byte("go")); err != nil {
		return 0, fmt.Errorf("start in the user namespace: %w", err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		for s := range signals {
			// From a terminal it gets SIGINT itself, and would take a second one for impatience.
			if s != syscall.SIGINT || !inForeground() {
				_ = cmd.Process.Signal(s)
			}
		}
	}()
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		return status(exit.Sys().(syscall.WaitStatus)), nil
	} else if err != nil {
		return 0, err
	}
	return 0, nil
}

// userMain waits for its ids, then becomes the program proper: root in there.
func userMain() {
	if n, _ := os.NewFile(lifelineFD, "go").Read(make([]byte, 2)); n == 0 {
		os.Exit(1) // the parent has given up
	}
	// The death signal is lost where credentials change: ask for it again.
	if err := unix.Setresgid(0, 0, 0); err != nil {
		fatal("become root of the user namespace", err)
	}
	if err := unix.Setresuid(0, 0, 0); err != nil {
		fatal("become root of the user namespace", err)
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		fatal("tie to the parent", err)
	}
	err := syscall.Exec(Executable, os.Args[1:], os.Environ())
	fatal("start in the user namespace", err)
}

// lifelineFD is the descriptor on which the run in the user namespace hears of
// its parent's end. A death signal would be lost when it gets its rights.
const lifelineFD = 3

// endWithParent ends this process, and with it all sandboxes, when the one that
// started it ends.
func endWithParent() {
	unix.CloseOnExec(lifelineFD)
	go func() {
		_, _ = os.NewFile(lifelineFD, "lifeline").Read(make([]byte, 1))
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	}()
}

// inForeground says whether the terminal, if there is one, sends its signals to
// this process's group.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

func fatal(verb string, err error) {
	fmt.Fprintf(os.Stderr, "strata: %s: %v\n", verb, err)
	os.Exit(1)
}

// idRange maps count ids from inside to outside.
type idRange struct{ inside, outside, count int }

// idRanges returns the ids of the namespace: root is the user itself, the rest
// are the subordinate ids that the system gives.
func idRanges() (uids, gids []idRange, err error) {
	if os.Geteuid() == 0 {
		// Root of a container that may not mount: all ids that it has itself.
		uids, err = ownIDs("/proc/self/uid_map")
		if err != nil {
			return nil, nil, err
		}
		gids, err = ownIDs("/proc/self/gid_map")
		return uids, gids, err
	}
	name := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	if uids, err = subordinate("/etc/subuid", name, os.Geteuid()); err != nil {
		return nil, nil, err
	}
	gids, err = subordinate("/etc/subgid", name, os.Getegid())
	return uids, gids, err
}

func ownIDs(path string) ([]idRange, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var ranges []idRange
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		inside, err1 := strconv.Atoi(fields[0])
		count, err2 := strconv.Atoi(fields[2])
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("read %s: not understood: %s", path, lines.Text())
		}
		ranges = append(ranges, idRange{inside, inside, count})
	}
	return ranges, nil
}

// subordinate reads a user's ranges from subuid(5) or subgid(5).
func subordinate(path, name string, self int) ([]idRange, error) {
	ranges := []idRange{{0, self, 1}}
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	next := 1
	for line := range strings.Lines(string(content)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 || (fields[0] != name && fields[0] != strconv.Itoa(self)) {
			continue
		}
		start, err1 := strconv.Atoi(fields[1])
		count, err2 := strconv.Atoi(fields[2])
		if err1 != nil || err2 != nil {
			continue
		}
		ranges = append(ranges, idRange{next, start, count})
		next += count
	}
	if next < NeededIDs {
		return nil, fault.New(fault.Machine, "%s has no %d subordinate ids in %s", name, NeededIDs, path).
			WithHint("as root: %s", GiveIDs(os.DirFS("/"), name))
	}
	return ranges, nil
}

// sysMap is a map of ids in the form of package syscall.
func sysMap(ranges []idRange) []syscall.SysProcIDMap {
	var list []syscall.SysProcIDMap
	for _, r := range ranges {
		list = append(list, syscall.SysProcIDMap{ContainerID: r.inside, HostID: r.outside, Size: r.count})
	}
	return list
}

// mapIDs writes an ordinary user's id maps of a process, by newuidmap and
// newgidmap. Root's are written when the process is started.
func mapIDs(pid int, uids, gids []idRange) error {
	if os.Geteuid() == 0 {
		return nil
	}
	for _, m := range []struct {
		tool   string
		ranges []idRange
	}{{"newuidmap", uids}, {"newgidmap", gids}} {
		args := []string{m.tool, strconv.Itoa(pid)}
		for _, r := range m.ranges {
			args = append(args, strconv.Itoa(r.inside), strconv.Itoa(r.outside), strconv.Itoa(r.count))
		}
		if err := Host(context.Background(), Cmd{Args: args}); err != nil {
			return fmt.Errorf("map ids of a user namespace: %w", err)
		}
	}
	return nil
}

// noNamespaces explains why namespaces cannot be had.
func noNamespaces(err error) error {
	f := fault.New(fault.Machine, "make namespaces: %w", err)
	if content, e := os.ReadFile("/proc/sys/kernel/unprivileged_userns_clone"); e == nil && strings.TrimSpace(string(content)) == "0" {
		return f.WithHint("as root: sysctl -w kernel.unprivileged_userns_clone=1")
	}
	return f.WithHint("unprivileged user namespaces are switched off here or used up (user.max_user_namespaces); 'strata doctor' tells more")
}
