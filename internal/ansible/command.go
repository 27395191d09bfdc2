package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/program"
	"github.com/strata-hpc/strata/internal/ansible/python"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/layer"
)

// Programs that playbooks run on the machine that builds.

// commandLine is a command of a task or of a lookup.
type commandLine struct {
	written string        // as people wrote it
	argv    []jinja.Shape // its arguments, if they are apart
	shell   bool
	script  bool // it is a file of the project that is run
	lookup  bool // it works in the playbook's directory
	dir     jinja.Shape
}

// commandHere wants what a task's command reads.
func (w *walk) commandHere(t *task, o owner) {
	c := commandLine{shell: t.module == "shell" || t.module == "raw", script: t.module == "script"}
	text := t.free
	for _, key := range []string{"cmd", "_raw_params", "command"} {
		if v := t.args.At(key); v.Kind != value.Null {
			text = v
		}
	}
	if argv := t.args.At("argv"); argv.Kind == value.List {
		var words []string
		for _, item := range argv.Items() {
			c.argv, words = append(c.argv, shapeOf(item)), append(words, item.Text)
		}
		text = value.Value{Kind: value.String, Text: strings.Join(words, " "), Line: argv.Line}
	} else if text.Kind == value.String && t.free.Kind == value.String {
		text.Text = withoutOptions(text.Text)
	}
	if dir := t.option("chdir"); dir.Kind != value.Null {
		c.dir = shapeOf(dir)
	}
	c.written = text.Text
	if text.Kind != value.String {
		w.everything("a command runs on this machine that is computed", o.at(t.line))
		return
	}
	w.want(request{kind: wantCommand, shape: shapeOf(text), owner: o, line: t.line, command: &c})
	for _, key := range []string{"creates", "removes"} {
		if v := t.option(key); v.Kind != value.Null {
			w.want(request{kind: wantLocalName, shape: shapeOf(v), owner: o, line: t.line})
		}
	}
	for _, p := range t.environment {
		w.want(request{kind: wantEnvironment, shape: shapeOf(p.Value), owner: o, line: t.line, under: p.Key.Text})
	}
}

// option is an argument that may also stand in the free text: "chdir=/x make".
func (t *task) option(name string) value.Value {
	if v := t.args.At(name); v.Kind != value.Null {
		return v
	}
	for _, word := range words(t.free.Text) {
		if key, text, ok := strings.Cut(word, "="); ok && key == name {
			return value.Value{Kind: value.String, Text: strings.Trim(text, `"'`), Line: t.free.Line}
		}
	}
	return value.Value{}
}

// withoutOptions is a free text without the arguments of the module in it.
func withoutOptions(text string) string {
	for _, word := range words(text) {
		if name, _, ok := strings.Cut(word, "="); ok && (optionOfScript(name) || name == "warn" || name == "stdin" || name == "strip_empty_ends" || name == "stdin_add_newline") {
			text = strings.Replace(text, word, "", 1)
		}
	}
	return strings.TrimSpace(text)
}

// command reads what a command line can come to.
func (w *walk) command(r *request) {
	c := r.command
	at := r.owner.at(r.line)
	var reads program.Reads
	for _, one := range w.commands(r) {
		reads.Files, reads.Names = append(reads.Files, one.Files...), append(reads.Names, one.Names...)
		reads.Python = append(reads.Python, one.Python...)
		reads.Commit = reads.Commit || one.Commit
		if reads.Wide == "" {
			reads.Wide = one.Wide
		}
	}
	if c.script {
		reads.Wide = "a script"
	}
	said, declared := w.declared(c.written, w.namesOf(r))
	if declared {
		w.reads(said.Reads, at)
		reads.Wide = ""
	}
	dirs := w.worksIn(c, r.owner)
	note := "runs \"" + abridge(c.written) + "\" on this machine"
	for _, name := range reads.Files {
		if wide := w.localRead(name, dirs, false, nil, at); wide && !declared {
			reads.Wide = "what it is told"
		}
	}
	if !declared && slices.ContainsFunc(reads.Python, func(name string) bool { return !w.readsNothing(name, dirs) }) {
		reads.Wide = "python"
	}
	for _, name := range reads.Names {
		w.localRead(name, dirs, true, nil, at)
	}
	if reads.Commit && (!declared || Declared(said.Reads, ".git")) {
		w.commit = w.commit.with(at)
	}
	if reads.Wide != "" {
		w.program(note+", which could read any file; declare reads: or build once", at)
	}
}

