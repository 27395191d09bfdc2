package plan

import (
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
)

// Values are shown as they could be written in strata.yaml, secrets as digests.
func TestShow(t *testing.T) {
	content := "a\nb"
	for _, c := range []struct {
		value any
		want  string
	}{
		{layer.Packages{Install: []string{"less", "nano"}}, "less nano"},
		{layer.Packages{Install: []string{"less"}, NoRecommends: true}, "less (no_recommends)"},
		{layer.Run{Commands: []layer.Command{{Command: "true", Network: "host"}}}, "[true]"},
		{layer.Run{Commands: []layer.Command{{Command: "echo a, b"}, {Script: "s", Network: "none"}}}, `["echo a, b", {script: s, network: none}]`},
		{layer.Files{Files: []layer.File{{Content: &content, Dest: "/x", Owner: "root"}}}, `[{content: "a\nb", dest: /x}]`},
		{layer.Playbooks{Playbooks: []string{"a.yml"}}, "{playbooks: [a.yml]}"},
		{layer.Cluster{Name: "a", Short: "b"}, "{name: a, short: b}"},
		{map[string]string{"B": "2", "A": "", "C_TOKEN": "tango"}, `{A: "", B: 2, C_TOKEN: sha256:`},
		{[]string(nil), "[]"},
		{strings.Repeat("é", longest), strings.Repeat("é", longest/2) + "…"},
	} {
		if got := show(c.value); !strings.HasPrefix(got, c.want) || strings.Contains(got, "tango") {
			t.Errorf("show(%#v) is %s, not %s", c.value, got, c.want)
		}
	}
}

// Of two values, what differs is shown; of packages, which came and went.
func TestDifference(t *testing.T) {
	long := strings.Repeat("0123456789", 20)
	for _, c := range []struct{ kind, old, new, wantOld, wantNew string }{
		{ReasonVariable, "a", "b", "a", "b"},
		{ReasonVariable, "", "b", "", "b"},
		{ReasonVariable, long + "x", long + "y", "…678901234567890123456789x", "…678901234567890123456789y"},
		{ReasonVariable, "x" + long, "y" + long, "x012345678901234567890123…", "y012345678901234567890123…"},
		{ReasonPackages, "a b c", "a c d", "b", "d"},
		{ReasonPackages, "a b", "b a", "a b", "b a"},
		{ReasonPackages, "", "a", "", "a"},
	} {
		old, now := Reason{Kind: c.kind, Old: c.old, New: c.new}.Difference()
		if old != c.wantOld || now != c.wantNew {
			t.Errorf("%s, %s: %s, %s, not %s, %s", c.old, c.new, old, now, c.wantOld, c.wantNew)
		}
	}
}

// What explains most comes first: a variable that went because a file did stands
// behind the file.
func TestReasonsInOrder(t *testing.T) {
	last := []Input{{Kind: KindVariable, Name: "gone"}, {Kind: KindVariable, Name: "value", Digest: "1"}, {Kind: KindAnsible, Name: "a.yml", Digest: "1"}, {Kind: KindTool, Name: "strata", Digest: "1"}, {Kind: KindDefinition, Name: "env", Digest: "1"}}
	now := []Input{{Kind: KindVariable, Name: "value", Digest: "2"}, {Kind: KindAnsible, Name: "a.yml", Digest: "2"}, {Kind: KindTool, Name: "strata", Digest: "2"}, {Kind: KindDefinition, Name: "env", Digest: "2"}}
	var got []string
	for _, r := range differences(last, now) {
		got = append(got, r.Kind+" "+r.Name)
	}
	if s := strings.Join(got, ", "); s != "tool strata, definition env, variable value, file a.yml, variable gone" {
		t.Error(s)
	}
}
