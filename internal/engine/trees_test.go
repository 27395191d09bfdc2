package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/artifact"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/store"
	"github.com/strata-hpc/strata/internal/tarball"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	if os.Getenv("STRATA_TEST_ROOTLESS") != "" {
		status, done, err := sandbox.Rootless()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if done {
			os.Exit(status)
		}
	}
	os.Exit(m.Run())
}

// TestTreesAreTheSameEverywhere makes random trees of several layers and
// compares, whatever a later layer does to an earlier one, the tree that the
// steps have left with that of the sealed layers, of a pull into another store,
// and of every artifact.
//
// STRATA_TEST_SEED repeats one that failed.
func TestTreesAreTheSameEverywhere(t *testing.T) {
	if !sandbox.HasAdmin() {
		t.Skip("needs the right to mount")
	}
	seeds := 1
	if os.Getenv("STRATA_TEST_LONG") != "" {
		seeds = 60
	}
	first := uint64(1)
	if s := os.Getenv("STRATA_TEST_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, seeds = n, 1
	}
	for seed := first; seed < first+uint64(seeds); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { sameEverywhere(t, seed) })
	}
}

func sameEverywhere(t *testing.T, seed uint64) {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 0)), rootless: sandbox.InUserNamespace()}
	here, there := w.openStore(), w.openStore()
	top, steps := "", map[string]file(nil)
	for n := range 4 {
		added, err := here.AddLayer(t.Context(), top, func(st store.Staging) (err error) {
			steps, err = w.layer(st, n)
			return err
		})
		if err != nil {
			t.Fatalf("layer %d: %v", n, err)
		}
		top = added.ID
		if n == 0 {
			w.key = added.DiffID
		}
		im, err := here.AddImage(w.commit(added, n))
		if err != nil {
			t.Fatal(err)
		}
		w.image = im
	}
	b := &Builder{Store: here}
	view, err := b.View(t.Context(), w.image, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer view.Stop()
	sealed := w.look(view.Root())
	w.same("what the steps left", sealed, steps, times)
	w.pulled(here, there, sealed)
	w.artifacts(b, view, sealed)
}

// world is one random chain of layers.
type world struct {
	t        *testing.T
	rnd      *rand.Rand
	rootless bool
	key      layer.Digest
	image    *store.Image
}

func (w *world) openStore() *store.Store {
	s, err := store.Open(filepath.Join(w.t.TempDir(), "store"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close(); os.RemoveAll(s.RunRoot()) })
	return s
}

func (w *world) commit(added store.Layer, n int) store.Commit {
	return store.Commit{Cluster: "c", Arch: "amd64", Parent: w.image, Layer: added,
		Record: store.Record{Node: "n", Layer: "n", Key: layer.Key(fmt.Sprintf("%064x", n)), DiffID: added.DiffID}}
}

// layer does random things in a sandbox, and returns the tree as it was then.
func (w *world) layer(st store.Staging, n int) (map[string]file, error) {
	box, err := sandbox.Start(w.t.Context(), sandbox.Spec{Lower: st.Lower, Upper: st.Upper, Scratch: st.Scratch, Bare: true})
	if err != nil {
		return nil, err
	}
	root := box.Root()
	if n == 0 {
		err = os.MkdirAll(filepath.Join(root, "usr/lib/tmpfiles.d"), 0o755)
	}
	for i := 0; i < 60 && err == nil; i++ {
		if n == 0 || w.rnd.IntN(3) == 0 {
			err = w.create(root)
		} else {
			err = w.change(root)
		}
	}
	if err != nil {
		return nil, errors.Join(err, box.Stop())
	}
	left := w.look(root)
	return left, box.Finish(context.Background())
}

