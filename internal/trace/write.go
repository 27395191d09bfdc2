package trace

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// Encode returns a file of traces, of which each has another key. The same traces
// are the same bytes.
func Encode(about []byte, traces []Trace) []byte {
	traces = slices.SortedFunc(slices.Values(traces), func(a, b Trace) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	e := encoder{questions: map[Question]uint32{}, sets: map[*Asked]int{}}
	held := make([][]int, len(traces))
	seen := map[*Asked]bool{}
	for i, t := range traces {
		clear(seen)
		t.Asked.sets(seen, func(set *Asked) { held[i] = append(held[i], e.set(set)) })
	}
	var body [sections][]byte
	body[sectionAbout] = about
	e.number(&body)
	for part := range 2 {
		of := part * toldAfter
		body[of+sectionSets], body[of+sectionMembers] = e.members(part)
	}
	for i, t := range traces {
		table := append(append(body[sectionTraces], t.Key[:]...), t.Came[:]...)
		table = put(table, len(body[sectionHeld])/4)
		body[sectionTraces] = put(table, len(body[sectionNotes]))
		for _, set := range held[i] {
			body[sectionHeld] = put(body[sectionHeld], set)
		}
		body[sectionNotes] = append(body[sectionNotes], t.Note...)
	}
	return assemble(body)
}

// Saying returns a file that says something else of itself, and has the same traces.
func Saying(about, file []byte) ([]byte, error) {
	f, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	var body [sections][]byte
	for i := range body {
		if body[i], err = f.load[i](); err != nil {
			return nil, err
		}
	}
	body[sectionAbout] = about
	return assemble(body), nil
}

func assemble(body [sections][]byte) []byte {
	file, at := []byte(magic), headSize
	for _, b := range body {
		file = put(put(put(file, at), len(b)), int(checksum(b)))
		at += len(b)
	}
	file = put(file, int(checksum(file)))
	for _, b := range body {
		file = append(file, b...)
	}
	return file
}

func put(b []byte, n int) []byte { return binary.LittleEndian.AppendUint32(b, uint32(n)) }

// encoder gives questions and sets numbers.
type encoder struct {
	questions map[Question]uint32
	sets      map[*Asked]int
	all       []*Asked // sets by number
}

func (e *encoder) set(a *Asked) int {
	n, known := e.sets[a]
	if known {
		return n
	}
	n = len(e.all)
	e.sets[a] = n
	e.all = append(e.all, a)
	for q := range a.own {
		e.questions[q] = 0
	}
	return n
}

// number numbers the questions of each part in their order.
func (e *encoder) number(body *[sections][]byte) {
	all := make([]Question, 0, len(e.questions))
	for q := range e.questions {
		all = append(all, q)
	}
	slices.SortFunc(all, func(a, b Question) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name)) })
	var numbered [2]int
	for _, q := range all {
		of := part(q.Kind)
		table, names := &body[of*toldAfter+sectionQuestions], &body[of*toldAfter+sectionNames]
		e.questions[q] = uint32(numbered[of])
		numbered[of]++
		*table = put(put(*table, int(q.Kind)), len(*names))
		*names = append(*names, q.Name...)
	}
}

// members are the numbers of each set's questions of a part.
func (e *encoder) members(of int) (sets, members []byte) {
	var own []uint32
	for _, a := range e.all {
		sets = put(sets, len(members)/4)
		own = own[:0]
		for q := range a.own {
			if part(q.Kind) == of {
				own = append(own, e.questions[q])
			}
		}
		slices.Sort(own)
		for _, n := range own {
			members = put(members, int(n))
		}
	}
	return put(sets, len(members)/4), members
}
