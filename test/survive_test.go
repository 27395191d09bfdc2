package test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// oddities makes one of every kind of file that images lose on their way.
const oddities = `
umask 022
mkdir /odd; cd /odd
echo xattr > xattr; setfattr -n user.strata -v "a value" xattr; setfattr -n user.empty xattr; setfattr -n user.binary -v 0x00ff0a xattr
mkdir xattr-dir; setfattr -n user.strata -v directory xattr-dir
echo acl > acl; setfacl -m u:daemon:rw,g:games:r,m::rw acl
mkdir acl-dir; setfacl -m u:daemon:rwx acl-dir; setfacl -d -m u:games:rx acl-dir
cp /bin/true capability; setcap cap_net_raw,cap_net_admin+ep capability
echo linked > link-one; ln link-one link-two; mkdir sub; ln link-one sub/link-three
ln -s link-one symlink; ln -s /no/such/place dangling; ln link-one "link with spaces"
mknod char c 1 3; mknod block b 7 200; mkfifo fifo; chmod 0640 char
truncate -s 64M sparse; printf begin | dd of=sparse conv=notrunc status=none; printf middle | dd of=sparse bs=1M seek=32 conv=notrunc status=none
: > empty
cp /bin/true setuid; chmod 4755 setuid; cp /bin/true setgid; chmod 2755 setgid; mkdir sticky; chmod 1777 sticky; mkdir setgid-dir; chmod 2775 setgid-dir
echo none > none; chmod 0000 none
echo owner > owner; chown 12345:54321 owner; echo big > big-owner; chown 60000:60001 big-owner
echo old > old; touch -d 1999-12-31T23:59:59Z old; touch -d 1985-01-01T00:00:00Z sub
mkdir names; cd names
echo 1 > "with spaces"; echo 2 > "$(printf 'new\nline')"; echo 3 > "tab	bed"; echo 4 > -dash; echo 5 > "quo'te\"s"; echo 6 > 'back\slash'; echo 7 > '*'
echo 8 > "grüße-日本語"; echo 9 > "$(printf 'latin1-\374')"; echo 10 > "$(head -c 254 /dev/zero | tr '\0' n)"; echo 11 > .wh-like; echo 12 > '#comment'; echo 13 > 'a:b,c=d'
d=$(head -c 100 /dev/zero | tr '\0' d); mkdir -p $d/$d/$d; echo deep > $d/$d/$d/deep; ln $d/$d/$d/deep deep-link
`

// What a layer holds is in the squashfs, in the erofs, and in what Podman pushes
// and pulls: every attribute of every file.
func TestEverythingSurvives(t *testing.T) {
	need(t, "mksquashfs", "mkfs.erofs", "mount", "umount", "tar")
	p := newProject(t, `
  odd: {parent: tools, run: [{script: odd.sh}]}
`, `
images: {odd: {node: odd, artifacts: [squashfs, {type: erofs}, tar, dir]}}
`, files{"odd.sh": "#!/bin/sh\nset -e\n" + oddities}).ownStore()
	b := p.build("odd")
	layers, err := filepath.Glob(p.store + "/overlay/*/diff/odd")
	if err != nil || len(layers) != 1 {
		t.Fatalf("find the layer: %v %v", layers, err)
	}
	want := survey(t, layers[0])
	checkOddities(t, want)
	artifacts := b.Images[0].Artifacts
	for _, kind := range []string{"squashfs", "erofs"} {
		t.Run(kind, func(t *testing.T) {
			at := t.TempDir()
			if r := run(t, exec.Command("mount", "-o", "loop,ro", "-t", kind, artifacts[kind], at)); r.code != 0 {
				t.Skipf("needs to mount %s: %s", kind, r.err)
			}
			t.Cleanup(func() { must(t, exec.Command("umount", at)) })
			got := at
			if kind == "squashfs" {
				// It cannot hold ACLs: the image sets them at boot.
				got = bootACLs(t, at, p.top)
			}
			compare(t, want, survey(t, got+"/odd"))
			st, err := os.Stat(artifacts[kind])
			if err != nil {
				t.Fatal(err)
			}
			whole := sizeOf(t, p.store, "/overlay/*/diff")
			if st.Size() > whole {
				t.Errorf("the %s has %d bytes, all layers %d: is the sparse file whole in it?", kind, st.Size(), whole)
			}
		})
	}
	t.Run("dir", func(t *testing.T) { compare(t, want, survey(t, artifacts["dir"]+"/odd")) })
	t.Run("tar", func(t *testing.T) {
		at := t.TempDir()
		must(t, exec.Command("tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", artifacts["tar"], "-C", at))
		compare(t, want, survey(t, at+"/odd"))
	})
	t.Run("podman", func(t *testing.T) {
		pod := newPodman(t, p.store)
		dir := filepath.Join(p.top, "pushed")
		pod.must("push", "--quiet", "localhost/test/odd:latest", "oci:"+dir+":odd")
		other := newPodman(t, filepath.Join(p.top, "other"))
		other.must("pull", "--quiet", "oci:"+dir+":odd")
		pulled, err := filepath.Glob(filepath.Join(p.top, "other/overlay/*/diff/odd"))
		if err != nil || len(pulled) != 1 {
			t.Fatalf("find the pulled layer: %v %v", pulled, err)
		}
		for name := range want { // a tar cannot hold an empty attribute
			want[name] = strings.ReplaceAll(want[name], ` user.empty=""`, "")
		}
		compare(t, want, survey(t, pulled[0]))
	})
}