// paths are those of a tree, without the root and what must stay.
func (w *world) paths(root string, want func(fs.FileMode) bool) []string {
	var all []string
	err := tarball.Walk(root, nil, func(e *tarball.Entry) error {
		if e.Path != "." && !strings.HasPrefix("usr/lib/tmpfiles.d", e.Path) && want(e.Type()) {
			all = append(all, e.Path)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func pick[T any](w *world, list []T) T { return list[w.rnd.IntN(len(list))] }

func (w *world) name() string {
	n := pick(w, []int{1, 2, 3, 5, 8, 13, 40, 254})
	name := make([]byte, n)
	for i := range name {
		name[i] = pick(w, []byte("abcdefgh0123456789.-_ \n\t\\:,=%\"'\xff\xc3é~"))
	}
	if strings.HasPrefix(string(name), ".wh.") || strings.Trim(string(name), ".") == "" {
		return "x"
	}
	return string(name)
}

// place is a new path in a directory of the tree.
func (w *world) place(root string) string {
	dirs := append(w.paths(root, fs.FileMode.IsDir), "", "usr/lib/tmpfiles.d", "usr")
	for {
		path := filepath.Join(pick(w, dirs), w.name())
		if len(path) > 3000 {
			continue
		}
		if _, err := os.Lstat(filepath.Join(root, path)); errors.Is(err, fs.ErrNotExist) {
			return filepath.Join(root, path)
		}
	}
}

func (w *world) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(w.rnd.Uint32())
	}
	return b
}

// create makes one file of some kind, with some attributes.
func (w *world) create(root string) error {
	path, kind := w.place(root), w.rnd.IntN(12)
	var err error
	switch {
	case kind < 3:
		err = os.Mkdir(path, 0o755)
	case kind < 6:
		err = os.WriteFile(path, w.bytes(pick(w, []int{0, 1, 511, 512, 513, 70000})), 0o644)
	case kind == 6:
		err = w.holed(path)
	case kind == 7:
		err = os.Symlink(pick(w, []string{"/etc/passwd", "..", strings.Repeat("/long", 800), w.name()}), path)
	case kind == 8:
		err = unix.Mkfifo(path, 0o600)
	case kind == 9 && !w.rootless:
		err = unix.Mknod(path, pick(w, []uint32{unix.S_IFCHR, unix.S_IFBLK})|0o600, int(unix.Mkdev(259, 1+w.rnd.Uint32N(1<<18))))
	case kind == 10:
		err = w.socket(path)
	default:
		if files := w.paths(root, func(m fs.FileMode) bool { return !m.IsDir() }); len(files) > 0 {
			return os.Link(filepath.Join(root, pick(w, files)), path)
		}
		return nil
	}
	if err != nil {
		return err
	}
	return w.adorn(path)
}

func (w *world) socket(path string) error {
	return unix.Mknod(path, unix.S_IFSOCK|0o600, 0)
}

func (w *world) holed(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	size := pick(w, []int64{1 << 20, 5<<20 + 77, 1 << 25})
	for range w.rnd.IntN(4) {
		if _, err := f.WriteAt(w.bytes(1+w.rnd.IntN(9000)), w.rnd.Int64N(size-9000)); err != nil {
			return err
		}
	}
	return f.Truncate(size)
}

// adorn gives a file owners, modes, attributes and times.
func (w *world) adorn(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	ids := []int{0, 1, 1000, 65533}
	if !w.rootless {
		ids = append(ids, 70000, 1<<21, 3_000_000_000, 4_294_967_294)
	}
	if err := os.Lchown(path, pick(w, ids), pick(w, ids)); err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSymlink {
		if err := unix.Chmod(path, pick(w, []uint32{0, 0o644, 0o755, 0o4755, 0o2711, 0o1777, 0o7000})); err != nil {
			return err
		}
	}
	if err := w.attributes(path, info.Mode()); err != nil {
		return err
	}
	when := unix.Timespec{Sec: pick(w, []int64{-1, -1e9, 0, 1, 1e9, 1577836799}), Nsec: pick(w, []int64{0, 1, 999999999})}
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW)
}

func (w *world) attributes(path string, mode fs.FileMode) error {
	set := func(name string, value []byte) error {
		if err := unix.Lsetxattr(path, name, value, 0); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
		return nil
	}
	var errs []error
	for range w.rnd.IntN(3) {
		value := pick(w, [][]byte{{}, {0}, []byte("a\x00b\n"), w.bytes(900)})
		switch k := w.rnd.IntN(5); {
		case k < 2 && (mode.IsDir() || mode.IsRegular()):
			errs = append(errs, set("user."+pick(w, []string{"a", "b c", "SCHILY.xattr.x", "é\xff", "overlays"}), value))
		case k == 2 && !w.rootless:
			errs = append(errs, set("trusted."+pick(w, []string{"a", "overlays"}), value))
		case k == 3 && mode.IsRegular():
			capability := make([]byte, 20) // struct vfs_cap_data of linux/capability.h
			binary.LittleEndian.PutUint32(capability, 0x02000001)
			capability[4] = 0x20
			errs = append(errs, set("security.capability", capability))
		case k == 4 && mode.IsDir():
			errs = append(errs, set("system.posix_acl_default", acl()))
		case k == 4 && mode.IsRegular():
			errs = append(errs, set("system.posix_acl_access", acl()))
		}
	}
	return errors.Join(errs...)
}

// acl is one in the kernel's form: u::rw-,u:7:r--,g::r--,m::rw-,o::---.
func acl() []byte {
	raw := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range [][3]uint32{{1, 6, 1<<32 - 1}, {2, 4, 7}, {4, 4, 1<<32 - 1}, {16, 6, 1<<32 - 1}, {32, 0, 1<<32 - 1}} {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(e[0]))
		raw = binary.LittleEndian.AppendUint16(raw, uint16(e[1]))
		raw = binary.LittleEndian.AppendUint32(raw, e[2])
	}
	return raw
}

