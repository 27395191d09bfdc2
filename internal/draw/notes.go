package draw

import (
	"fmt"
	"slices"
)

// note is what a plan says besides, about names.
type note struct {
	Says  string
	Names []string
}

// notes are those of a graph that have names.
func (g Graph) notes() []note {
	say := func(names []string, one, more string) note {
		if len(names) == 1 {
			return note{"1 " + one, names}
		}
		return note{fmt.Sprintf("%d %s", len(names), more), names}
	}
	return slices.DeleteFunc([]note{
		say(g.Unset, "secret cannot be read here, and counts as unchanged", "secrets cannot be read here, and count as unchanged"),
		say(g.Circles, "link leads in a circle, and is not followed", "links lead in a circle, and are not followed"),
		say(g.Warnings, "warning", "warnings"),
		say(g.Removed, "node or image is no longer there", "nodes or images are no longer there"),
		say(g.Images, "image is new or made in another way", "images are new or made in another way"),
		say(g.Tests, "image has other tests", "images have other tests"),
		say(g.Unused, "changed file decides nothing", "changed files decide nothing"),
	}, func(n note) bool { return len(n.Names) == 0 })
}
