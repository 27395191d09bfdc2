package store

import (
	"fmt"
	"os"
	"path/filepath"
)

// probed is a file beside containers/storage's run-time state, which does not
// outlive the machine's: it says that what the kernel can do is known.
const probed = "strata-probed"

// Probed says whether Probe has been here.
func Probed(root string) bool {
	opts, err := options(root)
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(opts.RunRoot, probed))
	return err == nil
}

// Probe has containers/storage find out what overlays of this kernel can do, and
// write it down. For that it mounts some, which would stay if the process were
// killed: let it run in a mount namespace of its own.
func Probe(root string) error {
	s, err := Open(root)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := rehearse(s.Root()); err != nil {
		return err
	}
	driver, err := s.st.GraphDriver()
	if err != nil {
		return fmt.Errorf("probe store: %w", err)
	}
	// Both look, and then fail or say something that is of no interest.
	driver.SupportsShifting(nil, nil)
	if diff, err := driver.Diff(probed, nil, "", nil, ""); err == nil {
		diff.Close()
	}
	return os.WriteFile(filepath.Join(s.RunRoot(), probed), nil, 0o600)
}

// There says whether there is a store with images in it; "" is that of storage.conf.
func There(root string) bool {
	opts, err := options(root)
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(opts.GraphRoot, "overlay-images"))
	return err == nil
}
