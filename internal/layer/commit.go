package layer

import "strings"

// Commit is the state of a git repository that something was made of.
type Commit struct {
	Name string `json:"name"`          // "project", "inventory", or the name of the layer that has its files there
	URL  string `json:"url,omitempty"` // without password or token
	// ID is that of the commit, in 40 hexadecimal digits; two with + between for what
	// merging the second into the first makes; "-dirty" is behind it if files were
	// others. "" is for files that are in no commit.
	ID string `json:"commit"`
}

// ProjectCommit is the name of the commit of the project itself.
const ProjectCommit = "project"

const dirty = "-dirty"

// Dirty returns the commit of files that differ from it.
func (c Commit) Dirty() Commit {
	c.ID += dirty
	return c
}

// Clean reports whether the commit says all: the files were just those.
func (c Commit) Clean() bool { return c.ID != "" && !strings.HasSuffix(c.ID, dirty) }

// String is the commit for people: its name and the beginning of its id.
func (c Commit) String() string { return c.Name + " " + c.Short() }

// Short is the beginning of the id, or of both that it is made of, as people write it.
func (c Commit) Short() string {
	id, isDirty := strings.CutSuffix(c.ID, dirty)
	ids := strings.Split(id, "+")
	for i, id := range ids {
		ids[i] = id[:min(7, len(id))]
	}
	short := strings.Join(ids, "+")
	if isDirty {
		short += dirty
	}
	if short == "" {
		return "no commit"
	}
	return short
}
