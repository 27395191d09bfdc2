package trace

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

func open(t *testing.T, file []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// some are two traces with a common beginning, and one by itself.
func some() []Trace {
	common := &Asked{}
	common.Ask(1, "a.yml")
	common.Ask(2, "x")
	one, two, three := common.After(), common.After(), &Asked{}
	one.Ask(1, "b.yml")
	two.Ask(2, "y")
	two.Ask(Told, "y\x00b")
	two.Ask(Told, "z\x00a")
	common.Ask(Told, "y\x00a")
	three.Ask(1, "a.yml")
	three.Include(one)
	return []Trace{
		{Key: Key{3}, Asked: three, Note: "three"},
		{Key: Key{1}, Asked: one, Came: [32]byte{9}},
		{Key: Key{2}, Asked: two, Note: "two"},
	}
}

func asking(t *testing.T, f *File, q Question) []int {
	t.Helper()
	i, known, err := f.Number(q)
	if err != nil {
		t.Fatal(err)
	}
	if !known {
		return nil
	}
	set, err := f.Asking(i)
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for n := range f.Len() {
		if set.Has(n) {
			all = append(all, n)
		}
	}
	return all
}

func TestFile(t *testing.T) {
	file := Encode([]byte("about"), some())
	if again := Encode([]byte("about"), some()); !bytes.Equal(file, again) {
		t.Error("the same traces are other bytes")
	}
	f := open(t, file)
	for _, c := range []struct {
		q    Question
		want []int
	}{
		{Question{1, "a.yml"}, []int{0, 1, 2}},
		{Question{1, "b.yml"}, []int{0, 2}},
		{Question{2, "x"}, []int{0, 1, 2}},
		{Question{2, "y"}, []int{1}},
		{Question{2, "a.yml"}, nil},
		{Question{0, ""}, nil},
		{Question{9, "z"}, nil},
		{Question{Told, "y\x00a"}, []int{0, 1, 2}},
		{Question{Told, "z\x00a"}, []int{1}},
		{Question{Told, "y"}, nil},
		{Question{Told + 1, "y"}, nil},
	} {
		if got := asking(t, f, c.q); !slices.Equal(got, c.want) {
			t.Errorf("%v: asked by %v, want %v", c.q, got, c.want)
		}
	}
	var names []string
	if err := f.Each(2, "", func(_ int, name string) bool { names = append(names, name); return true }); err != nil || !slices.Equal(names, []string{"x", "y"}) {
		t.Errorf("of kind 2: %v, %v", names, err)
	}
	names = nil
	if err := f.Each(Told, "y\x00", func(_ int, name string) bool { names = append(names, name); return true }); err != nil || !slices.Equal(names, []string{"y\x00a", "y\x00b"}) {
		t.Errorf("told of y: %q, %v", names, err)
	}
	i, known, err := f.Find(Key{2})
	if err != nil || !known || i != 1 {
		t.Errorf("find: %d, %v, %v", i, known, err)
	}
	for _, key := range []Key{{}, {1, 1}, {2, 0, 1}, {4}} { // before, between and behind those that are there
		if _, known, _ := f.Find(key); known {
			t.Errorf("found %x, which is not there", key[:4])
		}
	}
	came, note, err := f.Came(0)
	if err != nil || came != [32]byte{9} || note != "" {
		t.Errorf("came: %v, %q, %v", came, note, err)
	}
	if _, note, _ := f.Came(2); note != "three" {
		t.Errorf("note: %q", note)
	}
	if about, err := f.About(); string(about) != "about" || err != nil {
		t.Errorf("about: %q, %v", about, err)
	}
}

// Traces taken from one file and written to another are the same.
func TestTraces(t *testing.T) {
	first := open(t, Encode(nil, some()))
	all, err := first.Traces(func(i int) bool { return i != 1 }, func(q Question) bool { return q.Name == "z\x00a" })
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, Encode(nil, all))
	if got := asking(t, f, Question{1, "b.yml"}); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("asked by %v", got)
	}
	if got := asking(t, f, Question{Told, "y\x00a"}); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("told by %v", got)
	}
	if got := asking(t, f, Question{2, "y"}); got != nil {
		t.Errorf("a question of a trace that was left out: %v", got)
	}
}

// Whatever is changed in a file, and wherever it ends, is noticed or changes nothing
// that is asked for.
func TestDamaged(t *testing.T) {
	file := Encode([]byte("about"), some())
	tell := func(f *File) string {
		var all []any
		about, err := f.About()
		all = append(all, about, err)
		for _, q := range []Question{{1, "a.yml"}, {1, "b.yml"}, {2, "x"}, {2, "y"}, {Told, "y\x00b"}} {
			i, known, err := f.Number(q)
			all = append(all, i, known, err)
			if known && err == nil {
				set, err := f.Asking(i)
				all = append(all, set, err)
			}
		}
		for i := range f.Len() {
			came, note, err := f.Came(i)
			all = append(all, came, note, err)
		}
		return fmt.Sprint(all...)
	}
	for i := range file {
		for _, flip := range []byte{1, 0x80} {
			bad := bytes.Clone(file)
			bad[i] ^= flip
			if f, err := Open(bytes.NewReader(bad), int64(len(bad))); err == nil {
				if said := tell(f); !bytes.Contains([]byte(said), []byte(ErrDamaged.Error())) {
					t.Fatalf("byte %d: not noticed", i)
				}
			}
		}
		if f, err := Open(bytes.NewReader(file[:i]), int64(i)); err == nil {
			if said := tell(f); !bytes.Contains([]byte(said), []byte(ErrDamaged.Error())) {
				t.Fatalf("the first %d bytes: not noticed", i)
			}
		}
	}
}
