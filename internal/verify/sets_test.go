package verify

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBitset(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var b, other bitset
	in, out := map[int64]bool{}, map[int64]bool{}
	for range 500 {
		n, m := rng.Int64N(1000), rng.Int64N(700) // of different lengths
		b.set(n)
		other.set(m)
		in[n], out[m] = true, true
	}
	var want []int64
	for n := int64(-1); n < 1100; n++ {
		if b.has(n) != in[n] {
			t.Errorf("has(%d) = %t", n, b.has(n))
		}
		if in[n] && !out[n] {
			want = append(want, n)
		}
	}
	if got := b.without(&other); !slices.Equal(got, want) {
		t.Errorf("without: got %v, want %v", got, want)
	}
	var empty bitset
	if got := empty.without(&b); got != nil || empty.has(0) {
		t.Errorf("the empty set holds %v", got)
	}
	if got := b.without(&empty); len(got) != len(in) {
		t.Errorf("%d are left of %d without nothing", len(got), len(in))
	}
}

func TestDiffer(t *testing.T) {
	for _, c := range []struct{ want, got, missing, extra []int64 }{
		{nil, nil, nil, nil},
		{[]int64{1, 5, 9}, []int64{1, 5, 9}, nil, nil},
		{[]int64{1, 5, 9}, nil, []int64{1, 5, 9}, nil},
		{nil, []int64{1, 5, 5}, nil, []int64{1, 5, 5}},
		{[]int64{1, 5, 9}, []int64{5}, []int64{1, 9}, nil},
		{[]int64{1, 5, 9}, []int64{1, 1, 5, 5, 5, 9}, nil, []int64{1, 5, 5}},
		{[]int64{1, 5, 9}, []int64{0, 1, 6, 9, 12}, []int64{5}, []int64{0, 6, 12}},
	} {
		missing, extra := differ(c.want, c.got)
		if !slices.Equal(missing, c.missing) || !slices.Equal(extra, c.extra) {
			t.Errorf("differ(%v, %v) = %v, %v; want %v, %v", c.want, c.got, missing, extra, c.missing, c.extra)
		}
	}
}

func TestRanges(t *testing.T) {
	var odd []int64
	for n := range int64(25) {
		odd = append(odd, 2*n+1)
	}
	for _, c := range []struct {
		offsets []int64
		want    string
	}{
		{nil, ""},
		{[]int64{7}, "7"},
		{[]int64{3, 7, 8, 9, 12}, "3, 7-9, 12"},
		{[]int64{0, 1}, "0-1"},
		{[]int64{4, 4, 5}, "4-5"}, // what is there too often is named once
		{odd, "1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39 and 5 more"},
		{odd[:20], "1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39"},
	} {
		if got := ranges(c.offsets); got != c.want {
			t.Errorf("ranges(%v)\n got %s\nwant %s", c.offsets, got, c.want)
		}
	}
}

// TestSum makes of two offsets what ClickHouse makes of them:
// SELECT count(), sum(intHash64(number)) FROM numbers(2).
func TestSum(t *testing.T) {
	t.Parallel()
	var got Sum
	got.Add(0)
	got.Add(1)
	if want := (Sum{Rows: 2, Hash: 15338533017536566882}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
