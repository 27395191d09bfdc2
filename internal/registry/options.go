package registry

import (
	"context"
	"io"
	"time"

	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/trust"
)

// Options say how an image is moved. The zero value is right for one that
// carries nothing along.
type Options struct {
	// Records are the names, in the store, of what is pushed with an image. A
	// pull that names some takes no image without them.
	Records []string
	// Fixed says that a tag means one content for good: a push that finds
	// another one there is an error, not a replacement.
	Fixed bool
	// Claims are what the image is to be: what it is looked for as, or pushed as.
	Claims map[string]string
	// Trust decides whether what a registry has is what the claims say; nil
	// believes everything.
	Trust trust.Policy
	// Signer signs the claims of what is pushed; nil signs nothing.
	Signer *trust.Signer
	// Accept, if not nil, says what is wrong with the records of a pulled image,
	// before anything of it is kept.
	Accept func(records map[string][]byte) error
	// Before, if not nil, is called before a push sends anything: it may wait for
	// another one, of what is below.
	Before func() error
	// Unpack makes a layer in the store of a tar stream, which ends with an error
	// if it is another one than the layer's. Nil leaves that to
	// containers/storage, which fills sparse files with zeros.
	Unpack func(ctx context.Context, l Incoming, stream io.Reader) error
	// Names are given to a pulled image; without any, it gets that of its place.
	Names []string
	// Scratch is the directory for compressed layers on their way; "" is the
	// system's for temporary files.
	Scratch string
	// Known is a directory that remembers which compressed layers are where;
	// "" remembers nothing.
	Known string
	// AuthFile has the credentials of registries; "" is the usual auth.json.
	AuthFile string
	// Progress is called for every blob, from several goroutines.
	Progress func(Event)
	// Wait is before the second attempt, and doubled before each further one;
	// 0 stands for half a second.
	Wait time.Duration
	// Patience is how long a registry may say nothing; 0 stands for two minutes.
	Patience time.Duration
}

// Incoming is a layer that is pulled.
type Incoming struct {
	Parent string       // id in the store of the layer below; "" for the lowest
	DiffID layer.Digest // of the tar stream
	Blob   layer.Digest // of what it was compressed to
}

// Event is something that happened to a blob.
type Event struct {
	Kind EventKind
	Blob layer.Digest // as it is sent
	Size int64        // bytes that were moved
}

// EventKind says what happened.
type EventKind string

// What can happen to a blob, and to an attempt.
const (
	Present  EventKind = "present"  // it was there already, or could be mounted
	Sent     EventKind = "sent"     // to the registry
	Received EventKind = "received" // into the store
	Retrying EventKind = "retrying" // after a fault of the network or the registry
)

// Result is what a push or a pull came to.
type Result struct {
	Ref      string            `json:"ref"`
	ID       string            `json:"id"`       // of the image in the store
	Digest   layer.Digest      `json:"digest"`   // of its manifest in the store; "" if it is not known
	Manifest layer.Digest      `json:"manifest"` // of the manifest over there; "" if it is not known
	Moved    int64             `json:"moved"`    // bytes of blobs that were sent or received
	Blobs    int               `json:"blobs"`    // that were sent or received
	Why      string            `json:"-"`        // a pulled image is believed; "" where its place is trusted
	Records  map[string][]byte `json:"-"`        // what came along with a pulled image, by name
}

func (o Options) event(kind EventKind, blob layer.Digest, size int64) {
	if o.Progress != nil {
		o.Progress(Event{kind, blob, size})
	}
}

// parallel is how many blobs are moved at once.
const parallel = 4
