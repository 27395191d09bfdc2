package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/strata-hpc/strata/internal/layer"
)

// Confirmation says that a later build came to what was there already.
type Confirmation struct {
	Time    time.Time      `json:"time"`
	Commits []layer.Commit `json:"commits"`
}

// confirmPrefix begins the names under which confirmations are kept with an image.
const confirmPrefix = "strata-confirmed-"

// Confirm notes of a node's image that these commits come to it as well, unless that
// is known. The record of how it was built stays.
func (s *Store) Confirm(im *Image, key layer.Key, c Confirmation) error {
	r, err := s.Record(im, key)
	if err != nil || slices.Equal(r.Newest(), c.Commits) {
		return err
	}
	content, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("confirm image %s: %w", im.ID, err)
	}
	if err := s.st.SetImageBigData(im.ID, confirmPrefix+string(key), content, nil); err != nil {
		return fmt.Errorf("confirm image %s: %w", im.ID, err)
	}
	return nil
}

// Newest are the commits of the newest build that came to what the record is of.
func (r Record) Newest() []layer.Commit {
	if r.Confirmed != nil {
		return r.Confirmed.Commits
	}
	return r.Commits
}
