package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/git"
	"github.com/strata-hpc/strata/internal/plan"
)

// pinsVariable has what is given with --pin, separated by spaces: the jobs of a
// pipeline get it from the job that planned.
const pinsVariable = "STRATA_PINS"

// choices are what flags say about a project's repositories.
type choices struct {
	given []*given
	of    map[string]choice // by the name of the repository in the project
}

// choice is what is used of a repository. Empty is what nothing was said about.
type choice struct {
	pin      string // the commit that its ref is taken to name
	override string // a directory of this machine, or what is used instead of ref
}

// given is one flag.
type given struct {
	flag, name, value string
	used              bool
}

func (g *given) String() string { return g.flag + " " + g.name }

// isPin is what a pin names: a commit with all its digits, as only that is the
// same for everybody and for ever.
// With + between, it is what merging the second into the first makes.
var isPin = regexp.MustCompile(`^[0-9a-f]{40}(\+[0-9a-f]{40})?$`)

// choices reads the flags.
func (a *app) choices() (choices, error) {
	c := choices{of: map[string]choice{}}
	for _, entry := range a.overrides {
		if err := c.add("--override", entry, "NAME=DIR or NAME=REV"); err != nil {
			return c, err
		}
	}
	for _, entry := range a.pins {
		if err := c.add("--pin", entry, "NAME=COMMIT"); err != nil {
			return c, err
		}
	}
	for _, entry := range strings.Fields(os.Getenv(pinsVariable)) {
		if err := c.add(pinsVariable, entry, "NAME=COMMIT"); err != nil {
			return c, err
		}
	}
	return c, nil
}

// add notes a flag. What STRATA_PINS says of a name, --pin can say otherwise.
func (c *choices) add(flag, entry, form string) error {
	i := strings.LastIndex(entry, "=") // a name can be a URL; what follows has none, but for a directory
	if flag == "--override" {
		i = strings.Index(entry, "=")
	}
	if i <= 0 || i == len(entry)-1 {
		return fault.New(fault.Input, "%s %s is not %s", flag, entry, form).
			WithHint("NAME is that of a layer, or of a repository as the end of its URL: %s slurm=…, %[1]s site/slurm=…", flag)
	}
	g := &given{flag: flag, name: entry[:i], value: entry[i+1:]}
	for _, other := range c.given {
		if other.name != g.name {
			continue
		}
		if other.flag == flag {
			return fault.New(fault.Input, "%s names %s twice", flag, g.name)
		}
		if other.flag == "--pin" && flag == pinsVariable {
			return nil
		}
	}
	if flag != "--override" && !isPin.MatchString(g.value) {
		return fault.New(fault.Input, "%s %s: %s is not a commit with all 40 digits", flag, g.name, g.value).
			WithHint("a plan has them: strata plan --output json; for a branch there is --override")
	}
	c.given = append(c.given, g)
	return nil
}

// settle finds the repositories that the flags mean. A name is that of a layer
// (or "inventory"), a URL, or the end of one: the last parts of its path. Base says
// that the flags are meant for another revision: what is not clear counts for nothing.
func (c *choices) settle(repos []plan.Repo, base bool) error {
	for _, g := range c.given {
		var meant []plan.Repo
		var urls []string
		for _, r := range repos {
			if r.Name == g.name || endsIn(r.URL, g.name) {
				meant = append(meant, r)
				urls = append(urls, r.URL)
			}
		}
		slices.Sort(urls)
		urls = slices.Compact(urls)
		if at := slices.IndexFunc(meant, func(r plan.Repo) bool { return r.Name == g.name }); at >= 0 && g.flag != "--override" {
			meant, urls = meant[at:at+1], nil // pins that a plan made name each by what it is called in the project
		}
		if len(urls) > 1 && base {
			continue
		}
		if len(urls) > 1 {
			return ambiguous(g, meant)
		}
		for _, r := range meant {
			if err := c.set(r, g); err != nil && !base {
				return err
			}
		}
		g.used = len(meant) > 0
	}
	return nil
}

// set notes what a flag says about a repository.
func (c *choices) set(r plan.Repo, g *given) error {
	of := c.of[r.Name]
	what := &of.pin
	if g.flag == "--override" {
		what = &of.override
	}
	switch {
	case *what == "" || g.name == r.Name:
		*what = g.value // the project's own name for it goes before that of its repository
	case *what != g.value && !c.names(g.flag, r.Name):
		return fault.New(fault.Input, "%s: the repository of %s is given %s and %s", g, r.Name, *what, g.value).WithHint("name it once")
	}
	c.of[r.Name] = of
	return nil
}

// names reports whether a flag has just this name.
func (c *choices) names(flag, name string) bool {
	return slices.ContainsFunc(c.given, func(g *given) bool { return g.flag == flag && g.name == name })
}

// ambiguous is the fault of a name that is that of several repositories.
func ambiguous(g *given, meant []plan.Repo) error {
	var list, longer []string
	for _, r := range meant {
		list = append(list, fmt.Sprintf("%s (of %s)", git.Shown(r.URL), r.Name))
		longer = append(longer, lastParts(r.URL, 2))
	}
	slices.Sort(list)
	return fault.New(fault.Input, "%s can mean %s", g, strings.Join(slices.Compact(list), " and ")).
		WithHint("write more of the URL, or the layer's name: %s %s=…, %[1]s %[3]s=…", g.flag, longer[0], meant[0].Name)
}

// unused is a fault if a flag names nothing.
func (c *choices) unused(repos []plan.Repo) error {
	for _, g := range c.given {
		if g.used {
			continue
		}
		f := fault.New(fault.Input, "%s: no layer or repository of that name has a repo", g)
		if len(repos) > 0 {
			var names []string
			for _, p := range repos {
				names = append(names, p.Name, lastParts(p.URL, 1))
			}
			slices.Sort(names)
			f.WithHint("there are %s", strings.Join(slices.Compact(names), ", "))
		}
		return f
	}
	return nil
}

// parts are the parts of a URL's path, without what stands before it.
func parts(url string) []string {
	_, after, ok := strings.Cut(url, "://")
	if ok {
		url = after
	} else if host, rest, ok := strings.Cut(url, ":"); ok && !strings.Contains(host, "/") {
		url = host + "/" + rest // as scp writes it
	}
	url, _, _ = strings.Cut(url, "?")
	url = strings.TrimSuffix(strings.TrimRight(url, "/"), ".git")
	return strings.FieldsFunc(url, func(c rune) bool { return c == '/' })
}

// lastParts is the end of a URL: the last n parts of its path.
func lastParts(url string, n int) string {
	all := parts(url)
	if len(all) == 0 {
		return "repository"
	}
	return strings.Join(all[max(0, len(all)-n):], "/")
}

// endsIn reports whether a name is a URL, or its last parts.
func endsIn(url, name string) bool {
	if url == name {
		return true
	}
	all, last := parts(url), parts(name)
	return len(last) > 0 && len(last) <= len(all) && slices.Equal(all[len(all)-len(last):], last)
}
