package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestAllLosesNothing(t *testing.T) {
	inner := New(Machine, "no tool")
	err := errors.Join(
		New(Input, "bad name").At("f", 3, 4),
		errors.New("plain"),
		fmt.Errorf("wrapped: %w", New(Failed, "step: %w", inner)),
	)
	var got []string
	for _, f := range All(err) {
		got = append(got, string(f.Kind)+" "+f.Error())
	}
	want := "[input f:3:4: bad name failed plain failed step: no tool]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if KindOf(err) != Input || !errors.Is(err, inner) {
		t.Errorf("kind %s", KindOf(err))
	}
	if All(errors.New("alone")) != nil || KindOf(errors.New("alone")) != Failed {
		t.Error("an error that is no fault and stands alone is left to the caller")
	}
}

func TestExitCodes(t *testing.T) {
	for kind, want := range map[Kind]int{Input: 2, Failed: 1, Machine: 1, Difference: 3, Interrupted: 130} {
		if got := kind.ExitCode(); got != want {
			t.Errorf("%s: %d, want %d", kind, got, want)
		}
	}
	if KindOf(errors.Join(New(Failed, "a"), New(Interrupted, "b"), New(Input, "c"))) != Interrupted {
		t.Error("an interruption decides")
	}
}

// Faults of files that are elsewhere name the place, and the same fault in
// another error does not.
func TestWithin(t *testing.T) {
	one := New(Input, "wrong").At("a.yml", 3, 1)
	err := Within("5e1f0aa:", errors.Join(fmt.Errorf("node a: %w", one), New(Failed, "no file")))
	if all := All(err); len(all) != 2 || all[0].Error() != "5e1f0aa:a.yml:3:1: wrong" || all[1].Error() != "no file" {
		t.Errorf("within: %v", all)
	}
	if one.File != "a.yml" {
		t.Errorf("the fault itself was changed: %v", one)
	}
	if plain := errors.New("plain"); Within("x:", plain) != plain || Within("", one) != error(one) || Within("x:", nil) != nil {
		t.Error("what has no file was changed")
	}
}
