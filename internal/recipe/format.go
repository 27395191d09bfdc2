package recipe

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
)

// format says what a string has to look like.
type format struct {
	pattern string // a regular expression in the syntax that Go and JSON Schema share; "" for any
	means   string // the same in words, as "must be ..." needs them
	empty   bool   // may be empty
	check   func(w *walker, value word, path string) string
}

// formats is the table of what the tag "format" may say. check reports what a
// pattern cannot tell and returns the value in the form that the project holds.
func formats() map[string]format {
	return map[string]format{
		"":             {means: "text"},
		"name":         {pattern: `^[a-z0-9][a-z0-9._-]*$`, means: "lower-case letters, digits, dots, underscores and hyphens, with a letter or digit first"},
		"label":        {pattern: `^[A-Za-z0-9][A-Za-z0-9._-]*$`, means: "letters, digits, dots, underscores and hyphens, with a letter or digit first"},
		"secret-name":  {pattern: `^[A-Za-z0-9_][A-Za-z0-9._-]*$`, means: "a file name of letters, digits, dots, underscores and hyphens"},
		"variable":     {pattern: `^[A-Za-z_][A-Za-z0-9_]*$`, means: "letters, digits and underscores, without a digit first"},
		"label-key":    {pattern: `^[!-<>-~]+$`, means: "printable ASCII without spaces and equals signs"},
		"group":        {pattern: `^[A-Za-z0-9_][A-Za-z0-9_.-]*$`, means: "the name of an Ansible group"},
		"word":         {pattern: `^[!-~]+$`, means: "one word of printable ASCII"},
		"unit":         {pattern: `^[A-Za-z0-9:_.\\@-]+$`, means: "the name of a systemd unit"},
		"package-name": {pattern: `^[A-Za-z0-9][A-Za-z0-9+._-]*(:[a-z0-9-]+)?$`, means: "the name of a package"},
		"package":      {check: checkPackage, means: "a package's name, name=version, or the path of a .deb file"},
		"url":          {pattern: `^(https?://|file:/)[!-~]+$`, means: "a URL that begins with http://, https:// or file:/", check: checkURL},
		"git-url":      {pattern: `^[^-\s][^\s]*$`, means: "a URL, HOST:PATH or directory, as git understands it", check: checkGitURL},
		"below":        {means: "a directory in the repository", check: func(w *walker, v word, where string) string { clean, _ := w.inside(v, where); return clean }},
		"registry":     {pattern: `^[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._-]+)*$`, means: "HOST[:PORT][/PATH], without https:// and without a tag"},
		"handed-on":    {pattern: `^(job|none|registry|s3://[a-z0-9][!-~]*)$`, means: "job, none, registry or s3://BUCKET/PREFIX", check: checkHandedOn},
		"mode":         {pattern: `^0?[0-7]{3,4}$`, means: `an octal number of three or four digits in quotes, such as "0644"`},
		"absolute":     {pattern: `^/`, means: "an absolute path in the image", check: checkDest},
		"pattern":      {pattern: `^/`, means: "an absolute path in the image, with wildcards", check: checkPattern},
		"line":         {pattern: `^[^\r\n]*$`, means: "one line", empty: true},
		"content":      {means: "text", empty: true},
		"repository":   {means: "the name of a repository", check: noteRepository},
		"command":      {pattern: `[^*\s]`, means: "a command, in which * stands for any characters"},
		"reads":        {means: "a path with wildcards", check: checkReads},
		"glob":         {means: "a path with wildcards"},
		"path":         {means: "the path of a file or directory", check: checkPath(anything)},
		"source":       {means: "the path of a file, directory or link", check: checkSource},
		"file":         {means: "the path of a file", check: checkPath(regular)},
		"dir":          {means: "the path of a directory", check: checkPath(directory)},
	}
}

// noteRepository keeps the reference for when all repositories are known.
func noteRepository(w *walker, v word, path string) string {
	w.repositories = append(w.repositories, reference{v, path})
	return v.Text
}

// checkURL refuses credentials: a repository's URL is written into the image. The
// line stays out of the report, which may end up in a log.
func checkURL(w *walker, v word, path string) string {
	_, rest, _ := strings.Cut(v.Text, "://")
	host, _, _ := strings.Cut(rest, "/")
	if strings.Contains(host, "@") {
		w.faults.add(v.At, "leave out what stands before the @, since the URL is stored in the image", "%s: the URL holds credentials", path)
		w.faults.list[len(w.faults.list)-1].err.Snippet = ""
	}
	return v.Text
}

// checkGitURL refuses credentials: a strata.yaml is in a repository itself.
func checkGitURL(w *walker, v word, path string) string {
	_, rest, url := strings.Cut(v.Text, "://")
	host, _, _ := strings.Cut(rest, "/")
	if user, _, found := strings.Cut(host, "@"); url && found && strings.Contains(user, ":") {
		w.faults.add(v.At, "leave out what stands before the @; git asks its credential helpers", "%s: the URL holds credentials", path)
		w.faults.list[len(w.faults.list)-1].err.Snippet = ""
	}
	return v.Text
}

// checkHandedOn refuses what is no place in an object store.
func checkHandedOn(w *walker, v word, path string) string {
	if !strings.HasPrefix(v.Text, "s3:") {
		return v.Text
	}
	if _, err := layer.ParseObjectStore(v.Text); err != nil {
		w.faults.add(v.At, "write s3://BUCKET/PREFIX, and ?endpoint=https://HOST behind it for a store that is not Amazon's; credentials come from the AWS_ variables of the environment", "%s: %v", path, err)
		w.faults.list[len(w.faults.list)-1].err.Snippet = "" // it may hold credentials
	}
	return v.Text
}

