package store

import (
	"encoding/json"
	"fmt"

	"github.com/strata-hpc/strata/internal/layer"
)

// RecordName is what the record of a key is called among an image's data; it
// goes along when the image is sent elsewhere.
func RecordName(key layer.Key) string { return recordPrefix + string(key) }

// ParseRecord reads a record that came along with an image.
func ParseRecord(content []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(content, &r); err != nil {
		return r, fmt.Errorf("read record: %w", err)
	}
	return r, nil
}

// Names are those of a node's image: the one with its key, and latest.
func Names(cluster string, node layer.NodeID, key layer.Key) []string {
	name := NodeImage(cluster, node)
	return []string{name + ":" + KeyTag(key), name + ":latest"}
}

// Name gives a node's names to an image that came from elsewhere.
func (s *Store) Name(id, cluster string, node layer.NodeID, key layer.Key) error {
	if err := s.st.AddNames(id, Names(cluster, node, key)); err != nil {
		return fmt.Errorf("name image %s: %w", NodeImage(cluster, node), err)
	}
	return nil
}
