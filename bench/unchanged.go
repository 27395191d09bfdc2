package main

import "fmt"

// unchanged builds what is built.
func unchanged(l *lab) (Findings, error) {
	var found Findings
	if err := l.example(); err != nil {
		return found, err
	}
	series, err := alternate(l, func(int) (float64, error) {
		res, err := l.build("cluster")
		if err != nil {
			return 0, err
		}
		for _, n := range res.Nodes {
			if n.Status == "built" {
				return 0, fmt.Errorf("%s was built", n.ID)
			}
		}
		return res.seconds * 1000, nil
	})
	if err != nil {
		return found, err
	}
	found.Rows = []Row{{Work: "`build` of the whole example with nothing changed (7 nodes, 2 images)", Unit: "ms", Ours: series[0], Target: Target{Kind: "below", Value: 100}}}
	return found, nil
}
