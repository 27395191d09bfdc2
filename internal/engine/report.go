package engine

import (
	"fmt"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/junit"
)

// JUnit renders a result as JUnit XML: a case for each node and each image. Err
// is the error that came with it; what it says at length goes to the node.
func (r *Result) JUnit(err error) []byte {
	detail := map[string]string{}
	for _, f := range fault.All(err) {
		detail[f.Message] = f.Detail
	}
	suite := junit.Suite{Name: "build"}
	for _, n := range r.Nodes {
		c := junit.Case{Class: "build.node", Name: string(n.ID), Seconds: n.Seconds}
		if n.Status == Failed {
			c.Failure = &junit.Failure{Message: n.Reason, Text: detail[n.Reason]}
		} else {
			c.Output = fmt.Sprintf("%s: %s\n%s", n.Status, n.Reason, n.Digest)
		}
		suite.Cases = append(suite.Cases, c)
	}
	for _, im := range r.Images {
		suite.Cases = append(suite.Cases, junit.Case{Class: "build.image", Name: im.Name, Output: string(im.Digest)})
	}
	return suite.XML()
}
