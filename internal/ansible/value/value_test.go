package value

import (
	"strings"
	"testing"
)

// TestShown: of what is encrypted, or called so, nobody sees more than a digest.
func TestShown(t *testing.T) {
	v, err := YAML([]byte("a: [1, x]\nb: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  313233\ndb_password: tango\nempty: ''\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := v.Shown(1000)
	if !strings.HasPrefix(got, "{a: [1, x], b: vaulted:") || !strings.HasSuffix(got, `, empty: ""}`) {
		t.Errorf("shown as %s", got)
	}
	for _, secret := range []string{"313233", "tango"} {
		if strings.Contains(got, secret) {
			t.Errorf("%s is shown in %s", secret, got)
		}
	}
	if short := v.Shown(10); len(short) > 10+len("…") || !strings.HasSuffix(short, "…") {
		t.Errorf("shortened to %s", short)
	}
}

// TestDigest: style does not count; types and the order of a mapping do.
func TestDigest(t *testing.T) {
	digest := func(text string) string {
		t.Helper()
		v, err := YAML([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return v.Digest()
	}
	for _, same := range [][2]string{{"a: yes", "a: true"}, {"a: 'x'", "a: x"}, {"a: [1, 2]", "a:\n- 1\n- 2"}, {"# c\na: 1", "a: 1"}} {
		if digest(same[0]) != digest(same[1]) {
			t.Errorf("%q and %q differ", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"a: 1", "a: '1'"}, {"a: yes", "a: 'yes'"}, {"{a: 1, b: 2}", "{b: 2, a: 1}"}, {"[ab]", "[a, b]"}, {"a: ~", "a: ''"}, {"a: !unsafe x", "a: x"}} {
		if digest(other[0]) == digest(other[1]) {
			t.Errorf("%q and %q are the same", other[0], other[1])
		}
	}
}
