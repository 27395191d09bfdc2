package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/printable"
)

// Repo is a git repository of a project, at the commit that is planned.
type Repo struct {
	Name   string `json:"name"` // in the project: that of a layer, or "inventory"
	URL    string `json:"url"`
	Ref    string `json:"ref"`    // what was asked for, or a directory
	Commit string `json:"commit"` // "" for the files in a directory of this machine

	// Of one that is not taken at the ref that the project names.
	Usual  string `json:"usual,omitempty"`  // that ref
	Base   string `json:"base,omitempty"`   // the commit that it names
	Merged string `json:"merged,omitempty"` // what is merged into it; Commit then is the merge, or Base if that has it
	Behind int    `json:"behind,omitempty"` // how many commits of Base are not in what is planned
}

// Pin is what has another run of Strata use just this commit, as the value of its flag
// --pin: "NAME=COMMIT", or "NAME=BASE+COMMIT" for a merge, which is made anew; "" for a
// directory.
func (r Repo) Pin() string {
	switch {
	case r.Commit == "":
		return ""
	case r.Merged != "" && r.Commit != r.Base:
		return r.Name + "=" + r.Base + "+" + r.Merged
	}
	return r.Name + "=" + r.Commit
}

// text says what is planned of a repository, "" if that is what the project names.
func (r Repo) text() string {
	usual := r.Usual
	if usual == "" {
		usual = "HEAD"
	}
	usual += " " + short(r.Base)
	behind := fmt.Sprintf("without %d commits of %s", r.Behind, usual)
	if r.Behind == 1 {
		behind = "without 1 commit of " + usual
	}
	switch {
	case r.Base == "":
		return ""
	case r.Merged != "" && r.Commit == r.Base:
		return fmt.Sprintf("at %s, which has %s in it", usual, short(r.Merged))
	case r.Merged != "":
		return fmt.Sprintf("at %s merged with %s", short(r.Merged), usual)
	}
	at := "at " + short(r.Commit)
	if r.Commit == "" {
		at = "in " + r.Ref
	}
	if r.Behind > 0 {
		at += ", " + behind
	}
	return at
}

// short is the beginning of a commit's id, as people write it.
func short(id string) string { return id[:min(7, len(id))] }

// ReposText has a line for each repository of which something else is planned than
// what the project names, with what it is called there.
func (p *Plan) ReposText() string {
	var lines []string
	users := map[string][]string{}
	for _, r := range p.Repos {
		about := r.text()
		if about == "" {
			continue
		}
		line := "repository " + r.title() + " " + about
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
		users[line] = append(users[line], r.Name)
	}
	var out strings.Builder
	for _, line := range lines {
		fmt.Fprintln(&out, printable.Line(strings.Join(users[line], ", ")+": "+line))
	}
	return out.String()
}

// title is a name for a repository: the last part of its URL.
func (r Repo) title() string {
	url := strings.TrimSuffix(strings.TrimRight(r.URL, "/"), ".git")
	return url[strings.LastIndexAny(url, "/:")+1:]
}

// Pins are those of all repositories of a plan, in order: what every ref named when
// it was made.
func (p *Plan) Pins() []string {
	var pins []string
	for _, r := range p.Repos {
		if pin := r.Pin(); pin != "" {
			pins = append(pins, pin)
		}
	}
	return pins
}

// RepoFlags are the flags with which another run of Strata uses what the plan has
// of its repositories, directories included.
func (p *Plan) RepoFlags() []string {
	var flags []string
	for _, r := range p.Repos {
		if pin := r.Pin(); pin != "" {
			flags = append(flags, "--pin", pin)
		} else {
			flags = append(flags, "--override", r.Name+"="+r.Ref)
		}
	}
	return flags
}
