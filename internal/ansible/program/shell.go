package program

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Marks as they are in a text that is parsed: a shell has no NUL in it.
const (
	unknownRune = "\uf8f0"
	projectRune = "\uf8f1"
)

const (
	mostChoices = 64 // of what the words of a command come to
	deepest     = 8  // texts in texts, variables in variables
	mostLooks   = 10_000
)

// Shell is what a text reads that a shell runs.
func Shell(text string) Reads {
	s := &script{functions: map[string]bool{}, values: map[string][]assigned{}}
	s.text(text)
	return s.reads
}

// Argv is what a program reads that is started without a shell.
func Argv(argv []string) Reads {
	s := &script{}
	s.command(argv)
	return s.reads
}

// Command is what a program reads of which the command line is one text, taken apart
// at blanks as Python's shlex does.
func Command(text string) Reads {
	argv, ok := split(text)
	if !ok {
		return Reads{Wide: "a command that cannot be read"}
	}
	return Argv(argv)
}

// script is a text of a shell while it is read.
type script struct {
	reads     Reads
	dir       string // it works in, below where it started; "" for just there
	functions map[string]bool
	values    map[string][]assigned // what variables may be given, wherever that is
	busy      []string              // variables whose values are being looked at
	looks     int                   // how often one was looked at
	depth     int
}

// assigned is a value that a variable is given: a word, or what nobody knows.
type assigned struct {
	word  *syntax.Word
	texts []string // instead of a word
}

// text reads a text of a shell.
func (s *script) text(text string) {
	if s.depth++; s.depth > deepest {
		s.reads.wide("a shell")
		return
	}
	defer func() { s.depth-- }()
	text = strings.NewReplacer(Unknown, unknownRune, Project, projectRune).Replace(text)
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		s.reads.wide("a shell")
		return
	}
	if s.functions == nil {
		s.functions, s.values = map[string]bool{}, map[string][]assigned{}
	}
	s.declare(file)
	for _, stmt := range file.Stmts {
		s.statement(stmt)
	}
}

// declare notes the functions and what variables are given.
func (s *script) declare(file *syntax.File) {
	give := func(name string, a assigned) { s.values[name] = append(s.values[name], a) }
	unknown := assigned{texts: []string{Unknown}}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl:
			s.functions[n.Name.Value] = true
		case *syntax.Assign:
			switch {
			case n.Name == nil:
			case n.Append || n.Index != nil || n.Array != nil:
				give(n.Name.Value, unknown)
			case n.Naked:
			default:
				give(n.Name.Value, assigned{word: n.Value})
			}
		case *syntax.ForClause:
			if loop, ok := n.Loop.(*syntax.WordIter); ok {
				if !loop.InPos.IsValid() {
					give(loop.Name.Value, unknown)
				}
				for _, item := range loop.Items {
					give(loop.Name.Value, assigned{word: item})
				}
			}
		case *syntax.CallExpr:
			if len(n.Args) > 1 && (n.Args[0].Lit() == "read" || n.Args[0].Lit() == "mapfile" || n.Args[0].Lit() == "readarray" || n.Args[0].Lit() == "getopts" || n.Args[0].Lit() == "printf") {
				for _, arg := range n.Args[1:] {
					give(arg.Lit(), unknown)
				}
			}
		}
		return true
	})
}

func (s *script) statements(list []*syntax.Stmt) {
	for _, stmt := range list {
		s.statement(stmt)
	}
}

// inside reads statements whose change of directory does not last.
func (s *script) inside(list []*syntax.Stmt) {
	dir := s.dir
	s.statements(list)
	s.dir = dir
}

func (s *script) statement(stmt *syntax.Stmt) {
	for _, r := range stmt.Redirs {
		s.redirect(r)
	}
	switch c := stmt.Cmd.(type) {
	case nil:
	case *syntax.CallExpr:
		s.call(c)
	case *syntax.BinaryCmd:
		dir := s.dir
		s.statement(c.X)
		if c.Op == syntax.Pipe || c.Op == syntax.PipeAll {
			s.dir = dir
		}
		s.statement(c.Y)
		if c.Op == syntax.Pipe || c.Op == syntax.PipeAll {
			s.dir = dir
		}
	case *syntax.Block:
		s.statements(c.Stmts)
	case *syntax.Subshell:
		s.inside(c.Stmts)
	case *syntax.IfClause:
		for ; c != nil; c = c.Else {
			s.branch(c.Cond)
			s.branch(c.Then)
		}
	case *syntax.WhileClause:
		s.branch(c.Cond)
		s.branch(c.Do)
	case *syntax.ForClause:
		if loop, ok := c.Loop.(*syntax.WordIter); ok {
			for _, item := range loop.Items {
				s.fields(item)
			}
		} else {
			s.nested(c.Loop)
		}
		s.branch(c.Do)
	case *syntax.CaseClause:
		s.fields(c.Word)
		for _, item := range c.Items {
			s.branch(item.Stmts)
		}
	case *syntax.FuncDecl:
		s.branch([]*syntax.Stmt{c.Body})
	case *syntax.DeclClause:
		for _, a := range c.Args {
			s.assign(a)
		}
	case *syntax.TestClause:
		s.test(c.X)
	case *syntax.TimeClause:
		if c.Stmt != nil {
			s.statement(c.Stmt)
		}
	case *syntax.ArithmCmd, *syntax.LetClause:
		s.nested(c)
	default:
		s.reads.wide("a shell")
	}
}

