package secret

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkStream searches what is as random as compressed files, and text.
func BenchmarkStream(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	part := make([]byte, 1<<20)
	for kind, fill := range map[string]func() byte{
		"bytes": func() byte { return byte(r.Uint32()) },
		"text":  func() byte { return "abcdefghijklmnopqrstuvwxyz0123456789 \n"[r.IntN(38)] },
		"zeros": func() byte { return 0 },
	} {
		for i := range part {
			part[i] = fill()
		}
		key := make([]byte, 3000)
		for i := range key {
			key[i] = byte('A' + r.IntN(26))
		}
		for name, values := range map[string]Values{
			"one": {"token": []byte("correct-horse-battery-staple")}, "ten": {"a": []byte("0123456789a"), "b": []byte("hello world"), "c": key, "d": []byte("correct-horse-battery"), "e": []byte("cccccccccccccccccccccc")},
		} {
			b.Run(kind+"/"+name, func(b *testing.B) {
				s := NewFinder(values).Stream(func(Found) {})
				b.SetBytes(int64(len(part)))
				for b.Loop() {
					_, _ = s.Write(part)
				}
			})
		}
	}
}
