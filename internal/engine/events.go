package engine

import (
	"time"

	"github.com/strata-hpc/strata/internal/layer"
)

// EventKind says what happened.
type EventKind int

// What happens to a node, in this order; Line any number of times in a step.
const (
	NodeStarted EventKind = iota
	NodeWaiting           // another build holds its lock
	StepStarted
	Line // a line of a step's output
	NodeEnded
	ImageStarted // its artifacts are being made
	ImageEnded
	MoveStarted // a node that is there is being pushed or pulled, or artifacts are
	MoveEnded
	Warning // a Line that must not go unnoticed, once more
)

// Event tells whoever watches a build. Events of one node come in order.
type Event struct {
	Kind   EventKind
	Node   layer.NodeID
	Image  string // instead of a node
	Step   int    // from 1
	Steps  int    // how many the node has
	Title  string // of the step; of MoveStarted and MoveEnded what is done: "pushing it", "pushed"
	Line   string
	Status Status
	Reason string
	Err    error
	Took   time.Duration
	Blobs  int   // that were moved, of MoveEnded
	Size   int64 // of these, in bytes
}

// Status is what became of a node.
type Status string

// The ends of a node.
const (
	Built  Status = "built"  // its steps ran
	Cached Status = "cached" // the store had it, before anything was built
	Kept   Status = "kept"   // its parent was rebuilt and came out the same
	Pulled Status = "pulled" // the registry had it; its layers come when they are needed
	Failed Status = "failed" // a step failed, or its parent did
)
