// Package galaxy has the roles and collections of an Ansible project that come from
// elsewhere: which ones it requires, what they are pinned to, and those of them that are in a
// cache of this machine, as a file system.
//
// It starts ansible-galaxy by what it is given for that, knows no plays, and decides
// nothing about nodes.
package galaxy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/limit"
)

// Kind is what a requirement is.
type Kind string

// The kinds, as requirements.yml and the lock call several of them.
const (
	Role       Kind = "roles"
	Collection Kind = "collections"
)

// One is a kind in the singular.
func (k Kind) One() string { return strings.TrimSuffix(string(k), "s") }

// Requirement is an entry of a requirements.yml.
type Requirement struct {
	Kind    Kind
	Name    string // "geerlingguy.docker", "community.general"
	Source  string // where it is: a URL, a file of the project; "" for Galaxy, or whatever server ansible.cfg names
	Type    string // of a source: git, url, file, galaxy; "" for what ansible-galaxy makes of it
	Version string // as it is written; "" for none
	Local   string // the SHA-256 of a source that is a file of the project, in hex
	File    string // where it is written
	Line    int
}

// Names of the files that ansible-galaxy's documentation, and AWX, look for.
var files = []string{
	"requirements.yml", "requirements.yaml", "roles/requirements.yml", "roles/requirements.yaml",
	"collections/requirements.yml", "collections/requirements.yaml",
}

// Read reads what the project in a directory requires, in order: of two entries for
// one name the first counts. A file that cannot be read is an error beside the others' entries.
func Read(fsys fs.FS, dir string) ([]Requirement, []error) {
	var all []Requirement
	var errs []error
	known := map[string]bool{}
	for _, name := range files {
		name = path.Join(dir, name)
		if info, err := fs.Stat(fsys, name); err != nil || !info.Mode().IsRegular() {
			continue
		}
		text, err := limit.Read(fsys, name, limit.Ansible)
		if err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", name, err))
			continue
		}
		doc, err := value.YAML(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", name, err))
			continue
		}
		r := reader{fsys: fsys, file: name, dir: dir}
		if doc.Kind == value.List { // the old form
			r.list(Role, doc)
		}
		r.list(Role, doc.At("roles"))
		r.list(Collection, doc.At("collections"))
		for _, one := range r.found {
			if key := string(one.Kind) + "/" + one.Name; one.Name != "" && !known[key] {
				known[key] = true
				all = append(all, one)
			}
		}
	}
	return all, errs
}

type reader struct {
	fsys      fs.FS
	file, dir string
	found     []Requirement
}

func (r *reader) list(kind Kind, list value.Value) {
	for _, entry := range list.Items() {
		one := Requirement{Kind: kind, File: r.file, Line: entry.Line}
		if entry.Kind == value.Map {
			one.Name, one.Version = entry.At("name").Text, entry.At("version").Text
			one.Source, one.Type = entry.At("src").Text, entry.At("scm").Text
			if role := entry.At("role"); role.Kind == value.String {
				one.Name = role.Text
			}
			if kind == Collection {
				one.Source, one.Type = entry.At("source").Text, entry.At("type").Text
			}
		} else if entry.Kind == value.String {
			one.Source = strings.TrimSpace(entry.Text)
		}
		if kind == Role {
			one.role(entry.Kind == value.Map)
		} else {
			one.collection()
		}
		r.local(&one)
		r.found = append(r.found, one)
	}
}

