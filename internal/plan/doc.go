// Package plan says what is to be built, in which order, and why: the graph of
// nodes, their keys, and a decision with a reason for each.
//
// It builds nothing and touches no store, no registry and no machine: a file
// system and a few functions go in, values come out. Package build carries a
// plan out.
//
// A node's key is derived from its inputs, and its inputs from the whole value
// of the node: whatever is added to a definition counts unless it is left out
// here by name and with a reason. The parent enters by the digest of its
// content, so that a parent which was rebuilt and came out as before leaves its
// children alone.
package plan
