package git

import (
	"net/url"
	"path"
	"regexp"
	"strings"
)

// remoteURL is the address of a repository as git takes it: a URL, host:path or a
// path. It may have a password or a token in it.
type remoteURL string

// split cuts an address into what stands before, in and after its user's part.
func (u remoteURL) split() (scheme, user, rest string) {
	scheme, after, ok := strings.Cut(string(u), "://")
	if !ok {
		return "", "", string(u)
	}
	host, _, _ := strings.Cut(after, "/")
	if _, port, ok := strings.Cut(host, ":"); ok && strings.Trim(port, "0123456789") != "" && !strings.Contains(host, "@") {
		host = after // no port, but the first part of a password with a slash in it
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		return scheme, after[:i], after[i+1:]
	}
	return scheme, "", after
}

// shown is the address without what must not be seen. Over http, that is the user
// too, as which tokens are often given; over ssh, it is part of the address.
func (u remoteURL) shown() string {
	scheme, user, rest := u.split()
	if scheme == "" {
		return rest
	}
	if name, _, _ := strings.Cut(user, ":"); name != "" && strings.Contains(scheme, "ssh") {
		rest = name + "@" + rest
	}
	// A token can also be a parameter.
	rest, query, ok := strings.Cut(rest, "?")
	if ok && query != "" {
		rest += "?…"
	}
	return scheme + "://" + rest
}

// Shown is the address of a repository without the password or token in it.
func Shown(url string) string { return remoteURL(url).shown() }

// directory is the name of the cache's repository, the same for each password.
func (u remoteURL) directory() string {
	shown := u.shown()
	name := regexp.MustCompile(`[^a-zA-Z0-9._-]+`).ReplaceAllString(strings.TrimSuffix(path.Base(shown), ".git"), "-")
	return strings.TrimLeft(name, ".-") + "-" + sum(shown) + ".git"
}

// userPart is the user's part of any URL in a text.
var userPart = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s'"]*@`)

// scrub takes the address's secrets, and those of every other URL, out of a text.
func (u remoteURL) scrub(text string) string {
	text = strings.ReplaceAll(text, string(u), u.shown())
	text = userPart.ReplaceAllString(text, "$1")
	_, user, rest := u.split()
	name, password, _ := strings.Cut(user, ":")
	secrets := []string{user, password}
	if !strings.Contains(strings.ToLower(string(u)), "ssh://") {
		secrets = append(secrets, name)
	}
	if _, query, ok := strings.Cut(rest, "?"); ok {
		secrets = append(secrets, query)
	}
	for _, secret := range secrets {
		// As it stands in the address, and as a program sees it.
		plain, err := url.PathUnescape(secret)
		for _, s := range []string{secret, plain} {
			if err == nil && len(s) > 3 && s != "oauth2" && s != "gitlab-ci-token" {
				text = strings.ReplaceAll(text, s, "***")
			}
		}
	}
	return text
}
