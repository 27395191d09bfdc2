package ansible

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/inventory"
)

// config is what matters here of an ansible.cfg.
type config struct {
	file        string // "" if there is none
	digest      string // of all that is set
	roles       []string
	collections []string
	outside     []string            // directories of roles or collections outside of the project
	plugins     map[string][]string // directories by setting: library, module_utils, filter_plugins
	merge       bool                // hash_behaviour = merge
	inventory   inventory.Settings
}

// config reads an ansible.cfg. Directories in it are relative to its own.
func (w *walk) config(name string) config {
	c := config{file: name, plugins: map[string][]string{}}
	text, err := w.files.Text(name)
	if name == "" || err != nil {
		return config{}
	}
	all := settings(string(text))
	var said []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		said = append(said, key, all[key])
		for _, entry := range strings.Split(all[key], ":") {
			below, ok := inProject(path.Dir(name), strings.Trim(strings.TrimSpace(entry), `"'`))
			searched := key == "roles_path" || key == "collections_path" || key == "collections_paths"
			switch {
			case searched && !ok:
				if below != "" {
					c.outside = append(c.outside, below)
				}
			case !ok:
			case key == "roles_path":
				c.roles = append(c.roles, below)
			case searched:
				c.collections = append(c.collections, below)
			case key == "library" || key == "module_utils" || strings.HasSuffix(key, "_plugins"):
				c.plugins[key] = append(c.plugins[key], below)
			}
		}
	}
	list := func(key string) []string {
		if all[key] == "" {
			return nil // Ansible's defaults
		}
		return strings.FieldsFunc(all[key], func(r rune) bool { return r == ',' || r == ' ' })
	}
	c.inventory = inventory.Settings{
		IgnoreExtensions: list("inventory_ignore_extensions"), IgnorePatterns: list("inventory_ignore_patterns"),
		YAMLExtensions: list("yaml_valid_extensions"), Precedence: list("precedence"),
	}
	c.merge = strings.EqualFold(all["hash_behaviour"], "merge")
	c.digest = sum(said...)
	return c
}

// inProject returns where a directory of ansible.cfg lies below the project's
// directory, or the entry as written and false if it lies elsewhere.
func inProject(dir, entry string) (string, bool) {
	for _, cwd := range []string{"{{CWD}}", "{{ CWD }}"} {
		if rest, ok := strings.CutPrefix(entry, cwd); ok {
			dir, entry = ".", "."+rest
		}
	}
	if entry == "" || strings.ContainsAny(entry[:1], "/~$") {
		return entry, false
	}
	below := path.Join(dir, entry)
	return below, below != ".." && !strings.HasPrefix(below, "../")
}

// settings reads the settings of an ini file, sections aside: no two of
// ansible.cfg's that matter here differ in the section only.
func settings(s string) map[string]string {
	all := map[string]string{}
	last := ""
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\r\n")
		trimmed, _, _ := strings.Cut(strings.TrimSpace(line), " ;")
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' || trimmed[0] == '[':
			continue
		case (line[0] == ' ' || line[0] == '\t') && last != "":
			all[last] += trimmed // a value that goes on
			continue
		}
		i := strings.IndexAny(trimmed, "=:")
		if i < 0 {
			continue
		}
		last = strings.ToLower(strings.TrimSpace(trimmed[:i]))
		all[last] = strings.TrimSpace(trimmed[i+1:])
	}
	return all
}
