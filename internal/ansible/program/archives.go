package program

import (
	"slices"
	"strings"
)

// What packs and unpacks.

// tar reads what it packs, or its archive.
func (s *script) tar(argv []string, given arguments) bool {
	mode := ""
	if len(argv) > 1 {
		mode = argv[1]
	}
	if !strings.HasPrefix(mode, "-") && len(given.plain) > 0 { // tar xf FILE
		if given.plain = given.plain[1:]; strings.ContainsAny(mode, "xt") {
			for _, name := range given.plain {
				s.reads.file(s.in(name))
			}
			return true
		}
	}
	if mode != "" && mode[0] != '-' {
		for _, name := range given.plain {
			s.reads.file(s.in(name))
		}
		return true
	}
	packs := !strings.ContainsAny(strings.TrimLeft(mode, "-"), "xt") || strings.HasPrefix(mode, "--") && mode != "--extract" && mode != "--list"
	if slices.ContainsFunc(argv, func(a string) bool { return a == "--extract" || a == "--get" || a == "--list" }) {
		packs = false
	}
	if !packs {
		return true // the archive is an option's value; what it holds are names
	}
	return false
}
