package step

import (
	"context"
	"errors"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// services enables, disables and masks systemd units.
func (w *Work) services(ctx context.Context, s layer.Services) error {
	for _, action := range []struct {
		verb  string
		units []string
	}{{"enable", s.Enable}, {"disable", s.Disable}, {"mask", s.Mask}} {
		if len(action.units) == 0 {
			continue
		}
		err := w.run(ctx, append([]string{"systemctl", action.verb, "--"}, action.units...)...)
		var exit *sandbox.ExitError
		if errors.As(err, &exit) && exit.Status == 127 {
			return fault.New(fault.Failed, "the image has no systemctl: %w", err).
				WithHint("services: needs systemd in the layer or below; install package systemd")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
