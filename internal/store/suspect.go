package store

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// suspected are the places where packages keep what they make for one machine.
var suspected = []string{"etc/", "var/lib/"}

// innocent are files there that hold checksums or certificates of others, or belong
// to a database that is told of as a whole.
var innocent = []string{"var/lib/dpkg/**", "var/lib/ucf/**", "var/lib/systemd/**", "etc/ssl/certs/**", "etc/.git/**",
	"etc/ldap/slapd.d/**", "var/lib/ldap/**", "var/lib/mysql/**", "var/lib/postgresql/**"}

// suspect tells of a file that a package's script made and that looks like an
// identity, though it is not known as one.
func (s *sealer) suspect(name, at string, st *unix.Stat_t) error {
	const largest = 16 << 10
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size == 0 || st.Size > largest || s.told[name] || !s.how.byScripts(st) || s.how.kept(name) ||
		!slices.ContainsFunc(suspected, func(dir string) bool { return strings.HasPrefix(name, dir) }) || anyMatches(innocent, name) {
		return nil
	}
	content, err := os.ReadFile(at)
	if err != nil || !looksLikeIdentity(content, st.Mode) {
		return err
	}
	packages, owned, err := s.packagesOf(name)
	if err != nil || owned {
		return err
	}
	s.how.tell(Identity{Path: "/" + name, Package: strings.Join(packages, " or ")})
	return nil
}

// token is a UUID, or 128 bits in hexadecimal.
var token = regexp.MustCompile(`(?i)\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})\b`)

// looksLikeIdentity says whether a file is a private key, a few lines with an id in
// them, or a few bytes that are no text and that not everybody may read.
func looksLikeIdentity(content []byte, mode uint32) bool {
	const few, othersMayRead = 4 << 10, 0o004
	switch {
	case bytes.Contains(content, []byte("PRIVATE KEY-----")):
		return true
	case len(content) > few:
		return false
	case !utf8.Valid(content) || bytes.IndexByte(content, 0) >= 0:
		return mode&othersMayRead == 0
	}
	return token.Match(content)
}

// packagesOf says whether a file belongs to a package that was installed or changed in
// this layer, and else which packages the directory that it is in belongs to.
func (s *sealer) packagesOf(name string) (packages []string, owned bool, err error) {
	if s.lists == nil {
		if err := s.readLists(); err != nil {
			return nil, false, err
		}
	}
	if len(s.lists["/"+name]) > 0 {
		return nil, true, nil
	}
	const most = 3 // of more, none is the one
	for dir := path.Dir(name); path.Dir(dir) != "."; dir = path.Dir(dir) {
		if p := s.lists["/"+dir]; len(p) > 0 {
			if len(p) > most {
				p = nil
			}
			return p, false, nil
		}
	}
	return nil, false, nil
}

// readLists reads which package has which path, as dpkg keeps it.
func (s *sealer) readLists() error {
	const info = "var/lib/dpkg/info"
	s.lists = map[string][]string{}
	entries, err := os.ReadDir(filepath.Join(s.upper, info))
	if err != nil {
		return nil // no package was installed
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".list")
		if !ok || !e.Type().IsRegular() {
			continue
		}
		name, _, _ = strings.Cut(name, ":")
		content, err := os.ReadFile(filepath.Join(s.upper, info, e.Name()))
		if err != nil {
			return err
		}
		for line := range strings.SplitSeq(string(content), "\n") {
			if slices.ContainsFunc(suspected, func(dir string) bool { return strings.HasPrefix(line, "/"+dir) }) {
				s.lists[line] = append(s.lists[line], name)
			}
		}
	}
	return nil
}
