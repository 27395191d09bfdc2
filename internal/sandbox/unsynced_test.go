package sandbox

import "testing"

// TestSyncsAreForgotten asks for what fails where nothing is forgotten.
func TestSyncsAreForgotten(t *testing.T) {
	s := start(t, Spec{Upper: busyboxTree(t)})
	for name, opts := range map[string]RunOptions{"plain": {}, "no network": {NoNetwork: true}} {
		if out, err := sh(t, s, "busybox sync -d /dev/null", opts); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
