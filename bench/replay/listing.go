package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Listing is what the paper's Listing 6 said, and what it took.
type Listing struct {
	Nodes   []string `json:"nodes"`
	Seconds float64  `json:"seconds"`
	CPU     float64  `json:"cpu"`
	Error   string   `json:"error,omitempty"` // the last line, if it failed

	Changed []string `json:"-"`
	Beside  []string `json:"-"`
}

// findPython is the path of a Python that has what Listing 6 needs: the first on
// PATH, or the system's own, which has what its packages bring.
func findPython(ctx context.Context) (string, error) {
	var failed error
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		out, err := exec.CommandContext(ctx, name, "-c", "import sys, networkx, yaml; print(sys.executable)").Output()
		if err == nil {
			return strings.TrimSpace(string(out)), nil
		}
		failed = cmp.Or(failed, err)
	}
	return "", fmt.Errorf("find a Python with networkx and PyYAML: %w", failed)
}

// listing asks Listing 6 about the commit that is checked out.
func (h *history) listing(o Options, base, head string) (Listing, error) {
	began := time.Now()
	cmd := exec.CommandContext(h.ctx, h.python, o.Listing, "--json", base, head)
	cmd.Dir = h.dir
	out, err := cmd.Output()
	l := Listing{Nodes: []string{}, Seconds: time.Since(began).Seconds()}
	if cmd.ProcessState != nil {
		l.CPU = cpu(cmd.ProcessState)
	}
	var failed *exec.ExitError
	switch {
	case h.ctx.Err() != nil:
		return l, h.ctx.Err()
	case errors.As(err, &failed):
		lines := strings.Split(strings.TrimSpace(string(failed.Stderr)), "\n")
		l.Error = lines[len(lines)-1]
		return l, nil
	case err != nil:
		return l, err
	}
	var doc struct{ Nodes, Changed, Beside []string }
	if err := json.Unmarshal(out, &doc); err != nil {
		return l, err
	}
	l.Nodes, l.Changed, l.Beside = doc.Nodes, doc.Changed, doc.Beside
	return l, nil
}
