package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tree lists what a layer's directory holds: path, and the content of files.
func tree(t *testing.T, s *Store, l Layer) map[string]string {
	t.Helper()
	dirs, err := s.dirs(l.ID)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	err = filepath.WalkDir(dirs[0], func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dirs[0], path)
		all[name] = ""
		if d.Type().IsRegular() {
			content, err := os.ReadFile(path)
			all[name] = string(content)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What sealing does to a name, it does not do to the file's other names,
// whichever of them it comes to first.
func TestSealingLeavesOtherNames(t *testing.T) {
	s := open(t)
	links := map[string]string{ // a scrubbed name to another one
		"var/log/app/before":               "opt/a-log",
		"var/log/app/after":                "zzz/log",
		"etc/machine-id":                   "opt/machine-id",
		"etc/ssh/ssh_host_rsa_key":         "zzz/key",
		"var/lib/systemd/random-seed":      "opt/seed",
		"var/cache/apt/archives/x.deb":     "opt/x.deb",
		"var/lib/apt/lists/x_Packages":     "zzz/packages",
		"var/lib/dpkg/status-old":          "opt/status",
		"root/.ansible_async/job.1":        "zzz/job",
		"var/tmp/x":                        "opt/x",
		"var/log/twin":                     "var/log/other-twin",
		"etc/motd.99.2026-01-02@03:04:05~": "opt/motd",
	}
	l := add(t, s, "", func(st Staging) error {
		for scrubbed, other := range links {
			if err := files(st, map[string]string{scrubbed: "kept", filepath.Dir(other) + "/": ""}); err != nil {
				return err
			}
			from := filepath.Join(st.Upper, scrubbed)
			if err := errors.Join(os.Chmod(from, 0o640), os.Lchown(from, 7, 8), unix.Setxattr(from, "user.of", []byte("mine"), 0),
				os.Link(from, filepath.Join(st.Upper, other))); err != nil {
				return err
			}
		}
		return nil
	})
	got := tree(t, s, l)
	for scrubbed, other := range links {
		if content, there := got[scrubbed]; there && content != "" {
			t.Errorf("%s holds %q", scrubbed, content)
		}
		if content, there := got[other]; !strings.HasPrefix(other, "var/log/") && (!there || content != "kept") {
			t.Errorf("%s, another name of %s, holds %q", other, scrubbed, content)
		}
	}
	dirs, _ := s.dirs(l.ID)
	for _, name := range []string{"var/log/app/before", "var/log/app/after", "var/log/twin", "var/log/other-twin", "etc/machine-id", "opt/a-log"} {
		path := filepath.Join(dirs[0], name)
		st, err := lstat(path)
		if err != nil || st.Uid != 7 || st.Gid != 8 || st.Mode&0o7777 != 0o640 || st.Mtim.Sec != Epoch.Unix() {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
		if attrs, err := attributesOf(path); err != nil || attrs["user.of"] != "mine" {
			t.Errorf("%s has the attributes %v, %v", name, attrs, err)
		}
	}
}

// The second layer empties a log that the first one's file is linked to: the
// file that the overlay copied up is as it was.
func TestALogLinkedToTheParentsFile(t *testing.T) {
	s := open(t)
	base := add(t, s, "", func(st Staging) error { return files(st, map[string]string{"etc/debian_version": "12"}) })
	l := add(t, s, base.ID, func(st Staging) error {
		return errors.Join(files(st, map[string]string{"etc/debian_version": "12", "var/log/": ""}),
			os.Link(filepath.Join(st.Upper, "etc/debian_version"), filepath.Join(st.Upper, "var/log/dv")))
	})
	if got := tree(t, s, l); got["etc/debian_version"] != "12" || got["var/log/dv"] != "" {
		t.Errorf("the layer holds %q", got)
	}
}

// stamp gives a file a time.
func stamp(path string, at time.Time) error {
	ts := unix.NsecToTimespec(at.UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

// Whenever within a second a build starts, and however programs cut the times
// that they set, the layer is the same.
func TestTimesOfTheBuildAreNotInTheLayer(t *testing.T) {
	s := open(t)
	fill := func(st Staging) error {
		now := time.Now()
		err := files(st, map[string]string{"written": "1", "second": "1", "even": "1", "later": "1", "dir/in": "1", "d/": ""})
		return errors.Join(err, os.Symlink("x", filepath.Join(st.Upper, "link")),
			stamp(filepath.Join(st.Upper, "second"), now.Truncate(time.Second)), // touch -d @$(date +%s)
			stamp(filepath.Join(st.Upper, "even"), now.Truncate(2*time.Second)), // unzip
			stamp(filepath.Join(st.Upper, "later"), now.AddDate(0, 0, 1)),
			stamp(filepath.Join(st.Upper, "d"), now.Truncate(time.Second)),
			stamp(filepath.Join(st.Upper, "link"), now.Truncate(2*time.Second)))
	}
	const offsets = 40
	layers, errs := make([]Layer, offsets), make([]error, offsets)
	var group sync.WaitGroup
	for i := range offsets {
		group.Go(func() {
			time.Sleep(time.Duration(i) * 2100 * time.Millisecond / offsets)
			layers[i], errs[i] = s.AddLayer(t.Context(), "", fill)
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i, l := range layers {
		if l != layers[0] {
			t.Errorf("%d of %d: %v, and %v at first", i, offsets, l, layers[0])
		}
	}
}

// All times of a layer are ones that every form of an image can hold.
func TestNormalTimes(t *testing.T) {
	s := open(t)
	want := map[string]int64{}
	set := map[string]time.Time{
		"before-1970": time.Unix(-86400*365, 500), "just-before": time.Unix(-1, 999999999), "zero": time.Unix(0, 1),
		"nanoseconds": time.Unix(1e9, 999999999), "beyond-32-bits": time.Unix(1<<33, 5), "next-year": time.Now().AddDate(1, 0, 0),
	}
	for name, at := range set {
		want[name] = max(at.Unix(), 0)
		if at.After(time.Now()) {
			want[name] = Epoch.Unix()
		}
	}
	fill := func(kind string) func(st Staging) error {
		return func(st Staging) error {
			for name, at := range set {
				path := filepath.Join(st.Upper, name)
				err := os.Mkdir(path, 0o755)
				if kind == "file" {
					err = errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o644))
				}
				if err := errors.Join(err, stamp(path, at)); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, kind := range []string{"file", "directory"} {
		l := add(t, s, "", fill(kind))
		dirs, _ := s.dirs(l.ID)
		for name, sec := range want {
			st, err := lstat(filepath.Join(dirs[0], name))
			if err != nil || st.Mtim.Sec != sec || st.Mtim.Nsec != 0 {
				t.Errorf("%s %s: %+v, %v, want %d", kind, name, st.Mtim, err, sec)
			}
		}
		// Written again with the same times, it is no part of the next layer.
		if again := add(t, s, l.ID, fill(kind)); len(tree(t, s, again)) != 1 {
			t.Errorf("%s: the child holds %v", kind, tree(t, s, again))
		}
	}
}

// A time that a step gives to a directory of the parent is kept.
func TestATimeGivenToADirectory(t *testing.T) {
	s := open(t)
	base := add(t, s, "", func(st Staging) error { return files(st, map[string]string{"opt/": ""}) })
	l := add(t, s, base.ID, func(st Staging) error {
		return errors.Join(files(st, map[string]string{"opt/": ""}), stamp(filepath.Join(st.Upper, "opt"), time.Unix(1e9, 0)))
	})
	dirs, _ := s.dirs(l.ID)
	if st, err := lstat(filepath.Join(dirs[0], "opt")); err != nil || st.Mtim.Sec != 1e9 {
		t.Errorf("%+v, %v", st, err)
	}
}

// Nothing that Ansible leaves behind is in a layer, whichever user it ran as;
// what somebody installed for Ansible is.
func TestWhatAnsibleLeavesBehind(t *testing.T) {
	s := open(t)
	l := add(t, s, "", func(st Staging) error {
		random := fmt.Sprint(time.Now().UnixNano())
		return files(st, map[string]string{
			"root/.ansible_async/j" + random: "token-abc", "home/a/.ansible_async/" + random + ".2": "x", ".ansible_async/j1": "x",
			"srv/homes/b/.ansible/tmp/ansible-tmp-" + random + "/": "", "home/a/.ansible/tmp/x": "x", "home/a/.ansible/cp/": "",
			"root/.ansible/collections/ansible_collections/a/b/README": "kept", "root/.ansible/tmp/": "",
			"etc/motd." + random + ".2026-11-29@09:04:11~": "old", "etc/motd": "new", "root/.wget-hsts": random,
			"var/tmp/tmp." + random + "/": "", "root/.cache/pip/" + random + "/": "", "home/a/.profile": "kept",
		})
	})
	want := "etc etc/motd home home/a home/a/.profile root root/.ansible root/.ansible/collections srv srv/homes srv/homes/b var var/tmp"
	for name := range tree(t, s, l) {
		if name == "." || strings.HasPrefix(name, "root/.ansible/collections/") {
			continue
		}
		if !strings.Contains(" "+want+" ", " "+name+" ") && name != "root/.cache" {
			t.Errorf("%s is in the layer", name)
		}
	}
	if got := tree(t, s, l); got["root/.ansible/collections/ansible_collections/a/b/README"] != "kept" || got["etc/motd"] != "new" {
		t.Errorf("the layer holds %v", got)
	}
}

// A large file that is rewritten as it was, with few bytes in it, is compared
// in the time that these bytes take.
func TestHolesAreNotCompared(t *testing.T) {
	fill := func(last string) func(st Staging) error {
		return func(st Staging) error {
			f, err := os.Create(filepath.Join(st.Upper, "lastlog"))
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte(last), 1<<40)
			return err
		}
	}
	upper, lower := t.TempDir(), t.TempDir()
	start := time.Now()
	for dir, text := range map[string]string{upper: "x", lower: "x"} {
		if err := fill(text)(Staging{Upper: dir}); err != nil {
			t.Skipf("no sparse files here: %v", err)
		}
	}
	if err := seal(t.Context(), upper, []string{lower}, start, &Sealing{}); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(upper); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if err := errors.Join(fill("y")(Staging{Upper: upper}), seal(t.Context(), upper, []string{lower}, start, &Sealing{})); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(upper); err != nil || len(entries) != 1 {
		t.Errorf("another one: %v, %v", entries, err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Bytecode that holds a time of the build is not in the layer; other bytecode is.
func TestBytecodeOfTheBuild(t *testing.T) {
	s := open(t)
	pyc := func(flags uint32, at int64) string {
		b := []byte("\xa7\x0d\x0d\x0a")
		b = binary.LittleEndian.AppendUint32(b, flags)
		b = binary.LittleEndian.AppendUint32(b, uint32(at))
		return string(binary.LittleEndian.AppendUint32(b, 7)) + "code"
	}
	l := add(t, s, "", func(st Staging) error {
		now := time.Now().Unix()
		return files(st, map[string]string{
			"opt/__pycache__/fresh.cpython-311.pyc": pyc(0, now), "opt/__pycache__/old.cpython-311.pyc": pyc(0, 1e9),
			"opt/__pycache__/hashed.cpython-311.pyc": pyc(1, now), "opt/only.pyc": pyc(0, now), "opt/__pycache__/short.pyc": "x",
		})
	})
	got := tree(t, s, l)
	if _, there := got["opt/__pycache__/fresh.cpython-311.pyc"]; there || len(got) != 7 {
		t.Errorf("the layer holds %q", got)
	}
}

// What was copied from a file that is no part of the image goes, with nothing else: not
// from other names of the copy, and not its owner, mode and attributes.
func TestSealingUnmarks(t *testing.T) {
	s := open(t)
	unmark := func(text string) (string, bool) {
		rest := strings.ReplaceAll(text, "machine\n", "")
		return rest, rest != text
	}
	build := func(machine string) Layer {
		l, err := s.AddLayer(t.Context(), "", func(st Staging) error {
			st.Sealing.Unmark = unmark
			own := machine + "own\n"
			err := errors.Join(os.MkdirAll(filepath.Join(st.Upper, "srv"), 0o755),
				os.WriteFile(filepath.Join(st.Upper, "srv/copy"), []byte(own), 0o640), os.Chown(filepath.Join(st.Upper, "srv/copy"), 7, 8),
				os.Link(filepath.Join(st.Upper, "srv/copy"), filepath.Join(st.Upper, "srv/link")),
				os.WriteFile(filepath.Join(st.Upper, "srv/long"), []byte(strings.Repeat("x", largestCopy)+"machine\n"), 0o644))
			if machine != "" {
				err = errors.Join(err, os.WriteFile(filepath.Join(st.Upper, "srv/only"), []byte(machine), 0o644))
			}
			return errors.Join(err, unix.Setxattr(filepath.Join(st.Upper, "srv/copy"), "user.a", []byte("b"), 0))
		})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := build("machine\n")
	got := tree(t, s, l)
	if _, ok := got["srv/only"]; ok || got["srv/copy"] != "own\n" || got["srv/link"] != "own\n" || !strings.HasSuffix(got["srv/long"], "machine\n") {
		t.Errorf("%q", got)
	}
	dirs, err := s.dirs(l.ID)
	if err != nil {
		t.Fatal(err)
	}
	st, err := lstat(filepath.Join(dirs[0], "srv/copy"))
	if err != nil || st.Uid != 7 || st.Gid != 8 || st.Mode&0o7777 != 0o640 {
		t.Errorf("%+v, %v", st, err)
	}
	if again := build("machine\nmachine\n"); again.DiffID != l.DiffID {
		t.Error("another machine makes another layer")
	}
}

// A socket is no part of a layer: who listened on it is gone.
func TestSealingLeavesOutSockets(t *testing.T) {
	s := open(t)
	l := add(t, s, "", func(st Staging) error {
		err := files(st, map[string]string{"srv/file": "x"})
		return errors.Join(err, unix.Mknod(filepath.Join(st.Upper, "srv/socket"), unix.S_IFSOCK|0o600, 0))
	})
	got := tree(t, s, l)
	if _, there := got["srv/socket"]; there || got["srv/file"] != "x" {
		t.Errorf("the layer has %v", got)
	}
}
