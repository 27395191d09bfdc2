package git

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/config"
)

// settings are the lines of a repository's own configuration file. Those of the
// user and the machine do not decide what a commit contains.
type settings struct{ raw *config.Config }

func readSettings(file string) (settings, error) {
	s := settings{config.New()}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	defer f.Close()
	// A line that git understands and the decoder does not is of no concern here:
	// what stands before it, such as the format, has been read.
	_ = config.NewDecoder(f).Decode(s.raw)
	return s, nil
}

// get returns the last value of section.sub.key, or "".
func (s settings) get(section, sub, key string) string {
	for _, sec := range s.raw.Sections {
		if !sec.IsName(section) {
			continue
		}
		if sub == "" {
			return sec.Options.Get(key)
		}
		for _, ss := range sec.Subsections {
			if ss.IsName(sub) {
				return ss.Options.Get(key)
			}
		}
	}
	return ""
}

// keys are the names that section has, in lower case.
func (s settings) keys(section string) []string {
	var names []string
	for _, sec := range s.raw.Sections {
		if sec.IsName(section) {
			for _, o := range sec.Options {
				names = append(names, strings.ToLower(o.Key))
			}
		}
	}
	return names
}

// remote is the remote that a person would fetch from: origin, or the first.
func (s settings) remote() string {
	var names []string
	for _, sec := range s.raw.Sections {
		if sec.IsName("remote") {
			for _, sub := range sec.Subsections {
				names = append(names, sub.Name)
			}
		}
	}
	if len(names) == 0 || slices.Contains(names, "origin") {
		return "origin"
	}
	return names[0]
}

// Remote is the address of the remote that a person would fetch from, "" for none.
func (r *Repository) Remote() string { return r.config.get("remote", r.config.remote(), "url") }

// partial says whether the repository was cloned with a filter.
func (s settings) partial() bool {
	if s.get("extensions", "", "partialclone") != "" {
		return true
	}
	for _, sec := range s.raw.Sections {
		if sec.IsName("remote") {
			for _, sub := range sec.Subsections {
				if isTrue(sub.Options.Get("promisor")) {
					return true
				}
			}
		}
	}
	return false
}

func isTrue(value string) bool {
	switch strings.ToLower(value) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}

func isFalse(value string) bool {
	switch strings.ToLower(value) {
	case "false", "no", "off", "0":
		return true
	}
	return false
}