// change does something to what is there.
func (w *world) change(root string) error {
	all := w.paths(root, func(fs.FileMode) bool { return true })
	if len(all) == 0 {
		return nil
	}
	path := filepath.Join(root, pick(w, all))
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	switch w.rnd.IntN(8) {
	case 0:
		return os.RemoveAll(path)
	case 1:
		return w.adorn(path)
	case 2: // another thing in its place
		if err := os.RemoveAll(path); err != nil || w.rnd.IntN(2) == 0 {
			return errors.Join(err, os.WriteFile(path, w.bytes(10), 0o600))
		}
		return errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "new"), nil, 0o600))
	case 3: // away, and here again
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		return os.Mkdir(path, 0o755)
	case 4, 5: // a rename, or over a mount's directory a copy
		to := w.place(root)
		if strings.HasPrefix(to, path+"/") {
			return nil
		}
		return sandbox.Host(w.t.Context(), sandbox.Cmd{Args: []string{"mv", "-T", "--", path, to}})
	case 6:
		if info.Mode().IsRegular() && info.Size() < 1<<30 {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			_, err = f.Write([]byte("more"))
			return errors.Join(err, f.Close())
		}
		return nil
	default:
		if info.Mode().IsRegular() && info.Size() < 1<<30 { // the same again
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, content, 0o600)
		}
		return nil
	}
}

// file is what is compared of one.
type file struct {
	Mode     uint32
	UID, GID uint32
	Sec      int64
	Size     int64
	Sum      string
	Target   string
	Rdev     uint64
	Xattrs   string
	SameAs   string // the first name of the same file
	Sparse   bool
}

// look takes in a tree.
func (w *world) look(root string) map[string]file {
	all, first := map[string]file{}, map[uint64]string{}
	err := tarball.Walk(root, nil, func(e *tarball.Entry) error {
		st, err := e.Stat()
		if err != nil {
			return err
		}
		f := file{Mode: st.Mode, UID: st.Uid, GID: st.Gid, Sec: st.Mtim.Sec, Rdev: uint64(st.Rdev)}
		if !e.Type().IsDir() {
			if first[st.Ino] == "" {
				first[st.Ino] = e.Path
			}
			f.SameAs = first[st.Ino]
		}
		if e.Type() == fs.ModeSymlink {
			f.Target, err = e.Readlink()
		}
		if e.Type().IsRegular() && err == nil {
			f.Size = st.Size
			f.Sum, f.Sparse, err = content(filepath.Join(root, e.Path))
		}
		names, xattrErr := e.XattrNames()
		for _, name := range names {
			value, err := e.Xattr(name)
			if err != nil {
				return err
			}
			if tarball.OverlayMarks().OfTheTree(name) {
				f.Xattrs += fmt.Sprintf("%q=%q\n", name, value)
			}
		}
		all[e.Path] = f
		return errors.Join(err, xattrErr)
	})
	if err != nil {
		w.t.Fatalf("look at %s: %v", root, err)
	}
	return all
}

// content is a file's digest, without its zeros at 4 KiB each, and whether it is sparse.
func content(path string) (string, bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", false, err
	}
	sparse, err := tarball.IsSparse(f, &st)
	if err != nil {
		return "", false, err
	}
	parts, err := tarball.Allocated(f, st.Size)
	if err != nil {
		return "", false, err
	}
	sum, buf, done := sha256.New(), make([]byte, 4096), int64(0)
	for _, p := range parts {
		for at := max(done, p.Offset/4096*4096); at < p.Offset+p.Length; at += 4096 {
			n, err := f.ReadAt(buf, at)
			if err != nil && err != io.EOF {
				return "", false, err
			}
			if done = at + 4096; strings.Trim(string(buf[:n]), "\x00") != "" {
				fmt.Fprintf(sum, "%d:", at)
				sum.Write(buf[:n])
			}
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), sparse, nil
}

// What a form does not keep, by rule.
type without int

const (
	nothing without = 0
	times   without = 1 << iota // sealing brings them into their normal form, and takes sockets away
	acls
	holes // on a node they take no room, but it cannot be asked where they are
)

