package strata_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module  = "github.com/strata-hpc/strata/"
	picture = "docs/ARCHITECTURE.md"
)

// pkg is one package's source without its tests.
type pkg struct {
	name  string // as the picture has it: cmd/strata, engine
	dir   string
	set   *token.FileSet
	files map[string]*ast.File // by path
}

// rules are what the page says.
type rules struct {
	row      map[string]int // by package; 0 is the lowest
	thinking []string
	doors    map[string][]string // by import path, without the version's suffix
	lines    map[string]bool     // packages that the table describes
}

// TestArchitecture holds the code against docs/ARCHITECTURE.md.
func TestArchitecture(t *testing.T) {
	r := readRules(t)
	packages := readPackages(t)
	for _, name := range slices.Sorted(maps.Keys(r.row)) {
		if packages[name] == nil {
			t.Errorf("%s draws package %s, which does not exist", picture, name)
		}
		if !r.lines[name] {
			t.Errorf("%s has no line about package %s", picture, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		t.Run(name, func(t *testing.T) {
			p := packages[name]
			if _, ok := r.row[name]; !ok {
				t.Fatalf("it is not in the picture of %s", picture)
			}
			p.eachImport(func(where token.Position, imported string) { r.check(t, p, where, imported) })
			p.checkComment(t)
			p.checkMounts(t)
			p.checkState(t)
		})
	}
}

func readRules(t *testing.T) rules {
	t.Helper()
	content, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	r := rules{row: map[string]int{}, doors: map[string][]string{}, lines: map[string]bool{}}
	_, rest, ok := strings.Cut(string(content), "```\n")
	drawn, rest, ok2 := strings.Cut(rest, "```\n")
	if !ok || !ok2 {
		t.Fatalf("%s has no picture", picture)
	}
	rows := strings.Split(strings.TrimSpace(drawn), "\n")
	for i, row := range rows {
		for _, name := range strings.Fields(row) {
			r.row[name] = len(rows) - 1 - i
		}
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	words := func(s string) (list []string) {
		for _, m := range quoted.FindAllStringSubmatch(s, -1) {
			list = append(list, m[1])
		}
		return list
	}
	_, thinking, _ := strings.Cut(rest, "of ours only each other:")
	thinking, _, _ = strings.Cut(thinking, "\n\n")
	r.thinking = words(thinking)
	about, doors, _ := strings.Cut(rest, "| dependency | only in |")
	for line := range strings.Lines(about) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && len(words(cells[1])) == 1 {
			r.lines[words(cells[1])[0]] = true
		}
	}
	doors, _, _ = strings.Cut(doors, "\n\n")
	for line := range strings.Lines(doors) {
		if cells := strings.Split(line, "|"); len(cells) == 4 && len(words(cells[1])) == 1 {
			r.doors[words(cells[1])[0]] = words(cells[2])
		}
	}
	if len(r.row) < 5 || len(r.thinking) < 3 || len(r.doors) < 5 || len(r.lines) < 5 {
		t.Fatalf("%s is not as this test reads it: %+v", picture, r)
	}
	return r
}

// readPackages parses everything below cmd and internal.
func readPackages(t *testing.T) map[string]*pkg {
	t.Helper()
	packages := map[string]*pkg{}
	for _, root := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(root, func(file string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				if d != nil && d.Name() == "testdata" {
					return filepath.SkipDir
				}
				return err
			}
			if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return nil
			}
			dir := path.Dir(filepath.ToSlash(file))
			name := strings.TrimPrefix(dir, "internal/")
			p := packages[name]
			if p == nil {
				p = &pkg{name: name, dir: dir, set: token.NewFileSet(), files: map[string]*ast.File{}}
				packages[name] = p
			}
			p.files[file], err = parser.ParseFile(p.set, file, nil, parser.ParseComments|parser.SkipObjectResolution)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return packages
}

func (p *pkg) eachImport(f func(where token.Position, imported string)) {
	for _, file := range p.files {
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			f(p.set.Position(spec.Pos()), imported)
		}
	}
}

// check holds one import against the rows, the doors, and the thinking packages.
func (r rules) check(t *testing.T, p *pkg, where token.Position, imported string) {
	thinks := slices.Contains(r.thinking, p.name)
	if ours, ok := strings.CutPrefix(imported, module); ok {
		ours = strings.TrimPrefix(ours, "internal/")
		if below, known := r.row[ours]; !known || below >= r.row[p.name] {
			t.Errorf("%s: imports %s, which is in no lower row", where, ours)
		}
		if thinks && !slices.Contains(r.thinking, ours) {
			t.Errorf("%s: a thinking package imports %s, which is none", where, ours)
		}
		return
	}
	for door, only := range r.doors {
		if (imported == door || strings.HasPrefix(imported, door+"/")) && !slices.Contains(only, p.name) {
			t.Errorf("%s: imports %s, which only %s may", where, imported, strings.Join(only, " and "))
		}
	}
	if thinks {
		for _, bad := range []string{"os", "net", "syscall", "plugin", "golang.org/x/sys", "golang.org/x/net", "path/filepath"} {
			if imported == bad || strings.HasPrefix(imported, bad+"/") && bad != "net" || imported == "net/http" {
				t.Errorf("%s: a thinking package imports %s", where, imported)
			}
		}
	}
}

// checkComment wants one package comment.
func (p *pkg) checkComment(t *testing.T) {
	var have []string
	for name, file := range p.files {
		if file.Doc != nil {
			have = append(have, name)
		}
	}
	if len(have) != 1 {
		t.Errorf("a package has one comment that says what it is; these have one: %v", have)
	}
}

// checkMounts wants the calls that change what others see of the machine in one place.
func (p *pkg) checkMounts(t *testing.T) {
	if p.name == "sandbox" {
		return
	}
	doors := regexp.MustCompile(`^(Mount|Unmount|PivotRoot|Chroot|Unshare|Setns|MoveMount|OpenTree|Fsopen|Fsmount|ForkExec|StartProcess|Exec)$`)
	for _, file := range p.files {
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && doors.MatchString(sel.Sel.Name) {
				if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "unix" || x.Name == "syscall" || x.Name == "os") {
					t.Errorf("%s: %s.%s is for package sandbox", p.set.Position(n.Pos()), x.Name, sel.Sel.Name)
				}
			}
			return true
		})
	}
}

