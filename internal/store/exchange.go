package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/strata-hpc/strata/internal/layer"
)

// RecordName is what the record of a key is called among an image's data; it
// goes along when the image is sent elsewhere.
func RecordName(key layer.Key) string { return recordPrefix + string(key) }

// What nodes and keys look like: a record that came from elsewhere says where it
// is put and what a person is shown.
var (
	nodeName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)
	keyText  = regexp.MustCompile(`^[0-9a-f]+$`)
)

// ParseRecord reads a record that came along with an image.
func ParseRecord(content []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(content, &r); err != nil {
		return r, fmt.Errorf("read record: %w", err)
	}
	if !nodeName.MatchString(string(r.Node)) || !keyText.MatchString(string(r.Key)) {
		return Record{}, errors.New("read record: it names no node and key")
	}
	return r, nil
}

// Source is where an image came from that was not built here, and why it was
// believed to be its node's.
type Source struct {
	Ref      string       `json:"ref"`
	Manifest layer.Digest `json:"manifest"` // over there
	Why      string       `json:"why"`      // "signed by …"; "" where the place is trusted
}

const sourcePrefix = "strata-source-"

// SetSource notes where an image for a key came from.
func (s *Store) SetSource(id string, key layer.Key, from Source) error {
	content, err := json.Marshal(from)
	if err == nil {
		err = s.st.SetImageBigData(id, sourcePrefix+string(key), content, nil)
	}
	if err != nil {
		return fmt.Errorf("note where image %s comes from: %w", id, err)
	}
	return nil
}

// Source returns where an image for a key came from; nothing for what was built
// here.
func (s *Store) Source(im *Image, key layer.Key) (from Source) {
	content, err := s.st.ImageBigData(im.ID, sourcePrefix+string(key))
	if err != nil || json.Unmarshal(content, &from) != nil {
		return Source{}
	}
	return from
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