// branch reads statements that may be passed over, or run again: where they lead, the
// rest may begin in either directory.
func (s *script) branch(list []*syntax.Stmt) {
	dir := s.dir
	s.statements(list)
	if s.dir != dir {
		s.dir = Unknown
	}
}

// nested reads the commands in what is no command: $( … ) and the like.
func (s *script) nested(n syntax.Node) {
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst:
			s.inside(n.Stmts)
			return false
		case *syntax.ProcSubst:
			s.inside(n.Stmts)
			return false
		}
		return true
	})
}

func (s *script) redirect(r *syntax.Redirect) {
	switch r.Op {
	case syntax.RdrIn, syntax.RdrInOut:
		for _, fields := range s.fields(r.Word) {
			for _, name := range fields {
				s.reads.file(s.in(name))
			}
		}
	default: // what is written, and texts
		if r.Word != nil {
			s.nested(r.Word)
		}
		if r.Hdoc != nil {
			s.nested(r.Hdoc)
		}
	}
}

// assign reads what a variable is given: for its commands, and since a program may be
// told a file so.
func (s *script) assign(a *syntax.Assign) {
	if a.Array != nil || a.Index != nil {
		s.nested(a)
		return
	}
	if a.Value == nil {
		return
	}
	for _, fields := range s.fields(a.Value) {
		if a.Name != nil {
			s.environment(a.Name.Value, strings.Join(fields, " "))
		}
	}
}

// environment reads a variable that programs are given: it may name files.
func (s *script) environment(name, text string) {
	if name == "PATH" && (strings.Contains(text, Project) || text != "" && strings.Trim(text[:1], "/"+Unknown+"~") != "") {
		s.reads.wide("a program by PATH")
	}
	for _, part := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(":,;= \t\n", c) }) {
		if strings.HasPrefix(part, Unknown) || strings.HasPrefix(part, "/") || !strings.ContainsAny(part, "./"+Project) {
			continue
		}
		s.reads.file(s.in(part))
	}
}

// Environment is what variables read that a program is given.
func Environment(name, text string) Reads {
	var s script
	s.environment(name, text)
	return s.reads
}

func (s *script) call(c *syntax.CallExpr) {
	for _, a := range c.Assigns {
		s.assign(a)
	}
	if len(c.Args) == 0 {
		return
	}
	choices := [][]string{nil}
	for _, arg := range c.Args {
		fields := s.fields(arg)
		if len(choices)*len(fields) > mostChoices {
			fields = [][]string{{Unknown}}
		}
		next := make([][]string, 0, len(choices)*len(fields))
		for _, before := range choices {
			for _, more := range fields {
				next = append(next, append(before[:len(before):len(before)], more...))
			}
		}
		choices = next
	}
	for _, argv := range choices {
		s.command(argv)
	}
}

// in is a name where the script works now.
func (s *script) in(name string) string {
	if s.dir == "" || name == "" || strings.HasPrefix(name, "/") || strings.HasPrefix(name, Project) {
		return name
	}
	if strings.HasPrefix(name, Unknown) {
		return name
	}
	return s.dir + "/" + name
}

// chdir changes the directory.
func (s *script) chdir(to string) {
	if to == "-" || to == "" {
		to = Unknown
	}
	if s.dir = s.in(to); !strings.Contains(s.dir, Unknown) {
		s.dir = path.Clean(s.dir)
	}
	if s.dir == "." {
		s.dir = ""
	}
}