// checkState wants no init function, and no package variable that changes.
func (p *pkg) checkState(t *testing.T) {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	// What it imports does not matter here, so its errors do not either.
	conf := types.Config{Error: func(error) {}, Importer: noImports{}, FakeImportC: true}
	files := slices.Collect(maps.Values(p.files))
	checked, _ := conf.Check(p.dir, p.set, files, info)
	shared := func(e ast.Expr) *types.Var {
		if v, ok := info.Uses[root(e)].(*types.Var); ok && v.Parent() == checked.Scope() {
			return v
		}
		return nil
	}
	complain := func(where ast.Node, e ast.Expr, what string) {
		if v := shared(e); v != nil {
			t.Errorf("%s: variable %s of the package %s", p.set.Position(where.Pos()), v.Name(), what)
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s: an init function", p.set.Position(n.Pos()))
				}
			case *ast.AssignStmt:
				for _, left := range n.Lhs {
					complain(n, left, "is assigned to")
				}
			case *ast.IncDecStmt:
				complain(n, n.X, "is changed")
			case *ast.RangeStmt:
				complain(n, n.Key, "is assigned to")
				complain(n, n.Value, "is assigned to")
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					complain(n, n.X, "has its address taken")
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && (f.Name == "delete" || f.Name == "clear") {
					complain(n, n.Args[0], "is changed")
				}
			}
			return true
		})
		for _, d := range file.Decls {
			p.checkVariables(t, d)
		}
	}
}

// checkVariables wants no variable whose very type is for changing.
func (p *pkg) checkVariables(t *testing.T, d ast.Decl) {
	group, ok := d.(*ast.GenDecl)
	if !ok || group.Tok != token.VAR {
		return
	}
	for _, spec := range group.Specs {
		ast.Inspect(spec.(*ast.ValueSpec), func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
					t.Errorf("%s: a variable of the package with a %s.%s", p.set.Position(n.Pos()), x.Name, sel.Sel.Name)
				}
			}
			return true
		})
	}
}

// root is the identifier that an expression such as x.f[i] begins with.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// noImports stands for packages that are not looked into.
type noImports struct{}

// Import implements types.Importer.
func (noImports) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}
