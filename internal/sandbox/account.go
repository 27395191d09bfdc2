package sandbox

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// account is a user of the tree.
type account struct {
	name, home, shell string
	uid, gid          uint32
	groups            []uint32
}

// accountOf finds a user in the passwd(5) and group(5) of the tree that this
// process is in, by its name or, as in "1000" or "#1000", its number.
func accountOf(user string) (*account, error) {
	passwd, err := ReadFileIn("/", "/etc/passwd")
	if err != nil {
		return nil, err
	}
	a := findAccount(string(passwd), user)
	if a == nil {
		return nil, fmt.Errorf("the image has no user %q in /etc/passwd", user)
	}
	group, err := ReadFileIn("/", "/etc/group")
	if err != nil {
		return nil, err
	}
	a.groups = []uint32{a.gid}
	for line := range strings.Lines(string(group)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 || !slices.Contains(strings.Split(fields[3], ","), a.name) {
			continue
		}
		if gid, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			a.groups = append(a.groups, uint32(gid))
		}
	}
	return a, nil
}

func findAccount(passwd, user string) *account {
	var numbered *account
	for line := range strings.Lines(passwd) {
		fields := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(fields) < 7 {
			continue
		}
		uid, err1 := strconv.ParseUint(fields[2], 10, 32)
		gid, err2 := strconv.ParseUint(fields[3], 10, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		a := &account{name: fields[0], home: fields[5], shell: fields[6], uid: uint32(uid), gid: uint32(gid)}
		if a.name == user {
			return a
		}
		if numbered == nil && fields[2] == strings.TrimPrefix(user, "#") {
			numbered = a
		}
	}
	return numbered
}

// become makes a request run as a user of the tree: with its ids and groups and
// the variables that login(1) sets, whether or not it may log in.
func (req *request) become() (*syscall.Credential, error) {
	if req.User == "" {
		return nil, nil
	}
	a, err := accountOf(req.User)
	if err != nil {
		return nil, fmt.Errorf("become user: %w", err)
	}
	shell := a.loginShell()
	req.Env = append(slices.DeleteFunc(slices.Clone(req.Env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"HOME", "USER", "LOGNAME", "SHELL"}, name)
	}), "HOME="+a.home, "USER="+a.name, "LOGNAME="+a.name, "SHELL="+shell)
	if req.Login {
		// A shell reads its profiles; what it is to do follows "sh".
		req.Args = append([]string{shell, "-l"}, req.Args[1:]...)
		if unix.Access(a.home, unix.X_OK) == nil {
			req.Dir = a.home
		}
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: a.groups}, nil
}

// loginShell is the account's shell, or /bin/sh where that only refuses.
func (a *account) loginShell() string {
	switch filepath.Base(a.shell) {
	case "nologin", "false", ".":
		return "/bin/sh"
	}
	if unix.Access(a.shell, unix.X_OK) != nil {
		return "/bin/sh"
	}
	return a.shell
}
