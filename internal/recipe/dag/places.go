package dag

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/strata-hpc/strata/internal/fault"
)

// fillIn is what the URL of a repository begins with that is nowhere said. No URL
// has a space, so that package recipe refuses it by name.
const fillIn = "FILL IN "

// places are where repositories are that a file only names.
type places struct {
	given map[string]string // by name
	base  string            // what the others are below; "" if that is not said
	dir   string            // where relative paths begin
	asked []string          // what the file calls its repositories and its inventory
	names bool              // some of these are only names
}

// newPlaces refuses what cannot be the place of a repository.
func newPlaces(opts Options) (*places, error) {
	p := &places{given: map[string]string{}, dir: opts.Dir}
	for name, text := range opts.Repos {
		if problem, hint := badPlace(text); problem != "" {
			return nil, flagFault("--repo "+shown(name), problem, hint)
		}
		p.given[name] = p.absolute(text)
	}
	if opts.RepoBase == "" {
		return p, nil
	}
	if problem, hint := badPlace(opts.RepoBase); problem != "" {
		return nil, flagFault("--repo-base", problem, hint)
	}
	p.base = p.absolute(opts.RepoBase)
	return p, nil
}

func flagFault(flag, problem, hint string) error {
	err := fault.New(fault.Input, "%s: %s", flag, problem)
	err.Hint = hint
	return err
}

// of returns the place of a repository, from what the file has of it.
func (p *places) of(text string) string {
	p.asked = append(p.asked, text)
	p.names = p.names || isName(text)
	switch {
	case p.given[text] != "":
		return p.given[text]
	case !isName(text):
		return text
	case p.base == "":
		return fillIn + text
	case strings.HasSuffix(p.base, "/") || strings.HasSuffix(p.base, ":"):
		return p.base + text
	}
	return p.base + "/" + text
}

// absolute makes a directory's path one that means the same wherever it is read.
func (p *places) absolute(text string) string {
	if p.dir == "" || path.IsAbs(text) || isAddress(text) {
		return text
	}
	return path.Join(p.dir, text)
}

// isName says whether what stands for a repository only names it.
func isName(text string) bool {
	return !isAddress(text) && !regexp.MustCompile(`^(/|~|\.\.?(/|$))`).MatchString(text)
}

// isAddress says whether a repository is not on this machine, as git tells them
// apart: URL or HOST:PATH.
func isAddress(text string) bool {
	before, _, colon := strings.Cut(text, ":")
	return colon && !strings.Contains(before, "/")
}

// badPlace is badURL for what a flag says.
func badPlace(text string) (problem, hint string) {
	if strings.HasPrefix(text, "~") {
		return "the shell left a ~ in the path", "write the whole path"
	}
	return badURL(text)
}

// badURL says what is wrong with the URL of a repository, which ends up in a file
// in git: nothing, as a rule.
func badURL(text string) (problem, hint string) {
	_, rest, _ := strings.Cut(text, "://")
	host, _, _ := strings.Cut(rest, "/")
	user, _, named := strings.Cut(host, "@")
	switch {
	case named && (strings.Contains(user, ":") || strings.HasPrefix(text, "http")):
		return credentials, "leave out what stands before the @; git has credential helpers for it"
	case text != "" && (!regexp.MustCompile(`^[!-~]+$`).MatchString(text) || strings.HasPrefix(text, "-")):
		return quote(text) + " cannot be a URL", ""
	}
	return "", ""
}

const credentials = "the URL holds credentials"

// unknown returns what a repository is called of which nobody said where it is.
func (r *repo) unknown() (name string, ok bool) { return strings.CutPrefix(r.url, fillIn) }

// unasked refuses places of repositories that the file does not have.
func (s *source) unasked() {
	for _, name := range slices.Sorted(maps.Keys(s.places.given)) {
		if slices.Contains(s.places.asked, name) {
			continue
		}
		var known []string
		for _, asked := range s.places.asked {
			if !slices.Contains(known, asked) {
				known = append(known, asked)
			}
		}
		hint := "it has none"
		if len(known) > 0 {
			hint = "it has " + few(known)
		}
		if c := fault.Nearest(name, known); c != "" {
			hint = "did you mean " + quote(c) + "?"
		}
		s.refuse(0, 0, hint, "--repo %s: the file has no repository or inventory of that name", shown(name))
	}
}

// noteUnknown notes the repositories of which nobody said where they are.
func (g *graph) noteUnknown() {
	var names []string
	var first *yaml.Node
	look := func(r *repo) {
		if r == nil {
			return
		}
		if name, ok := r.unknown(); ok && !slices.Contains(names, name) {
			names = append(names, name)
			if first == nil || r.at.Line < first.Line {
				first = r.at
			}
		}
	}
	look(g.doc.shared)
	for _, l := range g.layers {
		look(l.repo)
	}
	if first != nil {
		g.source.note(first, "the file does not say where these repositories are: %s; fill in their urls, or give --repo NAME=URL for each or --repo-base URL for all", few(names))
	}
}
