package galaxy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/disk"
	"github.com/strata-hpc/strata/internal/fault"
)

// Runner runs a program in a directory and returns what it says.
type Runner func(ctx context.Context, args, env []string, dir string) ([]byte, error)

// Cache is where what requirements name is kept: units, each the files that one requirement
// came to, with what those depend on, under their checksum. They do not change.
type Cache struct {
	Dir string
	Run Runner
	// Project is the project's directory on this machine, in which sources that are files lie.
	Project string
}

// Set is what a project requires, as far as the cache has it.
type Set struct {
	Requirements []Requirement
	Lock         Lock
	units        []string // the checksums of those that are there, or ""
}

// Find looks for what a project requires. It gets nothing.
func (c Cache) Find(requirements []Requirement, lock Lock) *Set {
	s := &Set{Requirements: requirements, Lock: lock, units: make([]string, len(requirements))}
	for i, r := range requirements {
		s.units[i] = c.find(r, lock)
	}
	return s
}

func (c Cache) find(r Requirement, lock Lock) string {
	sum := lock[r.ID()].SHA256
	if sum == "" {
		text, err := os.ReadFile(c.pin(r))
		if err != nil {
			return ""
		}
		sum = strings.TrimSpace(string(text))
	}
	if len(sum) != sha256.Size*2 {
		return ""
	}
	if info, err := os.Stat(c.unit(sum)); err != nil || !info.IsDir() {
		return ""
	}
	return sum
}

func (c Cache) unit(sum string) string      { return filepath.Join(c.Dir, "units", sum) }
func (c Cache) pin(r Requirement) string    { return filepath.Join(c.Dir, "pins", r.ID()) }
func (s *Set) Missing() []Requirement       { return s.those(func(sum string) bool { return sum == "" }) }
func (r Requirement) place() (string, bool) { return r.Kind.place(r.Name) }

func (s *Set) those(are func(sum string) bool) []Requirement {
	var all []Requirement
	for i, r := range s.Requirements {
		if are(s.units[i]) {
			all = append(all, r)
		}
	}
	return all
}

// place is where something of a name is in Files; false for names that cannot be
// those of directories.
func (k Kind) place(name string) (string, bool) {
	if k == Role {
		return "roles/" + name, fs.ValidPath(name) && !strings.Contains(name, "/")
	}
	namespace, rest, ok := strings.Cut(name, ".")
	return path.Join("collections/ansible_collections", namespace, rest), ok && fs.ValidPath(name) && !strings.ContainsAny(name, "/") && rest != "" && !strings.Contains(rest, ".")
}