// test reads a [[ … ]].
func (s *script) test(x syntax.TestExpr) {
	switch x := x.(type) {
	case *syntax.BinaryTest:
		s.test(x.X)
		s.test(x.Y)
	case *syntax.ParenTest:
		s.test(x.X)
	case *syntax.UnaryTest:
		word, ok := x.X.(*syntax.Word)
		if !ok {
			s.test(x.X)
			return
		}
		for _, fields := range s.fields(word) {
			for _, name := range fields {
				switch x.Op {
				case syntax.TsNoEmpty, syntax.TsOptSet, syntax.TsVarSet, syntax.TsRefVar, syntax.TsNot, syntax.TsEmpStr, syntax.TsNempStr:
				default:
					s.reads.name(s.in(name))
				}
			}
		}
	case *syntax.Word:
		s.fields(x)
	}
}

// fields is what a word can come to: for each possibility the arguments that it makes.
func (s *script) fields(word *syntax.Word) [][]string {
	var all [][]string
	var whole [][]string
	if syntax.SplitBraces(word) && many(word.Parts) > mostChoices {
		return [][]string{{Unknown}}
	}
	for i, one := range expand.Braces(word) {
		made := s.split(one)
		if i == 0 {
			whole = made
			continue
		}
		all = nil // every one of {a,b} is an argument
		for _, a := range whole {
			for _, b := range made {
				all = append(all, append(a[:len(a):len(a)], b...))
			}
		}
		if whole = all; len(whole) > mostChoices {
			return [][]string{{Unknown}}
		}
	}
	return whole
}

// many is how many words these parts make by their braces.
func many(parts []syntax.WordPart) int {
	n := 1
	for _, part := range parts {
		braces, ok := part.(*syntax.BraceExp)
		switch {
		case !ok:
		case braces.Sequence:
			return mostChoices + 1
		default:
			sum := 0
			for _, one := range braces.Elems {
				sum += many(one.Parts)
			}
			if n *= sum; n > mostChoices {
				return n
			}
		}
	}
	return n
}

// piece is a part of a word: quoted ones are taken apart at no blanks.
type piece struct {
	text   string
	quoted bool
}

// split is what a word without braces comes to.
func (s *script) split(word *syntax.Word) [][]string {
	choices := [][]piece{nil}
	for i, part := range word.Parts {
		pieces := s.part(part, i == 0)
		if len(choices)*len(pieces) > mostChoices {
			pieces = []piece{{Unknown, true}}
		}
		var next [][]piece
		for _, before := range choices {
			for _, p := range pieces {
				next = append(next, append(before[:len(before):len(before)], p))
			}
		}
		choices = next
	}
	all := make([][]string, len(choices))
	for i, pieces := range choices {
		all[i] = blanks(pieces)
	}
	return all
}

// blanks takes a word apart where a variable has blanks in it.
func blanks(pieces []piece) []string {
	fields, open, quoted := []string(nil), false, false
	add := func(text string) {
		if !open {
			fields, open = append(fields, ""), true
		}
		fields[len(fields)-1] += text
	}
	for _, p := range pieces {
		if quoted = quoted || p.quoted; p.quoted {
			add(p.text)
			continue
		}
		for _, c := range p.text {
			if c == ' ' || c == '\t' || c == '\n' {
				open = false
				continue
			}
			add(string(c))
		}
	}
	if len(fields) == 0 && quoted {
		return []string{""}
	}
	return fields
}

// part is what a part of a word can come to.
func (s *script) part(part syntax.WordPart, first bool) []piece {
	switch p := part.(type) {
	case *syntax.Lit:
		return []piece{{literal(p.Value, first), true}}
	case *syntax.SglQuoted:
		if p.Dollar && strings.Contains(p.Value, `\`) {
			return []piece{{Unknown, true}}
		}
		return []piece{{marks(p.Value), true}}
	case *syntax.DblQuoted:
		texts := []string{""}
		for _, inner := range p.Parts {
			var more []string
			if l, ok := inner.(*syntax.Lit); ok {
				more = []string{unescaped(l.Value, "$`\"\\\n")}
			} else {
				for _, one := range s.part(inner, false) {
					more = append(more, one.text)
				}
			}
			var next []string
			for _, before := range texts {
				for _, m := range more {
					next = append(next, before+m)
				}
			}
			if texts = next; len(texts) > mostChoices {
				texts = []string{Unknown}
			}
		}
		all := make([]piece, len(texts))
		for i, t := range texts {
			all[i] = piece{t, true}
		}
		return all
	case *syntax.ParamExp:
		return s.parameter(p)
	case *syntax.CmdSubst:
		s.inside(p.Stmts)
		return []piece{{s.printed(p), true}}
	case *syntax.ProcSubst:
		s.inside(p.Stmts)
		return []piece{{"/dev/fd", true}}
	case *syntax.ArithmExp:
		s.nested(p)
		return []piece{{"0", true}}
	}
	return []piece{{Unknown, true}}
}

