package inventory

import (
	"bytes"
	"errors"
	"math/big"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
)

const (
	deepest   = 40      // nested directories; links may lead into themselves
	mostHosts = 1 << 20 // of one inventory; a range is written quickly
)

// builder adds to an inventory what its files say, one after the other.
type builder struct {
	inv    *Inventory
	files  tree.Files
	errors []error

	processed []string // directories of the files that were read, in their order
}

// source reads one of the inventory's sources.
func (b *builder) source(name string) error {
	clean := path.Clean(name)
	switch kind := b.files.Kind(clean); {
	case kind == tree.Directory:
		b.inv.Dirs = append(b.inv.Dirs, clean)
		b.directory(clean, 0)
	case kind == tree.File:
		b.inv.Dirs = append(b.inv.Dirs, path.Dir(clean))
		if text, err := b.files.Text(clean); err == nil && mayBeFrozen(text) {
			if doc := b.files.Document(clean); doc.Err == nil && frozen(doc.Value) {
				b.frozen(clean, doc.Value)
				return nil
			}
		}
		if err := b.file(clean); err != nil {
			b.errors = append(b.errors, err)
		}
	case strings.Contains(name, ","):
		b.list(name)
	default:
		return fault.New(fault.Input, "read inventory %s: there is no such file or directory", name)
	}
	return nil
}

// frozen reads a frozen inventory.
func (b *builder) frozen(name string, v value.Value) {
	b.inv.Files = append(b.inv.Files, name)
	thawed, err := thaw(v)
	if err == nil {
		err = b.yaml(name, &tree.Document{Value: thawed})
	}
	if err == nil {
		return
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		f.File = name
		if text, readErr := b.files.Text(name); readErr == nil {
			f.Snippet = lineOf(text, f.Line)
		}
	}
	b.errors = append(b.errors, err)
}

// ignored are the extensions that Ansible leaves out in directories. Versions
// differ about ".ini", so it is not among them.
func ignored() []string {
	return []string{".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"}
}

// directory reads a directory of inventories.
func (b *builder) directory(dir string, depth int) {
	b.inv.Files = append(b.inv.Files, dir)
	if depth > deepest {
		b.opaque(dir, "directories are nested too deep, or a link leads into itself")
		return
	}
	extensions := b.inv.settings.IgnoreExtensions
	if extensions == nil {
		extensions = ignored()
	}
	for _, base := range b.files.Names(dir) {
		name := path.Join(dir, base)
		suffixed := func(ext string) bool { return strings.HasSuffix(base, ext) }
		switch {
		case base[0] == '.', base == "host_vars", base == "group_vars", base == "vars_plugins", slices.ContainsFunc(extensions, suffixed):
			continue
		case b.inv.settings.IgnoreExtensions == nil && suffixed(".ini") && b.files.Kind(name) == tree.File:
			b.opaque(name, "some versions of Ansible read files .ini in a directory, others do not")
			continue
		case b.ignoredByPattern(name, base):
			continue
		}
		switch b.files.Kind(name) {
		case tree.Directory:
			b.directory(name, depth+1)
		case tree.File:
			b.among(name)
		}
	}
}

// ignoredByPattern holds a name against the patterns of ansible.cfg.
func (b *builder) ignoredByPattern(name, base string) bool {
	for _, p := range b.inv.settings.IgnorePatterns {
		match, sure := pythonRegexp(p).search(base)
		if !sure {
			b.opaque(name, "the pattern "+p+" of files to leave out cannot be followed")
		}
		if match || !sure {
			return true
		}
	}
	return false
}

func (b *builder) opaque(file, why string) {
	b.inv.Opaque = append(b.inv.Opaque, Opaque{File: file, Why: why})
}

// among reads one file of a directory. One that is no inventory is passed over.
func (b *builder) among(name string) {
	err := b.file(name)
	switch f, ok := errors.AsType[*fault.Error](err); {
	case err == nil:
	case ok && f.Hint != "" && f.Line == 0: // it is an inventory, and must be another one
		b.errors = append(b.errors, err)
	default:
		b.inv.Unparsed = append(b.inv.Unparsed, Unparsed{name, err})
	}
}

