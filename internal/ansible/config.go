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
	digest      string // of all that is set and matters by itself; "" if nothing is
	roles       []string
	collections []string
	outside     []string            // directories of roles or collections outside of the project
	plugins     map[string][]string // directories by setting: library, module_utils, filter_plugins
	merge       bool                // hash_behaviour = merge
	tags        bool                // it says which tasks run
	cachesFacts bool                // those of other hosts may be known from another time
	inventory   inventory.Settings
}

// config reads an ansible.cfg. Directories in it are relative to its own.
func (p *Project) config(name string) config {
	c := config{file: name, plugins: map[string][]string{}}
	text, err := p.files.Text(name)
	if name == "" || err != nil {
		return config{}
	}
	all, sections := settings(string(text))
	said := sections
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if !harmless(key) && (key != "roles_path" || !plainPaths(all[key])) {
			said = append(said, key, all[key])
		}
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
	c.tags = all["run"] != "" || all["skip"] != ""
	c.cachesFacts = all["fact_caching"] != "" && all["fact_caching"] != "memory"
	c.merge = strings.EqualFold(all["hash_behaviour"], "merge")
	if len(said) > 0 {
		c.digest = sum(said...)
	}
	return c
}

// SearchPath is what an ansible.cfg says where to look for roles or collections, entry by
// entry, as it is written; nil if it says nothing.
func SearchPath(config []byte, collections bool) []string {
	all, _ := settings(string(config))
	list := all["roles_path"]
	if collections {
		list = all["collections_path"]
		if list == "" {
			list = all["collections_paths"]
		}
	}
	var entries []string
	for _, entry := range strings.Split(list, ":") {
		if entry = strings.Trim(strings.TrimSpace(entry), `"'`); entry != "" {
			entries = append(entries, entry)
		}
	}
	return entries
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

// harmless reports whether a setting, whatever its value, has no part in what
// playbooks do to a node: it is about what people see, or Strata sets it itself.
func harmless(key string) bool {
	switch key {
	case "deprecation_warnings", "display_skipped_hosts", "host_key_checking", "interpreter_python", "inventory", "nocows", "pipelining", "retry_files_enabled":
		return true
	}
	return false
}

// plainPaths reports whether a setting is a list of directories of the project, as
// they are written: those count by what is found in them.
func plainPaths(list string) bool {
	return !slices.ContainsFunc(strings.Split(list, ":"), func(entry string) bool {
		return entry == "" || entry[0] == '/' || entry[0] == '.' || strings.ContainsAny(entry, "~$%{}\"' \t;")
	})
}

// settings reads the settings of an ini file, sections aside: no two of
// ansible.cfg's that matter here differ in the section only. What it returns
// besides says in which section those stand that matter, and what Ansible does
// not take.
func settings(s string) (all map[string]string, said []string) {
	all = map[string]string{}
	last, section := "", ""
	seen := map[string]bool{}
	note := func(what string, matters bool) {
		if seen[what] || matters {
			said = append(said, what)
		}
		seen[what] = true
	}
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\r\n")
		trimmed, _, _ := strings.Cut(strings.TrimSpace(line), " ;")
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
			continue
		case trimmed[0] == '[' && strings.LastIndexByte(trimmed, ']') > 1:
			section, last = trimmed[1:strings.LastIndexByte(trimmed, ']')], ""
			note("["+section+"]", false)
			continue
		case (line[0] == ' ' || line[0] == '\t') && last != "":
			all[last] += trimmed // a value that goes on
			continue
		}
		i := strings.IndexAny(trimmed, "=:")
		if i <= 0 {
			note(section+"\x00"+trimmed, true)
			continue
		}
		last = strings.ToLower(strings.TrimSpace(trimmed[:i]))
		all[last] = strings.TrimSpace(trimmed[i+1:])
		note(section+"\x00"+last, section == "" || !harmless(last) && (last != "roles_path" || section != "defaults"))
	}
	slices.Sort(said)
	return all, said
}
