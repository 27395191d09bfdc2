package python

import (
	"maps"
	"slices"
	"strings"
)

// ReadScript reads the code of a script that an interpreter runs. It returns false for
// code that may read any file but what the interpreter itself is made of; else the
// modules that it imports, which may lie beside it: "json".
func ReadScript(code string) (imports []string, ok bool) {
	all, ok := tokens(code)
	if !ok || strings.Contains(code, "fromfile_prefix_chars") {
		return nil, false
	}
	r := newReader(all)
	r.script = true
	if !r.statements() || !r.calls() || !r.names() || !r.opens() || len(r.found.Opens) > 0 {
		return nil, false
	}
	for _, name := range slices.Sorted(maps.Values(r.modules)) {
		top, _, _ := strings.Cut(name, ".")
		imports = append(imports, top)
	}
	return slices.Compact(imports), true
}

// scriptModules are further modules of which scripts use what is in scriptUses.
var (
	scriptModules = words("sys argparse")
	scriptUses    = words("sys.argv sys.exit sys.stdin sys.stdout sys.stderr argparse.ArgumentParser argparse.ArgumentTypeError argparse.RawDescriptionHelpFormatter")

	scriptAttributes = words("add_argument add_mutually_exclusive_group add_argument_group parse_args print_help print_usage error exit")
)

// options reports whether an attribute is of what argparse made of the arguments.
func (r *reader) options(i int) bool {
	if r.script && i > 4 && is(r.all[i-4:], "parse_args", "(", ")", ".") {
		return true
	}
	if !r.script || i < 2 || r.all[i-2].kind != word || i > 2 && r.all[i-3].text == "." {
		return false
	}
	binds := r.binds[r.all[i-2].text]
	return len(binds) > 0 && !slices.ContainsFunc(binds, func(b bind) bool {
		return len(b.value) != 5 || !is(b.value, "NAME", ".", "parse_args", "(", ")") || b.element || b.file
	})
}