// bootACLs does what systemd-tmpfiles does at boot, in an overlay on a root.
func bootACLs(t *testing.T, root, top string) string {
	t.Helper()
	need(t, "systemd-tmpfiles")
	live := filepath.Join(top, "live")
	for _, dir := range []string{"upper", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(live, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	must(t, exec.Command("mount", "-t", "overlay", "-o", fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%[2]s/work", root, live), "overlay", live+"/root"))
	t.Cleanup(func() { _ = exec.Command("umount", live+"/root").Run() })
	must(t, exec.Command("systemd-tmpfiles", "--root="+live+"/root", "--create", "strata-acl.conf"))
	return live + "/root"
}

// sizeOf is what the files of some directories take on the disk.
func sizeOf(t *testing.T, top, pattern string) int64 {
	t.Helper()
	var total int64
	dirs, _ := filepath.Glob(top + pattern)
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			var st unix.Stat_t
			if err == nil && unix.Lstat(path, &st) == nil {
				total += st.Blocks * 512
			}
			return nil
		})
	}
	return total
}

// survey describes every file below a directory.
func survey(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	inodes := map[uint64][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		text := fmt.Sprintf("mode %o owner %d:%d mtime %d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" size %d sha256 %x", st.Size, sha256.Sum256(content))
			inodes[st.Ino] = append(inodes[st.Ino], name)
		case unix.S_IFLNK:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " to " + target
		case unix.S_IFCHR, unix.S_IFBLK:
			text += fmt.Sprintf(" device %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		}
		all[name] = text + xattrs(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range inodes {
		slices.Sort(names)
		for _, name := range names {
			all[name] += " links " + strings.Join(names, "|")
		}
	}
	return all
}

// xattrs renders the extended attributes that belong to a file's content.
func xattrs(t *testing.T, path string) string {
	t.Helper()
	list, value := make([]byte, 4096), make([]byte, 4096)
	n, err := unix.Llistxattr(path, list)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for name := range bytes.SplitSeq(list[:n], []byte{0}) {
		if len(name) == 0 || bytes.HasPrefix(name, []byte("trusted.")) || bytes.HasPrefix(name, []byte("user.overlay.")) {
			continue
		}
		size, err := unix.Lgetxattr(path, string(name), value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf(" %s=%q", name, value[:size]))
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// compare reports every file that is not as it was.
func compare(t *testing.T, want, got map[string]string) {
	t.Helper()
	for name, w := range want {
		if g, ok := got[name]; !ok {
			t.Errorf("%q is lost", name)
		} else if g != w {
			t.Errorf("%q is\n  %s, was\n  %s", name, g, w)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%q is new", name)
		}
	}
}

// checkOddities checks that the layer itself has what the script made.
func checkOddities(t *testing.T, layer map[string]string) {
	t.Helper()
	for name, says := range map[string]string{
		"xattr": `user.strata="a value"`, "xattr-dir": "user.strata", "acl": "system.posix_acl_access", "acl-dir": "system.posix_acl_default",
		"capability": "security.capability", "link-one": "links link with spaces|link-one|link-two|sub/link-three", "char": "device 1:3", "block": "device 7:200",
		"fifo": "mode 10644", "sparse": "size 67108864", "setuid": "mode 104755", "setgid": "mode 102755", "sticky": "mode 41777", "owner": "owner 12345:54321",
		"old": "mtime 946684799", "names/new\nline": "size 2", "names/latin1-\xfc": "size 2", "none": "mode 100000", "names/deep-link": "/deep",
	} {
		if !strings.Contains(layer[name], says) {
			t.Errorf("in the layer, %q is %q, which has no %q", name, layer[name], says)
		}
	}
}
