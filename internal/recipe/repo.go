package recipe

import (
	"io/fs"
	"path"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// unreachable is the base of paths in a repository that could not be read: they
// are not looked for.
const unreachable = "\x00"

// startIn makes paths in a mapping start in the git repository that it names, if
// it can name one, before the mapping is decoded. What it returns undoes that.
func (w *walker) startIn(out reflect.Value, pairs []pair, at site) func() {
	before := w.base
	switch doc := out.Addr().Interface().(type) {
	case *layerDoc:
		for _, p := range pairs {
			if r := written(p.value); p.key.Value == "repo" && r.URL != "" {
				w.base = w.join(r, strings.TrimPrefix(at.path, "layers."), at.key("repo", p.key))
			}
		}
		return func() {
			w.configure(doc.Ansible)
			w.base = before
		}
	case *inventoryDoc:
		if r := written(&yaml.Node{Kind: yaml.MappingNode, Content: contents(pairs)}); r.URL != "" {
			r.Path = "" // of the inventory, it is what is looked for
			w.base = w.shared(r, "inventory", at)
			return func() {
				if doc.Path == "" && w.base != unreachable {
					doc.Path = w.base
				}
				w.base = before
			}
		}
	case *rolesDoc:
		if r := writtenRoles(pairs); r.URL != "" {
			w.base = w.shared(r, "roles-"+lastPart(r.URL), at)
			return func() {
				if doc.Path == "" && w.base != unreachable {
					doc.Path = w.base
				}
				w.base = before
			}
		}
	}
	return func() { w.base = before }
}

// writtenRoles reads the repository of roles as far as it is written well.
func writtenRoles(pairs []pair) layer.Repo {
	var r layer.Repo
	for _, p := range pairs {
		switch p.key.Value {
		case "repo":
			r.URL = p.value.Value
		case "ref":
			r.Ref = p.value.Value
		}
	}
	return r
}

// sharedRepos are the repositories of roles and of inventories that were joined: one
// that is named several times is there once, under a name of its own.
type sharedRepos struct {
	bases map[sharedRepo]string
	names map[string]bool
}

// sharedRepo is a repository, and what it is to be called: roles and inventories may be
// in the same one.
type sharedRepo struct {
	layer.Repo
	name string
}

// shared makes a repository part of the project, once, and returns where its paths
// start: in a directory of this name, or one with a number if another has it.
func (w *walker) shared(r layer.Repo, plain string, at site) string {
	key := sharedRepo{r, plain}
	if base, ok := w.joined.bases[key]; ok {
		return base
	}
	name := plain
	for i := 2; w.joined.names[name]; i++ {
		name = plain + "-" + strconv.Itoa(i)
	}
	w.joined.names[name] = true
	w.joined.bases[key] = w.join(r, name, at)
	return w.joined.bases[key]
}

// lastPart is the last part of a repository's URL, as a directory may be called.
func lastPart(url string) string {
	url = strings.TrimSuffix(strings.TrimRight(url, "/"), ".git")
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune("._-", c) || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return c
		}
		return '-'
	}, url[strings.LastIndexAny(url, "/:")+1:])
}

func contents(pairs []pair) []*yaml.Node {
	var all []*yaml.Node
	for _, p := range pairs {
		all = append(all, p.key, p.value)
	}
	return all
}

// written reads a repository as far as it is written well; what is not, the
// decoder reports.
func written(n *yaml.Node) layer.Repo {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode {
		return layer.Repo{URL: n.Value}
	}
	var r layer.Repo
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		switch value := n.Content[i+1].Value; n.Content[i].Value {
		case "url":
			r.URL = value
		case "ref":
			r.Ref = value
		case "path":
			r.Path = value
		}
	}
	return r
}

// configure makes playbooks use the ansible.cfg of their repository, as they
// would there.
func (w *walker) configure(p *playbooksDoc) {
	if p == nil || p.Config != "" || w.base == "" || w.base == unreachable {
		return
	}
	name := path.Join(w.base, "ansible.cfg")
	if info, err := fs.Stat(w.fsys, name); err == nil && info.Mode().IsRegular() {
		p.Config = name
	}
}

// join makes a repository part of the project and returns where its paths start.
func (w *walker) join(r layer.Repo, user string, at site) string {
	if w.repo == nil || w.fsys == nil || strings.HasPrefix(r.URL, unfilled) {
		return unreachable
	}
	dir, err := w.repo(r, user)
	if err != nil {
		hint := "name another commit or directory for it with --override"
		message := err.Error()
		if all := fault.All(err); len(all) > 0 {
			message = all[0].Message
			if all[0].Hint != "" {
				hint = all[0].Hint
			}
		}
		w.faults.add(w.place(at.node), hint, "%s: %s", at.path, message)
		return unreachable
	}
	base := path.Join(dir, r.Path)
	if r.Path != "" && !fs.ValidPath(path.Clean(r.Path)) {
		return unreachable // the decoder says so
	}
	if info, err := fs.Stat(w.fsys, base); err != nil || !info.IsDir() {
		w.faults.add(w.place(at.node), "path names a directory in the repository", "%s: there is no directory %s in %s", at.path, r.Path, r.URL)
		return unreachable
	}
	return base
}
