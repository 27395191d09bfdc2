package sandbox

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// NeededIDs is how many ids an image's users and groups need, its root's included.
const NeededIDs = 65536

// firstSubordinate is where shadow's tools begin to give subordinate ids, unless
// login.defs(5) says otherwise.
const firstSubordinate = 100000

// GiveIDs is the command by which root gives a user subordinate ids that nobody
// else has: of no range in /etc/subuid and /etc/subgid, and of no user or group in
// /etc/passwd and /etc/group. Root is the machine's root directory. Users that only
// a directory service knows are not seen.
func GiveIDs(root fs.FS, user string) string {
	first := freeIDs(root)
	return fmt.Sprintf("usermod --add-subuids %d-%d --add-subgids %[1]d-%[2]d %[3]s", first, first+NeededIDs-1, user)
}

// freeIDs is the lowest id that begins enough free ones.
func freeIDs(root fs.FS) int {
	type taken struct{ from, to int } // to is the first that is free again
	var all []taken
	add := func(from, count string) {
		first, err1 := strconv.Atoi(from)
		n, err2 := strconv.Atoi(count)
		if err1 == nil && err2 == nil && n > 0 {
			all = append(all, taken{first, first + n})
		}
	}
	for _, name := range []string{"etc/subuid", "etc/subgid"} {
		for _, f := range fields(root, name) {
			if len(f) == 3 {
				add(f[1], f[2])
			}
		}
	}
	for _, name := range []string{"etc/passwd", "etc/group"} {
		for _, f := range fields(root, name) {
			if len(f) > 2 {
				add(f[2], "1")
			}
		}
	}
	slices.SortFunc(all, func(a, b taken) int { return a.from - b.from })
	first := leastSubordinate(root)
	for _, t := range all {
		if t.from < first+NeededIDs && t.to > first {
			first = t.to
		}
	}
	return first
}

// fields are those of a file's lines, which are separated by colons.
func fields(root fs.FS, name string) [][]string {
	content, _ := fs.ReadFile(root, name) // one that is not there has none
	var all [][]string
	for line := range strings.Lines(string(content)) {
		all = append(all, strings.Split(strings.TrimSpace(line), ":"))
	}
	return all
}

// leastSubordinate is the first id that this machine's administrator lets be given.
func leastSubordinate(root fs.FS) int {
	least := firstSubordinate
	content, _ := fs.ReadFile(root, "etc/login.defs")
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		if len(words) == 2 && (words[0] == "SUB_UID_MIN" || words[0] == "SUB_GID_MIN") {
			if n, err := strconv.Atoi(words[1]); err == nil {
				least = max(least, n)
			}
		}
	}
	return least
}
