package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// versions is what the programs of a good machine say.
var versions = map[string]string{
	"apt-get":            "apt 2.6.1 (amd64)\nSupported modules:",
	"dpkg-deb":           "Debian 'dpkg-deb' package archive backend version 1.21.22 (amd64).\n",
	"gpgv":               "gpgv (GnuPG) 2.2.40\nlibgcrypt 1.10.1",
	"ansible-playbook":   "ansible-playbook [core 2.14.18]\n  config file = None\n  python version = 3.11.2",
	"mksquashfs":         "mksquashfs version 4.5.1 (2022/03/17)\ncopyright (C) 2022",
	"mkfs.erofs":         "mkfs.erofs (erofs-utils) 1.8\navailable compressors: lz4",
	"qemu-system-x86_64": "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)",
	"git":                "git version 2.39.5",
	"podman":             "podman version 4.3.1",
}

// goodMachine has all that an ordinary user needs.
func goodMachine() (machine, fstest.MapFS) {
	root := fstest.MapFS{
		"etc/os-release":     {Data: []byte("NAME=x\nID=debian\nVERSION_ID=\"12\"\n")},
		"etc/subuid":         {Data: []byte("other:1:1\nanna:100000:65536\n")},
		"etc/subgid":         {Data: []byte("anna:100000:65536\n")},
		"usr/bin/newuidmap":  {Mode: 0o755 | os.ModeSetuid},
		"usr/bin/newgidmap":  {Mode: 0o755 | os.ModeSetuid},
		"dev/kvm":            {},
		"home/anna/.cache/x": {},
		"tmp/x":              {},
		debianKeyring[1:]:    {},
	}
	m := machine{
		root: root, lookPath: func(name string) (string, bool) { return "/usr/bin/" + name, true },
		run:      func(_ context.Context, args ...string) string { return versions[filepath.Base(args[0])] },
		disk:     func(string) (disk, error) { return disk{kind: "ext4", free: 75 * gib, inodes: 1e6, counted: true}, nil },
		openat2:  func() error { return nil },
		openKVM:  func() error { return nil },
		fileCaps: func(string) bool { return false },
		overlay:  func(context.Context, string) error { return nil },
		arch:     "amd64", release: "6.1.0-18-amd64", temporary: "/tmp", uid: 1000, user: "anna", admin: true, namespaced: true,
	}
	return m, root
}

var anna = Options{Store: "/home/anna/.local/share/containers/storage", Cache: "/home/anna/.cache/strata"}

