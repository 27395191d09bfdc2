package layer

import "slices"

// Observed is what programs that playbooks started on the machine that builds were
// seen to do with files of the project: the questions that they asked of it, by
// paths below its directory, each list sorted. Links are followed: what lies behind
// one is named by its real path, and the link is a question of its own.
type Observed struct {
	Contents []string `json:"contents,omitempty"` // opened, executed, or asked for their size
	Kinds    []string `json:"kinds,omitempty"`    // looked for, also in vain
	Names    []string `json:"names,omitempty"`    // directories that were listed
	Links    []string `json:"links,omitempty"`    // links that led somewhere, or were read
	// Inputs is the digest of what decided about the node, with the answers that the
	// programs got: with others they may ask more.
	Inputs Key `json:"inputs,omitempty"`
	// Unknown is why they may have read more; "" if this is all.
	Unknown string `json:"unknown,omitempty"`
}

// Add adds what others were seen to do.
func (o *Observed) Add(other Observed) {
	for _, lists := range [][2]*[]string{{&o.Contents, &other.Contents}, {&o.Kinds, &other.Kinds}, {&o.Names, &other.Names}, {&o.Links, &other.Links}} {
		*lists[0] = append(*lists[0], *lists[1]...)
		slices.Sort(*lists[0])
		*lists[0] = slices.Compact(*lists[0])
	}
	if o.Unknown == "" {
		o.Unknown = other.Unknown
	}
}

// Empty reports whether nothing of the project was used.
func (o Observed) Empty() bool {
	return len(o.Contents)+len(o.Kinds)+len(o.Names)+len(o.Links) == 0 && o.Unknown == ""
}
