package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/store"
)

// digests are what a build gave: digests by what they are of.
type digests map[string]string

// reproducible builds the example from nothing: as root with one job, as root
// with four, and as an ordinary user with two; in three places, at three times.
func reproducible(l *lab) (Findings, error) {
	var found Findings
	// All build this copy, whatever becomes of the example meanwhile.
	if _, err := l.project("reproducible"); err != nil {
		return found, err
	}
	builds := []struct {
		title string
		do    func(stores *[]string) (digests, error)
	}{
		{"root, --jobs 1", func(s *[]string) (digests, error) { return buildFromNothing(l, s, "reproducible-1", 1) }},
		{"root, --jobs 4", func(s *[]string) (digests, error) { return buildFromNothing(l, s, "another/place/reproducible-2", 4) }},
		{"an ordinary user, --jobs 2", func(s *[]string) (digests, error) { return buildRootless(l, s) }},
	}
	table := Table{Title: "Reproducible: digests that differ from the first build's", Head: []string{"build", "digests", "different"}}
	var first digests
	passed := true
	var stores []string
	defer func() {
		for _, dir := range stores {
			os.RemoveAll(dir)
		}
	}()
	for _, b := range builds {
		got, err := b.do(&stores)
		if err != nil {
			return found, fmt.Errorf("%s: %w", b.title, err)
		}
		if first == nil {
			first = got
		}
		var different []string
		for _, name := range slices.Sorted(maps.Keys(first)) {
			if got[name] == first[name] {
				continue
			}
			different = append(different, name)
			if node, ok := strings.CutPrefix(name, "node "); ok {
				found.Notes = append(found.Notes, explainDifference(l, node, stores[0], stores[len(stores)-1]))
			}
		}
		if len(got) != len(first) {
			different = append(different, fmt.Sprintf("%d digests instead of %d", len(got), len(first)))
		}
		passed = passed && len(different) == 0
		text := strings.Join(different, ", ")
		if text == "" {
			text = "none"
		}
		table.Rows = append(table.Rows, []string{b.title, strconv.Itoa(len(got)), text})
	}
	comment := fmt.Sprintf("%d of %d digests equal in all three", len(first), len(first))
	if !passed {
		comment = "digests differ, see below"
	}
	found.Rows = []Row{{Work: "the example from empty stores, three times: root `--jobs 1`, root `--jobs 4` elsewhere, rootless `--jobs 2`", Comment: comment, Target: Target{Kind: "equal"}, Passed: passed}}
	found.Tables = []Table{table}
	found.Notes = append(found.Notes, "Reproducible: compared are the keys and manifest digests of all nodes, and sha256 and size of every file of the two images.")
	return found, nil
}

// explainDifference lists what is not the same in the top layers of a node. A
// rootless store has other owners on disk, so these are not compared.
func explainDifference(l *lab, node string, stores ...string) string {
	var dirs []string
	for _, dir := range stores {
		st, err := store.Open(filepath.Join(dir, "store"))
		if err != nil {
			return err.Error()
		}
		defer st.Close()
		im, err := st.Latest("clusterA", layer.NodeID(node))
		if err != nil {
			return err.Error()
		}
		all, err := st.Dirs(im)
		if err != nil {
			return err.Error()
		}
		dirs = append(dirs, all[0])
	}
	const script = `list() { cd "$1"; find . -printf '%P %y %m %T@ %l\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; }
list "$1" > "$3.1"; list "$2" > "$3.2"; diff "$3.1" "$3.2" | head -n 40 || true`
	_, out, err := l.output(command{Name: "difference", Args: []string{"sh", "-c", script, "sh", dirs[0], dirs[1], l.path("tmp", "listing")}})
	if err != nil {
		return err.Error()
	}
	return "Not the same in " + node + ": " + strings.Join(strings.Split(strings.TrimSpace(string(out)), "\n"), "; ")
}

