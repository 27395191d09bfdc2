package artifact

import "github.com/strata-hpc/strata/internal/junit"

// BootReport is what a boot test found.
type BootReport struct {
	Image   string       `json:"image"`
	Accel   string       `json:"accel"`   // "kvm" or "tcg"
	Seconds float64      `json:"seconds"` // from power on to the default target; 0 when it was not reached
	Tests   []TestResult `json:"tests"`
	// FailedUnits are the systemd units that failed until the target was reached.
	FailedUnits []string `json:"failed_units"`
	// Failure says why the system did not come up as it should; "" when it did.
	Failure string `json:"failure,omitempty"`
	// Detail is the end of the console and of the failed units' logs, for a Failure.
	Detail string `json:"detail,omitempty"`
}

// TestResult is what became of one test. Output holds the end of what it
// printed, standard error included.
type TestResult struct {
	Name    string  `json:"name"`
	Passed  bool    `json:"passed"`
	Seconds float64 `json:"seconds"`
	Output  string  `json:"output"`
	Cause   string  `json:"cause,omitempty"` // why it did not pass: "exit status 1", "timed out after 60 s", "not run"
}

// Passed reports whether the system came up and every test passed.
func (r *BootReport) Passed() bool { return r.Failure == "" && len(r.failed()) == 0 }

func (r *BootReport) failed() []string {
	var names []string
	for _, t := range r.Tests {
		if !t.Passed {
			names = append(names, t.Name)
		}
	}
	return names
}

// JUnit renders the report as JUnit XML: the boot itself is the first case.
func (r *BootReport) JUnit() []byte {
	class := "boot." + r.Image
	boot := junit.Case{Class: class, Name: "the system reaches its default target (" + r.Accel + ")", Seconds: r.Seconds}
	if r.Failure != "" {
		boot.Failure = &junit.Failure{Message: r.Failure, Text: r.Detail}
	}
	suite := junit.Suite{Name: "boot " + r.Image, Cases: []junit.Case{boot}}
	for _, t := range r.Tests {
		c := junit.Case{Class: class, Name: t.Name, Seconds: t.Seconds, Output: t.Output}
		if !t.Passed {
			c.Failure, c.Output = &junit.Failure{Message: t.Cause, Text: t.Output}, ""
		}
		suite.Cases = append(suite.Cases, c)
	}
	return suite.XML()
}
