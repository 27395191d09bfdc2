package git

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/strata-hpc/strata/internal/fault"
)

// revision is a revision as it was written, taken apart.
type revision struct {
	text  string
	base  string // a name or an id
	at    string // what stood in @{…}
	has   bool   // whether there was @{…}
	steps []step
}

// step goes from a commit to one of its parents, once or, for the first, more often.
type step struct {
	parent int // from 1; 0 stays
	times  int
}

// Commit finds the commit that a revision names, as git does: HEAD, a branch, a
// tag, origin/main, an id or the beginning of one, what git describe prints, each
// with ~N, ^N, ^{} and ^{commit} after it; and NAME@{N}, NAME@{upstream}.
func (r *Repository) Commit(rev string) (Commit, error) {
	v, err := parseRevision(rev)
	if err != nil {
		return Commit{}, err
	}
	id, err := r.start(v)
	if err != nil {
		return Commit{}, err
	}
	c, err := r.peel(id, v.base)
	if err != nil {
		return Commit{}, err
	}
	if c, err = r.walk(v, c); err != nil {
		return Commit{}, err
	}
	return c.Commit, nil
}

// parseRevision splits at the first ~, ^ or @{, none of which a name can have.
func parseRevision(text string) (revision, error) {
	v := revision{text: text}
	if text == "" || strings.ContainsAny(text, ":\x00") || strings.Contains(text, "..") {
		return v, unknown(text, "").WithHint("a revision is one commit: a branch, a tag, an id, HEAD~1")
	}
	end := len(text)
	for _, mark := range []string{"~", "^", "@{"} {
		if i := strings.Index(text, mark); i >= 0 {
			end = min(end, i)
		}
	}
	v.base = text[:end]
	rest := text[end:]
	if after, ok := strings.CutPrefix(rest, "@{"); ok {
		v.at, rest, v.has = strings.Cut(after, "}")
		if !v.has {
			return v, unknown(text, "")
		}
	}
	if v.base == "" || v.base == "@" {
		if v.base == "" && !v.has {
			return v, unknown(text, "")
		}
		v.base = "HEAD"
	}
	for rest != "" {
		s, after, ok := parseStep(rest)
		if !ok {
			return v, unknown(text, "").WithHint("what can follow a name: ~N, ^N, ^{}, ^{commit}")
		}
		v.steps, rest = append(v.steps, s), after
	}
	return v, nil
}

func parseStep(text string) (step, string, bool) {
	for _, peel := range []string{"^{}", "^{commit}", "^{commit"} {
		if rest, ok := strings.CutPrefix(text, peel); ok {
			return step{}, rest, !strings.HasSuffix(peel, "t")
		}
	}
	digits := 1
	for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
		digits++
	}
	n := 1
	if digits > 1 {
		var err error
		if n, err = strconv.Atoi(text[1:digits]); err != nil {
			return step{}, "", false
		}
	}
	switch text[0] {
	case '~':
		return step{parent: 1, times: n}, text[digits:], true
	case '^':
		return step{parent: n, times: min(n, 1)}, text[digits:], true
	}
	return step{}, "", false
}

// start finds the object that the revision begins with.
func (r *Repository) start(v revision) (plumbing.Hash, error) {
	if v.has {
		return r.reflog(v)
	}
	if plumbing.IsHash(v.base) {
		return plumbing.NewHash(v.base), r.mustHave(v)
	}
	name, err := r.expand(v.base)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if name != "" {
		id, last, err := r.resolveRef(name)
		if err != nil || !id.IsZero() {
			return id, err
		}
		return id, unknown(v.text, "branch %s has no commit yet", strings.TrimPrefix(last, "refs/heads/")).
			WithHint("git -C %s commit", r.place())
	}
	short := v.base
	if m := described.FindStringSubmatch(v.base); m != nil {
		short = m[1]
	}
	if abbreviated.MatchString(short) {
		id, err := r.abbreviation(v, strings.ToLower(short))
		if err != nil || !id.IsZero() {
			return id, err
		}
	}
	return plumbing.ZeroHash, r.noRef(v)
}

