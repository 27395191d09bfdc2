// Package junit writes what became of checks in the XML of JUnit, which CI
// systems show beside a change.
//
// It runs no checks and reads no reports.
package junit

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// Suite is several checks of one kind.
type Suite struct {
	Name  string
	Cases []Case
}

// Case is one check. It failed if Failure is not nil.
type Case struct {
	Class   string
	Name    string
	Seconds float64
	Output  string // what it printed
	Failure *Failure
}

// Failure says why a check failed.
type Failure struct {
	Message string // in a few words
	Text    string // all of it
}

// The elements that GitLab, Jenkins and GitHub's actions read.
type (
	suites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suite   suite    `xml:"testsuite"`
	}
	suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Time     string     `xml:"time,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	testcase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		Time    string   `xml:"time,attr"`
		Failure *failure `xml:"failure"`
		Output  string   `xml:"system-out,omitempty"`
	}
	failure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// XML renders a suite. Control characters, which XML cannot hold, are left out.
func (s Suite) XML() []byte {
	out := suite{Name: printable(s.Name), Tests: len(s.Cases)}
	total := 0.0
	for _, c := range s.Cases {
		e := testcase{Name: printable(c.Name), Class: printable(c.Class), Time: seconds(c.Seconds), Output: printable(c.Output)}
		if c.Failure != nil {
			e.Failure = &failure{printable(c.Failure.Message), printable(c.Failure.Text)}
			out.Failures++
		}
		total += c.Seconds
		out.Cases = append(out.Cases, e)
	}
	out.Time = seconds(total)
	data, err := xml.MarshalIndent(suites{Suite: out}, "", "  ")
	if err != nil { // no value of these types is one that XML cannot hold
		panic(err)
	}
	return append([]byte(xml.Header), append(data, '\n')...)
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
