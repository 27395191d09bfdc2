package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/strata-hpc/strata/internal/layer"
)

// FailedTree is the tree of a node whose build failed, as it was then.
type FailedTree struct {
	Cluster string       `json:"cluster"`
	Node    layer.NodeID `json:"node"`
	Parent  string       `json:"parent"` // id of the layer below
	Step    string       `json:"step"`   // the one that failed
	Upper   string       `json:"-"`      // what the build had written
	Lower   []string     `json:"-"`      // directories of the layers below, topmost first
}

// KeepFailed moves a staging directory's content aside, in place of the node's
// earlier failed tree. Move renames a directory, or copies it where the two
// places are on different mounts: Podman mounts a part of the store on itself.
func (s *Store) KeepFailed(st Staging, f FailedTree, move func(from, to string) error) error {
	s.ForgetFailed(f.Cluster, f.Node)
	dir := filepath.Join(s.failedDir(), of(f.Cluster, string(f.Node)))
	about, err := json.Marshal(f)
	if err != nil {
		return err
	}
	err = os.MkdirAll(dir, 0o700)
	if err == nil {
		err = move(st.Upper, filepath.Join(dir, "tree"))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "about.json"), about, 0o600)
	}
	if err != nil {
		s.ForgetFailed(f.Cluster, f.Node)
		return fmt.Errorf("keep the failed tree of %s: %w", f.Node, err)
	}
	return nil
}

// ForgetFailed removes a node's failed tree, if there is one.
func (s *Store) ForgetFailed(cluster string, node layer.NodeID) {
	_ = os.RemoveAll(filepath.Join(s.failedDir(), of(cluster, string(node))))
}

// Failed returns the tree of a node's last build if that failed, or ErrNotFound.
func (s *Store) Failed(cluster string, node layer.NodeID) (FailedTree, error) {
	var f FailedTree
	dir := filepath.Join(s.failedDir(), of(cluster, string(node)))
	about, err := os.ReadFile(filepath.Join(dir, "about.json"))
	if errors.Is(err, os.ErrNotExist) {
		return f, ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(about, &f)
	}
	if err == nil {
		f.Upper = filepath.Join(dir, "tree")
		f.Lower, err = s.dirs(f.Parent)
	}
	if err != nil {
		return f, fmt.Errorf("find the failed tree of %s: %w", node, err)
	}
	return f, nil
}
