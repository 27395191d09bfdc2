package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/strata-hpc/strata/internal/artifact"
	"github.com/strata-hpc/strata/internal/doctor"
	"github.com/strata-hpc/strata/internal/sandbox"
	"github.com/strata-hpc/strata/internal/store"
)

func newDoctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check this machine, and say what to install", Args: args(cobra.NoArgs),
		Long: "Doctor looks at what building, exporting and booting images needs on this machine. It fails if\n" +
			"something is missing without which no image can be built.",
		RunE: func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd, a) },
	}
}

func runDoctor(cmd *cobra.Command, a *app) error {
	status, done, err := sandbox.Rootless()
	if done && err == nil {
		return exited(status)
	}
	opts := doctor.Options{Namespace: err, ProbeKVM: artifact.ProbeKVM}
	if opts.Store, err = a.storeRoot(); err != nil {
		return err
	}
	if opts.Store == "" {
		if opts.Store, err = store.DefaultRoot(); err != nil {
			return err
		}
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	opts.Cache = filepath.Join(cache, "apt")
	findings := doctor.Check(cmd.Context(), opts)
	if a.json() {
		err = a.printJSON(findings)
	} else {
		_, err = fmt.Fprint(a.out, doctor.Text(findings))
	}
	if err == nil && doctor.Lacking(findings) {
		return exited(1)
	}
	return err
}

// storeRoot is the directory that --store names, absolute, or "".
func (a *app) storeRoot() (string, error) {
	if at := os.Getenv("STRATA_STORE"); a.storeAt == "" && at != "" {
		return filepath.Abs(at)
	}
	if a.storeAt == "" {
		return "", nil
	}
	return filepath.Abs(a.path(a.storeAt))
}
