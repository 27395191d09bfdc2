package dag

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// inventory reads a path, the URL of a repository, or a repository.
func (s *source) inventory(n *yaml.Node, d *document) {
	if n.Kind == yaml.MappingNode && value(n, "url") == nil && value(n, "repo") == nil && value(n, "path") != nil {
		for _, p := range s.pairs(n, "inventory", "path") {
			w := s.word(p.value, "path of inventory")
			w.text = s.inside(w, "inventory")
			d.inventory = &w
		}
		return
	}
	if n.Kind == yaml.MappingNode || isString(n) && remote(n.Value) {
		d.shared = s.repo(n, "inventory")
		return
	}
	w := s.word(n, "inventory")
	w.text = s.inside(w, "inventory")
	d.inventory = &w
}

// remote says whether a string names a repository, and not a path in this one.
func remote(text string) bool {
	return strings.Contains(text, "://") || strings.HasSuffix(text, ".git") || regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:`).MatchString(text)
}

// repo reads a URL, or a mapping with one.
func (s *source) repo(n *yaml.Node, where string) *repo {
	r := &repo{at: n}
	if n.Kind != yaml.MappingNode {
		r.url = s.url(n, where)
		return r
	}
	names := map[string]string{"repo": "url", "branch": "ref", "tag": "ref", "commit": "ref", "version": "ref"}
	first := map[string]string{}
	for _, p := range s.pairs(n, where, "url", "repo", "ref", "branch", "tag", "commit", "version", "path") {
		key := p.key.Value
		if names[key] != "" {
			key = names[key]
		}
		if first[key] != "" {
			s.refuseAt(p.key, "keep one of them", "%s: %s and %s say the same thing", where, quote(first[key]), quote(p.key.Value))
			continue
		}
		first[key] = p.key.Value
		switch key {
		case "url":
			r.url = s.url(p.value, where)
		case "ref":
			w := s.word(p.value, key+" of "+where)
			if r.ref = w.text; !regexp.MustCompile(`^[!-~]*$`).MatchString(r.ref) || strings.HasPrefix(r.ref, "-") {
				s.refuseAt(p.value, "write a branch, a tag or a commit", "%s: %s cannot be a ref", where, quote(r.ref))
			}
		case "path":
			r.path = s.inside(s.word(p.value, key+" of "+where), "path")
		}
	}
	if first["url"] == "" {
		s.refuseAt(n, "write \"url: URL\"", "%s has no url", where)
	}
	return r
}

// url reads the URL of a repository, which ends up in a file in git.
func (s *source) url(n *yaml.Node, where string) string {
	w := s.word(n, "the url of "+where)
	_, rest, _ := strings.Cut(w.text, "://")
	host, _, _ := strings.Cut(rest, "/")
	user, _, named := strings.Cut(host, "@")
	switch {
	case named && (strings.Contains(user, ":") || strings.HasPrefix(w.text, "http")):
		s.refuseSecret(n, "leave out what stands before the @; git has credential helpers for it", "%s: the URL holds credentials", where)
	case w.text != "" && (!regexp.MustCompile(`^[!-~]+$`).MatchString(w.text) || strings.HasPrefix(w.text, "-")):
		s.refuseAt(n, "", "%s: %s cannot be a URL", where, quote(w.text))
	}
	return w.text
}

// first reads the value of "firstlayer": a boolean, or what the layer starts from.
func (s *source) first(n *yaml.Node) *firstLayer {
	f := &firstLayer{at: n}
	switch {
	case n.Kind == yaml.ScalarNode && n.Style == 0 && boolean(n.Value) != "":
		f.is = boolean(n.Value) == "true"
	case n.Kind == yaml.MappingNode:
		f.is = true
		for _, p := range s.pairs(n, "firstlayer", "distribution", "suite") {
			w := s.word(p.value, p.key.Value+" of firstlayer")
			if p.key.Value == "suite" {
				f.suite = w.text
			} else {
				f.distribution = w.text
			}
		}
		f.text = strings.TrimSpace(f.distribution + " " + f.suite)
		f.recognise(f.text)
	case isString(n):
		w := s.word(n, "firstlayer")
		f.is, f.text = true, w.text
		if boolean(w.text) != "" {
			s.refuseAt(n, "write true or false, without quotes", "firstlayer is %s, which is text", quote(w.text))
		}
		f.recognise(f.text)
	default:
		s.refuseAt(n, "write true, or what the layer starts from, such as debian:bookworm", "firstlayer must be true, false or a string, not %s", describe(n))
	}
	return f
}

// recognise sets the distribution and suite if the text names a Debian.
func (f *firstLayer) recognise(text string) {
	f.distribution, f.suite = "", ""
	releases := map[string]string{
		"": "", "11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky",
		"bullseye": "bullseye", "bookworm": "bookworm", "trixie": "trixie", "forky": "forky",
		"stable": "stable", "testing": "testing", "unstable": "unstable", "sid": "sid",
	}
	m := regexp.MustCompile(`^debian(?:[:/ -]([a-z0-9]+))?$`).FindStringSubmatch(strings.ToLower(text))
	if m == nil {
		return
	}
	if suite, ok := releases[m[1]]; ok {
		f.distribution, f.suite = "debian", suite
	}
}
