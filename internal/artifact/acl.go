package artifact

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// aclFile carries the ACLs of a squashfs, whose attributes know no ACLs: at
// boot, systemd-tmpfiles sets them again.
const aclFile = tmpfilesDir + "/strata-acl.conf"

// tmpfilesACL renders ACLs as tmpfiles.d(5) lines that set exactly them. A
// line of an earlier such file is kept where it is about another path.
//
// A root is booted as an overlay, which sets no ACL on a file that is still in
// the squashfs alone: before each, an attribute brings the file up.
func tmpfilesACL(sets []aclSet, earlier string) (string, error) {
	var b strings.Builder
	b.WriteString("# POSIX ACLs of this image, which squashfs cannot store. Written by Strata.\n")
	done := map[string]bool{}
	for _, set := range sets {
		access, err := aclText(set.Access, "")
		if err != nil {
			return "", fmt.Errorf("ACL of /%s: %w", set.Path, err)
		}
		inherited, err := aclText(set.Default, "default:")
		if err != nil {
			return "", fmt.Errorf("default ACL of /%s: %w", set.Path, err)
		}
		path := tmpfilesPath(set.Path)
		done[path] = true
		b.WriteString(bringUp(path))
		fmt.Fprintf(&b, "a %s - - - - %s\n", path, strings.Join(append(access, inherited...), ","))
	}
	for line := range strings.Lines(earlier) {
		rest, ok := strings.CutPrefix(line, "a ")
		path, _, found := strings.Cut(rest, " - - - - ")
		if ok && found && !done[path] {
			b.WriteString(bringUp(path) + strings.TrimRight(line, "\n") + "\n")
		}
	}
	return b.String(), nil
}

// bringUp is a line that sets an attribute on the file of a quoted path. For
// one path systemd-tmpfiles sets ACLs before attributes, so this names the file
// by a glob of its own: "/srv" as "/sr[v]". The root, which needs no line, and
// a path without a plain character get none.
func bringUp(path string) string {
	plain := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
	}
	for i := len(path) - 1; i > 0; i-- {
		// Not in an escape such as \x0a.
		if plain(path[i]) && !strings.Contains(path[max(0, i-3):i], `\`) {
			return fmt.Sprintf("t %s[%c]%s - - - - trusted.strata.acl=1\n", path[:i], path[i], path[i+1:])
		}
	}
	return ""
}

// tmpfilesPath quotes a path for a tmpfiles.d line that accepts globs: percent
// signs are specifiers, quotes and backslashes are C-like, the rest are globs.
func tmpfilesPath(path string) string {
	if path == "." {
		return `"/"`
	}
	var b strings.Builder
	b.WriteString(`"/`)
	for _, c := range []byte(path) {
		switch {
		case c == '%':
			b.WriteString("%%")
		case c == '"':
			b.WriteString(`\"`)
		case c == '\\':
			b.WriteString(`[\\\\]`) // unquoted: [\\], a glob for one backslash
		case c == '*' || c == '?' || c == '[':
			b.WriteString("[" + string(c) + "]")
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Tags of ACL entries, as in the kernel's include/uapi/linux/posix_acl.h.
const (
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
)

// aclText reads an ACL in the kernel's attribute form (posix_acl_xattr.h: a
// version, then entries of tag, permissions and id, little-endian) and returns
// its entries in the short text form of acl(5), with numeric ids.
func aclText(raw []byte, prefix string) ([]string, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if len(raw) < 4 || (len(raw)-4)%8 != 0 || binary.LittleEndian.Uint32(raw) != 2 {
		return nil, errors.New("not in a known form")
	}
	var entries []string
	for e := raw[4:]; len(e) > 0; e = e[8:] {
		tag, perm, id := binary.LittleEndian.Uint16(e), binary.LittleEndian.Uint16(e[2:]), binary.LittleEndian.Uint32(e[4:])
		var who string
		switch tag {
		case aclUserObj:
			who = "u:"
		case aclUser:
			who = fmt.Sprintf("u:%d", id)
		case aclGroupObj:
			who = "g:"
		case aclGroup:
			who = fmt.Sprintf("g:%d", id)
		case aclMask:
			who = "m:"
		case aclOther:
			who = "o:"
		default:
			return nil, fmt.Errorf("unknown tag %#x", tag)
		}
		entries = append(entries, prefix+who+":"+permissions(perm))
	}
	return entries, nil
}

func permissions(perm uint16) string {
	s := []byte("---")
	for i, c := range []byte("rwx") {
		if perm&(4>>i) != 0 {
			s[i] = c
		}
	}
	return string(s)
}