// printed is what a command prints that is put in its place, as far as is known.
func (s *script) printed(c *syntax.CmdSubst) string {
	if len(c.Stmts) != 1 {
		return Unknown
	}
	call, ok := c.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		return Unknown
	}
	relative := func(w *syntax.Word) bool { return !strings.HasPrefix(w.Lit(), "/") }
	switch name := call.Args[0].Lit(); {
	case name == "pwd" && len(call.Args) == 1:
		return s.here()
	case name == "mktemp" && !slices.ContainsFunc(call.Args[1:], func(w *syntax.Word) bool { return relative(w) && w.Lit() != "-d" && w.Lit() != "-q" }),
		name == "which", name == "command" && len(call.Args) == 3 && call.Args[1].Lit() == "-v":
		return "/" + Unknown // a path of this machine
	}
	return Unknown
}

// here is the directory as a name.
func (s *script) here() string {
	if s.dir == "" {
		return "."
	}
	return s.dir
}

// parameter is what $x and ${x…} can come to.
func (s *script) parameter(p *syntax.ParamExp) []piece {
	s.nested(p)
	name := p.Param.Value
	if name == "PWD" {
		return []piece{{s.here(), true}}
	}
	if p.Excl || p.Length || p.Width || p.Index != nil || p.Slice != nil || p.Repl != nil || p.Names != 0 {
		return []piece{{Unknown, true}}
	}
	var instead *syntax.Word
	if p.Exp != nil {
		switch p.Exp.Op {
		case syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull, syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
			instead = p.Exp.Word
		case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		default:
			return []piece{{Unknown, true}}
		}
	}
	var all []piece
	if name == "HOME" {
		all = append(all, piece{"/~", true})
	}
	for _, text := range s.variable(name) {
		all = append(all, piece{text, false})
	}
	if instead != nil {
		for _, fields := range s.fields(instead) {
			all = append(all, piece{strings.Join(fields, " "), false})
		}
	}
	if len(all) == 0 {
		all = append(all, piece{Unknown, true}) // of the environment
	}
	return all
}

// variable is what a variable is given in the script.
func (s *script) variable(name string) []string {
	for _, b := range s.busy {
		if b == name {
			return []string{Unknown}
		}
	}
	if s.looks++; len(s.busy) > deepest || s.looks > mostLooks {
		return []string{Unknown}
	}
	s.busy = append(s.busy, name)
	defer func() { s.busy = s.busy[:len(s.busy)-1] }()
	var all []string
	for _, a := range s.values[name] {
		if a.word == nil {
			all = append(all, a.texts...)
			if a.texts == nil {
				all = append(all, "")
			}
			continue
		}
		for _, fields := range s.fields(a.word) {
			all = append(all, strings.Join(fields, " "))
		}
	}
	if len(all) > mostChoices {
		return []string{Unknown}
	}
	return all
}

// marks puts the marks back that were runes for the parser.
func marks(text string) string {
	return strings.NewReplacer(unknownRune, Unknown, projectRune, Project).Replace(text)
}

// unescaped takes backslashes away before some characters; before all if there are
// none given.
func unescaped(text, before string) string {
	text = marks(text)
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && (before == "" || strings.IndexByte(before, text[i+1]) >= 0) {
			if i++; text[i] == '\n' {
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// literal is unquoted text: a shell's pattern is any text.
func literal(text string, first bool) string {
	if first && strings.HasPrefix(text, "~") {
		return "/" + marks(text)
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			if i++; i < len(text) && text[i] != '\n' {
				b.WriteByte(text[i])
			}
		case '*', '?':
			b.WriteString(Unknown)
		case '[':
			if end := strings.IndexByte(text[i:], ']'); end > 1 {
				b.WriteString(Unknown)
				i += end
				continue
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return marks(b.String())
}

// split takes a command line apart as Python's shlex.split does; false if a quotation
// mark is not closed.
func split(text string) (argv []string, ok bool) {
	var word strings.Builder
	open, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == '\'' && c != quote, quote == '"' && c != quote && c != '\\':
			word.WriteByte(c)
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && i+1 < len(text):
			if i++; quote == '"' && text[i] != '"' && text[i] != '\\' {
				word.WriteByte(c)
			}
			word.WriteByte(text[i])
			open = true
		case c == '"' || c == '\'':
			quote, open = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if open {
				argv = append(argv, word.String())
				word.Reset()
			}
			open = false
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if open {
		argv = append(argv, word.String())
	}
	return argv, quote == 0
}