func buildFromNothing(l *lab, stores *[]string, name string, jobs int) (digests, error) {
	dir := l.path(name)
	*stores = append(*stores, dir)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.CopyFS(filepath.Join(dir, "project"), os.DirFS(l.path("reproducible"))); err != nil {
		return nil, err
	}
	res, err := l.buildWith(command{Name: "reproducible"}, filepath.Join(dir, "store"), filepath.Join(name, "project"), "--jobs", strconv.Itoa(jobs))
	if err != nil {
		return nil, err
	}
	return digestsOf(res)
}

// buildRootless builds as another user, who gets a copy of everything.
func buildRootless(l *lab, stores *[]string) (digests, error) {
	who, err := ordinaryUser(l)
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.Atoi(who.Uid)
	gid, err2 := strconv.Atoi(who.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	top, err := os.MkdirTemp("", "strata-bench-")
	if err != nil {
		return nil, err
	}
	*stores = append(*stores, top)
	if err := os.Chmod(top, 0o755); err != nil {
		return nil, err
	}
	if err := os.CopyFS(filepath.Join(top, "project"), os.DirFS(l.path("reproducible"))); err != nil {
		return nil, err
	}
	for _, d := range []string{"archives", "lists"} {
		if err := os.CopyFS(filepath.Join(top, "cache", "strata", "apt", d), os.DirFS(l.path("cache", "strata", "apt", d))); err != nil {
			return nil, err
		}
	}
	binary, err := os.ReadFile(l.path("strata"))
	if err == nil {
		err = os.WriteFile(filepath.Join(top, "strata"), binary, 0o755)
	}
	if err == nil {
		err = os.Mkdir(filepath.Join(top, "run"), 0o700)
	}
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(top, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
	if err != nil {
		return nil, err
	}
	_, out, err := l.output(command{
		Name: "rootless", Dir: top, As: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
		Env:  []string{"HOME=" + top, "USER=" + who.Username, "LOGNAME=" + who.Username, "XDG_CACHE_HOME=" + filepath.Join(top, "cache"), "XDG_RUNTIME_DIR=" + filepath.Join(top, "run")},
		Args: []string{filepath.Join(top, "strata"), "-C", "project", "--store", filepath.Join(top, "store"), "--output", "json", "build", "--jobs", "2"},
	})
	if err != nil {
		return nil, err
	}
	var res built
	if err := json.Unmarshal(out, &res); err != nil {
		return nil, fmt.Errorf("read what strata build says: %w", err)
	}
	return digestsOf(&res)
}

// ordinaryUser is one with subordinate ids. Where there is none, it is made,
// and stays for the next time.
func ordinaryUser(l *lab) (*user.User, error) {
	content, err := os.ReadFile("/etc/subuid")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(content)) {
		name, _, _ := strings.Cut(line, ":")
		if u, err := user.Lookup(name); err == nil && u.Uid != "0" {
			return u, nil
		}
	}
	const name = "strata-bench"
	if out, err := exec.CommandContext(l.ctx, "useradd", "--create-home", name).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make a user: %w: %s", err, out)
	}
	return user.Lookup(name)
}

// digestsOf reads what a build gave, artifacts by their manifest.
func digestsOf(b *built) (digests, error) {
	all := digests{}
	for _, n := range b.Nodes {
		// An unequal key means that the builds were not of the same thing.
		all["key of "+n.ID] = n.Key
		all["node "+n.ID] = n.Digest
	}
	for _, im := range b.Images {
		content, err := os.ReadFile(im.Artifacts["manifest"])
		if err != nil {
			return nil, err
		}
		var m struct {
			Files []struct {
				Name, SHA256 string
				Size         int64
			}
		}
		if err := json.Unmarshal(content, &m); err != nil {
			return nil, err
		}
		for _, f := range m.Files {
			if f.SHA256 == "" {
				return nil, fmt.Errorf("the manifest of %s has no sha256 of %s", im.Name, f.Name)
			}
			all["image "+im.Name+" "+f.Name] = fmt.Sprintf("%s %d", f.SHA256, f.Size)
		}
	}
	return all, nil
}
