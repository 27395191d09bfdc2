// Package fault holds errors that a person reads: a kind that decides the exit
// code, a sentence, a hint, and the place in a file that is to blame.
//
// It prints nothing and never exits; package main does both.
package fault

import (
	"errors"
	"fmt"
)

// Kind says whose turn it is after an error.
type Kind string

// Kinds of errors, by what the reader has to do.
const (
	Input       Kind = "input"       // change what was written: flags, configuration, a name
	Failed      Kind = "failed"      // something that was to be done failed: a step, a boot test, a push
	Machine     Kind = "machine"     // this machine lacks something: a tool, space, a permission
	Difference  Kind = "difference"  // a command that was asked found a difference
	Interrupted Kind = "interrupted" // the user stopped it
)

// ExitCode returns the process exit status for a kind.
func (k Kind) ExitCode() int {
	switch k {
	case Input:
		return 2
	case Difference:
		return 3
	case Interrupted:
		return 130
	}
	return 1
}

// Error is an error with what a person needs to act on it.
type Error struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"message"`        // one sentence, lower case, no full stop; tells the cause as well
	Hint    string `json:"hint,omitempty"` // what to do
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`    // from 1; 0 when unknown
	Column  int    `json:"column,omitempty"`  // from 1; 0 when unknown
	Snippet string `json:"snippet,omitempty"` // the offending line of the file
	Detail  string `json:"detail,omitempty"`  // more lines, such as the end of a log
	cause   error
}

// New returns an error of a kind; format and args are fmt.Errorf's, %w too. What is
// to be done about a cause is to be done about it.
func New(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	e := &Error{Kind: kind, Message: err.Error(), cause: err}
	if cause, ok := errors.AsType[*Error](err); ok {
		e.Hint = cause.Hint
	}
	return e
}

// WithHint sets what to do, and returns the error.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// At sets the place that is to blame, and returns the error.
func (e *Error) At(file string, line, column int) *Error {
	e.File, e.Line, e.Column = file, line, column
	return e
}

// WithDetail sets further lines to show, and returns the error.
func (e *Error) WithDetail(detail string) *Error {
	e.Detail = detail
	return e
}

// Error is the place and the message in one line.
func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Message
	case e.Line == 0:
		return e.File + ": " + e.Message
	case e.Column == 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Unwrap returns what the message was made of.
func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of the most serious fault in err's tree: Interrupted
// before Input before the rest. An error that is no fault counts as Failed.
func KindOf(err error) Kind {
	kind := Failed
	for _, e := range All(err) {
		switch e.Kind {
		case Interrupted:
			return Interrupted
		case Input, Difference:
			kind = e.Kind
		}
	}
	return kind
}

// Within returns err's faults with prefix before the name of each file, for
// files that are not those on disk: "5e1f0aa:". Other errors stay as they are.
func Within(prefix string, err error) error {
	faults := All(err)
	if len(faults) == 0 || prefix == "" {
		return err
	}
	moved := make([]error, len(faults))
	for i, f := range faults {
		c := *f // the same fault may be in another error, too
		if c.File != "" {
			c.File = prefix + c.File
		}
		moved[i] = &c
	}
	return errors.Join(moved...)
}

// All returns the faults in err's tree in order; where a fault wraps another,
// only the outer one. An error that is joined with others and is no fault
// counts as one of kind Failed, so that none gets lost.
func All(err error) []*Error {
	switch e := err.(type) {
	case nil:
		return nil
	case *Error:
		return []*Error{e}
	case interface{ Unwrap() []error }:
		var all []*Error
		for _, sub := range e.Unwrap() {
			faults := All(sub)
			if len(faults) == 0 && sub != nil {
				faults = []*Error{New(Failed, "%w", sub)}
			}
			all = append(all, faults...)
		}
		return all
	}
	return All(errors.Unwrap(err))
}