// file reads one file with the plugins in their order: script, auto, yaml, ini,
// toml. What a plugin added before it gave up stays, as it does in Ansible.
func (b *builder) file(name string) error {
	b.inv.Files = append(b.inv.Files, name)
	defer func() { b.processed = append(b.processed, path.Dir(name)) }()
	text, err := b.files.Text(name)
	if err != nil {
		return fault.New(fault.Input, "%w", err).At(name, 0, 0).WithHint("see that it can be read")
	}
	script := bytes.HasPrefix(text, []byte("#!"))
	binary := bytes.IndexByte(text, 0) >= 0
	switch {
	case tree.IsVaulted(text):
		b.opaque(name, "it is encrypted")
		return nil
	case b.files.Executable(name) && (script || binary):
		return asks(name, "it is a program")
	case extension(name) == ".toml":
		return b.toml(name, text)
	}
	var yamlErr error
	isYAML := extension(name) != "" && slices.Contains(b.inv.settings.yamlExtensions(), extension(name))
	if isYAML || extension(name) == "" {
		doc := b.files.Document(name)
		switch {
		case doc.Err == nil && isConstructed(name, doc.Value):
			b.constructed(name, doc.Value)
			return nil
		case doc.Err == nil && !falsy(doc.Value.At("plugin")):
			return asks(name, "it configures the plugin "+doc.Value.At("plugin").Shown(80))
		case doc.Err == nil && frozen(doc.Value):
			return fault.New(fault.Input, "what ansible-inventory --list prints is no inventory to Ansible where it lies in a directory of them").
				At(name, 0, 0).WithHint("move it out, and name it as an inventory of its own: inventory: [%s, FILE]", path.Dir(name))
		}
		if yamlErr = b.yaml(name, doc); yamlErr == nil {
			return nil
		}
		isYAML = isYAML || doc.Err == nil && doc.Value.Kind == value.Map || bytes.HasPrefix(text, []byte("---"))
	}
	iniErr := b.ini(name, text)
	switch {
	case iniErr == nil:
		return nil
	case script || binary:
		return fault.New(fault.Input, "it looks like a program, and is no inventory").At(name, 1, 0)
	case isYAML && yamlErr != nil:
		return b.snippet(yamlErr, text)
	}
	return b.snippet(iniErr, text)
}

// asks is the fault of a source that asks others for what it says, which is in no key.
func asks(name, why string) error {
	return fault.New(fault.Input, "the inventory %s cannot be planned with: %s, and what it says today is written nowhere", name, why).
		At(name, 0, 0).
		WithHint("freeze it, and name the file in its place: ansible-inventory -i %s --list --export > frozen.json, inventory: [frozen.json]", name)
}

// snippet adds the line that is to blame.
func (b *builder) snippet(err error, text []byte) error {
	f, ok := errors.AsType[*fault.Error](err)
	if ok && f.Snippet == "" {
		f.Snippet = lineOf(text, f.Line)
	}
	return err
}

// lineOf returns a line of a text, without its end; "" if there is none.
func lineOf(text []byte, line int) string {
	for n := 1; n < line; n++ {
		_, rest, found := bytes.Cut(text, []byte("\n"))
		if !found {
			return ""
		}
		text = rest
	}
	if line < 1 {
		return ""
	}
	text, _, _ = bytes.Cut(text, []byte("\n"))
	return strings.ToValidUTF8(strings.TrimRight(string(text[:min(len(text), 400)]), "\r"), "")
}

// extension is Python's os.path.splitext: a name's leading dots begin none.
func extension(name string) string {
	return path.Ext(strings.TrimLeft(path.Base(name), "."))
}

// list reads hosts that are separated by commas.
func (b *builder) list(names string) {
	for _, name := range strings.Split(names, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		port := ""
		if a, ok := parseAddress(name); ok && !strings.Contains(a.host, "[") {
			name, port = a.host, a.port
		}
		if b.inv.Hosts[name] == nil {
			b.host(name, port, b.inv.Groups["ungrouped"], place{})
		}
	}
}

