package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/strata-hpc/strata/internal/store"
)

// packRecipe is a tree of about 800 MiB of what is on compute nodes.
const packRecipe = `layers:
  bench-tree:
    parent: compute
    packages:
      install: [g++, gfortran, gdb, git, openmpi-bin, libopenmpi-dev, python3-numpy]
      no_recommends: true
images:
  bench-squashfs: {node: bench-tree, artifacts: [squashfs]}
  bench-erofs: {node: bench-tree, artifacts: [erofs]}
`

// tree is the mounted tree that is packed.
type tree struct {
	l     *lab
	lower []string // directories of its layers, topmost first
	mib   float64
	files int
}

// packTree builds it.
func packTree(l *lab) (*tree, error) {
	dir, err := l.project("pack")
	if err == nil {
		err = include(dir, packRecipe)
	}
	if err != nil {
		return nil, err
	}
	if _, err := l.build("pack", "bench-tree"); err != nil {
		return nil, err
	}
	st, err := store.Open(l.store())
	if err != nil {
		return nil, err
	}
	defer st.Close()
	im, err := st.Latest("clusterA", "bench-tree")
	if err != nil {
		return nil, err
	}
	t := &tree{l: l}
	if t.lower, err = st.Dirs(im); err != nil {
		return nil, err
	}
	_, out, err := t.mounted("measure-tree", `cd "$TREE" && find . -xdev -type f -printf "%s\n" | awk '{n++; s+=$1} END {print n, s/1048576}'`)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Sscan(string(out), &t.files, &t.mib)
	return t, err
}

// mounted runs a shell command that finds the tree mounted at $TREE.
func (t *tree) mounted(name, script string) (float64, []byte, error) {
	at := t.l.path("tmp", "tree")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return 0, nil, err
	}
	return t.l.output(command{Name: name, Env: []string{"TREE=" + at},
		Args: []string{"unshare", "--mount", "sh", "-ec", `mount -t overlay -o "ro,lowerdir=$1" overlay "$TREE"; ` + script, "sh", strings.Join(t.lower, ":")}})
}

// pack compares our squashfs and erofs with the tools alone.
func pack(l *lab) (Findings, error) {
	var found Findings
	t, err := packTree(l)
	if err != nil {
		return found, err
	}
	out := l.path("tmp", "packed")
	for _, kind := range []string{"squashfs", "erofs"} {
		var parts phases
		image := "bench-" + kind
		res, err := l.build("pack", image)
		if err != nil {
			return found, err
		}
		tool, args, err := sameSettings(res.Images[0].Artifacts["manifest"])
		if err != nil {
			return found, err
		}
		order := `"$TREE" "` + out + `"`
		if kind == "erofs" {
			order = `"` + out + `" "$TREE"`
		} else {
			order += " -noappend -no-progress -quiet"
		}
		series, err := alternate(l,
			func(int) (float64, error) {
				if err := os.RemoveAll(res.Images[0].Directory); err != nil {
					return 0, err
				}
				start := time.Now()
				again, err := l.build("pack", image)
				if err != nil {
					return 0, err
				}
				return again.seconds, packParts(&parts, again, kind, start)
			},
			func(int) (float64, error) {
				if err := os.RemoveAll(out); err != nil {
					return 0, err
				}
				command := tool + " " + order + " " + args
				if kind == "erofs" {
					command = tool + " " + args + " " + order
				}
				seconds, _, err := t.mounted(tool, command)
				return seconds, err
			},
		)
		if err != nil {
			return found, err
		}
		found.Rows = append(found.Rows, Row{Work: fmt.Sprintf("%s of a tree of %.0f MiB, %d files: `strata build` of the image", kind, t.mib, t.files),
			PeerIs: fmt.Sprintf("`%s %s` on the mounted tree", tool, args), Unit: "s", Ours: series[0], Peer: series[1], Target: Target{Kind: "within", Value: 1.1}})
		found.Tables = append(found.Tables, parts.Table("Packing the "+kind+": where our time goes", "part"))
	}
	found.Notes = append(found.Notes, "Packing: ours is the whole command with the node already built: plan, mount, a look at every file (ACLs and attributes that the format cannot hold), the packing, the checksum, the manifest.")
	return found, os.RemoveAll(out)
}

// packParts tells the parts of a build that packed from when files were made.
func packParts(parts *phases, b *built, kind string, start time.Time) error {
	born, err := birth(b.Images[0].Artifacts[kind])
	if err != nil {
		return err
	}
	packed, err1 := os.Stat(b.Images[0].Artifacts[kind])
	manifest, err2 := os.Stat(b.Images[0].Artifacts["manifest"])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	end := start.Add(time.Duration(b.seconds * float64(time.Second)))
	parts.add("plan, mount; for erofs also the files' times", born.Sub(start).Seconds())
	parts.add("the packing program, from its file's birth to its last write (meanwhile, a look at every file)", packed.ModTime().Sub(born).Seconds())
	parts.add("sha256 of the result (meanwhile, the program's end), manifest", manifest.ModTime().Sub(packed.ModTime()).Seconds())
	parts.add("unmount, exit", end.Sub(manifest.ModTime()).Seconds())
	return nil
}

// sameSettings are the arguments with which the tool does what a manifest says.
func sameSettings(manifest string) (tool, args string, err error) {
	content, err := os.ReadFile(manifest)
	if err != nil {
		return "", "", err
	}
	var m struct {
		Files []struct {
			Type     string
			Settings map[string]string
		}
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return "", "", fmt.Errorf("read %s: %w", manifest, err)
	}
	for _, f := range m.Files {
		s := f.Settings
		switch f.Type {
		case "squashfs":
			args := "-comp " + s["compression"] + " -b " + s["block_size"]
			if s["level"] != "" {
				args += " -Xcompression-level " + s["level"]
			}
			return "mksquashfs", args, nil
		case "erofs":
			args := "-z" + s["compression"]
			if s["level"] != "" {
				args += "," + s["level"]
			}
			return "mkfs.erofs", args + " -C" + s["cluster_size"], nil
		}
	}
	return "", "", errors.New("the manifest has neither squashfs nor erofs")
}