// role does with an entry what ansible-galaxy does: see RoleRequirement.role_yaml_parse
// of ansible-core 2.14.
func (r *Requirement) role(mapping bool) {
	if r.Source == "" {
		r.Source, r.Name = r.Name, ""
	}
	parts := strings.Split(r.Source, ",")
	r.Source = parts[0]
	if len(parts) > 1 && r.Version == "" {
		r.Version = parts[1]
	}
	if len(parts) > 2 && r.Name == "" {
		r.Name = parts[2]
	}
	if scm, rest, ok := strings.Cut(r.Source, "+"); ok && (scm == "git" || scm == "hg") {
		r.Type, r.Source = scm, rest
	}
	if mapping && r.Type == "" && strings.Contains(r.Source, "github.com") && strings.Contains(r.Source, "http") && !strings.HasSuffix(r.Source, ".tar.gz") {
		r.Type = "git"
	}
	if r.Name == "" {
		r.Name = r.Source
		if strings.Contains(r.Source, "://") || strings.Contains(r.Source, "@") || strings.HasSuffix(r.Source, ".tar.gz") {
			r.Name = strings.TrimSuffix(strings.TrimSuffix(r.Source[strings.LastIndexAny(r.Source, "/:")+1:], ".git"), ".tar.gz")
		}
	}
	switch {
	case r.Type != "":
	case strings.Contains(r.Source, "://"):
		r.Type = "url"
	case strings.HasSuffix(r.Source, ".tar.gz"):
		r.Type = "file"
	default:
		r.Type = "galaxy"
	}
}

// collection does the same for one of a collection, whose name may be a source.
func (r *Requirement) collection() {
	if r.Name == "" && r.Source != "" { // written as a text
		r.Name, r.Source = r.Source, ""
	}
	switch {
	case r.Type == "git" && r.Source != "": // newer ansible-galaxy has both
		r.Source = strings.TrimPrefix(r.Source, "git+")
		return
	case r.Type == "git" || strings.HasPrefix(r.Name, "git+") || strings.HasPrefix(r.Name, "git@"):
		r.Type = "git"
		source, version, ok := strings.Cut(strings.TrimPrefix(r.Name, "git+"), ",")
		if r.Source = source; ok && r.Version == "" {
			r.Version = version
		}
	case r.Type == "url" || strings.Contains(r.Name, "://"):
		r.Type, r.Source = "url", r.Name
	case r.Type == "file" || strings.HasSuffix(r.Name, ".tar.gz"):
		r.Type, r.Source = "file", r.Name
	case r.Type == "" || r.Type == "galaxy":
		r.Type = "galaxy"
		if name, version, ok := strings.Cut(r.Name, ":"); ok {
			r.Name = name
			if r.Version == "" {
				r.Version = version
			}
		}
	}
	if r.Type != "galaxy" { // what it is called says only what is in it; the archive's name has it by custom
		base := path.Base(r.Source)
		if parts := strings.SplitN(base, "-", 3); len(parts) == 3 && strings.HasSuffix(base, ".tar.gz") {
			r.Name = parts[0] + "." + parts[1]
		} else {
			r.Name = strings.TrimSuffix(strings.NewReplacer("ansible-collection-", "", "ansible-collections-", "").Replace(base), ".git")
		}
	}
}

// local finds a source that is a file of the project.
func (r *reader) local(one *Requirement) {
	name := path.Join(r.dir, one.Source)
	if one.Type != "file" || !fs.ValidPath(name) {
		return
	}
	f, err := r.fsys.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err == nil {
		one.Source, one.Local = name, hex.EncodeToString(h.Sum(nil))
	}
}

// exact are versions that name one state of a source, as far as they can be told from names of branches.
var exact = regexp.MustCompile(`^([vV]?[0-9][0-9A-Za-z.+_-]*|[0-9a-f]{40})$`)

// Pinned reports whether a requirement names one version.
func (r Requirement) Pinned() bool { return r.Local != "" || exact.MatchString(r.Version) }

// ID is the same for requirements that name the same.
func (r Requirement) ID() string {
	h := sha256.New()
	for _, text := range []string{string(r.Kind), r.Name, r.Source, r.Type, r.Version, r.Local} {
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// String names a requirement for people.
func (r Requirement) String() string { return fmt.Sprintf("%s %s of %s", r.Kind.One(), r.Name, r.File) }
