package layer

import "slices"

// ArtifactType names a form in which an image leaves Strata.
type ArtifactType string

// The artifacts that Strata makes.
const (
	Squashfs ArtifactType = "squashfs"
	Erofs    ArtifactType = "erofs"
	Tar      ArtifactType = "tar"
	Dir      ArtifactType = "dir"
	OCI      ArtifactType = "oci"
	Kernel   ArtifactType = "kernel"
	Initrd   ArtifactType = "initrd"
)

// Format is what is known of an artifact before it is made. Package artifact knows how to
// make it.
type Format struct {
	Type        ArtifactType
	File        string       // its name among an image's artifacts
	Directory   bool         // it is a directory
	Copied      bool         // a file of the tree as it is, of the kernel that is booted
	Bootable    bool         // a root file system that an initrd can fetch and mount
	Compressors []Compressor // the usual one first; none if there is nothing to set
	Block       BlockSizes
}

// Compressor is what an artifact may be compressed with.
type Compressor struct {
	Name  string
	Level int // where none is asked for; 0: the program's own
	Most  int // the highest level, from 1; 0: it has no levels
}

// BlockSizes are those that an artifact may have, powers of two in bytes. Zero: there is
// nothing to set.
type BlockSizes struct{ Least, Most, Usual int }

// Formats is the table of artifacts, in the order in which people are told of them: an
// initrd's root file systems, the best known first, and then what else there is. The
// defaults were chosen by measurement: see docs/benchmarks.md. Squashfs blocks of 1 MiB
// are 3 % smaller, but a small file that is not yet in memory then costs a cluster node
// more than twice the time; lz4hc takes erofs seven times the time for a tenth less.
func Formats() []Format {
	return []Format{
		{Type: Squashfs, File: "rootfs.squashfs", Bootable: true, Block: BlockSizes{4 << 10, 1 << 20, 256 << 10},
			Compressors: []Compressor{{"zstd", 3, 22}, {"gzip", 0, 9}, {"xz", 0, 0}, {"lz4", 0, 0}}},
		{Type: Erofs, File: "rootfs.erofs", Bootable: true,
			Compressors: []Compressor{{"lz4", 0, 0}, {"none", 0, 0}, {"lz4hc", 0, 12}, {"lzma", 0, 9}, {"zstd", 0, 22}}},
		{Type: Tar, File: "rootfs.tar"},
		{Type: Dir, File: "rootfs", Directory: true},
		{Type: OCI, File: "oci", Directory: true},
		{Type: Kernel, File: "vmlinuz", Copied: true},
		{Type: Initrd, File: "initrd.img", Copied: true},
	}
}

// Format is the type's line of the table; without a type if there is none.
func (t ArtifactType) Format() Format {
	for _, f := range Formats() {
		if f.Type == t {
			return f
		}
	}
	return Format{}
}

// Compressor is the one of a name, or the usual one for "".
func (f Format) Compressor(name string) (Compressor, bool) {
	i := slices.IndexFunc(f.Compressors, func(c Compressor) bool { return c.Name == name || name == "" })
	if i < 0 {
		return Compressor{}, false
	}
	return f.Compressors[i], true
}

// CompressorNames are what the artifact may be compressed with, sorted.
func (f Format) CompressorNames() []string {
	names := make([]string, len(f.Compressors))
	for i, c := range f.Compressors {
		names[i] = c.Name
	}
	slices.Sort(names)
	return names
}

// Fits reports whether a size of blocks can be set.
func (b BlockSizes) Fits(size int) bool {
	return size >= b.Least && size <= b.Most && size&(size-1) == 0
}

// Artifact is one form of an image with its settings. The zero value of a setting means
// what is usual: see Formats.
type Artifact struct {
	Type        ArtifactType `yaml:"type" doc:"What to make." enum:"squashfs,erofs,tar,dir,oci,kernel,initrd" required:"true"`
	Compression string       `yaml:"compression" doc:"Compressor of a squashfs (zstd, gzip, xz, lz4) or an erofs (none, lz4, lz4hc, lzma, zstd)." enum:"none,zstd,gzip,xz,lz4,lz4hc,lzma"`
	Level       int          `yaml:"level" doc:"The compressor's level." min:"1"`
	BlockSize   int          `yaml:"block_size" doc:"Block size of a squashfs in bytes: a power of two from 4096 to 1048576." min:"4096"`
}

// Bootable says whether a virtual machine can boot an image's artifacts.
func (im Image) Bootable() bool {
	has := func(f func(Format) bool) bool {
		return slices.ContainsFunc(im.Artifacts, func(a Artifact) bool { return f(a.Type.Format()) })
	}
	return has(func(f Format) bool { return f.Type == Kernel }) && has(func(f Format) bool { return f.Type == Initrd }) &&
		has(func(f Format) bool { return f.Bootable })
}