// group returns the group of a name, which is made if there is none.
func (b *builder) group(name string, at place) *Group {
	g := b.inv.Groups[name]
	if g == nil {
		g = &Group{Name: name, Priority: 1, File: at.file, Line: at.line}
		b.inv.Groups[name] = g
		b.inv.groups = append(b.inv.groups, g)
	} else if g.File == "" {
		g.File, g.Line = at.file, at.line
	}
	return g
}

// child makes one group a child of another.
func (b *builder) child(parent, child *Group, at place) {
	if !slices.Contains(child.parents, parent) {
		child.parents = append(child.parents, parent)
		child.edges = append(child.edges, at)
		parent.children = append(parent.children, child)
	}
}

// host adds a host to a group.
func (b *builder) host(name, port string, in *Group, at place) {
	h := b.inv.Hosts[name]
	if h == nil {
		h = &Host{Name: name, File: at.file, Line: at.line}
		b.inv.Hosts[name] = h
		b.inv.hosts = append(b.inv.hosts, h)
		if b.inv.local == nil && localName(name) {
			b.inv.local = h
		}
		// Like Ansible: the port counts where the host is seen first, and 0 is none.
		if n, ok := new(big.Int).SetString(port, 10); ok && n.Sign() != 0 {
			v := value.Value{Kind: value.Int, Text: n.String(), Line: at.line}
			h.Variables = append(h.Variables, variable("ansible_port", v, at.file, at.line))
		}
	}
	b.join(h, in)
}

func (b *builder) join(h *Host, g *Group) {
	if !slices.Contains(h.groups, g) {
		h.groups = append(h.groups, g)
		g.hosts = append(g.hosts, h)
	}
}

// set sets a variable of a group, or else of a host, with this name: as
// Ansible does even where a host was meant.
func (b *builder) set(entity string, v Variable) error {
	g := b.inv.Groups[entity]
	switch {
	case g == nil:
		h := b.inv.Hosts[entity]
		h.Variables = append(h.Variables, v)
	case v.Name() == "ansible_group_priority":
		n, ok := integer(v.Value)
		if !ok {
			return fault.New(fault.Input, "group %s: ansible_group_priority is %s, which is no number", entity, v.Value.Shown(60)).At(v.File, v.Line(), 0)
		}
		g.Priority = n
	default:
		g.Variables = append(g.Variables, v)
	}
	return nil
}

// hosts adds every host of a pattern, with its variables.
func (b *builder) hosts(p hostPattern, variables []Variable, in *Group, at place) error {
	for _, name := range p.names {
		if name == "" {
			return fault.New(fault.Input, "the name of a host is empty").At(at.file, at.line, 0)
		}
		if len(b.inv.hosts) >= mostHosts {
			return fault.New(fault.Input, "more than %d hosts", mostHosts).At(at.file, at.line, 0)
		}
		b.host(name, p.port, in, at)
		for _, v := range variables {
			if err := b.set(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// integer is Python's int() of a value; false where it raises an error.
func integer(v value.Value) (int, bool) {
	text := strings.TrimSpace(v.Text)
	switch v.Kind {
	case value.Bool:
		if text == "true" {
			return 1, true
		}
		return 0, true
	case value.Int:
		n, ok := new(big.Int).SetString(strings.ReplaceAll(text, "_", ""), 0)
		if !ok {
			return 0, false
		}
		return int(n.Int64()), n.IsInt64()
	case value.Float:
		f, ok := new(big.Float).SetString(strings.ReplaceAll(text, "_", ""))
		if !ok {
			return 0, false
		}
		n, _ := f.Int64()
		return int(n), true
	case value.String, value.Unsafe:
		return pythonInt(text)
	}
	return 0, false
}

// falsy reports what Python takes for false.
func falsy(v value.Value) bool {
	switch v.Kind {
	case value.Null:
		return true
	case value.Bool:
		return v.Text == "false"
	case value.Int, value.Float:
		f, ok := new(big.Float).SetString(strings.ReplaceAll(v.Text, "_", ""))
		return ok && f.Sign() == 0
	case value.String, value.Unsafe:
		return v.Text == ""
	case value.List:
		return len(v.Items()) == 0
	case value.Map:
		return len(v.Pairs()) == 0
	}
	return false
}
