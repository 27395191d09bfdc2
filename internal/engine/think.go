package engine

import "context"

// Think runs f, which reads and computes and changes nothing, and so need not look
// at contexts: when ctx is done, f is left alone and the error is ctx's cause.
func Think[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type thought struct {
		value T
		err   error
	}
	done := make(chan thought, 1)
	go func() {
		value, err := f()
		done <- thought{value, err}
	}()
	select {
	case t := <-done:
		return t.value, t.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
