package fault

import (
	"errors"
	"reflect"
)

// Rewrite returns an error that says what err says in the words that text makes of it:
// its message, and the messages, hints and further lines of the faults in its tree. To
// errors.Is and errors.As it is still all that err is.
func Rewrite(err error, text func(string) string) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *Error:
		c := *e // the same fault may be in another error, too
		c.Message, c.Hint, c.Snippet, c.Detail = text(e.Message), text(e.Hint), text(e.Snippet), text(e.Detail)
		c.cause = Rewrite(e.cause, text)
		return &c
	case interface{ Unwrap() []error }:
		r := &rewrittenAll{rewritten: rewritten{was: err, says: text(err.Error())}}
		for _, part := range e.Unwrap() {
			r.parts = append(r.parts, Rewrite(part, text))
		}
		return r
	}
	return &rewrittenOne{rewritten{was: err, says: text(err.Error())}, Rewrite(errors.Unwrap(err), text)}
}

// rewritten is an error in other words, without what it was made of.
type rewritten struct {
	was  error
	says string
}

func (r *rewritten) Error() string { return r.says }

// Is implements what errors.Is asks for.
func (r *rewritten) Is(target error) bool { return errors.Is(r.was, target) }

// As implements what errors.As asks for, for the error itself: what it was made of has
// been rewritten.
func (r *rewritten) As(target any) bool {
	to, was := reflect.ValueOf(target).Elem(), reflect.ValueOf(r.was)
	if !was.Type().AssignableTo(to.Type()) {
		return false
	}
	to.Set(was)
	return true
}

type rewrittenOne struct {
	rewritten
	cause error
}

func (r *rewrittenOne) Unwrap() error { return r.cause }

type rewrittenAll struct {
	rewritten
	parts []error
}

func (r *rewrittenAll) Unwrap() []error { return r.parts }
