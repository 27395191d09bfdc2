package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/limit"
	"github.com/strata-hpc/strata/internal/secret"
)

// Source is what inputs are read from: a project's files at one revision. It
// remembers what it has read, so that a file is read once however many nodes
// have it: take a new one when files may have changed. It may be used by several
// goroutines.
type Source struct {
	// Files is the project's directory.
	Files fs.FS
	// Secret returns a secret's value. It may be nil if no node has secrets.
	Secret func(layer.Secret) ([]byte, error)
	// WithoutSecrets leaves out the keys that a secret would be in which cannot be
	// read: who only says what is to be done need not have it. Between revisions it
	// counts as unchanged.
	WithoutSecrets bool
	// Tool names everything of the tool itself that decides what a build comes
	// to; a change of it changes every key.
	Tool string
	// Exclude names files and directories that playbooks are taken not to read:
	// strata.yaml, the directory that artifacts are written to.
	Exclude []string
	// Whole is set where nodes are built: a role that runs and is not here is an error.
	Whole bool
	// Known are warnings about what is read that were found before.
	Known []Warning
	// Commit returns the id of the commit that the files are of, as far as there is one,
	// whatever of them is not committed: playbooks may ask git for it. Nil is as good
	// as none.
	Commit func() string
	// Parsed is what was read of files at other revisions, to be used again. It
	// may be nil.
	Parsed *ansible.Parsed

	once      sync.Once
	playbooks *ansible.Project
	mu        sync.Mutex                 // guards what follows
	digests   map[item]string            // of files and links
	trees     map[string][]Input         // of files and directories that layers name
	secrets   map[string]string          // digests of secrets, which take a while
	warned    map[Warning][]layer.NodeID // and the nodes that have it
	notes     reachedNotes
	inCircles []string // links, of analyses that need not be made
	nodes     map[*layer.Project]map[layer.NodeID]*layer.Node
}

// node finds a node of a project by its name, of which there may be many.
func (s *Source) node(p *layer.Project, id layer.NodeID) (layer.Node, bool) {
	s.mu.Lock()
	byID, known := s.nodes[p]
	if !known {
		if s.nodes == nil {
			s.nodes = map[*layer.Project]map[layer.NodeID]*layer.Node{}
		}
		byID = nodesOf(p)
		s.nodes[p] = byID
	}
	s.mu.Unlock()
	if n := byID[id]; n != nil {
		return *n, true
	}
	return layer.Node{}, false
}

// item is a file as one kind of reader sees it.
type item struct {
	name     string
	followed bool // whether a link counts with what it leads to
}

func (s *Source) open() {
	s.once.Do(func() {
		if s.Parsed == nil {
			s.Parsed = ansible.NewParsed()
		}
		s.digests = map[item]string{}
		s.trees = map[string][]Input{}
		s.secrets = map[string]string{}
		s.playbooks = ansible.Open(s.Files, s.Parsed)
	})
}

// Galaxy is the directory with roles and collections from elsewhere.
const Galaxy = ansible.Galaxy

// circles are the links that playbooks may reach, and that lead in a circle.
func (s *Source) circles() []string {
	s.open()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := append(s.playbooks.Circles(), s.inCircles...)
	slices.Sort(all)
	return slices.Compact(all)
}

// tree returns the inputs for a file or directory that a layer names: each file
// below it by itself, and directories, which may be empty. A link counts by
// where it points; only name itself is followed, if follow is set.
func (s *Source) tree(kind, name string, follow bool) ([]Input, error) {
	s.open()
	clean := path.Clean(name)
	if !fs.ValidPath(clean) {
		return nil, fault.New(fault.Input, "%s is not below the project's directory", name).
			WithHint("give a path relative to the directory of strata.yaml")
	}
	key := fmt.Sprintf("%s %t %s", kind, follow, clean)
	s.mu.Lock()
	defer s.mu.Unlock()
	if list, ok := s.trees[key]; ok {
		return list, nil
	}
	if in, ok := s.unit(kind, clean); ok {
		return []Input{in}, nil
	}
	look := fs.Lstat
	if follow {
		look = fs.Stat
	}
	info, err := look(s.Files, clean)
	if err != nil {
		return nil, fault.New(fault.Input, "cannot read %s: %w", name, err)
	}
	var list []Input
	if !info.IsDir() {
		digest, err := s.digest(item{clean, follow})
		list = []Input{{Kind: kind, Name: clean, Digest: digest}}
		if err != nil {
			return nil, err
		}
	} else if err := s.walk(kind, clean, &list); err != nil {
		return nil, err
	}
	s.trees[key] = list
	return list, nil
}

