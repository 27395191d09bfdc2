package plan

import (
	"reflect"
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
)

// TestEncode: what is printed of a plan is the same after it was kept.
func TestEncode(t *testing.T) {
	var reasons []Reason
	for _, b := range []became{changed, came, gone, moved, used, unused} {
		reasons = append(reasons, Reason{
			Kind: ReasonVariable, Name: "x", File: "f", Line: 3, Old: "1", New: "2", Via: []string{"g:1: a line"}, became: b, by: "slurm-uan",
			Question: &Question{AskVariable, "x", "slurm-uan"}, Widened: "g:1: a line",
		})
	}
	p := &Plan{
		Nodes: []Decision{{
			Node: layer.Node{ID: "slurm-uan", Parent: "uan", Layer: "slurm", Variant: "uan"}, Action: Build, Reason: "variable x changed",
			Reasons: reasons, Key: "k", BaseKey: "b", Seconds: 1,
		}},
		Unused: []string{"README"}, Removed: []string{"old"}, Images: []string{"new"}, Tests: []string{"tested"},
	}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data)
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("%+v, %v, want %+v", got, err, p)
	}
	if _, err := Decode([]byte("nonsense")); err == nil {
		t.Error("nonsense is a plan")
	}
}
