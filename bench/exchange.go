package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/strata-hpc/strata/internal/store"
)

// exchangeRecipe is an image that has one layer of 20 MB on a Debian.
const exchangeRecipe = `layers:
  bench-layer: {parent: debian, files: [{src: bench-payload, dest: /opt/payload}]}
`

// exchanged is an image on its way between stores and a registry, which all
// sides share, each with a repository of its own.
type exchanged struct {
	l     *lab
	b     *buildah
	dir   string // of the project
	round int    // of this program: no two have the same content
}

// newExchanged builds what the layer stands on, and has every side push it, and
// pull it to another store.
func newExchanged(l *lab) (*exchanged, error) {
	b, err := l.buildah()
	if err != nil {
		return nil, err
	}
	dir, err := l.project("exchange")
	if err == nil {
		err = include(dir, exchangeRecipe)
	}
	if err != nil {
		return nil, err
	}
	recipe := filepath.Join(dir, "strata.yaml")
	content, err := os.ReadFile(recipe)
	if err == nil {
		err = os.WriteFile(recipe, append(content, "\nregistry: "+b.registry+"/ours\n"...), 0o644)
	}
	x := &exchanged{l: l, b: b, dir: dir}
	if err = errors.Join(err, x.next()); err != nil {
		return nil, err
	}
	for _, c := range []command{
		x.strata(l.store(), "push", "bench-layer"), x.strata(x.elsewhere("strata"), "pull", "bench-layer"),
		x.skopeo(x.image(l.store()), x.remote("skopeo")), x.skopeo(x.remote("skopeo"), x.image(x.elsewhere("skopeo"))),
		x.push(), x.pull(),
	} {
		if _, err := l.run(c); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// next builds the image with another layer: of a program, and a number.
func (x *exchanged) next() error {
	program, err := os.ReadFile(x.l.path("strata"))
	if err != nil {
		return err
	}
	content := append([]byte(time.Now().String()), program...)
	if err := os.WriteFile(filepath.Join(x.dir, "bench-payload"), content[:min(len(content), 20_000_000)], 0o644); err != nil {
		return err
	}
	x.round++
	_, err = x.l.build("exchange", "--pull=never", "bench-layer")
	return err
}

// elsewhere is the store of a side's other machine.
func (x *exchanged) elsewhere(side string) string { return x.l.path("elsewhere", side) }

func (x *exchanged) strata(store string, args ...string) command {
	return command{Name: "strata-" + args[0], Args: append([]string{x.l.path("strata"), "-C", x.dir, "--store", store}, args...)}
}

// image names the image in a store as skopeo and buildah have it.
func (x *exchanged) image(store string) string {
	return fmt.Sprintf("containers-storage:[overlay@%s+%s]localhost/clustera/bench-layer:latest", store, x.l.path("peer", "run-"+filepath.Base(store)))
}

func (x *exchanged) remote(side string) string {
	return fmt.Sprintf("docker://%s/%s/bench-layer:%d", x.b.registry, side, x.round)
}

func (x *exchanged) skopeo(from, to string) command {
	return command{Name: "skopeo", Env: x.b.env, Args: []string{"skopeo", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false",
		"--dest-compress-format", "zstd", from, to}}
}

func (x *exchanged) buildah(store string, args ...string) command {
	return command{Name: "buildah-" + args[0], Env: x.b.env, Args: append([]string{"buildah", "--storage-driver", "overlay",
		"--root", store, "--runroot", x.l.path("peer", "run-"+filepath.Base(store))}, args...)}
}

func (x *exchanged) push() command {
	return x.buildah(x.l.store(), "push", "--quiet", "--tls-verify=false", "--compression-format", "zstd",
		"localhost/clustera/bench-layer:latest", x.remote("buildah"))
}

func (x *exchanged) pull() command {
	return x.buildah(x.elsewhere("buildah"), "pull", "--quiet", "--tls-verify=false", strings.TrimPrefix(x.remote("buildah"), "docker://"))
}

// alone is a shell command with the registry as $REGISTRY and files for it.
func (x *exchanged) alone(name, script string) command {
	return command{Name: name, Args: []string{"bash", "-euo", "pipefail", "-c", script}, Dir: x.l.path("tmp"), Env: []string{"REGISTRY=http://" + x.b.registry}}
}

// tar writes the layer as a tar, which is what is compressed and sent.
func (x *exchanged) tar() error {
	st, err := store.Open(x.l.store())
	if err != nil {
		return err
	}
	defer st.Close()
	im, err := st.Latest("clusterA", "bench-layer")
	if err != nil {
		return err
	}
	dirs, err := st.Dirs(im)
	if err != nil {
		return err
	}
	_, err = x.l.run(command{Name: "tar", Args: []string{"tar", "-C", dirs[0], "-cf", x.l.path("tmp", "layer.tar"), "."}})
	return err
}

const (
	// The digest is asked for at the end, so that sending need not wait for it.
	sendAlone = `
location() { sed -n 's/^[Ll]ocation: *//p' | tr -d '\r'; }
at=$(curl -sSf -D- -o /dev/null -X POST "$REGISTRY/v2/alone/blobs/uploads/" | location)
at=$(zstd -q -T0 -3 -c layer.tar | tee layer.zst | curl -sSf -D- -o /dev/null -X PATCH -H 'Content-Type: application/octet-stream' -T - "$at" | location)
echo "$REGISTRY/v2/alone/blobs/sha256:$(sha256sum layer.zst | cut -d' ' -f1)" > sent
curl -sSf -X PUT "$at&digest=sha256:$(sha256sum layer.zst | cut -d' ' -f1)"`
	fetchAlone = `rm -rf unpacked; mkdir unpacked; curl -sSf "$(cat sent)" | tee >(sha256sum > sum) | zstd -q -d -c | tee >(sha256sum > sum.tar) | tar -x -C unpacked`
)

// pushing compares pushes of an image of which the registry lacks one layer.
func pushing(l *lab) (Findings, error) {
	var found Findings
	x, err := newExchanged(l)
	if err != nil {
		return found, err
	}
	series, err := alternate(l,
		x.measured(func() command { return x.strata(l.store(), "push", "bench-layer") }),
		x.measured(func() command { return x.alone("send", sendAlone) }),
		x.measured(func() command { return x.skopeo(x.image(l.store()), x.remote("skopeo")) }),
		x.measured(x.push),
	)
	if err != nil {
		return found, err
	}
	found.Rows = exchangeRows("push of an image of which the registry lacks one layer of 20 MB: `strata push`", series,
		"`zstd -3 -T0` and `curl` to the registry, of the layer's tar alone", "`skopeo copy`, zstd", "`buildah push`, zstd")
	found.Notes = append(found.Notes, "Push: the layer is the first 20 MB of a program, another one each time, on the example's `debian`, which the registry has. All sides push to one docker-registry on this machine, each to a repository of its own, and compress with zstd. Ours is the whole command: it asks for the parent's key, too, and sends the record of the build.")
	return found, nil
}

// pulling compares pulls of an image of which the store lacks one layer.
func pulling(l *lab) (Findings, error) {
	var found Findings
	x, err := newExchanged(l)
	if err != nil {
		return found, err
	}
	series, err := alternate(l,
		x.measured(func() command { return x.strata(l.store(), "push", "bench-layer") },
			func() command { return x.strata(x.elsewhere("strata"), "pull", "bench-layer") }),
		x.measured(func() command { return x.alone("send", sendAlone) }, func() command { return x.alone("fetch", fetchAlone) }),
		x.measured(func() command { return x.skopeo(x.image(l.store()), x.remote("skopeo")) },
			func() command { return x.skopeo(x.remote("skopeo"), x.image(x.elsewhere("skopeo"))) }),
		x.measured(x.push, x.pull),
	)
	if err != nil {
		return found, err
	}
	found.Rows = exchangeRows("pull of an image of which the store lacks one layer of 20 MB: `strata pull`", series,
		"`curl`, `zstd -d`, `tar -x` and two `sha256sum` in one pipe, of the layer alone", "`skopeo copy`", "`buildah pull`")
	found.Notes = append(found.Notes, "Pull: what Push pushed, to other stores on the same machine, which have the layer below. Ours checks the digests of the compressed and of the plain layer, and takes the record of the build along.")
	return found, nil
}

// measured builds another layer, runs commands, and measures the last of them.
func (x *exchanged) measured(commands ...func() command) func(int) (float64, error) {
	return func(int) (seconds float64, err error) {
		if err := errors.Join(x.next(), x.tar()); err != nil {
			return 0, err
		}
		for _, c := range commands {
			if seconds, err = x.l.run(c()); err != nil {
				return 0, err
			}
		}
		return seconds, nil
	}
}

// exchangeRows are the comparisons with the work alone and with two programs.
func exchangeRows(work string, series []Series, alone, first, second string) []Row {
	row := func(i int, peer string, target Target) Row {
		return Row{Work: work, PeerIs: peer, Unit: "s", Ours: series[0], Peer: series[i], Target: target}
	}
	return []Row{
		row(1, alone, Target{Kind: "within", Value: 1.3}),
		row(2, first, Target{Kind: "faster", Value: 1}),
		row(3, second, Target{Kind: "faster", Value: 1}),
	}
}