// Files are the files of a set: first what is required by name, then what that depends on.
func (c Cache) Files(s *Set) (*Files, error) {
	files := newFiles()
	for i, r := range s.Requirements {
		if s.units[i] == "" {
			if at, ok := r.place(); ok && !files.has(at) {
				files.add(at)
				files.pins[at] = s.Pin(r)
			}
			continue
		}
		if err := c.mount(files, s.units[i]); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (c Cache) mount(files *Files, sum string) error {
	for _, at := range places(c.unit(sum)) {
		if files.has(at) {
			continue
		}
		dir := filepath.Join(c.unit(sum), filepath.FromSlash(at))
		found, err := disk.Open(dir, dir)
		if err != nil {
			return fmt.Errorf("open %s of the cache: %w", at, err)
		}
		files.add(at)
		files.mounts[at] = mount{found, sum}
	}
	return nil
}

// places are the roles and collections of a unit.
func places(unit string) []string {
	var all []string
	for _, pattern := range []string{"roles/*", "collections/ansible_collections/*/*"} {
		found, _ := filepath.Glob(filepath.Join(unit, pattern))
		for _, dir := range found {
			if at, err := filepath.Rel(unit, dir); err == nil && !strings.Contains(at, ".info/") {
				all = append(all, filepath.ToSlash(at))
			}
		}
	}
	return all
}

// Pin says in one line what a requirement is pinned to.
func (s *Set) Pin(r Requirement) string {
	if l, ok := s.Lock[r.ID()]; ok {
		return fmt.Sprintf("%s %s sha256:%s", cmp.Or(l.Version, "locked"), l.Commit, l.SHA256)
	}
	version := r.Version
	if r.Local != "" {
		version = "sha256:" + r.Local[:12]
	}
	return fmt.Sprintf("%s %s %s %s", cmp.Or(version, "unknown"), r.Type, r.Source, r.Local)
}

// Loose are the requirements that neither name one version nor are locked.
func (s *Set) Loose() []Requirement {
	return slices.DeleteFunc(slices.Clone(s.Requirements), func(r Requirement) bool {
		_, locked := s.Lock[r.ID()]
		return locked || r.Pinned()
	})
}

// Directory is a directory with the set in the form in which Ansible looks for it: roles, and
// collections; "" if the cache has nothing of it.
func (c Cache) Directory(s *Set) (string, error) {
	h := sha256.New()
	seen := map[string]string{}
	var order []string
	for _, sum := range s.units {
		if sum == "" {
			continue
		}
		for _, at := range places(c.unit(sum)) {
			if seen[at] == "" {
				seen[at] = filepath.Join(c.unit(sum), at)
				order = append(order, at)
			}
		}
	}
	if len(order) == 0 {
		return "", nil
	}
	for _, at := range order {
		fmt.Fprintf(h, "%q %q\n", at, seen[at])
	}
	dir := filepath.Join(c.Dir, "sets", hex.EncodeToString(h.Sum(nil))[:32])
	return dir, staged(dir, func(made string) error {
		for _, at := range order {
			name := filepath.Join(made, at)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
			if err := os.Symlink(seen[at], name); err != nil {
				return err
			}
		}
		return os.MkdirAll(made, 0o755)
	})
}

// Get gets what a requirement names into the cache, unless it is there, and says what that
// is. Of a locked one, anything else than what the lock says is an error.
func (c Cache) Get(ctx context.Context, r Requirement, lock Lock) (Locked, error) {
	known := lock[r.ID()]
	got := Locked{Of: r.ID(), Kind: r.Kind, Name: r.Name, Version: cmp.Or(known.Version, r.Version), Commit: known.Commit}
	if got.SHA256 = c.find(r, lock); got.SHA256 != "" {
		return got, nil
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return got, err
	}
	temporary, err := os.MkdirTemp(c.Dir, ".new-")
	if err != nil {
		return got, err
	}
	defer os.RemoveAll(temporary)
	if got.Commit == "" && r.Type == "git" {
		if got.Commit, err = c.commitOf(ctx, r); err != nil {
			return got, err
		}
	}
	made := filepath.Join(temporary, "unit")
	if err := c.install(ctx, r, got, temporary, made); err != nil {
		return got, err
	}
	if len(places(made)) == 0 {
		return got, fault.New(fault.Input, "ansible-galaxy installs nothing for %s", r).WithHint("see that the source has a %s in it", r.Kind.One())
	}
	if r.Version == "" || got.Version == "" || !exact.MatchString(got.Version) {
		got.Version = cmp.Or(installed(made, r), got.Version)
	}
	if got.SHA256, err = tidied(made); err != nil {
		return got, err
	}
	if known.SHA256 != "" && known.SHA256 != got.SHA256 {
		return got, fault.New(fault.Input, "%s is not what %s says: its files have the checksum %s, not %s", r, LockName, got.SHA256[:12], known.SHA256[:12]).
			WithHint("its source has other files now under the same version: strata lock --upgrade %s takes them, if that is right", r.Name)
	}
	if err := keep(made, c.unit(got.SHA256)); err != nil {
		return got, err
	}
	return got, c.note(r, got.SHA256)
}

// note notes what a requirement came to.
func (c Cache) note(r Requirement, sum string) error {
	name := c.pin(r)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(temporary, sum)
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	return err
}

// Anew is Get of what a requirement names now, whatever the cache has.
func (c Cache) Anew(ctx context.Context, r Requirement) (Locked, error) {
	if err := os.Remove(c.pin(r)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Locked{}, err
	}
	return c.Get(ctx, r, nil)
}

// commitOf is the commit that a requirement from git names now.
func (c Cache) commitOf(ctx context.Context, r Requirement) (string, error) {
	if len(r.Version) == 40 && strings.Trim(r.Version, "0123456789abcdef") == "" {
		return r.Version, nil
	}
	ref := cmp.Or(r.Version, "HEAD")
	out, err := c.Run(ctx, []string{"git", "ls-remote", "--", r.Source, ref, ref + "^{}"}, []string{"GIT_TERMINAL_PROMPT=0"}, c.Dir)
	if err != nil {
		return "", fault.New(fault.Input, "ask git for %s: %s", r, firstLine(err.Error())).WithHint("this must work in the same environment: git ls-remote %s %s", r.Source, ref)
	}
	best, rank := "", 0
	for line := range strings.Lines(string(out)) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		for i, want := range []string{ref, "refs/heads/" + ref, "refs/tags/" + ref, "refs/tags/" + ref + "^{}"} {
			if name == want && i+1 > rank {
				best, rank = id, i+1
			}
		}
	}
	if best == "" {
		return "", fault.New(fault.Input, "%s: %s has no version %s", r, r.Source, ref).At(r.File, r.Line, 0)
	}
	return best, nil
}

// install has ansible-galaxy install one requirement, with what it depends on, below a
// directory that is not there yet.
func (c Cache) install(ctx context.Context, r Requirement, at Locked, temporary, made string) error {
	source := r.Source
	if r.Type == "file" && r.Local != "" {
		source = filepath.Join(c.Project, filepath.FromSlash(source))
	}
	version := cmp.Or(at.Commit, at.Version)
	entry := map[string]string{"name": r.Name}
	args := []string{"ansible-galaxy", "role", "install", "--roles-path", filepath.Join(made, "roles")}
	if r.Kind == Collection {
		args = []string{"ansible-galaxy", "collection", "install", "--collections-path", filepath.Join(made, "collections"), "--no-cache"}
		switch {
		case r.Type == "galaxy" && r.Source != "":
			entry["source"] = r.Source
		case r.Type != "galaxy":
			entry["name"], entry["type"] = source, r.Type
		}
	} else {
		if r.Type == "file" {
			source = "file://" + source
		}
		entry["src"] = source
		if r.Type == "git" || r.Type == "hg" {
			entry["scm"] = r.Type
		}
	}
	if version != "" && r.Type != "url" && r.Type != "file" {
		entry["version"] = version
	}
	text, err := json.Marshal(map[Kind][]map[string]string{r.Kind: {entry}}) // which is YAML
	if err != nil {
		return err
	}
	list := filepath.Join(temporary, "requirements.yml")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return err
	}
	env := []string{"ANSIBLE_NOCOLOR=1", "GIT_TERMINAL_PROMPT=0", "ANSIBLE_LOCAL_TEMP=" + filepath.Join(temporary, "tmp")}
	if config := filepath.Join(c.Project, "ansible.cfg"); c.Project != "" && isFile(config) {
		env = append(env, "ANSIBLE_CONFIG="+config) // it may name servers
	}
	if out, err := c.Run(ctx, append(args, "-r", list), env, temporary); err != nil {
		return fault.New(fault.Input, "get %s: %s", r, explained(string(out)+"\n"+err.Error())).
			WithHint("this must work in the same environment: ansible-galaxy %s install -r %s", r.Kind.One(), r.File)
	}
	return nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// explained finds in what ansible-galaxy said, which it breaks into lines, what went wrong: its
// error, but where that is advice only.
func explained(said string) string {
	var found string
	lines := strings.Split(said, "\n")
	for i, line := range lines {
		rest, warned := strings.CutPrefix(line, "[WARNING]: - ")
		if !warned {
			rest, warned = strings.CutPrefix(line, "ERROR! ")
		}
		if !warned || found != "" || strings.HasPrefix(rest, "- you can use") {
			continue
		}
		for _, more := range lines[i+1:] {
			if more == "" || strings.HasPrefix(more, "[") || strings.HasPrefix(more, "ERROR! ") {
				break
			}
			rest += " " + strings.TrimSpace(more)
		}
		found = rest
	}
	return cmp.Or(found, firstLine(said))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// installed is the version that was installed.
func installed(unit string, r Requirement) string {
	at, ok := r.place()
	if !ok {
		return ""
	}
	if r.Kind == Role {
		text, err := os.ReadFile(filepath.Join(unit, at, "meta", ".galaxy_install_info"))
		doc, errYAML := value.YAML(text)
		if errors.Join(err, errYAML) != nil {
			return ""
		}
		return doc.At("version").Text
	}
	var manifest struct {
		Info struct {
			Version string `json:"version"`
		} `json:"collection_info"`
	}
	text, err := os.ReadFile(filepath.Join(unit, at, "MANIFEST.json"))
	if err != nil || json.Unmarshal(text, &manifest) != nil {
		return ""
	}
	return manifest.Info.Version
}

// tidied takes out of a unit what says when it was installed, and where from, and returns the
// checksum of its files: their names, whether they may be executed, and their content.
func tidied(unit string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(unit, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := d.Name(); base == ".galaxy_install_info" || base == "GALAXY.yml" || base == ".git" || d.IsDir() && strings.HasSuffix(base, ".info") && strings.Contains(name, "ansible_collections") {
			if err := os.RemoveAll(name); err != nil || !d.IsDir() {
				return err
			}
			return fs.SkipDir
		}
		at, _ := filepath.Rel(unit, name)
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(name)
			fmt.Fprintf(h, "link %q %q\n", at, target)
			return err
		case d.Type().IsRegular():
			return summed(h, name, at, d)
		}
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func summed(h io.Writer, name, at string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Fprintf(h, "file %q %t %d\n", at, info.Mode()&0o100 != 0, info.Size())
	_, err = io.Copy(h, f)
	return err
}

// keep moves what was made to its place, where another process may have been first.
func keep(made, place string) error {
	if err := os.MkdirAll(filepath.Dir(place), 0o700); err != nil {
		return err
	}
	err := os.Rename(made, place)
	if _, there := os.Stat(place); err != nil && there == nil {
		return nil
	}
	return err
}

// staged makes a directory that is there as a whole or not at all.
func staged(dir string, write func(made string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	made := filepath.Join(temporary, "made")
	if err := write(made); err != nil {
		return fmt.Errorf("write %s: %w", dir, err)
	}
	return keep(made, dir)
}
