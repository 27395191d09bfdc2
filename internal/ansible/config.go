package ansible

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// config is what matters here of an ansible.cfg.
type config struct {
	file        string // "" if there is none
	roles       []string
	collections []string
	outside     []string // directories of roles or collections outside of the project
	other       []string // files and directories of plugins, modules and the like
}

// config reads an ansible.cfg. Directories in it are relative to its own.
func (p *Project) config(name string) config {
	c := config{file: name}
	t := p.text(name)
	if name == "" || t == nil {
		return config{}
	}
	all := settings(t.s)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		var into *[]string
		switch {
		case key == "roles_path":
			into = &c.roles
		case key == "collections_path" || key == "collections_paths":
			into = &c.collections
		case key == "library" || key == "module_utils" || strings.HasSuffix(key, "_plugins"):
			into = &c.other
		default:
			continue
		}
		for _, entry := range strings.Split(all[key], ":") {
			if below, ok := place(path.Dir(name), strings.Trim(strings.TrimSpace(entry), `"'`)); ok {
				*into = append(*into, below)
			} else if below != "" {
				c.outside = append(c.outside, below)
			}
		}
	}
	return c
}

// place returns where a directory of ansible.cfg lies below the project's
// directory, or the entry as written and false if it lies elsewhere.
func place(dir, entry string) (string, bool) {
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
// ansible.cfg's that name directories differ in the section only.
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
