package verify

import (
	"fmt"
	"math/bits"
	"strings"
)

// bitset is a set of offsets.
type bitset struct{ words []uint64 }

func (b *bitset) set(n int64) {
	for int64(len(b.words)) <= n/64 {
		b.words = append(b.words, 0)
	}
	b.words[n/64] |= 1 << (n % 64)
}

func (b *bitset) has(n int64) bool {
	return n >= 0 && n/64 < int64(len(b.words)) && b.words[n/64]&(1<<(n%64)) != 0
}

// without lists what is in b and not in other, in order.
func (b *bitset) without(other *bitset) []int64 {
	var out []int64
	for i, w := range b.words {
		if i < len(other.words) {
			w &^= other.words[i]
		}
		for ; w != 0; w &= w - 1 {
			out = append(out, int64(i*64+bits.TrailingZeros64(w)))
		}
	}
	return out
}

// differ compares two lists in order: what only want has, and what got has beyond want,
// a second copy included.
func differ(want, got []int64) (missing, extra []int64) {
	i, j := 0, 0
	for i < len(want) || j < len(got) {
		switch {
		case j == len(got) || i < len(want) && want[i] < got[j]:
			missing = append(missing, want[i])
			i++
		case i == len(want) || got[j] < want[i]:
			extra = append(extra, got[j])
			j++
		default:
			i++
			j++
		}
	}
	return missing, extra
}

// maxRanges bounds how many stretches of offsets a message lists.
const maxRanges = 20

// ranges writes offsets in order as "3, 7-9, 12".
func ranges(offsets []int64) string {
	var b strings.Builder
	n := 0
	for i := 0; i < len(offsets); {
		j := i
		for j+1 < len(offsets) && offsets[j+1] <= offsets[j]+1 {
			j++
		}
		if n++; n > maxRanges {
			fmt.Fprintf(&b, " and %d more", len(offsets)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, offsets[i])
		if offsets[j] != offsets[i] {
			fmt.Fprintf(&b, "-%d", offsets[j])
		}
		i = j + 1
	}
	return b.String()
}
