package registry

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"go.podman.io/image/v5/directory"
	"go.podman.io/image/v5/docker"
	dockerarchive "go.podman.io/image/v5/docker/archive"
	"go.podman.io/image/v5/docker/reference"
	ociarchive "go.podman.io/image/v5/oci/archive"
	"go.podman.io/image/v5/oci/layout"
	imagestorage "go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"

	"github.com/strata-hpc/strata/internal/fault"
)

// place is where an image is or goes.
type place struct {
	types.ImageReference
	text string // as a person writes it, with its transport
	// record is where the image's records are; nil where there is no such place.
	record types.ImageReference
	// signature is where a signature is; the same.
	signature types.ImageReference
}

// parse reads TRANSPORT:PLACE; without a transport, a registry's is meant.
func parse(text string, st storage.Store) (*place, error) {
	name, rest, ok := strings.Cut(text, ":")
	known := []types.ImageTransport{docker.Transport, layout.Transport, ociarchive.Transport, dockerarchive.Transport, directory.Transport}
	if ok && name == imagestorage.Transport.Name() {
		ref, err := imagestorage.Transport.ParseStoreReference(st, rest)
		return placed(text, ref, err)
	}
	for _, t := range known {
		if ok && name == t.Name() {
			ref, err := t.ParseReference(rest)
			return placed(text, ref, err)
		}
	}
	ref, err := docker.ParseReference("//" + text)
	return placed("docker://"+text, ref, err)
}

func placed(text string, ref types.ImageReference, err error) (*place, error) {
	if err != nil {
		return nil, fault.New(fault.Input, "%s names no place for an image: %w", text, err).
			WithHint("write HOST[:PORT]/PATH:TAG, all lower case, or docker://, oci:DIR:TAG, oci-archive:, docker-archive:, dir:, containers-storage:")
	}
	p := &place{ImageReference: ref, text: text}
	for suffix, beside := range map[string]*types.ImageReference{recordSuffix: &p.record, signatureSuffix: &p.signature} {
		if *beside, err = p.beside(suffix); err != nil {
			return nil, fmt.Errorf("place records of %s: %w", text, err)
		}
	}
	return p, nil
}

// beside is where something is that goes along with the image; nil where there
// is no such place.
func (p *place) beside(suffix string) (types.ImageReference, error) {
	named := p.DockerReference()
	switch p.Transport().Name() {
	case docker.Transport.Name():
		tagged, ok := reference.TagNameOnly(named).(reference.NamedTagged)
		if !ok {
			return nil, nil // by digest only
		}
		of, err := reference.WithTag(reference.TrimNamed(named), tagged.Tag()+suffix)
		if err != nil {
			return nil, nil // a tag as long as that cannot have one
		}
		return docker.NewReference(of)
	case layout.Transport.Name():
		dir, tag, _ := strings.Cut(p.StringWithinTransport(), ":")
		if tag == "" {
			return nil, nil
		}
		return layout.NewReference(dir, tag+suffix)
	}
	return nil, nil
}

// recordSuffix ends the tag of what belongs to the image of a tag.
const recordSuffix = ".record"

// host is the registry's name, or "".
func (p *place) host() string {
	if named := p.DockerReference(); named != nil && p.Transport().Name() == docker.Transport.Name() {
		return reference.Domain(named)
	}
	return ""
}

// repository is the name without a tag, or "" outside of registries.
func (p *place) repository() string {
	if p.host() == "" {
		return ""
	}
	return p.DockerReference().Name()
}

// system says how the place is reached. A registry on this machine needs no
// TLS; for all others registries.conf decides.
func (p *place) system(opts Options) *types.SystemContext {
	sys := &types.SystemContext{BigFilesTemporaryDir: opts.Scratch, AuthFilePath: opts.AuthFile, DockerRegistryUserAgent: "strata"}
	if local(p.host()) {
		sys.DockerInsecureSkipTLSVerify = types.OptionalBoolTrue
	}
	return sys
}

// Local says whether a place for images is on this machine: a registry on its
// loopback address, a directory, an archive, a store.
func Local(ref string) bool {
	name, rest, ok := strings.Cut(ref, ":")
	switch {
	case ok && name == docker.Transport.Name():
		ref = strings.TrimPrefix(rest, "//")
	case ok && slices.Contains([]string{layout.Transport.Name(), ociarchive.Transport.Name(), dockerarchive.Transport.Name(), directory.Transport.Name(), imagestorage.Transport.Name()}, name):
		return true
	}
	host, _, _ := strings.Cut(ref, "/")
	return local(host)
}

func local(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = hostPort
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
