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
// names sets, and a set questions, by their number.
const magic = "strtrc1\n"

// The sections.
const (
	sectionAbout     = iota // of who writes the file: where, when and with what meaning was asked
	sectionQuestions        // kind, offset of the name
	sectionNames            // of questions, each ending where the next one begins
	sectionSets             // for each set where its questions begin, and where the last ones end
	sectionMembers          // numbers of questions, in order in each set
	sectionTraces           // key, what it came to, where its sets and its note begin
	sectionHeld             // numbers of sets
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

	relate sync.Once
	askers [][]uint32 // by question, the sets that it is in
	users  [][]uint32 // by set, the traces that have it
	bad    error
}

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
	if f.size(sectionQuestions)%8+f.size(sectionSets)%4+f.size(sectionMembers)%4+f.size(sectionTraces)%traceSize+f.size(sectionHeld)%4 != 0 || f.size(sectionSets) == 0 {
		return nil, ErrDamaged
	}
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

func (f *File) questions() int { return f.size(sectionQuestions) / 8 }

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

// Each calls use for every question of a kind, with its number, until it returns false.
func (f *File) Each(kind Kind, use func(i int, name string) bool) error {
	table, err1 := f.load[sectionQuestions]()
	names, err2 := f.load[sectionNames]()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	first := sort.Search(f.questions(), func(i int) bool { return number(table, 2*i) >= int(kind) })
	for i := first; i < f.questions() && number(table, 2*i) == int(kind); i++ {
		q, err := f.question(table, names, i)
		if err != nil {
			return err
		}
		if !use(i, q.Name) {
			return nil
		}
	}
	return nil
}

// Number returns the number of a question; false if no trace has it.
func (f *File) Number(q Question) (int, bool, error) {
	table, err1 := f.load[sectionQuestions]()
	names, err2 := f.load[sectionNames]()
	if err := errors.Join(err1, err2); err != nil {
		return 0, false, err
	}
	var bad error
	i := sort.Search(f.questions(), func(i int) bool {
		at, err := f.question(table, names, i)
		if err != nil {
			bad = err
		}
		return cmp.Or(cmp.Compare(at.Kind, q.Kind), strings.Compare(at.Name, q.Name)) >= 0
	})
	if bad != nil || i == f.questions() {
		return 0, false, bad
	}
	at, err := f.question(table, names, i)
	return i, at == q, err
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
	if f.relate.Do(f.relation); f.bad != nil {
		return nil, f.bad
	}
	found := NewSet(f.Len())
	for _, set := range f.askers[question] {
		for _, t := range f.users[set] {
			found.Add(int(t))
		}
	}
	return found, nil
}

// relation finds out which sets have a question, and which traces a set.
func (f *File) relation() {
	sets, err1 := f.load[sectionSets]()
	members, err2 := f.load[sectionMembers]()
	table, err3 := f.load[sectionTraces]()
	held, err4 := f.load[sectionHeld]()
	if f.bad = errors.Join(err1, err2, err3, err4); f.bad != nil {
		return
	}
	f.askers, f.users = make([][]uint32, f.questions()), make([][]uint32, len(sets)/4-1)
	for set := range f.users {
		from, to := number(sets, set), number(sets, set+1)
		if from > to || to > len(members)/4 {
			f.bad = ErrDamaged
			return
		}
		f.bad = pair(f.askers, members, from, to, set)
		if f.bad != nil {
			return
		}
	}
	for i := range f.Len() {
		from, to := span(table, i, 0, len(held)/4)
		if from > to || to > len(held)/4 {
			f.bad = ErrDamaged
			return
		}
		if f.bad = pair(f.users, held, from, to, i); f.bad != nil {
			return
		}
	}
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

// Traces returns the traces that keep says, to be written into another file.
func (f *File) Traces(keep func(i int) bool) ([]Trace, error) {
	if f.relate.Do(f.relation); f.bad != nil {
		return nil, f.bad
	}
	asked := make([]*Asked, len(f.users)) // by set
	for i := range asked {
		asked[i] = &Asked{own: map[Question]struct{}{}}
	}
	table, err1 := f.load[sectionQuestions]()
	names, err2 := f.load[sectionNames]()
	traces, err3 := f.load[sectionTraces]()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	for i, sets := range f.askers {
		q, err := f.question(table, names, i)
		if err != nil {
			return nil, err
		}
		for _, set := range sets {
			asked[set].own[q] = struct{}{}
		}
	}
	all := make([]Trace, f.Len())
	for i := range all {
		came, note, err := f.Came(i)
		if err != nil {
			return nil, err
		}
		all[i] = Trace{Key: Key(traces[i*traceSize:]), Asked: &Asked{}, Came: came, Note: note}
	}
	for set, users := range f.users {
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
