package verify

import (
	"maps"

	"github.com/millrace-io/millrace/schemas"
)

// Sum stands for a set of rows: how many there are, and the sum of the hashes of their
// offsets, modulo 2^64. Two sets with one sum are the same, but by chance of 2^-64: a
// store can make its own in one pass, and its rows need not travel.
type Sum struct {
	Rows int64  `json:"rows"`
	Hash uint64 `json:"hash"`
}

// Add counts the row of an offset.
func (s *Sum) Add(offset int64) {
	s.Rows++
	s.Hash += mix(uint64(offset))
}

// Sums are the sums of several kinds; a kind without rows has no entry.
type Sums map[schemas.Kind]Sum

func (s Sums) add(kind schemas.Kind, offset int64) {
	one := s[kind]
	one.Add(offset)
	s[kind] = one
}

// minus returns what is in s beyond part, which is of a part of its rows.
func (s Sums) minus(part Sums) Sums {
	out := Sums{}
	for k, a := range s {
		if b := part[k]; a != b {
			out[k] = Sum{a.Rows - b.Rows, a.Hash - b.Hash}
		}
	}
	return out
}

func (s Sums) rows() (n int64) {
	for _, one := range s {
		n += one.Rows
	}
	return n
}

func (s Sums) equal(other Sums) bool { return maps.Equal(s, other) }

// mix is ClickHouse's intHash64: a salt, and the finalizer of MurmurHash3 with 64 bits.
func mix(x uint64) uint64 {
	x ^= 0x4cf2d2baae6da887
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
