package step

import (
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/ansible/value"
)

// TestVaulted: a file that is encrypted as a whole has no templates, and does not define
// what it was taken not to.
func TestVaulted(t *testing.T) {
	file := Vaulted{Name: "secrets.yml", Undefined: []string{"found"}}
	for text, refused := range map[string]string{
		"password: a":           "",
		"password: '{{ a }}'":   "variable password is a template",
		"password: found":       "",
		"{a: {found: 1}}":       "",
		"password: a\nfound: b": "variable found, which something else defines as well, decides",
	} {
		v, err := value.YAML([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		switch err := file.check(v); {
		case refused == "" && err != nil, refused != "" && (err == nil || !strings.Contains(err.Error(), refused)):
			t.Errorf("%s: %v; want %q", text, err, refused)
		case refused != "" && !file.suspect(text):
			t.Errorf("%s is not looked into", text)
		}
	}
}
