package test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What OpenCHAMI's image-builder is known to do wrong, a test for each.

// privately runs a command in a mount namespace of its own, after a script that
// changes this machine's /etc there, which is an overlay.
func (p *project) privately(script string) {
	p.t.Helper()
	need(p.t, "unshare", "mount")
	etc := filepath.Join(p.top, "etc")
	must(p.t, exec.Command("mkdir", "-p", etc+"/upper", etc+"/work"))
	p.via = []string{"unshare", "--mount", "sh", "-ec", fmt.Sprintf(
		"mount -t overlay -o lowerdir=/etc,upperdir=%s/upper,workdir=%[1]s/work overlay /etc\n%s\nexec \"$@\"", etc, script), "sh"}
}

// It unlinks the host's /etc/resolv.conf where that is a link.
func TestHostResolvConfIsALink(t *testing.T) {
	p := newProject(t, "  link: {parent: base, run: [\"sed 's/[[:space:]]*$//' /etc/resolv.conf > /seen # link\"]}\n", "", nil)
	real := filepath.Join(p.top, "real.conf")
	writeFile(t, real, "nameserver 192.0.2.53\n")
	p.privately("ln -sf " + real + " /etc/resolv.conf")
	p.build("link", "--no-cache", "--jobs", "1", "--dry-run")
	p.build("link")
	if link, err := os.Readlink(p.top + "/etc/upper/resolv.conf"); err != nil || link != real {
		t.Errorf("the host's /etc/resolv.conf was a link to %s, is %q: %v", real, link, err)
	}
	if got := readFile(t, real); got != "nameserver 192.0.2.53\n" {
		t.Errorf("the host's resolv.conf is now %q", got)
	}
	p.via = nil
	if got := p.shell("link", "cat /seen"); !strings.Contains(got, "\nnameserver 192.0.2.53") {
		t.Errorf("in a step, resolv.conf was %q", got)
	}
}

