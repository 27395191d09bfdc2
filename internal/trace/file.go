package trace

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"
	"strings"
	"sync"
)

// A file has a head and sections that can be read one by one: numbers are
// little-endian, 32 bits wide, and every section has its checksum in the head.
//
//	magic       8 bytes
//	sections    offset, length and CRC-32C of each
//	checksum    CRC-32C of all before it
//
// Questions are in order of kind and name, traces in order of their keys. A trace
// names sets, and a set questions, by their number. What is told has sections of its
// own of the same form, which are read where a question is answered otherwise; its
// numbers come after those of the questions.
const magic = "strtrc2\n"

// The sections.
const (
	sectionAbout     = iota // of who writes the file: where, when and with what meaning was asked
	sectionQuestions        // kind, offset of the name
	sectionNames            // of questions, each ending where the next one begins
	sectionSets             // for each set where its questions begin, and where the last ones end
	sectionMembers          // numbers of questions, in order in each set
	sectionTold             // the same of what is told
	sectionToldNames
	sectionToldSets
	sectionToldMembers
	sectionTraces // key, what it came to, where its sets and its note begin
	sectionHeld   // numbers of sets
	sectionNotes
	sections
)

const (
	headSize  = len(magic) + sections*12 + 4
	traceSize = 32 + 32 + 2*4
	largest   = 1 << 30 // of a file, in bytes
)

// ErrDamaged is what reading a file that is no file of traces, or is not whole,
// comes to.
var ErrDamaged = errors.New("not a whole file of traces")

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// File is traces that were all made at one revision. It may be used by several
// goroutines.
type File struct {
	from io.ReaderAt
	head []byte
	load [sections]func() ([]byte, error)

	relate func() ([][]uint32, error)    // by set, the traces that have it
	askers [2]func() ([][]uint32, error) // by question, the sets that it is in; and of what is told
}

// part is where questions of a kind are: among all, or among what is told.
func part(kind Kind) int {
	if kind < Told {
		return 0
	}
	return 1
}

// toldAfter is how far the sections of what is told are after those of questions.
const toldAfter = sectionTold - sectionQuestions

// Open reads the head of a file of a size. Everything else is read when it is
// asked for.
func Open(from io.ReaderAt, size int64) (*File, error) {
	head := make([]byte, headSize)
	if size > largest {
		return nil, ErrDamaged
	}
	if _, err := from.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read traces: %w", err)
	}
	if string(head[:len(magic)]) != magic || binary.LittleEndian.Uint32(head[headSize-4:]) != checksum(head[:headSize-4]) {
		return nil, ErrDamaged
	}
	f := &File{from: from, head: head}
	for i := range sections {
		offset, length, sum := f.section(i)
		if int64(offset)+int64(length) > size {
			return nil, ErrDamaged
		}
		f.load[i] = sync.OnceValues(func() ([]byte, error) {
			data := make([]byte, length)
			if _, err := from.ReadAt(data, int64(offset)); err != nil && (length > 0 || !errors.Is(err, io.EOF)) {
				return nil, ErrDamaged
			}
			if checksum(data) != sum {
				return nil, ErrDamaged
			}
			return data, nil
		})
	}
	for i := range f.askers {
		of := toldAfter * i
		if f.size(of+sectionQuestions)%8+f.size(of+sectionSets)%4+f.size(of+sectionMembers)%4 != 0 || f.size(of+sectionSets) != f.size(sectionSets) {
			return nil, ErrDamaged
		}
		f.askers[i] = sync.OnceValues(func() ([][]uint32, error) { return f.askersOf(of) })
	}
	if f.size(sectionTraces)%traceSize+f.size(sectionHeld)%4 != 0 || f.size(sectionSets) == 0 {
		return nil, ErrDamaged
	}
	f.relate = sync.OnceValues(f.users)
	return f, nil
}

func (f *File) section(i int) (offset, length, sum uint32) {
	at := f.head[len(magic)+12*i:]
	return binary.LittleEndian.Uint32(at), binary.LittleEndian.Uint32(at[4:]), binary.LittleEndian.Uint32(at[8:])
}

func (f *File) size(section int) int {
	_, length, _ := f.section(section)
	return int(length)
}

// About is what the writer said of the file.
func (f *File) About() ([]byte, error) { return f.load[sectionAbout]() }

// Len is how many traces there are.
func (f *File) Len() int { return f.size(sectionTraces) / traceSize }

// questions is how many questions there are, or things that are told.
func (f *File) questions(part int) int { return f.size(sectionQuestions+toldAfter*part) / 8 }

func number(b []byte, i int) int { return int(binary.LittleEndian.Uint32(b[4*i:])) }

// question returns the question of a number.
func (f *File) question(table, names []byte, i int) (Question, error) {
	from, to := number(table, 2*i+1), len(names)
	if 2*i+3 < len(table)/4 {
		to = number(table, 2*i+3)
	}
	if from > to || to > len(names) {
		return Question{}, ErrDamaged
	}
	return Question{Kind(number(table, 2*i)), string(names[from:to])}, nil
}

// Each calls use for every question of a kind whose name begins so, with its number,
// until it returns false.
func (f *File) Each(kind Kind, begins string, use func(i int, name string) bool) error {
	i, err := f.search(Question{kind, begins})
	for ; err == nil && i < f.questions(part(kind)); i++ {
		var q Question
		if q, err = f.at(part(kind), i); err != nil || q.Kind != kind || !strings.HasPrefix(q.Name, begins) {
			break
		}
		if !use(i+part(kind)*f.questions(0), q.Name) {
			break
		}
	}
	return err
}