// unit is the input for a name that is, or is in, a submodule that was not fetched: its commit.
func (s *Source) unit(kind, name string) (Input, bool) {
	by, ok := s.Files.(interface{ Pinned(string) (string, bool) })
	for ok && name != "." {
		if pin, ok := by.Pinned(name); ok {
			w := Warning{File: name, Message: "the submodule was not fetched: it counts as a whole, by its commit " + pin[:min(7, len(pin))]}
			s.warnOf("", w) // its lock is held
			return Input{Kind: kind, Name: name, Digest: sum("pinned", pin)}, true
		}
		name = path.Dir(name)
	}
	return Input{}, false
}

func (s *Source) walk(kind, dir string, list *[]Input) error {
	entries, err := fs.ReadDir(s.Files, dir)
	if err != nil {
		return fault.New(fault.Input, "read directory: %w", err)
	}
	*list = append(*list, Input{Kind: kind, Name: dir + "/", Digest: sum("directory")})
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if in, ok := s.unit(kind, name); e.IsDir() && ok {
			*list = append(*list, in)
			continue
		}
		if e.IsDir() {
			if err := s.walk(kind, name, list); err != nil {
				return err
			}
			continue
		}
		digest, err := s.digest(item{name: name})
		if err != nil {
			return err
		}
		*list = append(*list, Input{Kind: kind, Name: name, Digest: digest})
	}
	return nil
}

// digest says what git would keep of a file: content, whether it may be
// executed, where a link points.
func (s *Source) digest(of item) (string, error) {
	if d, ok := s.digests[of]; ok {
		return d, nil
	}
	info, err := fs.Lstat(s.Files, of.name)
	if err != nil {
		return "", fault.New(fault.Input, "read %s: %w", of.name, err)
	}
	form, target := "file", ""
	if info.Mode()&fs.ModeSymlink != 0 {
		form = "link"
		if target, err = fs.ReadLink(s.Files, of.name); err != nil {
			return "", fault.New(fault.Input, "read link: %w", err)
		}
		// One that leads nowhere, or to a directory, counts by itself.
		if info, err = fs.Stat(s.Files, of.name); err != nil || !of.followed || info.IsDir() {
			info = nil
		}
	}
	content := ""
	if info != nil {
		if !info.Mode().IsRegular() {
			return "", fault.New(fault.Input, "%s is neither a file nor a directory nor a link", of.name)
		}
		if info.Mode()&0o100 != 0 {
			form += " executable"
		}
		if content, err = s.content(of.name); err != nil {
			return "", err
		}
	}
	d := sum(form, target, content)
	s.digests[of] = d
	return d, nil
}

// same is what a file is, by itself, to tell whether it is the same elsewhere.
func (s *Source) same(name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.digest(item{name: name})
}

// content returns the digest of a file's content, read in pieces.
func (s *Source) content(name string) (string, error) {
	f, err := s.Files.Open(name)
	if err != nil {
		return "", fault.New(fault.Input, "read file: %w", err)
	}
	defer f.Close()
	if err := limit.Sparse(name, f); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// secretDigest is the digest of a secret's value.
func (s *Source) secretDigest(cluster, name string, value []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := sum(cluster, name, string(value))
	if s.secrets[of] == "" {
		s.secrets[of] = secret.Digest(cluster, name, value)
	}
	return s.secrets[of]
}

// sum is the digest of a list of texts, none of which can run into the next.
func sum(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		add(h, t)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// add writes a text with its length before it.
func add(h hash.Hash, text string) {
	fmt.Fprintf(h, "%d:", len(text))
	io.WriteString(h, text)
}
