package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const bootstrapRecipe = `strata: 1
cluster: {name: bootstrap}
repositories:
  debian: {type: apt, suite: bookworm, components: [main]}
layers:
  debian:
    from: {bootstrap: {distribution: debian, repositories: [debian]}}
`

// bootstrap compares bootstrapping the same packages from the same files.
func bootstrap(l *lab) (Findings, error) {
	var found Findings
	if err := os.MkdirAll(l.path("bootstrap"), 0o755); err != nil {
		return found, err
	}
	if err := os.WriteFile(l.path("bootstrap", "strata.yaml"), []byte(bootstrapRecipe), 0o644); err != nil {
		return found, err
	}
	// The first one fills the cache, and tells which packages these are.
	if _, err := bootstrapOurs(l); err != nil {
		return found, err
	}
	packages, err := bootstrapped(l)
	if err != nil {
		return found, err
	}
	given, err := giveToMmdebstrap(l, packages)
	if err != nil {
		return found, err
	}
	series, err := alternate(l,
		func(int) (float64, error) { return bootstrapOurs(l) },
		func(int) (float64, error) { return mmdebstrap(l, given) },
	)
	if err != nil {
		return found, err
	}
	found.Rows = []Row{{Work: fmt.Sprintf("Debian bootstrap, packages cached (%d packages)", len(packages)), PeerIs: "`mmdebstrap` to a directory",
		Unit: "s", Ours: series[0], Peer: series[1], Target: Target{Kind: "within", Value: 1}}}
	found.Notes = append(found.Notes, "Bootstrap: essential packages, apt and usr-is-merged of bookworm. Both sides have the packages and lists on disk and ask the mirror whether the lists are still current. Ours ends with a committed layer in an empty store, the peer's with a directory.")
	return found, nil
}

func bootstrapStore(l *lab) string { return l.path("store-bootstrap") }

func bootstrapOurs(l *lab) (float64, error) {
	if err := os.RemoveAll(bootstrapStore(l)); err != nil {
		return 0, err
	}
	res, err := l.buildWith(command{Name: "bootstrap"}, bootstrapStore(l), "bootstrap", "debian")
	if err != nil {
		return 0, err
	}
	return res.seconds, nil
}

// bootstrapped lists the file names of the packages in the tree.
func bootstrapped(l *lab) ([]string, error) {
	_, out, err := l.output(command{Name: "dpkg-query", Args: []string{l.path("strata"), "-C", l.path("bootstrap"), "--store", bootstrapStore(l), "-q",
		"shell", "debian", "--", "dpkg-query", "-W", "-f", `${Package}_${Version}_${Architecture}.deb\n`}})
	if err != nil {
		return nil, err
	}
	names := strings.Fields(string(out))
	for i, name := range names {
		names[i] = strings.ReplaceAll(name, ":", "%3a")
	}
	return names, nil
}

// giveToMmdebstrap puts the packages and lists where mmdebstrap can link them.
func giveToMmdebstrap(l *lab, packages []string) (string, error) {
	cache, err := l.aptCache()
	if err != nil {
		return "", err
	}
	dir := l.path("tmp", "mmdebstrap")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.CopyFS(filepath.Join(dir, "lists"), os.DirFS(cache.lists)); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(dir, "archives"), 0o755); err != nil {
		return "", err
	}
	for _, name := range packages {
		content, err := os.ReadFile(filepath.Join(cache.archives, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "archives", name), content, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	sources, err := os.ReadFile(cache.sources)
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "debian.sources"), sources, 0o644)
}

func mmdebstrap(l *lab, given string) (float64, error) {
	out := l.path("tmp", "mmdebstrap.out")
	if err := os.RemoveAll(out); err != nil {
		return 0, err
	}
	defer os.RemoveAll(out)
	hook := fmt.Sprintf(`mkdir -p "$1/var/cache/apt/archives" "$1/var/lib/apt/lists" && cp -l %[1]s/archives/*.deb "$1/var/cache/apt/archives/" && cp -p %[1]s/lists/*_* "$1/var/lib/apt/lists/"`, given)
	seconds, err := l.run(command{Name: "mmdebstrap", Env: []string{"TMPDIR=" + l.path("tmp")}, Args: []string{"mmdebstrap", "--mode=root", "--variant=apt", "--include=usr-is-merged",
		"--skip=download/empty", "--setup-hook=" + hook, "--aptopt=Acquire::Languages \"none\"", "--aptopt=APT::Install-Recommends \"false\"",
		"bookworm", out, filepath.Join(given, "debian.sources")}})
	if err != nil {
		return 0, err
	}
	log, err := os.ReadFile(l.path("log", "mmdebstrap.log"))
	if err != nil {
		return 0, err
	}
	if strings.Contains(string(log), ".deb") && strings.Contains(string(log), "Get:") {
		for line := range strings.Lines(string(log)) {
			if strings.HasPrefix(line, "Get:") && strings.Contains(line, "_") {
				return 0, fmt.Errorf("mmdebstrap downloaded: %s", strings.TrimSpace(line))
			}
		}
	}
	return seconds, nil
}