// at is a question by its number among those of its part.
func (f *File) at(part, i int) (Question, error) {
	table, err1 := f.load[sectionQuestions+toldAfter*part]()
	names, err2 := f.load[sectionNames+toldAfter*part]()
	if err := errors.Join(err1, err2); err != nil {
		return Question{}, err
	}
	return f.question(table, names, i)
}

// search is where a question is among those of its part, or would be.
func (f *File) search(q Question) (int, error) {
	var bad error
	i := sort.Search(f.questions(part(q.Kind)), func(i int) bool {
		at, err := f.at(part(q.Kind), i)
		if err != nil {
			bad = err
		}
		return cmp.Or(cmp.Compare(at.Kind, q.Kind), strings.Compare(at.Name, q.Name)) >= 0
	})
	return i, bad
}

// Number returns the number of a question; false if no trace has it.
func (f *File) Number(q Question) (int, bool, error) {
	i, err := f.search(q)
	if err != nil || i == f.questions(part(q.Kind)) {
		return 0, false, err
	}
	at, err := f.at(part(q.Kind), i)
	return i + part(q.Kind)*f.questions(0), at == q, err
}

// Find returns the number of the trace of an analysis; false if there is none.
func (f *File) Find(key Key) (int, bool, error) {
	table, err := f.load[sectionTraces]()
	if err != nil {
		return 0, false, err
	}
	i := sort.Search(f.Len(), func(i int) bool { return bytes.Compare(table[i*traceSize:i*traceSize+32], key[:]) >= 0 })
	return i, i < f.Len() && Key(table[i*traceSize:]) == key, nil
}

// Came is what the analysis of a trace came to, and its note.
func (f *File) Came(i int) (came [32]byte, note string, err error) {
	table, err1 := f.load[sectionTraces]()
	notes, err2 := f.load[sectionNotes]()
	if err := errors.Join(err1, err2); err != nil {
		return came, "", err
	}
	from, to := span(table, i, 1, len(notes))
	if from > to || to > len(notes) {
		return came, "", ErrDamaged
	}
	return [32]byte(table[i*traceSize+32:]), string(notes[from:to]), nil
}

// span is where something of a trace begins and ends: its sets (0), its note (1).
func span(table []byte, i, what, end int) (from, to int) {
	at := func(i int) int { return int(binary.LittleEndian.Uint32(table[i*traceSize+64+4*what:])) }
	if (i+1)*traceSize < len(table) {
		end = at(i + 1)
	}
	return at(i), end
}

// Asking returns the traces that have a question of this number.
func (f *File) Asking(question int) (Set, error) {
	of := 0
	if question >= f.questions(0) {
		of, question = 1, question-f.questions(0)
	}
	users, err1 := f.relate()
	askers, err2 := f.askers[of]()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	found := NewSet(f.Len())
	for _, set := range askers[question] {
		for _, t := range users[set] {
			found.Add(int(t))
		}
	}
	return found, nil
}

// askersOf finds out which sets have a question of a part.
func (f *File) askersOf(of int) ([][]uint32, error) {
	sets, err1 := f.load[of+sectionSets]()
	members, err2 := f.load[of+sectionMembers]()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	askers := make([][]uint32, f.size(of+sectionQuestions)/8)
	for set := range len(sets)/4 - 1 {
		from, to := number(sets, set), number(sets, set+1)
		if from > to || to > len(members)/4 {
			return nil, ErrDamaged
		}
		if err := pair(askers, members, from, to, set); err != nil {
			return nil, err
		}
	}
	return askers, nil
}

// users finds out which traces have a set.
func (f *File) users() ([][]uint32, error) {
	table, err1 := f.load[sectionTraces]()
	held, err2 := f.load[sectionHeld]()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	users := make([][]uint32, f.size(sectionSets)/4-1)
	for i := range f.Len() {
		from, to := span(table, i, 0, len(held)/4)
		if from > to || to > len(held)/4 {
			return nil, ErrDamaged
		}
		if err := pair(users, held, from, to, i); err != nil {
			return nil, err
		}
	}
	return users, nil
}

// pair notes by each number in a part of a list who has it.
func pair(by [][]uint32, list []byte, from, to, who int) error {
	for at := from; at < to; at++ {
		n := number(list, at)
		if n >= len(by) {
			return ErrDamaged
		}
		by[n] = append(by[n], uint32(who))
	}
	return nil
}

// Traces returns the traces that keep says, without the questions that drop says, to be
// written into another file.
func (f *File) Traces(keep func(i int) bool, drop func(Question) bool) ([]Trace, error) {
	users, err := f.relate()
	if err != nil {
		return nil, err
	}
	asked := make([]*Asked, len(users)) // by set
	for i := range asked {
		asked[i] = &Asked{own: map[Question]struct{}{}}
	}
	for part := range f.askers {
		askers, err := f.askers[part]()
		if err != nil {
			return nil, err
		}
		for i, sets := range askers {
			q, err := f.at(part, i)
			if err != nil {
				return nil, err
			}
			for _, set := range sets {
				if !drop(q) {
					asked[set].own[q] = struct{}{}
				}
			}
		}
	}
	traces, err := f.load[sectionTraces]()
	if err != nil {
		return nil, err
	}
	all := make([]Trace, f.Len())
	for i := range all {
		came, note, err := f.Came(i)
		if err != nil {
			return nil, err
		}
		all[i] = Trace{Key: Key(traces[i*traceSize:]), Asked: &Asked{}, Came: came, Note: note}
	}
	for set, users := range users {
		for _, i := range users {
			all[i].Asked.earlier = append(all[i].Asked.earlier, asked[set])
		}
	}
	kept := all[:0]
	for i := range all {
		if keep(i) {
			kept = append(kept, all[i])
		}
	}
	return kept, nil
}
