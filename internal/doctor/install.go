package doctor

import (
	"io/fs"
	"strings"
)

// Families of distributions, by who makes their packages.
const (
	debian = "debian"
	el     = "el"
	suse   = "suse"
)

// packages names what to install for something in each family; "" where a
// family has no package of it.
type packages struct {
	debian, el, suse string
	epel             bool   // EL has it in EPEL
	elThen           string // what is to be done afterwards on EL
}

// commands are the commands that install it, by family.
func (p packages) commands() map[string]string {
	commands := map[string]string{}
	if p.debian != "" {
		commands[debian] = "apt install " + p.debian
	}
	if p.el != "" {
		commands[el] = "dnf install " + p.el
		if p.epel {
			commands[el] = "dnf install epel-release && " + commands[el]
		}
		if p.elThen != "" {
			commands[el] += " && " + p.elThen
		}
	}
	if p.suse != "" {
		commands[suse] = "zypper install " + p.suse
	}
	return commands
}

// familyOf reads os-release(5); "" is a distribution that we do not know.
func familyOf(root fs.FS) string {
	for _, path := range []string{"etc/os-release", "usr/lib/os-release"} {
		content, err := fs.ReadFile(root, path)
		if err != nil {
			continue
		}
		var ids []string
		for line := range strings.Lines(string(content)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if key == "ID" || key == "ID_LIKE" {
				ids = append(ids, strings.Fields(strings.Trim(value, `"'`))...)
			}
		}
		for _, id := range ids {
			switch id {
			case "debian", "ubuntu":
				return debian
			case "rhel", "centos", "fedora", "rocky", "almalinux", "ol":
				return el
			case "suse", "opensuse", "sles", "sled", "opensuse-leap", "opensuse-tumbleweed":
				return suse
			}
		}
		return ""
	}
	return ""
}

// installHint is the command for this machine, or those for all.
func installHint(commands map[string]string, family string) string {
	if command, ok := commands[family]; ok {
		return "as root: " + command
	}
	if len(commands) == 0 {
		return ""
	}
	var all []string
	for _, f := range []struct{ family, name string }{{debian, "Debian"}, {el, "EL"}, {suse, "SUSE"}} {
		if command, ok := commands[f.family]; ok {
			all = append(all, f.name+": "+command)
		}
	}
	if family == suse {
		return "this distribution has no package of it; build in a container of another (" + strings.Join(all, "; ") + ")"
	}
	return strings.Join(all, "; ")
}