// readsNothing reports whether a script that Python runs is of the project and reads
// nothing, nor imports what lies beside it.
func (w *walk) readsNothing(name string, dirs []string) bool {
	var files []string
	if i := strings.LastIndex(name, projectText); i >= 0 {
		files = []string{path.Join(".", name[i+1:])}
	} else {
		for _, dir := range dirs {
			i := strings.LastIndex(dir, projectText)
			if i < 0 {
				return false
			}
			files = append(files, path.Join(dir[i+1:], name))
		}
	}
	for _, file := range files {
		if strings.HasPrefix(name, "/") || computed(file) || !within(file, ".") || strings.HasPrefix(file, "../") || w.files.Kind(file) != tree.File || w.files.Real(file).Real != file {
			return false
		}
		text, err := w.files.Text(file)
		if err != nil {
			return false
		}
		imports, ok := python.ReadScript(string(text))
		beside := func(module string) bool {
			at := path.Join(path.Dir(file), module)
			return w.files.Kind(at) != tree.Absent || w.files.Kind(at+".py") != tree.Absent
		}
		if !ok || slices.ContainsFunc(imports, beside) {
			return false
		}
	}
	return len(files) > 0
}

// commands are the readings of all that a request's command line can come to.
func (w *walk) commands(r *request) []program.Reads {
	c := r.command
	if c.argv != nil {
		lines := [][]string{nil}
		for _, arg := range c.argv {
			var next [][]string
			texts := w.textsFor(r, arg)
			for i := range texts {
				texts[i] = plainMarks(texts[i])
			}
			if len(texts)*len(lines) > mostTexts {
				texts = []string{unknownText}
			}
			for _, line := range lines {
				for _, text := range texts {
					next = append(next, append(line[:len(line):len(line)], text))
				}
			}
			lines = next
		}
		all := make([]program.Reads, len(lines))
		for i, line := range lines {
			all[i] = program.Argv(line)
		}
		return all
	}
	texts := slices.Clone(w.namesOf(r))
	for i := range texts {
		texts[i] = plainMarks(texts[i])
	}
	if slices.Contains(texts, unknownText) && strings.TrimSpace(c.written) != "" {
		texts = append(texts, outline(c.written))
		if outline(c.written) != unknownText {
			texts = slices.DeleteFunc(texts, func(s string) bool { return s == unknownText })
		}
	}
	var all []program.Reads
	for _, text := range texts {
		switch {
		case c.script:
		case c.shell:
			all = append(all, program.Shell(text))
		default:
			all = append(all, program.Command(text))
		}
	}
	return all
}

// outline is a text with what is computed in it as anything.
func outline(text string) string {
	var b strings.Builder
	for {
		start := strings.Index(text, "{{")
		if strings.Contains(text, "{%") || strings.Contains(text, "{#") {
			return unknownText
		}
		if start < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := strings.Index(text[start:], "}}")
		if end < 0 {
			return unknownText
		}
		b.WriteString(text[:start] + unknownText)
		text = text[start+end+2:]
	}
}

// worksIn are the directories that a command may work in.
func (w *walk) worksIn(c *commandLine, o owner) []string {
	if c.lookup {
		return w.dirs
	}
	if c.dir != nil {
		dirs := slices.Clone(w.texts(c.dir, o))
		for i := range dirs {
			dirs[i] = plainMarks(dirs[i])
		}
		return dirs
	}
	return []string{projectText}
}

// declared is what is said of a command, by its text as it is written or by all that it
// comes to.
func (w *walk) declared(written string, texts []string) (layer.Local, bool) {
	l, ok := Said(w.q.Local, written)
	for i := 0; !ok && i < len(texts); i++ {
		if l, ok = Said(w.q.Local, texts[i]); !ok {
			return l, false
		}
		ok = i == len(texts)-1
	}
	if ok {
		w.used.add(l.String())
	}
	return l, ok
}