func checkDest(w *walker, v word, where string) string {
	if slices.Contains(strings.Split(v.Text, "/"), "..") {
		w.faults.add(v.At, "write the path that it leads to", "%s: path %s has .. in it", where, quote(v.Text))
		return v.Text
	}
	clean := path.Clean(v.Text)
	if strings.HasSuffix(v.Text, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

func checkPattern(w *walker, v word, where string) string {
	if _, err := path.Match(v.Text, "/"); err != nil {
		w.faults.add(v.At, "* and ? stand for any characters but a slash, [abc] for one of them", "%s: %s is not a pattern", where, quote(v.Text))
		return v.Text
	}
	return checkDest(w, v, where)
}

// checkReads keeps a pattern of files in the project's directory.
func checkReads(w *walker, v word, where string) string {
	clean, ok := w.inside(v, where)
	if _, err := path.Match(clean, ""); err != nil && ok {
		w.faults.add(v.At, "* and ? stand for any characters but a slash, [abc] for one of them, ** for any number of directories", "%s: %s is not a pattern", where, quote(v.Text))
	}
	if w.base == unreachable {
		return clean
	}
	return path.Join(w.base, clean)
}

// checkPackage checks the file of a local package. It returns local packages
// with a slash in them, so that nobody takes one for a name.
func checkPackage(w *walker, v word, where string) string {
	if strings.HasSuffix(v.Text, ".deb") {
		clean := checkPath(regular)(w, v, where)
		if !strings.Contains(clean, "/") {
			return "./" + clean
		}
		return clean
	}
	name, version, pinned := strings.Cut(v.Text, "=")
	switch {
	case strings.Contains(name, "/"):
		w.faults.add(v.At, "write a name, name=version, or the path of a .deb file", "%s: %s is neither a package's name nor a .deb file", where, quote(v.Text))
	case !w.packageName.MatchString(name), pinned && !w.word.MatchString(version):
		hint := "write a name, name=version, or the path of a .deb file"
		if strings.ContainsAny(v.Text, " ,") {
			hint = "write every package as an item of its own"
		}
		w.faults.add(v.At, hint, "%s: %s is not the name of a package", where, quote(v.Text))
	}
	return v.Text
}

// What a path may lead to.
const (
	anything  = ""
	regular   = "file"
	directory = "directory"
)

// checkPath returns a check that the path stays in the project's directory and
// leads to what is wanted.
func checkPath(want string) func(*walker, word, string) string {
	return func(w *walker, v word, where string) string {
		clean, ok := w.inside(v, where)
		if !ok || w.fsys == nil || w.base == unreachable {
			return clean
		}
		clean = path.Join(w.base, clean)
		info, err := fs.Stat(w.fsys, clean)
		switch {
		case err != nil && pinned(w.fsys, clean): // a plan knows it by the commit
		case err != nil:
			w.faults.add(v.At, hintOf(err, w.likePath(clean)), "%s: %s %s", where, v.Text, plain(err))
		case want == regular && info.IsDir():
			w.faults.add(v.At, "name a file in it", "%s: %s is a directory, not a file", where, v.Text)
		case want == directory && !info.IsDir():
			w.faults.add(v.At, "name the directory that it is in", "%s: %s is not a directory", where, v.Text)
		}
		return clean
	}
}

// pinned reports whether a path lies in a submodule that was not fetched.
func pinned(fsys fs.FS, name string) bool {
	by, ok := fsys.(interface{ Pinned(string) (string, bool) })
	for ; ok && name != "."; name = path.Dir(name) {
		if _, is := by.Pinned(name); is {
			return true
		}
	}
	return false
}

// checkSource is checkPath for what is copied: a link by itself, wherever it leads.
func checkSource(w *walker, v word, where string) string {
	if clean := path.Join(w.base, path.Clean(v.Text)); w.fsys != nil && w.base != unreachable && fs.ValidPath(clean) && clean != "." {
		if info, err := fs.Lstat(w.fsys, clean); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return clean
		}
	}
	return checkPath(anything)(w, v, where)
}

// inside returns the clean form of a path and whether it is one that fs.FS can
// hold: relative, and not leading out of the project's directory.
func (w *walker) inside(v word, where string) (string, bool) {
	clean := path.Clean(v.Text)
	switch {
	case path.IsAbs(v.Text):
		w.faults.add(v.At, "copy it into the project's directory and write its path from there", "%s: path %s is absolute", where, quote(v.Text))
	case clean == ".." || strings.HasPrefix(clean, "../"):
		w.faults.add(v.At, "copy it into the project's directory, or start strata in the directory above", "%s: path %s leaves the project's directory", where, quote(v.Text))
	case !fs.ValidPath(clean) || strings.Contains(clean, "\x00"):
		w.faults.add(v.At, "", "%s: %s cannot be a path", where, quote(v.Text))
	default:
		return clean, true
	}
	return clean, false
}

// likePath is the hint for a path that is not there.
func (w *walker) likePath(clean string) string {
	dir, base := path.Split(clean)
	entries, err := fs.ReadDir(w.fsys, path.Clean("./"+dir))
	if err != nil {
		return "paths begin at the project's directory"
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	if c := fault.Nearest(base, names); c != "" && c != base {
		return "did you mean " + quote(dir+c) + "?"
	}
	return "paths begin at the project's directory"
}
