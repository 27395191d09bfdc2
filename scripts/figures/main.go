// Command figures says in numbers how the code below some directories is cut: lengths of
// functions and files, fields of structs, methods of types, exported names without a
// comment, and how much test code each package has. What is beyond a limit is named.
// It judges nothing: its exit status is 0 if all could be read.
package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The limits that the house has given itself.
const (
	mostLines   = 50  // of a function, but for one of a hundred
	mostInFile  = 500 // lines
	mostFields  = 20  // of a struct that nobody writes in a file
	mostMethods = 40
	leastTests  = 0.5 // lines of test code for a line of code
	named       = 12  // of those beyond a limit
)

// sized is something with its place and its size.
type sized struct {
	where string
	size  int
}

// figures are what is counted.
type figures struct {
	functions, files, structs, methods []sized
	silent                             []sized // exported names without a comment
	code, tests                        map[string]int
}

func main() {
	f := figures{code: map[string]int{}, tests: map[string]int{}}
	for _, root := range os.Args[1:] {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return filepath.SkipDir
			case filepath.Ext(name) == ".go":
				return f.read(name)
			}
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, "figures:", err)
			os.Exit(1)
		}
	}
	f.print()
}

// read counts a file.
func (f *figures) read(name string) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	lines := set.File(file.Pos()).LineCount()
	if strings.HasSuffix(name, "_test.go") {
		f.tests[filepath.Dir(name)] += lines
		return nil
	}
	f.code[filepath.Dir(name)] += lines
	f.files = append(f.files, sized{name, lines})
	byType := map[string]int{}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			at := set.Position(d.Pos())
			place := fmt.Sprintf("%s:%d %s", name, at.Line, d.Name.Name)
			f.functions = append(f.functions, sized{place, set.Position(d.End()).Line - at.Line + 1})
			of := receiver(d)
			if of != "" {
				byType[of]++
			}
			if d.Doc == nil && ast.IsExported(d.Name.Name) && (of == "" || ast.IsExported(of)) {
				f.silent = append(f.silent, sized{where: place})
			}
		case *ast.GenDecl:
			f.types(name, set, d)
		}
	}
	for of, n := range byType {
		f.methods = append(f.methods, sized{filepath.Dir(name) + " " + of, n})
	}
	return nil
}

// receiver is the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if index, ok := t.(*ast.IndexExpr); ok {
		t = index.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func (f *figures) types(name string, set *token.FileSet, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		place := fmt.Sprintf("%s:%d %s", name, set.Position(t.Pos()).Line, t.Name.Name)
		if d.Doc == nil && t.Doc == nil && ast.IsExported(t.Name.Name) {
			f.silent = append(f.silent, sized{where: place})
		}
		s, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		n, written := 0, false
		for _, field := range s.Fields.List {
			n += max(1, len(field.Names))
			written = written || field.Tag != nil && strings.Contains(field.Tag.Value, "yaml:")
		}
		if !written {
			f.structs = append(f.structs, sized{place, n})
		}
	}
}

func (f *figures) print() {
	bySize := func(a, b sized) int { return cmp.Compare(a.size, b.size) }
	slices.SortFunc(f.functions, bySize)
	at := func(part float64) int { return f.functions[int(part*float64(len(f.functions)-1))].size }
	if len(f.functions) == 0 {
		fmt.Println("no functions")
		return
	}
	fmt.Printf("functions: %d, median %d lines, 99 of 100 have at most %d (aim: %d), the longest %d: %s\n",
		len(f.functions), at(0.5), at(0.99), mostLines, at(1), f.functions[len(f.functions)-1].where)
	beyond("files with more lines than", f.files, mostInFile)
	beyond("structs with more fields than", f.structs, mostFields)
	beyond("types with more methods than", summed(f.methods), mostMethods)
	beyond("exported names without a comment: more than", []sized{{"all", len(f.silent)}}, 0)
	for _, s := range f.silent[:min(named, len(f.silent))] {
		fmt.Println("  ", s.where)
	}
	var bare []sized
	for dir, lines := range f.code {
		if part := float64(f.tests[dir]) / float64(lines); part < leastTests {
			bare = append(bare, sized{dir, int(100 * part)})
		}
	}
	slices.SortFunc(bare, func(a, b sized) int { return cmp.Or(bySize(a, b), cmp.Compare(a.where, b.where)) })
	fmt.Printf("packages with less test code than %.1f of their code: %d of %d\n", leastTests, len(bare), len(f.code))
	for _, s := range bare {
		fmt.Printf("   0.%02d %s\n", s.size, s.where)
	}
}

// summed adds up what stands under one name, in several files.
func summed(list []sized) []sized {
	by := map[string]int{}
	for _, s := range list {
		by[s.where] += s.size
	}
	var all []sized
	for where, n := range by {
		all = append(all, sized{where, n})
	}
	return all
}

// beyond prints how many are larger than a limit, and which.
func beyond(what string, list []sized, limit int) {
	large := slices.DeleteFunc(slices.Clone(list), func(s sized) bool { return s.size <= limit })
	slices.SortFunc(large, func(a, b sized) int { return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.where, b.where)) })
	fmt.Printf("%s %d: %d\n", what, limit, len(large))
	for _, s := range large[:min(named, len(large))] {
		fmt.Printf("   %4d %s\n", s.size, s.where)
	}
}
