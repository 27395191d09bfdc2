package engine

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/store"
)

// Whoever writes to a registry can put one node's record with another's image.
func TestRecordIsOfItsNode(t *testing.T) {
	key, other := layer.Key(strings.Repeat("a", 64)), layer.Key(strings.Repeat("b", 64))
	for _, c := range []struct {
		node layer.NodeID
		key  layer.Key
		good bool
	}{
		{"base", key, true},
		{"hsn", key, false},
		{"base", other, false},
	} {
		content, err := json.Marshal(store.Record{Node: c.node, Key: c.key})
		if err != nil {
			t.Fatal(err)
		}
		if err := recordIsOf(map[string][]byte{store.RecordName(key): content}, "base", key); (err == nil) != c.good {
			t.Errorf("a record of %s for %.8s: %v", c.node, c.key, err)
		}
	}
	if recordIsOf(nil, "base", key) == nil {
		t.Error("no record is taken for one")
	}
}
