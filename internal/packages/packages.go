// Package packages is what building layers asks of a package manager: its
// repositories made ready, a first layer from them, and packages installed,
// removed and listed in a tree.
//
// The managers are in packages below it; nothing above names one of them. Which
// one a repository is for, its type says: see Table.
package packages

import (
	"context"
	"io"
	"time"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Manager is a package manager with a cache on this machine. Several builds and
// several processes may use one cache at once.
type Manager interface {
	// Open makes repositories ready, in their order, for an architecture in Debian's
	// name. It downloads nothing. Those that contradict each other are a fault of
	// kind Input.
	Open(repositories []Repository, arch string) (Set, error)
	// Dir is where it keeps what it downloads.
	Dir() string
}

// Repository is a package repository as a project has it.
type Repository struct {
	layer.Repository
	Name    string
	Keyring []byte // content of the file that Key names, if it names one
}

// Set is repositories that are ready for use. All its errors are for people: what
// the manager says of signatures, mirrors and packages is explained.
type Set interface {
	// Refresh brings the lists of what the repositories have up to date, once in a
	// process, and checks who signed them.
	Refresh(ctx context.Context, log io.Writer) error
	// Listed reports whether there are lists, of whatever age.
	Listed() bool
	// Resolve says which packages it takes to have some in an empty system, with
	// the lists that there are. It installs nothing.
	Resolve(ctx context.Context, log io.Writer, names []string) ([]Package, error)
	// Bootstrap refreshes the lists and makes a first layer.
	Bootstrap(ctx context.Context, b Bootstrap) error
	// Files are what an image has in which repositories of these names are known.
	Files(names []string) []File
	// Equip adds to a sandbox what the manager needs in it, and what no layer may hold.
	Equip(ctx context.Context, spec *sandbox.Spec) (Tree, error)
}

// Package is one version of a package.
type Package struct {
	Name, Version string
	Arch          string // as the manager names it
	SHA256        string // of the file, in hex; "" where it is not known
	Size          int64  // of the file in bytes; 0 where it is not known
}

// Bootstrap is a first layer to be made.
type Bootstrap struct {
	Recommends  bool   // install what packages recommend, too
	Upper       string // the empty directory that becomes the layer
	Scratch     string // an empty directory on the same file system
	Environment []string
	Log         io.Writer // what programs say
}

// File is a file of an image, root's and readable by all.
type File struct {
	Path, Content string
}

// Tree is a tree's package manager, for the time of a sandbox.
type Tree interface {
	// Install installs packages, and keeps what it downloaded for other builds if it
	// is what the lists say.
	Install(ctx context.Context, t Target, what Install) error
	// Remove removes packages and their configuration.
	Remove(ctx context.Context, t Target, names []string) error
	// Installed lists the tree's packages, by name.
	Installed(ctx context.Context, t Target) ([]Package, error)
	// Scripts returns the times, from and to, in which scripts of packages ran in the
	// tree, whoever had it installed.
	Scripts(box *sandbox.Sandbox) ([][2]time.Time, error)
	// Close ends the use of the cache. The sandbox has ended.
	Close() error
}

// Target is a tree in a sandbox, and how programs run in it.
type Target struct {
	Box         *sandbox.Sandbox
	Environment []string // KEY=value
	Log         io.Writer
}

// Install is what is to be installed.
type Install struct {
	Packages   []string // names, NAME=VERSION, or absolute paths of files in the tree
	Recommends bool     // and what they recommend
}
