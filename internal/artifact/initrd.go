package artifact

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
)

// What in an initrd can fetch the root file system over HTTP.
const (
	liveBoot   = "live-boot"   // Debian's live-boot: boot=live fetch=URL
	dracutLive = "dracut-live" // dracut's livenet: root=live:URL
)

// findInitrd returns the path of the initrd whose name fits the kernel.
func findInitrd(t Tree, version string, image layer.Image) (string, error) {
	names := []string{
		"/boot/initrd.img-" + version,                // Debian
		"/boot/initramfs-" + version + ".img",        // EL
		"/boot/initrd-" + version,                    // SUSE
		"/lib/modules/" + version + "/initrd",        // SUSE, without /boot
		"/lib/modules/" + version + "/initramfs.img", // ostree
	}
	for _, name := range names {
		fi, err := t.Stat(name)
		if isAbsent(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		if fi.Mode().IsRegular() {
			return name, nil
		}
	}
	return "", treeFault(image, "there is no initrd for kernel %s in node %s: looked for %s", version, image.Node, strings.Join(names, ", ")).
		WithHint("add initramfs-tools (Debian) or dracut (EL, SUSE) to the packages of the kernel's layer, or run 'update-initramfs -c -k %s' there", version)
}

// initrdContent is what the check needs to know of an initrd.
type initrdContent struct {
	Versions []string        // kernels that it has modules for, sorted
	Modules  map[string]bool // names of its modules, with - for _
	Paths    map[string]bool // all paths, without a leading / or usr/
}

// checkInitrd returns what the initrd fetches the root with. An image without
// squashfs and erofs is booted in a way of its own: then the initrd has to fit
// the kernel, no more.
func checkInitrd(t Tree, p *pair, image layer.Image) (fetch string, err error) {
	f, err := t.Open(p.Initrd)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := readInitrd(f)
	if err != nil {
		return "", treeFault(image, "%s cannot be read: %w", p.Initrd, err).
			WithHint("make it again: 'update-initramfs -u -k %s' or 'dracut --force --kver %s'", p.Version, p.Version)
	}
	if !slices.Contains(content.Versions, p.Version) {
		has := "no modules at all"
		if len(content.Versions) > 0 {
			has = "modules for " + strings.Join(content.Versions, ", ")
		}
		return "", treeFault(image, "%s does not belong to kernel %s: it holds %s", p.Initrd, p.Version, has).
			WithHint("make it again: 'update-initramfs -u -k %s' or 'dracut --force --kver %s'", p.Version, p.Version)
	}
	root := rootFileSystem(image)
	if root == "" {
		return content.fetcher(), nil
	}
	builtin, err := builtins(t, p.Version)
	if err != nil {
		return "", err
	}
	for _, module := range []string{string(root), "overlay"} {
		if !content.Modules[module] && !builtin[module] {
			return "", treeFault(image, "%s cannot mount the root: it lacks the kernel module %s", p.Initrd, module).
				WithHint("add live-boot (Debian; it brings squashfs and overlay into the initrd) or dracut-live (EL) to the packages; for other modules list them in /etc/initramfs-tools/modules")
		}
	}
	if fetch = content.fetcher(); fetch == "" {
		return "", treeFault(image, "%s cannot fetch the root over HTTP: it holds neither live-boot nor dracut's livenet", p.Initrd).
			WithHint("add live-boot and busybox (Debian) or dracut-live and dracut-network (EL) to the packages, before or together with the kernel, or run 'update-initramfs -u' after them")
	}
	if fetch == liveBoot && !content.Paths["bin/wget"] {
		return "", treeFault(image, "%s cannot fetch the root over HTTP: live-boot needs wget in the initrd", p.Initrd).
			WithHint("add busybox to the packages (not busybox-static without wget) and run 'update-initramfs -u'")
	}
	return fetch, nil
}

// rootFileSystem is the file system that cluster nodes mount as their root: the first
// of the table that the image has, since more initrds know it.
func rootFileSystem(image layer.Image) layer.ArtifactType {
	for _, f := range layer.Formats() {
		if f.Bootable && slices.ContainsFunc(image.Artifacts, func(a layer.Artifact) bool { return a.Type == f.Type }) {
			return f.Type
		}
	}
	return ""
}

// builtins returns the modules that are part of the kernel itself.
func builtins(t Tree, version string) (map[string]bool, error) {
	name := "/lib/modules/" + version + "/modules.builtin"
	data, err := t.ReadFile(name, 16<<20)
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	modules := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		if module, ok := moduleName(strings.TrimSpace(line)); ok {
			modules[module] = true
		}
	}
	return modules, nil
}

func (c *initrdContent) fetcher() string {
	switch {
	case c.Paths["scripts/live"], c.Paths["lib/live/boot/9990-main.sh"]:
		return liveBoot
	case c.Paths["sbin/livenetroot"], c.Paths["bin/livenetroot"]:
		return dracutLive
	}
	return ""
}

// add notes a file of the initrd.
func (c *initrdContent) add(name string) error {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	name = strings.TrimPrefix(name, "usr/")
	if len(c.Paths) >= 1<<20 {
		return fmt.Errorf("more than %d files", len(c.Paths))
	}
	c.Paths[name] = true
	if rest, ok := strings.CutPrefix(name, "lib/modules/"); ok {
		version, _, _ := strings.Cut(rest, "/")
		if i, found := slices.BinarySearch(c.Versions, version); !found {
			c.Versions = slices.Insert(c.Versions, i, version)
		}
	}
	if module, ok := moduleName(name); ok {
		c.Modules[module] = true
	}
	return nil
}

// moduleName returns the module in a file name such as net/virtio_net.ko.zst,
// with - for _, which the kernel takes for the same.
func moduleName(file string) (string, bool) {
	base := path.Base(file)
	for _, suffix := range []string{".gz", ".xz", ".zst"} {
		base = strings.TrimSuffix(base, suffix)
	}
	name, ok := strings.CutSuffix(base, ".ko")
	return strings.ReplaceAll(name, "_", "-"), ok
}