// It writes files into the current directory.
func TestCurrentDirectoryStaysAsItIs(t *testing.T) {
	need(t, "ansible-playbook")
	p := everyKindProject(t)
	before := listing(t, p.dir)
	here := t.TempDir()
	cmd := p.command("build")
	cmd.Dir = here
	must(t, cmd)
	if left := listing(t, here); left != "" {
		t.Errorf("a build wrote into the current directory: %s", left)
	}
	if after := listing(t, p.dir); after != before {
		t.Errorf("a build wrote into the project: before\n%s\nafter\n%s", before, after)
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	return must(t, exec.Command("find", dir, "-mindepth", "1", "-printf", "%P %y %m %s %T@\\n"))
}

// It removes the parent image after a child's build.
func TestParentStays(t *testing.T) {
	p := newProject(t, "  parent: {parent: base, run: [\"touch /parent\"]}\n  child: {parent: parent, run: [\"touch /child\"]}\n", "", nil)
	p.build("parent")
	p.build("child")
	images := p.images()
	for _, node := range []string{"base", "parent", "child"} {
		if images["test/"+node] == "" {
			t.Errorf("after the child's build there is no image of %s", node)
		}
	}
	if got := p.shell("parent", "ls /parent /child 2>/dev/null || true"); got != "/parent\n" {
		t.Errorf("the parent now has %q", got)
	}
}

// It publishes an empty image with exit status 0 when a key is misspelt.
func TestMisspeltKey(t *testing.T) {
	p := newProject(t, "  misspelt: {parent: base, packges: [hello]}\n", "", nil)
	p.fails(2, []string{"strata.yaml:", "packges", "packages"}, "build", "misspelt")
	p.noImage("misspelt")
}

// It takes exit status 107 of any command for success.
func TestExitStatus107(t *testing.T) {
	p := newProject(t, "  status: {parent: base, run: [\"exit 107\"]}\n", "", nil)
	p.fails(1, []string{"exit status 107"}, "build", "status")
	p.noImage("status")
}

// It leaves the working container mounted when publishing fails.
func TestPublishingFails(t *testing.T) {
	p := newProject(t, "  plain: {parent: base, run: [\"echo plain > /plain\"]}\n", "images: {unpublished: {node: plain, artifacts: [squashfs, kernel]}}\n", nil)
	p.fails(1, []string{"there is no kernel in node plain", "hint: "}, "build")
	p.swept()
	p.noImage("unpublished")
	p.write("strata.yaml", strings.Replace(readFile(t, p.dir+"/strata.yaml"), ", kernel]", "]", 1))
	// The destination cannot be made: a file is in the way.
	writeFile(t, p.top+"/file", "")
	if r := p.strata("export", "unpublished", p.top+"/file/out"); r.code == 0 {
		t.Error("exported below a file")
	}
	p.swept()
	out := filepath.Join(p.top, "out")
	must(t, p.command("export", "unpublished", out))
	if _, err := os.Stat(out + "/rootfs.squashfs"); err != nil {
		t.Error(err)
	}
	p.swept()
}

// It lets the host's package-manager configuration and plugins into the image.
func TestHostPackageManagerStaysOut(t *testing.T) {
	layers := "  clean: {parent: base, packages: [hello]}\n"
	want := newProject(t, layers, "", nil).build("clean")
	p := newProject(t, layers, "", nil).ownStore()
	sentinel := filepath.Join(p.top, "ran")
	p.privately(fmt.Sprintf(`mkdir -p /etc/apt/apt.conf.d /etc/dpkg/dpkg.cfg.d /etc/apt/preferences.d
cat > /etc/apt/apt.conf.d/99evil <<'EOF'
APT::Update::Pre-Invoke {"touch %[1]s";};
DPkg::Pre-Invoke {"touch %[1]s";};
DPkg::Post-Invoke {"touch %[1]s";};
APT::Install-Recommends "true";
APT::Install-Suggests "true";
Acquire::http::Proxy "http://127.0.0.1:9/";
EOF
printf 'path-exclude=/usr/share/doc/*\n' > /etc/dpkg/dpkg.cfg.d/evil
printf 'Package: *\nPin: release *\nPin-Priority: -1\n' > /etc/apt/preferences.d/evil
printf 'deb [trusted=yes] http://127.0.0.1:9/ evil main\n' > /etc/apt/sources.list.d/evil.list`, sentinel))
	sameBuild(t, want, p.build("clean"))
	if _, err := os.Stat(sentinel); err == nil {
		t.Error("the host's apt hooks ran")
	}
	if got := must(t, exec.Command("sh", "-c", "find "+p.store+"/overlay -name '*evil*' -o -name 99strata-build")); got != "" {
		t.Errorf("in the image: %s", got)
	}
}

// It ships the package manager's logs.
func TestNoLogsInTheImage(t *testing.T) {
	p := newProject(t, "  logs: {parent: base, packages: [hello], run: [\"echo line > /var/log/own.log\"]}\n", "images: {logs: {node: logs, artifacts: [dir]}}\n", nil)
	b := p.build()
	root := b.Images[0].Artifacts["dir"]
	for _, name := range []string{"var/log/apt", "var/log/dpkg.log", "var/log/alternatives.log", "var/cache/apt", "var/lib/apt/lists"} {
		if left := must(t, exec.Command("sh", "-c", "find "+root+"/"+name+" -type f 2>/dev/null || true")); left != "" {
			t.Errorf("the image has %s", left)
		}
	}
	if st, err := os.Stat(root + "/var/log/own.log"); err != nil || st.Size() != 0 {
		t.Errorf("a log of a program has to stay, empty: %v %v", st, err)
	}
	for _, name := range []string{"usr/share/doc/hello/copyright", "usr/bin/hello"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
}

// It overwrites the kernel of an older image.
func TestOlderKernelStays(t *testing.T) {
	layer := func(version string) (string, files) {
		return fmt.Sprintf("  kernel: {parent: base, files: [{src: vmlinuz, dest: /boot/vmlinuz-%s}, {src: initrd, dest: /boot/initrd.img-%[1]s}, {content: \"\", dest: /usr/lib/modules/%[1]s/modules.dep}]}\n", version),
			files{"vmlinuz": fakeKernel(version), "initrd": fakeInitrd(version)}
	}
	const images = "images: {booted: {node: kernel, artifacts: [kernel, initrd]}}\n"
	layers, content := layer("6.1.0-1")
	p := newProject(t, layers, images, content)
	before := p.build().Images[0]
	layers, content = layer("6.1.0-2")
	p.write("strata.yaml", common+layers+images)
	for name, text := range content {
		p.write(name, text)
	}
	after := p.build().Images[0]
	if before.Directory == after.Directory {
		t.Error("the newer image has replaced the older one")
	}
	for version, path := range map[string]string{"6.1.0-1": before.Artifacts["kernel"], "6.1.0-2": after.Artifacts["kernel"]} {
		if got := readFile(t, path); got != fakeKernel(version) {
			t.Errorf("%s is not kernel %s", path, version)
		}
	}
}

// fakeKernel is as much of a bzImage as tells its version.
func fakeKernel(version string) string {
	b := make([]byte, 0x1000)
	copy(b[0x202:], "HdrS")
	binary.LittleEndian.PutUint16(b[0x20e:], 0x600)
	copy(b[0x800:], version+" (nobody@localhost)\x00")
	return string(b)
}

// fakeInitrd is a cpio archive (newc) with the directory of a kernel's modules.
func fakeInitrd(version string) string {
	var b bytes.Buffer
	entry := func(name string, mode int) {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", 0, mode, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(name)+1, 0, name)
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
	}
	for _, dir := range []string{"usr", "usr/lib", "usr/lib/modules", "usr/lib/modules/" + version} {
		entry(dir, 0o40755)
	}
	entry("usr/lib/modules/"+version+"/squashfs.ko", 0o100644)
	entry("TRAILER!!!", 0)
	return b.String()
}

// It gives six digests for six builds of one definition.
func TestSixBuildsOneDigest(t *testing.T) {
	need(t, "ansible-playbook")
	p := everyKindProject(t)
	var first map[string]string
	for i := range 6 {
		// Another key each time, and so a build; the content is the same.
		config := fmt.Sprintf(everyKind, "a")
		p.write("strata.yaml", common+strings.Replace(config, `"sleep 0.3"`, fmt.Sprintf(`"sleep 0.1%d"`, i), 1))
		b := p.build("more")
		for _, n := range b.Nodes {
			if want := map[string]string{"base": "cached", "work": "built"}[n.ID]; want != "" && n.Status != want {
				t.Errorf("build %d: %s is %s, want %s", i, n.ID, n.Status, want)
			}
		}
		got := b.digests(t)
		if first == nil {
			first = got
		}
		if !maps.Equal(got, first) {
			t.Fatalf("build %d gave %v, the first %v", i, got, first)
		}
	}
}
