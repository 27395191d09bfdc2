// Package draw draws a plan, or a project's bare graph, as text for dot and
// Mermaid, as an SVG picture and as an HTML page.
//
// It decides nothing and reads nothing: a Graph goes in, bytes come out, the
// same for the same graph. Names, values and paths are taken for what a
// stranger wrote, and are escaped in every format.
//
// What is done with a node shows in three ways, so that print and people who
// see few colours lose nothing: by the line around it (solid: built, dashed:
// maybe, dotted: kept, as in the figures of the paper on layered images), by
// the word, and by a colour.
package draw