func find(t *testing.T, findings []Finding, name string) Finding {
	t.Helper()
	for _, f := range findings {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no finding %s", name)
	return Finding{}
}

func TestAGoodMachine(t *testing.T) {
	m, _ := goodMachine()
	found := check(context.Background(), m, anna)
	const want = `✔ kernel            Linux 6.1.0-18-amd64
✔ openat2           works
✔ user namespaces   work
✔ subordinate ids   anna has 65536 user ids and 65536 group ids
✔ newuidmap         /usr/bin/newuidmap, /usr/bin/newgidmap
✔ overlay           mounts on the store's file system
✔ store             /home/anna/.local/share/containers/storage: ext4, 75 GiB free
✔ package cache     /home/anna/.cache/strata: ext4, 75 GiB free
✔ temporary space   /tmp: ext4, 75 GiB free
✔ apt-get           2.6.1, /usr/bin/apt-get
✔ dpkg-deb          1.21.22, /usr/bin/dpkg-deb
✔ gpgv              2.2.40, /usr/bin/gpgv
✔ debian keyring    /usr/share/keyrings/debian-archive-keyring.gpg
✔ ansible-playbook  2.14.18, /usr/bin/ansible-playbook
✔ mksquashfs        4.5.1, /usr/bin/mksquashfs
✔ mkfs.erofs        1.8, /usr/bin/mkfs.erofs
✔ qemu              7.2.22, /usr/bin/qemu-system-x86_64
✔ git               2.39.5, /usr/bin/git
✔ podman            4.3.1, /usr/bin/podman
✔ kvm               /dev/kvm can be opened

Strata can build here.
`
	if got := Text(found); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if Lacking(found) {
		t.Error("something is lacking")
	}
}

func TestWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name    string // of the finding
		change  func(m *machine, root fstest.MapFS, o *Options)
		level   Level
		message string
		hint    string
	}{
		{"kernel", func(m *machine, _ fstest.MapFS, _ *Options) { m.release = "4.18.0-553.el8" }, Warning, "older than 5.11", "build as root"},
		{"openat2", func(m *machine, _ fstest.MapFS, _ *Options) { m.openat2 = func() error { return unix.ENOSYS } }, Missing, "not implemented", "5.6"},
		{"user namespaces", func(m *machine, root fstest.MapFS, o *Options) {
			m.admin = false
			o.Namespace = errors.New("make namespaces: operation not permitted")
			root["proc/sys/user/max_user_namespaces"] = &fstest.MapFile{Data: []byte("0\n")}
		}, Missing, "not permitted", "sysctl -w user.max_user_namespaces="},
		{"user namespaces", func(m *machine, root fstest.MapFS, _ *Options) {
			m.admin = false
			root["proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = &fstest.MapFile{Data: []byte("1\n")}
		}, Missing, "switched off", "apparmor_restrict_unprivileged_userns=0"},
		{"user namespaces", func(m *machine, root fstest.MapFS, o *Options) {
			m.admin = false
			o.Namespace = errors.New("operation not permitted")
			root["run/.containerenv"] = &fstest.MapFile{}
		}, Missing, "not permitted", "seccomp=unconfined"},
		{"container", func(_ *machine, root fstest.MapFS, _ *Options) { root["run/.containerenv"] = &fstest.MapFile{} }, Note, "podman container", ""},
		{"overlay", func(m *machine, _ fstest.MapFS, _ *Options) { m.admin = false }, Warning, "not tried", "user namespaces"},
		{"overlay", func(m *machine, _ fstest.MapFS, _ *Options) {
			m.overlay = func(context.Context, string) error { return errors.New("mount overlay: invalid argument") }
		}, Missing, "invalid argument", "ext4"},
		{"subordinate ids", func(_ *machine, root fstest.MapFS, _ *Options) { delete(root, "etc/subgid") }, Missing, "0 group ids", "usermod --add-subuids 165536-231071 --add-subgids 165536-231071 anna"},
		{"subordinate ids", func(m *machine, root fstest.MapFS, _ *Options) {
			root["etc/subgid"] = &fstest.MapFile{Data: []byte("1000:1:30000\nanna:90000:35535\n")}
		}, OK, "65535 group ids", ""},
		{"newuidmap", func(m *machine, _ fstest.MapFS, _ *Options) { without(m, "newgidmap") }, Missing, "newgidmap is not installed", "as root: apt install uidmap"},
		{"newuidmap", func(_ *machine, root fstest.MapFS, _ *Options) { root["usr/bin/newuidmap"].Mode = 0o755 }, Missing, "neither setuid", "chmod u+s /usr/bin/newuidmap"},
		{"newuidmap", func(m *machine, root fstest.MapFS, _ *Options) {
			root["usr/bin/newuidmap"].Mode = 0o755
			m.fileCaps = func(path string) bool { return path == "/usr/bin/newuidmap" }
		}, OK, "/usr/bin/newuidmap", ""},
		{"store", func(m *machine, _ fstest.MapFS, _ *Options) {
			m.disk = func(string) (disk, error) { return disk{kind: "xfs", free: 3 * gib}, nil }
		}, Warning, "xfs, 3 GiB free, less than 10 GiB", "free some space"},
		{"store", func(m *machine, _ fstest.MapFS, _ *Options) {
			m.disk = func(string) (disk, error) { return disk{kind: "ext4", free: 30 * gib, inodes: 5, counted: true}, nil }
		}, Warning, "only 5 files", "inodes"},
		{"store", func(m *machine, _ fstest.MapFS, _ *Options) {
			m.disk = func(string) (disk, error) { return disk{kind: "nfs", free: 30 * gib}, nil }
		}, Warning, "on the network", "local disk"},
		{"package cache", func(m *machine, _ fstest.MapFS, _ *Options) {
			m.disk = func(dir string) (disk, error) {
				if dir != "/home/anna/.cache" {
					return disk{free: 30 * gib}, nil
				}
				return disk{}, &os.PathError{Op: "write to", Path: dir, Err: unix.EACCES}
			}
		}, Missing, "write to /home/anna/.cache: permission denied", "anna"},
		{"apt-get", func(m *machine, _ fstest.MapFS, _ *Options) { without(m, "apt-get") }, Missing, "not installed", "as root: apt install apt"},
		{"gpgv", func(m *machine, _ fstest.MapFS, _ *Options) { without(m, "gpgv") }, Warning, "/usr/bin/sqv does not say its version", "sqv --version"},
		{"debian keyring", func(_ *machine, root fstest.MapFS, _ *Options) { delete(root, debianKeyring[1:]) }, Missing, "no /usr/share/keyrings", "apt install debian-archive-keyring"},
		{"ansible-playbook", func(m *machine, _ fstest.MapFS, _ *Options) { says(m, "ansible-playbook 2.9.27\n") }, Missing, "2.9.27, too old", "2.12 or newer"},
		{"mkfs.erofs", func(m *machine, _ fstest.MapFS, _ *Options) { without(m, "mkfs.erofs") }, Warning, "not installed", "apt install erofs-utils"},
		{"mksquashfs", func(m *machine, root fstest.MapFS, _ *Options) {
			without(m, "mksquashfs")
			root["etc/os-release"] = &fstest.MapFile{Data: []byte("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n")}
		}, Missing, "not installed", "as root: zypper install squashfs"},
		{"mkfs.erofs", func(m *machine, root fstest.MapFS, _ *Options) {
			without(m, "mkfs.erofs")
			root["etc/os-release"] = &fstest.MapFile{Data: []byte("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n")}
		}, Warning, "not installed", "as root: dnf install epel-release && dnf install erofs-utils"},
		{"apt-get", func(m *machine, root fstest.MapFS, _ *Options) {
			without(m, "apt-get")
			root["etc/os-release"] = &fstest.MapFile{Data: []byte("ID=sles\n")}
		}, Missing, "not installed", "container of another (Debian: apt install apt; EL:"},
		{"git", func(m *machine, root fstest.MapFS, _ *Options) {
			without(m, "git")
			root["etc/os-release"] = &fstest.MapFile{Data: []byte("ID=arch\n")}
		}, Warning, "not installed", "Debian: apt install git; EL: dnf install git; SUSE: zypper install git"},
		{"qemu", func(m *machine, _ fstest.MapFS, _ *Options) { m.arch = "arm64"; without(m, "qemu-system-aarch64") }, Warning, "not installed", "qemu-system-arm"},
		{"podman", func(m *machine, _ fstest.MapFS, _ *Options) { without(m, "podman") }, Note, "not installed", ""},
		{"kvm", func(_ *machine, root fstest.MapFS, _ *Options) { delete(root, "dev/kvm") }, Note, "no /dev/kvm", ""},
		{"kvm", func(m *machine, _ fstest.MapFS, _ *Options) { m.openKVM = func() error { return unix.EACCES } }, Warning, "permission denied", "usermod -aG kvm anna"},
		{"kvm", func(_ *machine, _ fstest.MapFS, o *Options) {
			o.ProbeKVM = func(context.Context) (bool, error) { return false, nil }
		}, Note, "a guest does not run", ""},
	} {
		m, root := goodMachine()
		o := anna
		c.change(&m, root, &o)
		found := check(context.Background(), m, o)
		f := find(t, found, c.name)
		if f.Level != c.level || !strings.Contains(f.Message, c.message) || !strings.Contains(f.Hint, c.hint) || (c.hint == "") != (f.Hint == "") {
			t.Errorf("want %s: %s %q, hint %q\ngot  %+v", c.name, c.level, c.message, c.hint, f)
		}
		if Lacking(found) != (c.level == Missing) || f.OK != (c.level == OK || c.level == Note) {
			t.Errorf("%s: %s, but lacking is %t, OK %t", c.name, c.level, Lacking(found), f.OK)
		}
	}
}