// As git describe prints a commit, and as git abbreviates an id.
var (
	described   = regexp.MustCompile(`^.+-[0-9]+-g([0-9a-fA-F]{4,40})$`)
	abbreviated = regexp.MustCompile(`^[0-9a-fA-F]{4,39}$`)
)

// mustHave says how to get a commit that is named by its full id and is not there.
func (r *Repository) mustHave(v revision) error {
	_, err := r.db.size(plumbing.NewHash(v.base))
	if !errors.Is(err, errMissing) {
		return nil // damage is found, and told, when it is read
	}
	remote := r.config.remote()
	if r.isShallow() {
		return unknown(v.text, "the clone is shallow, and commit %s is not in it", v.base).
			WithHint("git -C %s fetch --depth=1 %s %s, or git fetch --unshallow for all commits", r.place(), remote, v.base)
	}
	return unknown(v.text, "the repository %s has no such object", r.place()).
		WithHint("git -C %s fetch %s %s", r.place(), remote, v.base)
}

// noRef is the fault of a name that is none, with the nearest one.
func (r *Repository) noRef(v revision) error {
	nearest := fault.Nearest(v.base, r.refNames())
	remote := r.config.remote()
	branch, ofRemote := strings.CutPrefix(v.base, remote+"/")
	switch {
	case r.isShallow() && ofRemote && validRef(v.base):
		return unknown(v.text, "the clone is shallow and has not fetched it").
			WithHint("git -C %[1]s fetch --depth=1 %[2]s %[3]s:refs/remotes/%[2]s/%[3]s", r.place(), remote, branch)
	case nearest != "":
		return unknown(v.text, "").WithHint("did you mean %s?", nearest+strings.TrimPrefix(v.text, v.base))
	case r.isShallow():
		return unknown(v.text, "the clone is shallow and may lack it").
			WithHint("git -C %s fetch --unshallow --tags %s", r.place(), remote)
	}
	return unknown(v.text, "").WithHint("git -C %s branch --all and git tag list what there is", r.place())
}

// abbreviation finds the one commit (or tag) whose id begins with the digits.
func (r *Repository) abbreviation(v revision, digits string) (plumbing.Hash, error) {
	ids, err := r.db.withPrefix(digits)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if len(ids) > 1 {
		ids = slices.DeleteFunc(ids, func(id plumbing.Hash) bool {
			kind, _, err := r.db.read(id)
			return err == nil && kind != plumbing.CommitObject && kind != plumbing.TagObject
		})
	}
	switch len(ids) {
	case 0:
		return plumbing.ZeroHash, nil
	case 1:
		return ids[0], nil
	}
	var names []string
	for _, id := range ids {
		names = append(names, id.String())
	}
	slices.Sort(names)
	return plumbing.ZeroHash, fault.New(fault.Input, "revision %s is short for %d objects", v.text, len(ids)).
		WithHint("write more digits: %s", strings.Join(names, ", "))
}

// walk takes the steps from a commit.
func (r *Repository) walk(v revision, c record) (record, error) {
	depth := 1
	for _, s := range v.steps {
		for range s.times {
			if len(c.parents) < s.parent {
				return c, r.noParent(v, c, s.parent)
			}
			parent := c.parents[s.parent-1]
			next, err := r.commit(parent, "parent of commit "+c.Short())
			if err != nil {
				if _, lost := r.db.size(parent); errors.Is(lost, errMissing) {
					err = r.cutOff(v, c, parent)
				}
				return c, err
			}
			c, depth = next, depth+1
		}
	}
	return c, nil
}

func (r *Repository) noParent(v revision, c record, which int) error {
	if len(c.parents) == 0 {
		return unknown(v.text, "the history begins with commit %s", c.Short())
	}
	if len(c.parents) == 1 {
		return unknown(v.text, "commit %s has one parent, not %d", c.Short(), which)
	}
	return unknown(v.text, "commit %s has %d parents, not %d", c.Short(), len(c.parents), which)
}

