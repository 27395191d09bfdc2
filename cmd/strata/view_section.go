package main

import (
	"fmt"
	"io"
	"time"
)

// section is a part of a log that a CI system can fold. Form is the system's
// name; without one nothing is written. Sections cannot overlap, so there are
// none where several nodes are built at once.
type section struct {
	form  string
	count int
	open  bool
}

// The forms.
const (
	gitlabSections = "gitlab" // https://docs.gitlab.com/ci/jobs/job_logs/
	githubSections = "github" // also of Forgejo and Gitea
)

// begin writes what goes before the line that is the section's heading.
func (s *section) begin(w io.Writer, now time.Time) {
	s.end(w, now)
	s.open = s.form != ""
	switch s.count++; s.form {
	case gitlabSections:
		_, _ = fmt.Fprintf(orders(w), "\x1b[0Ksection_start:%d:strata_%d[collapsed=true]\r\x1b[0K", now.Unix(), s.count)
	case githubSections:
		_, _ = io.WriteString(orders(w), "::group::")
	}
}

// end closes the section that is open, if one is.
func (s *section) end(w io.Writer, now time.Time) {
	if !s.open {
		return
	}
	s.open = false
	switch s.form {
	case gitlabSections:
		_, _ = fmt.Fprintf(orders(w), "\x1b[0Ksection_end:%d:strata_%d\r\x1b[0K\n", now.Unix(), s.count)
	case githubSections:
		_, _ = io.WriteString(orders(w), "::endgroup::\n")
	}
}

// sectionsOf is the form of the CI system that runs this, by the environment.
func sectionsOf(getenv func(string) string) string {
	switch {
	case getenv("GITLAB_CI") == "true":
		return gitlabSections
	case getenv("GITHUB_ACTIONS") == "true":
		return githubSections
	}
	return ""
}
