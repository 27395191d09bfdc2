// Package apt is the package manager of Debian: it keeps package lists and downloads in
// a cache that all builds of a user share.
//
// Apt itself chooses packages and checks signatures and checksums: this machine's
// apt for lists and bootstraps, a tree's own in the tree, each with configuration of
// this package only.
package apt

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
)

// Repository is a source of packages, ready for apt.
type Repository struct {
	Name       string
	URI        string
	Suite      string
	Components []string
	Keyring    string // path of the keyring that must have signed it, as apt will see it
	Trusted    bool   // take it unsigned
	Named      bool   // the image names it; otherwise only builds use it
	Key        string // the keyring's path in the project; "" for the distribution's own
	Installed  string // the keyring's path in the image, if it names a repository of this suite
}

// Sources renders repositories in the format of sources.list(5), deb822 style.
func Sources(repositories []Repository) string {
	var b strings.Builder
	for i, r := range repositories {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "# %s\nTypes: deb\nURIs: %s\nSuites: %s\n", r.Name, r.URI, r.Suite)
		if !strings.HasSuffix(r.Suite, "/") {
			fmt.Fprintf(&b, "Components: %s\n", strings.Join(r.Components, " "))
		}
		if r.Trusted {
			b.WriteString("Trusted: yes\n")
		} else {
			fmt.Fprintf(&b, "Signed-By: %s\n", r.Keyring)
		}
	}
	return b.String()
}

// entry is one source that this machine's apt uses.
type entry struct {
	uri    string
	suites []string
}

// Mirror returns the address from which this machine's apt would take a suite:
// that of the suite itself where it is named, else that of the distribution's
// other suites of the same sort (security or not). Root is the machine's "/".
func Mirror(root fs.FS, suite string) (string, error) {
	entries, err := machineSources(root)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if slices.Contains(e.suites, suite) {
			return e.uri, nil
		}
	}
	codename := codename(root)
	sort := ""
	if strings.HasSuffix(suite, "-security") {
		sort = "-security"
	}
	for _, e := range entries {
		if codename != "" && slices.Contains(e.suites, codename+sort) {
			return e.uri, nil
		}
	}
	return "", fault.New(fault.Input, "this machine's apt names no mirror for suite %s", suite).
		WithHint("give the repository a url")
}

// codename is the machine's release, from os-release(5).
func codename(root fs.FS) string {
	content, err := fs.ReadFile(root, "etc/os-release")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// machineSources reads sources.list and sources.list.d, in both formats.
func machineSources(root fs.FS) ([]entry, error) {
	files := []string{"etc/apt/sources.list"}
	parts, err := fs.ReadDir(root, "etc/apt/sources.list.d")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read this machine's apt sources: %w", err)
	}
	for _, p := range parts {
		files = append(files, path.Join("etc/apt/sources.list.d", p.Name()))
	}
	var entries []entry
	for _, name := range files {
		content, err := fs.ReadFile(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read this machine's apt sources: %w", err)
		}
		switch path.Ext(name) {
		case ".list":
			entries = append(entries, oneLine(string(content))...)
		case ".sources":
			entries = append(entries, deb822(string(content))...)
		}
	}
	return entries, nil
}

// oneLine reads "deb [options] uri suite component…" lines.
func oneLine(content string) []entry {
	var entries []entry
	for lines := bufio.NewScanner(strings.NewReader(content)); lines.Scan(); {
		rest, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "deb ")
		if !ok {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			_, rest, _ = strings.Cut(rest, "]")
		}
		if fields := strings.Fields(rest); len(fields) >= 2 {
			entries = append(entries, entry{uri: fields[0], suites: fields[1:2]})
		}
	}
	return entries
}

// deb822 reads stanzas of "Types", "URIs", "Suites" fields.
func deb822(content string) []entry {
	var entries []entry
	for stanza := range strings.SplitSeq(content, "\n\n") {
		fields, name := map[string]string{}, ""
		for line := range strings.Lines(stanza) {
			line = strings.TrimRight(line, "\r\n")
			if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
				continue
			}
			if line[0] == ' ' || line[0] == '\t' {
				fields[name] += line
				continue
			}
			key, value, _ := strings.Cut(line, ":")
			name = strings.ToLower(strings.TrimSpace(key))
			fields[name] = value
		}
		if strings.TrimSpace(strings.ToLower(fields["enabled"])) == "no" || !slices.Contains(strings.Fields(fields["types"]), "deb") {
			continue
		}
		if uris := strings.Fields(fields["uris"]); len(uris) > 0 {
			entries = append(entries, entry{uri: uris[0], suites: strings.Fields(fields["suites"])})
		}
	}
	return entries
}
