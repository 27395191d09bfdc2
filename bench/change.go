package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// variable is one that only the example's last layer uses.
const variable = `max_time: "1-00:00:00"`

// setVariable gives the variable a value that it never had. It is given the
// place where it was before, if that is known.
func setVariable(dir string, at *string) error {
	if *at == "" {
		if err := findVariable(dir, at); err != nil {
			return err
		}
	}
	original, err := os.ReadFile(*at + ".orig")
	if err != nil {
		return err
	}
	value := fmt.Sprintf(`max_time: "%d-00:00:00"`, time.Now().UnixMilli()%1e9)
	return os.WriteFile(*at, []byte(strings.Replace(string(original), variable, value, 1)), 0o644)
}

// findVariable finds the file that sets the variable, and keeps it as it was.
func findVariable(dir string, at *string) error {
	err := filepath.WalkDir(filepath.Join(dir, "inventory"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(content), variable) {
			*at = path
			// Ansible and Strata read no file of an inventory that ends in .orig.
			err = os.WriteFile(path+".orig", content, 0o644)
		}
		return err
	})
	if err == nil && *at == "" {
		err = fmt.Errorf("the example's inventory does not set %s", variable)
	}
	return err
}

// change compares what it takes from a changed variable to a new squashfs.
func change(l *lab) (Findings, error) {
	var found Findings
	if err := l.example(); err != nil {
		return found, err
	}
	dir, err := l.project("change")
	if err != nil {
		return found, err
	}
	way, err := newImageBuilderWay(l, dir)
	if err != nil {
		return found, err
	}
	var ours, theirs phases
	at := "" // the file of the variable
	series, err := alternate(l,
		func(int) (float64, error) { return changeOurs(l, dir, &at, &ours) },
		func(int) (float64, error) { return way.run(&at, &theirs) },
	)
	if err != nil {
		return found, err
	}
	found.Rows = []Row{{Work: "one variable of the last layer changed, to a new squashfs on disk", PeerIs: "image-builder's way by hand: pull, packages, Ansible, commit, push, squashfs",
		Unit: "s", Ours: series[0], Peer: series[1], Target: Target{Kind: "faster", Value: 8}}}
	found.Tables = []Table{
		ours.Table("One variable changed: where our time goes", "part"),
		theirs.Table("One variable changed: where image-builder's way spends it", "part"),
	}
	found.Notes = append(found.Notes, "One variable: the partition's time limit, which only the layer `slurm` uses (packages munge and slurm, one file, one playbook of six tasks); the image is `compute`. "+
		"The peer's side does what image-builder's source does, with its defaults, one program after the other: `buildah from` (pulling, as it removes the parent's image after each build), the layer's packages by `buildah run apt-get` from the same downloaded packages, the playbook through the connection plugin, `buildah commit`, `buildah push` to a registry on the same machine, `mksquashfs` with its defaults (gzip, 128 KiB), and the removal of container and images.")
	return found, nil
}

func changeOurs(l *lab, dir string, at *string, parts *phases) (float64, error) {
	if err := setVariable(dir, at); err != nil {
		return 0, err
	}
	res, err := l.build("change", "compute")
	if err != nil {
		return 0, err
	}
	for _, n := range res.Nodes {
		if built := n.Status == "built"; built != (n.ID == "slurm-compute") {
			return 0, fmt.Errorf("%s: %s (%s)", n.ID, n.Status, n.Reason)
		}
	}
	names, steps, err := l.steps("change", "slurm-compute")
	if err != nil {
		return 0, err
	}
	rest := res.seconds
	for _, name := range names {
		parts.add(name, steps[name])
		rest -= steps[name]
	}
	pack, err := artifactSeconds(res)
	if err != nil {
		return 0, err
	}
	parts.add("squashfs, kernel, initrd, checksums (until the manifest was written, from the layer's end)", pack)
	parts.add("everything else: plan, mounts, seal, digest, commit", rest-pack)
	return res.seconds, nil
}

// artifactSeconds is the time from the first artifact's birth to the manifest's.
func artifactSeconds(b *built) (float64, error) {
	if len(b.Images) != 1 {
		return 0, errors.New("not one image was made")
	}
	born, err := birth(b.Images[0].Artifacts["squashfs"])
	if err != nil {
		return 0, err
	}
	st, err := os.Stat(b.Images[0].Artifacts["manifest"])
	if err != nil {
		return 0, err
	}
	return st.ModTime().Sub(born).Seconds(), nil
}
