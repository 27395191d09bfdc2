package trace

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// many are traces of a size that sites have, with sets that several share.
func many(r *rand.Rand) []Trace {
	common := make([]*Asked, 8)
	for i := range common {
		common[i] = &Asked{}
		for range 400 {
			common[i].Ask(Kind(1+r.IntN(8)), fmt.Sprint("roles/r", r.IntN(50), "/tasks/", r.IntN(40), ".yml"))
		}
	}
	all := make([]Trace, 150)
	for i := range all {
		asked := common[r.IntN(len(common))].After()
		asked.Include(common[r.IntN(len(common))])
		for range r.IntN(20) {
			asked.Ask(Kind(1+r.IntN(8)), fmt.Sprint("host_vars/", i, r.IntN(9)))
			asked.Ask(Told+Kind(r.IntN(2)), fmt.Sprint("variable ", i, r.IntN(9)))
		}
		all[i] = Trace{Key: Key{byte(i), byte(i >> 8), 1}, Asked: asked, Came: [32]byte{byte(i)}, Note: fmt.Sprint("note ", i)}
	}
	return all
}

// told is everything that a file says, and an error if it says that it is damaged.
func told(file []byte) (string, error) {
	f, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	about, err := f.About()
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "%s\n", about)
	for _, kind := range []Kind{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, Told, Told + 1} {
		var failed error
		err := f.Each(kind, "", func(i int, name string) bool {
			set, err := f.Asking(i)
			fmt.Fprintln(&b, kind, i, name, set)
			failed = err
			return err == nil
		})
		if err != nil || failed != nil {
			return "", errors.Join(err, failed)
		}
	}
	if _, _, err := f.Number(Question{Kind(1), "roles/r1/tasks/1.yml"}); err != nil {
		return "", err
	}
	if _, _, err := f.Find(Key{3, 0, 1}); err != nil {
		return "", err
	}
	for i := range f.Len() {
		came, note, err := f.Came(i)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&b, came, note)
	}
	all, err := f.Traces(func(i int) bool { return i%3 == 0 }, func(q Question) bool { return q.Kind == 3 })
	fmt.Fprintln(&b, len(all))
	return b.String(), err
}

// TestDamagedAnywhere: of a large file with bytes that are others, anywhere, nothing is
// ever told but what the whole one says.
func TestDamagedAnywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	file := Encode([]byte("about"), many(r))
	want, err := told(file)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		bad := bytes.Clone(file)
		at := r.IntN(len(bad))
		for i := at; i < min(len(bad), at+1+r.IntN(40)); i++ {
			bad[i] ^= byte(1 + r.IntN(255))
		}
		if got, err := told(bad); err == nil && got != want {
			t.Fatalf("from byte %d of %d: not noticed", at, len(bad))
		}
		if got, err := told(file[:r.IntN(len(file))]); err == nil && got != want {
			t.Fatal("a part of it: not noticed")
		}
	}
}

// TestForged: a file whose checksums are right, and whose contents are nonsense, is an
// error or says something: no panic, no end of memory.
func TestForged(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	good := Encode([]byte("about"), some())
	f := open(t, good)
	var whole [sections][]byte
	for i := range whole {
		whole[i], _ = f.load[i]()
	}
	failed := 0
	const tries = 4000
	for range tries {
		body := whole
		for range 1 + r.IntN(2) {
			i := r.IntN(sections)
			b := bytes.Clone(body[i])
			switch {
			case len(b) == 0 || r.IntN(4) == 0: // of another length
				b = append(b[:r.IntN(len(b)+1)], make([]byte, r.IntN(9))...)
			case r.IntN(2) == 0:
				b[r.IntN(len(b))] = byte(r.IntN(256))
			default:
				for i := range b {
					b[i] = byte(r.IntN(256))
				}
			}
			body[i] = b
		}
		if _, err := told(assemble(body)); err != nil {
			failed++
		}
	}
	if failed < tries/10 || failed == tries {
		t.Errorf("%d of %d are errors: this tests little", failed, tries)
	}
}

// TestSaying: what a file says of itself can be another thing, and no more than that.
func TestSaying(t *testing.T) {
	file := Encode([]byte("about"), some())
	other, err := Saying([]byte("something longer"), file)
	if err != nil {
		t.Fatal(err)
	}
	if about, err := open(t, other).About(); err != nil || string(about) != "something longer" {
		t.Errorf("it says %q, %v", about, err)
	}
	if back, err := Saying([]byte("about"), other); err != nil || !bytes.Equal(back, file) {
		t.Errorf("the traces are others: %v", err)
	}
	if _, err := Saying(nil, file[:len(file)-1]); err == nil {
		t.Error("a part of a file is taken for one")
	}
}
