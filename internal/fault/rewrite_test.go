package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
)

func TestRewrite(t *testing.T) {
	missing := &fs.PathError{Op: "open", Path: "/x/secret", Err: fs.ErrNotExist}
	inner := New(Input, "read key: %w", missing).WithHint("not secret").At("a.yaml", 3, 1)
	outer := New(Failed, "node x: %w", inner).WithDetail("secret\nlines")
	hide := func(s string) string { return strings.ReplaceAll(s, "secret", "…") }
	for name, err := range map[string]error{
		"plain":    errors.New("the secret"),
		"path":     missing,
		"fault":    outer,
		"wrapped":  fmt.Errorf("build secret: %w", outer),
		"joined":   errors.Join(fmt.Errorf("secret 1: %w", missing), inner, errors.New("a secret")),
		"several":  fmt.Errorf("secret: %w, %w", inner, missing),
		"deep":     fmt.Errorf("a: %w", fmt.Errorf("secret: %w", errors.Join(outer, context.Canceled))),
		"harmless": context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			got := Rewrite(err, hide)
			if got.Error() != hide(err.Error()) {
				t.Errorf("%q, not %q", got, hide(err.Error()))
			}
			was, now := All(err), All(got)
			if len(was) != len(now) || KindOf(err) != KindOf(got) {
				t.Fatalf("%d faults of kind %s, not %d of kind %s", len(now), KindOf(got), len(was), KindOf(err))
			}
			for i, f := range now {
				want := *was[i]
				want.Message, want.Hint, want.Detail = hide(want.Message), hide(want.Hint), hide(want.Detail)
				want.cause = f.cause
				if !reflect.DeepEqual(*f, want) {
					t.Errorf("%+v, not %+v", *f, want)
				}
			}
			for _, target := range []error{fs.ErrNotExist, context.Canceled} {
				if errors.Is(err, target) != errors.Is(got, target) {
					t.Errorf("is %v: %v", target, errors.Is(got, target))
				}
			}
			var path *fs.PathError
			if errors.As(err, &path) != errors.As(got, &path) {
				t.Errorf("as a path's: %v", errors.As(got, &path))
			}
			if f, ok := errors.AsType[*Error](got); ok && strings.Contains(f.Error()+f.Hint+f.Detail, "secret") {
				t.Errorf("a fault in it says %q", f)
			}
		})
	}
	if Rewrite(nil, hide) != nil {
		t.Error("nothing became an error")
	}
}
