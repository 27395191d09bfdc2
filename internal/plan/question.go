package plan

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
)

// Question is what was answered otherwise than at the base: it tells a program why a
// node is built without its having to read sentences.
type Question struct {
	Kind Ask          `json:"kind"`
	Name string       `json:"name"`           // the path, variable, group, pattern or setting that was asked about
	Node layer.NodeID `json:"node,omitempty"` // whose answer it is; "" where all have the same
}

// Ask is a kind of question.
type Ask string

// The kinds of questions that an analysis of playbooks asks.
const (
	AskBytes    Ask = "bytes"    // what of a file counts: its content, or what its tasks say
	AskExists   Ask = "exists"   // whether there is a file of that name
	AskNames    Ask = "names"    // the names in a directory
	AskBelow    Ask = "below"    // the names below a directory, at any depth
	AskVariable Ask = "variable" // a variable of a host, and whether it is defined
	AskMembers  Ask = "members"  // the hosts of a group
	AskMatches  Ask = "matches"  // whether the pattern of a play means the node
	AskConfig   Ask = "config"   // what ansible.cfg says
	AskCommit   Ask = "commit"   // which commit it is
	AskReached  Ask = "reached"  // whether the node's playbooks use a file or variable, which is as it was
)

// The kinds of questions that the plan asks itself.
const (
	AskDefinition Ask = "definition" // what strata.yaml says about the node
	AskSecret     Ask = "secret"     // a secret's value
	AskTool       Ask = "tool"       // which Strata it is
	AskParent     Ask = "parent"     // the content of the parent, or which it is
	AskNode       Ask = "node"       // whether the node was there, or was built
)

// questionOf is the question that an input answers.
func questionOf(in Input, became became) *Question {
	q := &Question{Kind: AskDefinition, Name: in.Name}
	switch in.Kind {
	case KindTool:
		q.Kind = AskTool
	case KindSecret:
		q.Kind = AskSecret
	case KindFile, KindPackage, KindAnsible:
		q.Kind = AskBytes
		if dir, ok := strings.CutSuffix(in.Name, "/"); ok {
			q.Kind, q.Name = AskNames, dir
		} else if became == came || became == gone {
			q.Kind = AskExists
		}
	case KindCommit:
		q.Kind = AskCommit
	case KindVariable:
		q.variable(in.Name)
	}
	if became == used || became == unused {
		q.Kind = AskReached
	}
	return q
}

// variable makes it the question about what an input of that name is.
func (q *Question) variable(name string) {
	q.Kind = AskVariable
	of, rest, ok := strings.Cut(name, "[")
	inner, rest, closed := strings.Cut(rest, "]")
	switch {
	case name == "groups":
		q.Kind, q.Name = AskMembers, ""
	case ok && closed && of == "groups":
		q.Kind, q.Name = AskMembers, inner
	case ok && closed && of == "hostvars":
		q.Name, q.Node = strings.TrimPrefix(rest, "."), layer.NodeID(inner)
	}
}

// asked completes a question for a node whose decision it explains.
func (q Question) asked(id layer.NodeID) *Question {
	if q.Node == "" && slices.Contains([]Ask{AskVariable, AskMembers, AskMatches, AskReached, AskDefinition, AskSecret}, q.Kind) {
		q.Node = id
	}
	return &q
}

// widened is the first of the places that use something, if none does but for what
// could not be followed; else "".
func widened(via []string) string {
	if len(via) == 0 || slices.ContainsFunc(via, func(at string) bool { return !strings.Contains(at, ": ") }) {
		return ""
	}
	return via[0]
}
