package step

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/strata-hpc/strata/internal/sandbox"
)

// scriptRuns is where dpkg notes when it runs scripts, whoever has called it: a
// package step, a playbook or a command.
const scriptRuns = "/run/strata/dpkg"

// dpkgHooks is a configuration of dpkg (dpkg.cfg(5)). A hook that fails would
// fail the installation.
const dpkgHooks = `pre-invoke=date "+from %s.%N" >>` + scriptRuns + ` || true
post-invoke=date "+to %s.%N" >>` + scriptRuns + ` || true
`

// PackageScripts returns the times, from and to, in which scripts of packages
// ran in the tree.
func (w *Work) PackageScripts() ([][2]time.Time, error) {
	content, err := sandbox.ReadFileIn(w.Box.Root(), scriptRuns)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var spans [][2]time.Time
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		word, stamp, _ := strings.Cut(lines.Text(), " ")
		sec, nsec, _ := strings.Cut(stamp, ".")
		s, err1 := strconv.ParseInt(sec, 10, 64)
		ns, err2 := strconv.ParseInt(nsec, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("read when scripts of packages ran: %w", err)
		}
		at := time.Unix(s, ns)
		switch last := len(spans) - 1; {
		case word == "from":
			spans = append(spans, [2]time.Time{at, time.Now()}) // until its end is known
		case last >= 0:
			spans[last][1] = at
		}
	}
	return spans, nil
}
