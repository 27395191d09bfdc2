package artifact

import (
	"encoding/xml"
	"fmt"
	"strings"
)

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

// The elements of JUnit's XML that GitLab, Jenkins and GitHub's actions read.
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit renders the report as JUnit XML: the boot itself is the first case.
func (r *BootReport) JUnit() []byte {
	suite := junitSuite{Name: "boot " + r.Image}
	total := 0.0
	add := func(c junitCase, seconds float64, failure *junitFailure) {
		total += seconds
		c.Class, c.Time, c.Failure, c.Output = "boot."+r.Image, fmt.Sprintf("%.3f", seconds), failure, printable(c.Output)
		suite.Tests++
		if failure != nil {
			failure.Message, failure.Text = printable(failure.Message), printable(failure.Text)
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, c)
	}
	var failure *junitFailure
	if r.Failure != "" {
		failure = &junitFailure{Message: r.Failure, Text: r.Detail}
	}
	add(junitCase{Name: "the system reaches its default target (" + r.Accel + ")"}, r.Seconds, failure)
	for _, t := range r.Tests {
		failure = nil
		if !t.Passed {
			failure = &junitFailure{Message: t.Cause, Text: t.Output}
			t.Output = ""
		}
		add(junitCase{Name: t.Name, Output: t.Output}, t.Seconds, failure)
	}
	suite.Time = fmt.Sprintf("%.3f", total)
	data, err := xml.MarshalIndent(junitSuites{Suite: suite}, "", "  ")
	if err != nil { // no value of these types is one that XML cannot hold
		panic(err)
	}
	return append([]byte(xml.Header), append(data, '\n')...)
}

// printable drops control characters, which XML cannot hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