// same compares a tree with what it should be.
func (w *world) same(what string, want, got map[string]file, but without) {
	w.t.Helper()
	reduced := func(all map[string]file) map[string]file {
		all = maps.Clone(all)
		for path, f := range all {
			if but&times != 0 {
				// Of a file of the parent's that got a second name, an overlay shows
				// two inode numbers until it is mounted anew.
				f.Sec, f.SameAs = 0, ""
				if f.Mode&unix.S_IFMT == unix.S_IFSOCK {
					delete(all, path)
					continue
				}
			}
			if but&acls != 0 {
				kept := ""
				for line := range strings.Lines(f.Xattrs) {
					if !strings.Contains(line, "posix_acl") {
						kept += line
					}
				}
				f.Xattrs = kept
			}
			if but&holes != 0 {
				f.Sparse = false
			}
			all[path] = f
		}
		return all
	}
	a, b := reduced(want), reduced(got)
	if but&holes != 0 { // a mount's root has its own time
		delete(a, ".")
		delete(b, ".")
	}
	for _, path := range slices.Sorted(maps.Keys(a)) {
		if a[path] != b[path] {
			w.t.Errorf("%s: %q is\n%+v\nwant\n%+v", what, path, b[path], a[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[path]; !ok {
			w.t.Errorf("%s: %q is there: %+v", what, path, b[path])
		}
	}
}

// pulled sends the image away and fetches it into another store.
func (w *world) pulled(here, there *store.Store, want map[string]file) {
	ref := "oci:" + filepath.Join(w.t.TempDir(), "layout") + ":it"
	out, in := &Exchange{Store: here, Cluster: "c"}, &Exchange{Store: there, Cluster: "c"}
	if _, err := out.PushTo(w.t.Context(), ref, layer.Key(fmt.Sprintf("%064x", 3)), w.image, out.Options); err != nil {
		w.t.Fatal(err)
	}
	res, err := in.FetchFrom(w.t.Context(), ref)
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := there.Images()
	if err != nil || len(all) != 1 || all[0].ID != w.image.ID || string(res.Digest) != string(w.image.Digest) {
		w.t.Fatalf("%v, %v, %v", res, all, err)
	}
	view, err := (&Builder{Store: there}).View(w.t.Context(), all[0], w.t.TempDir())
	if err != nil {
		w.t.Fatal(err)
	}
	defer view.Stop()
	w.same("what was pulled", want, w.look(view.Root()), nothing)
	// And from there again: the same bytes come out of what was recorded.
	if _, err := in.PushTo(w.t.Context(), "oci:"+filepath.Join(w.t.TempDir(), "layout")+":it", layer.Key(fmt.Sprintf("%064x", 3)), all[0], in.Options); err != nil {
		w.t.Error(err)
	}
}

// artifacts makes every form and looks into it.
func (w *world) artifacts(b *Builder, view *sandbox.Sandbox, want map[string]file) {
	im := layer.Image{Name: "i", Node: "n", Artifacts: []layer.Artifact{{Type: layer.Squashfs, Compression: "lz4"}, {Type: layer.Erofs}, {Type: layer.Tar}, {Type: layer.Dir}}}
	tree, err := b.tree(w.image, view, w.t.TempDir())
	if err != nil {
		w.t.Fatal(err)
	}
	out := w.t.TempDir()
	if _, err := artifact.Export(w.t.Context(), tree, im, out, artifact.Options{}); err != nil {
		w.t.Fatal(err)
	}
	w.same("the directory", want, w.look(filepath.Join(out, "rootfs")), nothing)
	to := w.t.TempDir()
	w.run("tar", "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "-xpf", filepath.Join(out, "rootfs.tar"), "-C", to)
	w.same("the tar, unpacked by GNU tar", want, w.look(to), acls)
	if w.rootless {
		return // nor would a mount of these be allowed
	}
	squash := w.mounted(filepath.Join(out, "rootfs.squashfs"), "squashfs")
	delete(squash, "usr/lib/tmpfiles.d/strata-acl.conf")
	w.same("the squashfs", want, squash, acls|holes)
	w.same("the erofs", want, w.mounted(filepath.Join(out, "rootfs.erofs"), "erofs"), holes)
}

func (w *world) run(args ...string) {
	w.t.Helper()
	if err := sandbox.Host(w.t.Context(), sandbox.Cmd{Args: args}); err != nil {
		w.t.Fatal(err)
	}
}

// mounted looks at a file system in a file as a cluster node would.
func (w *world) mounted(image, kind string) map[string]file {
	at := w.t.TempDir()
	w.run("mount", "-t", kind, "-o", "loop,ro", image, at)
	defer w.run("umount", at)
	return w.look(at)
}