// reads makes the files count that a declaration names.
func (w *walk) reads(patterns []string, at place) {
	at.note = ""
	for _, pattern := range patterns {
		fixed := pattern
		if i := strings.IndexAny(pattern, "*?["); i >= 0 {
			fixed = pattern[:strings.LastIndexByte(pattern[:i], '/')+1]
		}
		for _, file := range w.treeOrFile(path.Join(".", fixed)) {
			if Declared([]string{pattern}, file) {
				w.whole(file, "declared to be read", at)
			}
		}
	}
}

// localRead makes count what a name is on the machine that builds, if it is of the
// project: the file, or with names only that it is there. Of a directory all that is
// below, if it fits one of the patterns. It reports whether that may be anything.
func (w *walk) localRead(name string, dirs []string, names bool, patterns []string, at place) (anything bool) {
	if strings.HasPrefix(name, "/") || name == "" {
		return false
	}
	if i := strings.LastIndex(name, projectText); i >= 0 {
		return w.localIn(name[i+1:], names, patterns, at)
	}
	if strings.HasPrefix(name, unknownText) {
		return w.localIn(name, names, patterns, at)
	}
	for _, dir := range dirs {
		switch i := strings.LastIndex(dir, projectText); {
		case strings.HasPrefix(dir, "/"):
		case i >= 0:
			anything = w.localIn(path.Join(".", dir[i+1:])+"/"+name, names, patterns, at) || anything
		default:
			anything = w.localIn(dir+"/"+name, names, patterns, at) || anything
		}
	}
	return anything
}

// localIn is localRead of a path of the project, or a pattern of one.
func (w *walk) localIn(name string, names bool, patterns []string, at place) (anything bool) {
	fixed, rest, computed := strings.Cut(name, unknownText)
	if !computed {
		file := path.Clean(name)
		if file == ".." || strings.HasPrefix(file, "../") {
			return false
		}
		w.localFile(file, names, patterns, at)
		return false
	}
	if strings.Contains(rest, "../") || strings.Contains(strings.TrimLeft(rest, unknownText+"/"), "/..") {
		return true
	}
	dir := path.Join(".", fixed[:strings.LastIndex(fixed, "/")+1])
	if dir == ".." || strings.HasPrefix(dir, "../") {
		return false
	}
	pattern := strings.TrimPrefix(path.Join(dir, "x"), "./")
	pattern = pattern[:len(pattern)-1] + fixed[strings.LastIndex(fixed, "/")+1:] + unknownText + rest
	if anyText(pattern) {
		return true
	}
	for _, file := range w.below(dir) {
		for part := file; part != "." && part != dir; part = path.Dir(part) {
			if matches(pattern, part) {
				w.localFile(file, names, patterns, at)
				break
			}
		}
	}
	return false
}

// anyText reports whether a pattern says next to nothing.
func anyText(pattern string) bool { return strings.Trim(pattern, unknownText+"/.") == "" }

// localFile makes a file count, or all below a directory.
func (w *walk) localFile(name string, onlyNames bool, patterns []string, at place) {
	if name == ".git" || within(name, ".git") {
		return
	}
	if w.files.Kind(name) == tree.Directory {
		for _, file := range w.below(name) {
			if fits(path.Base(file), patterns) {
				w.localFile(file, onlyNames, nil, at)
			}
		}
		return
	}
	if !onlyNames {
		w.whole(name, "file", at)
	} else if w.files.Kind(name) == tree.File {
		w.count(name, asName, sum("there"), "its name", at)
	}
}

func fits(name string, patterns []string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// written is a shape as people would write it.
func written(s jinja.Shape) string {
	switch s := s.(type) {
	case jinja.Literal:
		return string(s)
	case jinja.Variable:
		return "{{ " + strings.Join(append([]string{s.Name}, s.Path...), ".") + " }}"
	case jinja.Concat:
		var b strings.Builder
		for _, part := range s {
			b.WriteString(written(part))
		}
		return b.String()
	case jinja.List:
		if len(s) > 0 {
			return written(s[0])
		}
	}
	return "{{ … }}"
}

// abridge is a command on one line that is not too long for a sentence.
func abridge(text string) string {
	const most = 60
	text = oneSpaced(text)
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