// without takes a program from a machine.
func without(m *machine, program string) {
	before := m.lookPath
	m.lookPath = func(name string) (string, bool) {
		if name == program {
			return "", false
		}
		return before(name)
	}
}

// says makes all programs answer the same.
func says(m *machine, answer string) {
	before := m.run
	m.run = func(ctx context.Context, args ...string) string {
		if strings.HasPrefix(answer, filepath.Base(args[0])) {
			return answer
		}
		return before(ctx, args...)
	}
}

func TestRootNeedsNoNamespace(t *testing.T) {
	m, root := goodMachine()
	m.uid, m.user, m.namespaced, m.release = 0, "root", false, "5.10.0"
	delete(root, "etc/subuid")
	delete(root, "etc/subgid")
	without(&m, "newuidmap")
	found := check(context.Background(), m, anna)
	if Lacking(found) {
		t.Errorf("something is lacking:\n%s", Text(found))
	}
}

func TestTextTellsWhatToDo(t *testing.T) {
	m, _ := goodMachine()
	without(&m, "mkfs.erofs")
	without(&m, "mksquashfs")
	got := Text(check(context.Background(), m, anna))
	for _, want := range []string{`
✘ mksquashfs        not installed
                    needed for: the artifact squashfs
                    → as root: apt install squashfs-tools
! mkfs.erofs        not installed
`, "Strata cannot build here yet: one thing is missing.\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestJSON(t *testing.T) {
	m, _ := goodMachine()
	without(&m, "mksquashfs")
	f := find(t, check(context.Background(), m, anna), "mksquashfs")
	got, err := json.Marshal(f)
	const want = `{"name":"mksquashfs","ok":false,"level":"missing","message":"not installed","needed":"the artifact squashfs",` +
		`"hint":"as root: apt install squashfs-tools","install":{"debian":"apt install squashfs-tools","el":"dnf install squashfs-tools","suse":"zypper install squashfs"}}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAtLeast(t *testing.T) {
	for _, c := range []struct {
		version, least string
		want           bool
	}{
		{"5.11", "5.11", true}, {"5.10.0-8-amd64", "5.11", false}, {"6.1.0-18", "5.11", true}, {"6.18.44-fc", "5.11", true},
		{"4.5.1", "4.5.1", true}, {"4.5", "4.5.1", false}, {"4.6.1-dev", "4.5.1", true}, {"2.9.27", "2.12", false}, {"1.8-rc1", "1.5", true},
		{"", "1.0", false}, {"x", "1.0", false},
	} {
		if got := atLeast(c.version, c.least); got != c.want {
			t.Errorf("atLeast(%q, %q) = %t", c.version, c.least, got)
		}
	}
}

// TestThisMachine really looks, and mounts an overlay where it may.
func TestThisMachine(t *testing.T) {
	dir := t.TempDir()
	found := Check(context.Background(), Options{Store: filepath.Join(dir, "not/there/yet"), Cache: dir})
	t.Logf("\n%s", Text(found))
	if f := find(t, found, "openat2"); f.Level != OK {
		t.Errorf("openat2: %+v", f)
	}
	if f := find(t, found, "overlay"); sandbox.HasAdmin() && f.Level != OK {
		t.Errorf("overlay: %+v", f)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestOverlayOnADirectoryThatDoesNotDo(t *testing.T) {
	if !sandbox.HasAdmin() {
		t.Skip("needs the right to mount")
	}
	if err := tryOverlay(context.Background(), "/proc"); err == nil {
		t.Error("an overlay's upper directory was made in /proc")
	}
}
