package store

import (
	"encoding/binary"
	"hash/crc64"

	tsstorage "github.com/vbatts/tar-split/tar/storage"
)

// foldFrom is from which length on folding is faster than tables.
const foldFrom = 128

// checksum adds p to a CRC-64 (ISO) as crc64.Update does with tar-split's table,
// in a fifth of the time: it folds what is long to a few bytes of equal CRC.
func checksum(crc uint64, p []byte) uint64 {
	if len(p) < foldFrom {
		return crc64.Update(crc, tsstorage.CRCTable, p)
	}
	whole := len(p) &^ (foldSize - 1)
	rest := fold(^crc, p[:whole])
	crc = crc64.Update(^uint64(0), tsstorage.CRCTable, rest[:])
	return crc64.Update(crc, tsstorage.CRCTable, p[whole:])
}

// foldSize is the length of a block, and of what all blocks are folded to.
const foldSize = 32

// fold returns a block that leaves the CRC's register as p does: the register
// holds reg before p, and 0 before the block.
//
// A CRC is the remainder of the message, read as a polynomial over GF(2), when
// divided by P = x^64+x^4+x^3+x+1. Squaring twice gives, modulo P,
//
//	x^64 = x^4+x^3+x+1,  so  x^256 = x^16+x^12+x^4+1 = (x^12+1)(x^4+1):
//
// to move a block to the place of the next one takes shifts and xors alone. (As
// in "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel 2009,
// where a factor has many terms and an instruction of its own is needed.)
//
// The CRC is a reflected one: bit 0 of a word is its highest power, so that x^n
// shifts to the right, and the n bits that fall out belong to the word before.
// What falls out of the first word stands for powers from x^256 on, which the
// same product brings back into the last word.
func fold(reg uint64, p []byte) (block [foldSize]byte) {
	le := binary.LittleEndian
	a, b, c, d := reg^le.Uint64(p), le.Uint64(p[8:]), le.Uint64(p[16:]), le.Uint64(p[24:])
	for p = p[foldSize:]; len(p) >= foldSize; p = p[foldSize:] {
		// Times x^4+1.
		out := a << 60
		a ^= a>>4 ^ b<<60
		b ^= b>>4 ^ c<<60
		c ^= c>>4 ^ d<<60
		d ^= d >> 4
		// Times x^12+1, plus the next block.
		out ^= out>>12 ^ a<<52
		a ^= a>>12 ^ b<<52 ^ le.Uint64(p)
		b ^= b>>12 ^ c<<52 ^ le.Uint64(p[8:])
		c ^= c>>12 ^ d<<52 ^ le.Uint64(p[16:])
		out ^= out >> 4
		out ^= out >> 12
		d ^= d>>12 ^ out ^ le.Uint64(p[24:])
	}
	for i, word := range [...]uint64{a, b, c, d} {
		le.PutUint64(block[8*i:], word)
	}
	return block
}