// cutOff tells which commit is missing and how deep to fetch for it.
func (r *Repository) cutOff(v revision, c record, parent plumbing.Hash) error {
	depth := 1
	for _, s := range v.steps {
		depth += s.times
	}
	remote := r.config.remote()
	if !r.isShallow() {
		return unknown(v.text, "commit %s, the parent of %s, is missing from %s", parent, c.Short(), r.place()).
			WithHint("git -C %s fetch %s %s", r.place(), remote, parent)
	}
	u := unknown(v.text, "the clone is shallow: it ends at commit %s, whose parent %s is missing", c.Short(), parent)
	// The depth counts from what is fetched, which an id or a tag may not be.
	if plumbing.IsHash(v.base) || abbreviated.MatchString(v.base) {
		return u.WithHint("git -C %s fetch --unshallow %s", r.place(), remote)
	}
	return u.WithHint("git -C %s fetch --depth=%d %s, or git fetch --unshallow for all commits", r.place(), depth, remote)
}

// reflog answers NAME@{N} from the ref's log, and NAME@{upstream}.
func (r *Repository) reflog(v revision) (plumbing.Hash, error) {
	name, err := r.expand(v.base)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if name == "" {
		return plumbing.ZeroHash, r.noRef(v)
	}
	if v.at == "u" || v.at == "upstream" {
		return r.upstream(v, name)
	}
	n, err := strconv.Atoi(v.at)
	if err != nil || n < 0 {
		return plumbing.ZeroHash, unknown(v.text, "@{%s} is not understood here", v.at).
			WithHint("@{N} and @{upstream} are; git rev-parse '%s' gives the id of others", v.text)
	}
	if n == 0 {
		id, _, err := r.resolveRef(name) // git's too needs no log for it
		if err == nil && id.IsZero() {
			err = unknown(v.text, "%s has no commit yet", v.base)
		}
		return id, err
	}
	content, _ := os.ReadFile(r.refPath("logs", name))
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	if len(content) == 0 || n >= len(lines) {
		return plumbing.ZeroHash, unknown(v.text, "the log of %s is not that long", v.base)
	}
	words := strings.Fields(lines[len(lines)-1-n])
	if len(words) < 2 || !plumbing.IsHash(words[1]) {
		return plumbing.ZeroHash, unknown(v.text, "the log of %s is damaged", v.base)
	}
	return plumbing.NewHash(words[1]), nil
}

func (r *Repository) upstream(v revision, name string) (plumbing.Hash, error) {
	_, last, err := r.resolveRef(name)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	branch := strings.TrimPrefix(last, "refs/heads/")
	remote, merge := r.config.get("branch", branch, "remote"), r.config.get("branch", branch, "merge")
	if remote == "" || merge == "" {
		return plumbing.ZeroHash, unknown(v.text, "branch %s follows no other", branch).
			WithHint("git -C %s branch --set-upstream-to=origin/%s %s", r.place(), branch, branch)
	}
	if remote != "." {
		merge = "refs/remotes/" + remote + "/" + strings.TrimPrefix(merge, "refs/heads/")
	}
	id, _, err := r.resolveRef(merge)
	if err == nil && id.IsZero() {
		err = unknown(v.text, "%s has not been fetched", merge).WithHint("git -C %s fetch %s", r.place(), remote)
	}
	return id, err
}

// unknown is the fault of a revision that is not there, and why, if there is a why.
func unknown(rev, why string, args ...any) *fault.Error {
	if why == "" {
		return fault.New(fault.Input, "there is no revision %s", rev)
	}
	return fault.New(fault.Input, "there is no revision %s: %s", rev, fmt.Sprintf(why, args...))
}

func notCommit(what string, kind plumbing.ObjectType) error {
	return fault.New(fault.Input, "revision %s is a %s, not a commit", what, kind)
}
