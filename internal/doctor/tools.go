package doctor

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// debianKeyring signs Debian; bootstraps check signatures against it.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// tool is a program that Strata starts.
type tool struct {
	name     string   // in the table
	programs []string // any of them will do
	version  []string // arguments that make it say its version; nil: not asked
	least    string   // the lowest version that works
	needed   string
	without  Level // when it is not there
	packages packages
}

func tools(arch string) []tool {
	qemu, qemuDebian, qemuSUSE := "qemu-system-x86_64", "qemu-system-x86", "qemu-x86"
	if arch == "arm64" {
		qemu, qemuDebian, qemuSUSE = "qemu-system-aarch64", "qemu-system-arm", "qemu-arm"
	}
	return []tool{
		{
			name: "apt-get", programs: []string{"apt-get"}, version: []string{"--version"},
			needed: "installing Debian into a first layer", without: Missing,
			packages: packages{debian: "apt", el: "apt", epel: true},
		},
		{
			name: "dpkg-deb", programs: []string{"dpkg-deb"}, version: []string{"--version"},
			needed: "unpacking Debian's packages", without: Missing,
			packages: packages{debian: "dpkg", el: "dpkg", epel: true, suse: "dpkg"},
		},
		{
			name: "gpgv", programs: []string{"gpgv", "sqv"}, version: []string{"--version"},
			needed: "checking the signatures of repositories", without: Missing,
			packages: packages{debian: "gpgv", el: "gnupg2", suse: "gpg2"},
		},
		{
			name: "ansible-playbook", programs: []string{"ansible-playbook"}, version: []string{"--version"}, least: "2.12",
			needed: "layers with playbooks", without: Missing,
			packages: packages{debian: "ansible-core", el: "ansible-core", suse: "ansible-core"},
		},
		{
			name: "mksquashfs", programs: []string{"mksquashfs"}, version: []string{"-version"}, least: "4.5.1",
			needed: "the artifact squashfs", without: Missing,
			packages: packages{debian: "squashfs-tools", el: "squashfs-tools", suse: "squashfs"},
		},
		{
			name: "mkfs.erofs", programs: []string{"mkfs.erofs"}, version: []string{"-V"}, least: "1.5",
			needed: "the artifact erofs", without: Warning,
			packages: packages{debian: "erofs-utils", el: "erofs-utils", epel: true, suse: "erofs-utils"},
		},
		{
			name: "qemu", programs: []string{qemu}, version: []string{"--version"},
			needed: "'strata boot'", without: Warning,
			packages: packages{
				debian: qemuDebian, el: "qemu-kvm", suse: qemuSUSE,
				elThen: "ln -s /usr/libexec/qemu-kvm /usr/local/bin/" + qemu,
			},
		},
		{
			name: "git", programs: []string{"git"}, version: []string{"--version"},
			needed: "layers whose files come from a git repository", without: Warning,
			packages: packages{debian: "git", el: "git", suse: "git"},
		},
		{
			name: "podman", programs: []string{"podman"}, version: []string{"--version"},
			needed: "running and pushing images as containers, if you want to", without: Note,
			packages: packages{debian: "podman", el: "podman", suse: "podman"},
		},
	}
}

func checkTools(ctx context.Context, m machine, _ Options) []Finding {
	var found []Finding
	for _, t := range tools(m.arch) {
		found = append(found, m.checkTool(ctx, t))
		if t.name == "gpgv" {
			found = append(found, checkKeyring(m))
		}
	}
	return found
}

func (m machine) checkTool(ctx context.Context, t tool) Finding {
	f := Finding{Name: t.name, Level: t.without, Message: "not installed", Needed: t.needed, Install: t.packages.commands()}
	for _, program := range t.programs {
		path, ok := m.lookPath(program)
		if !ok {
			continue
		}
		f.Level, f.Message = OK, path
		if t.version == nil {
			return f
		}
		version := firstVersion(m.run(ctx, append([]string{path}, t.version...)...))
		switch {
		case version == "":
			f.Level, f.Message = Warning, path+" does not say its version"
			f.Hint = fmt.Sprintf("does '%s %s' work?", path, strings.Join(t.version, " "))
		case t.least != "" && !atLeast(version, t.least):
			f.Level, f.Message = t.without, fmt.Sprintf("%s is version %s, too old", path, version)
			f.Hint = fmt.Sprintf("%s %s or newer is needed", t.name, t.least)
		default:
			f.Message = version + ", " + path
		}
		return f
	}
	return f
}

// aVersion is the first thing in a program's answer that looks like one:
// "[core 2.14.18]", "version 4.5.1-dev", "mkfs.erofs 1.5".
var aVersion = regexp.MustCompile(`(?:^|[\s:v(\[])(\d+\.\d[0-9A-Za-z.+~-]*)`)

func firstVersion(answer string) string {
	if m := aVersion.FindStringSubmatch(answer); m != nil {
		return strings.TrimRight(m[1], ".-")
	}
	return ""
}

func checkKeyring(m machine) Finding {
	f := Finding{
		Name: "debian keyring", Level: OK, Message: debianKeyring, Needed: "knowing Debian's signatures",
		Install: packages{debian: "debian-archive-keyring", el: "debian-keyring", epel: true}.commands(),
	}
	if !m.exists(debianKeyring) {
		f.Level, f.Message = Missing, "no "+debianKeyring
		if familyOf(m.root) == suse {
			f.Hint = "take the file out of Debian's package debian-archive-keyring, or give each repository a key"
		}
	}
	return f
}
