package apt

import (
	"path"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
)

// Agree has all repositories of one suite at one address name the same keyring, as apt
// demands: that of the first that has a key of the project, or else the distribution's
// own. It sets what they are called in the image as well. Those that contradict each
// other are a fault.
func Agree(list []Repository) error {
	type suite struct{ uri, name string }
	suites := map[suite][]*Repository{}
	for i := range list {
		r := &list[i]
		at := suite{strings.TrimRight(r.URI, "/"), r.Suite}
		suites[at] = append(suites[at], r)
	}
	for i := range list {
		r := &list[i]
		of := suites[suite{strings.TrimRight(r.URI, "/"), r.Suite}]
		if of[0] != r {
			continue // it was looked at with the first
		}
		if err := agree(of); err != nil {
			return err
		}
	}
	return nil
}

// agree does so with those of one suite.
func agree(of []*Repository) error {
	var keyed, named *Repository // the first of each
	for _, r := range of {
		if r.Trusted != of[0].Trusted {
			return contradict(of[0], r, "only one of them is trusted")
		}
		if r.Key != "" && keyed != nil && r.Keyring != keyed.Keyring {
			return contradict(keyed, r, "they have different keys")
		}
		if r.Key != "" && keyed == nil {
			keyed = r
		}
		if r.Named && named == nil {
			named = r
		}
	}
	for _, r := range of {
		if keyed != nil {
			r.Key, r.Keyring = keyed.Key, keyed.Keyring
		}
		switch {
		case named == nil || r.Trusted:
		case r.Key == "":
			r.Installed = r.Keyring // the distribution's own is everywhere at one place
		default:
			r.Installed = imageKeyrings + "/" + named.Name + path.Ext(r.Key)
		}
	}
	return nil
}

// imageKeyrings is where an image has the keyrings of its repositories.
const imageKeyrings = "/etc/apt/keyrings"

func contradict(a, b *Repository, how string) error {
	return fault.New(fault.Input, "repositories %s and %s are one suite of one address, and %s", a.Name, b.Name, how).
		WithHint("apt checks a suite's signature once: write the same key, or trusted, with both")
}
