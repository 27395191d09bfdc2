package dag

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// inventory reads a path, the URL of a repository, or a mapping: with a path or a
// repository, and what the cluster is called.
func (s *source) inventory(n *yaml.Node, d *document) {
	if n.Kind != yaml.MappingNode {
		s.inventoryAt(n, "inventory", d)
		return
	}
	cluster, rest := split(n, func(key, _ *yaml.Node) bool { return strings.HasPrefix(key.Value, "cluster") })
	for _, p := range s.pairs(cluster, "inventory", "cluster_name", "cluster_name_short") {
		w := s.label(p.value, p.key.Value)
		if p.key.Value == "cluster_name" {
			d.cluster = &w
		} else {
			d.short = &w
		}
	}
	where := value(rest, "path")
	switch {
	case len(rest.Content) == 0 && len(cluster.Content) > 0: // it only names the cluster
	case where == nil || value(rest, "url") != nil || value(rest, "repo") != nil:
		d.shared = s.repo(rest, "inventory")
	default:
		for _, p := range s.pairs(rest, "inventory", "path") {
			s.inventoryAt(p.value, "path of inventory", d)
		}
	}
}

// label reads what a cluster is called, as Strata can call it.
func (s *source) label(n *yaml.Node, key string) word {
	w := s.word(n, key+" of inventory")
	legal := regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(w.text, "-")
	legal = strings.TrimLeft(strings.TrimRight(legal, "-"), "._-")
	switch {
	case legal == w.text:
	case legal == "":
		s.refuseAt(n, "a name is letters, digits, dots, underscores and hyphens, with a letter or digit first", "%s cannot be the name of a cluster, and nothing like it can", quote(w.text))
	default:
		s.note(n, "%s %s becomes %s: such names in Strata are letters, digits, dots, underscores and hyphens", key, quote(w.text), legal)
	}
	w.text = legal
	return w
}

// inventoryAt reads where the inventory is: in a repository, if it looks like one or
// if --repo says so, or else in the project.
func (s *source) inventoryAt(n *yaml.Node, where string, d *document) {
	given := isString(n) && s.places.given[n.Value] != ""
	if given || isString(n) && remote(n.Value) {
		d.shared = &repo{at: n, url: s.url(n, where)}
		return
	}
	w := s.word(n, where)
	s.places.asked = append(s.places.asked, w.text)
	w.text = s.inside(w, "inventory")
	d.inventory = &w
}

// remote says whether a string names a repository, and not a path in this one.
func remote(text string) bool { return isAddress(text) || strings.HasSuffix(text, ".git") }

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

// url reads the URL of a repository, or its name.
func (s *source) url(n *yaml.Node, where string) string {
	w := s.word(n, "the url of "+where)
	problem, hint := badURL(w.text)
	switch {
	case problem == credentials:
		s.refuseSecret(n, hint, "%s: %s", where, problem)
	case problem != "":
		s.refuseAt(n, hint, "%s: %s", where, problem)
	case w.text != "":
		return s.places.of(w.text)
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
