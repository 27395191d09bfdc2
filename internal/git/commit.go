package git

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Commit is a commit of a repository.
type Commit struct {
	ID      string    `json:"id"`      // 40 hexadecimal digits
	Subject string    `json:"subject"` // the first paragraph of the message, in one line
	Time    time.Time `json:"time"`    // when it was committed, in the committer's zone
}

// Short is the beginning of the id, as people write it.
func (c Commit) Short() string { return c.ID[:min(7, len(c.ID))] }

// record is a commit object.
type record struct {
	Commit
	tree    plumbing.Hash
	parents []plumbing.Hash
}

// commit reads a commit; what tells which, for errors.
func (r *Repository) commit(id plumbing.Hash, what string) (record, error) {
	content, err := r.object(plumbing.CommitObject, id, what)
	if err != nil {
		return record{}, err
	}
	c, err := parseCommit(string(content))
	if err != nil {
		return record{}, r.corrupt(id, what, err)
	}
	c.ID = id.String()
	return c, nil
}

func parseCommit(text string) (record, error) {
	var c record
	head, message, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "tree", "parent":
			if !plumbing.IsHash(value) {
				return c, fmt.Errorf("its %s is %q", key, value)
			}
			if key == "tree" {
				c.tree = plumbing.NewHash(value)
			} else {
				c.parents = append(c.parents, plumbing.NewHash(value))
			}
		case "committer":
			c.Time = stamp(value)
		}
	}
	if c.tree.IsZero() {
		return c, errors.New("it has no tree")
	}
	first, _, _ := strings.Cut(strings.TrimLeft(message, "\n"), "\n\n")
	c.Subject = strings.Join(strings.Fields(first), " ")
	return c, nil
}

// stamp reads the end of "name <address> seconds zone"; zero when it is broken, as
// in commits that old tools wrote.
func stamp(person string) time.Time {
	words := strings.Fields(person[strings.LastIndexByte(person, '>')+1:])
	if len(words) == 0 {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return time.Time{}
	}
	t := time.Unix(seconds, 0).UTC()
	if len(words) > 1 {
		if zone, err := time.Parse("-0700", words[1]); err == nil {
			_, offset := zone.Zone()
			t = t.In(time.FixedZone("", offset))
		}
	}
	return t
}

// peel follows annotated tags to a commit.
func (r *Repository) peel(id plumbing.Hash, what string) (record, error) {
	for {
		kind, content, err := r.db.read(id)
		if err != nil {
			return record{}, r.unreadable(id, what, err)
		}
		switch kind {
		case plumbing.CommitObject:
			return r.commit(id, what)
		case plumbing.TagObject:
			line, _, _ := strings.Cut(string(content), "\n")
			to, ok := strings.CutPrefix(line, "object ")
			if !ok || !plumbing.IsHash(to) {
				return record{}, r.corrupt(id, what, errors.New("the tag does not say of what"))
			}
			id = plumbing.NewHash(to)
		default:
			return record{}, notCommit(what, kind)
		}
	}
}
