package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func random(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = rng.Float32()*2 - 1
	}
	return v
}

func someRows(rng *rand.Rand, table, n int) []uint32 {
	rows := make([]uint32, n)
	for i := range rows {
		rows[i] = rng.Uint32N(uint32(table))
	}
	return rows
}

var widths = []int{1, 2, 3, 4, 5, 7, 8, 16, 150}

// TestGatherAddTwins wants the same bits of both, at every width, with rows that repeat.
func TestGatherAddTwins(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, width := range widths {
		for _, stride := range []int{width, width + 1} {
			table := random(rng, 100*stride)
			rows := someRows(rng, 99, 257)
			got := random(rng, width)
			want := slices.Clone(got)
			GatherAdd(got, table, stride, rows)
			gatherAddPlain(want, table, stride, rows)
			if !slices.Equal(got, want) {
				t.Errorf("width %d, stride %d: got %v, want %v", width, stride, got, want)
			}
		}
	}
}

func TestGatherAddByHand(t *testing.T) {
	sum := []float32{1, 1, 1}
	GatherAdd(sum, []float32{1, 2, 3, 10, 20, 30}, 3, []uint32{1, 0, 1})
	if want := []float32{22, 43, 64}; !slices.Equal(sum, want) {
		t.Errorf("got %v, want %v", sum, want)
	}
}

func TestGatherAddOutside(t *testing.T) {
	for _, width := range widths {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("width %d: a row behind the table's end was read", width)
				}
			}()
			GatherAdd(make([]float32, width), make([]float32, 3*width), width, []uint32{3})
		}()
	}
}

func TestDescendByHand(t *testing.T) {
	table := []float32{15, 1, 2, 3} // 15 + 1 = 16, whose fourth root is 2
	Descend(table, 4, []uint32{0}, []float32{1, 0, -1}, Step{Rate: 1, Square: 1, Decay: .5})
	if want := []float32{16, 1*.75 - .5, 2 * .75, 3*.75 + .5}; !slices.Equal(table, want) {
		t.Errorf("got %v, want %v", table, want)
	}
}

func TestExp(t *testing.T) {
	for x := float32(-87.3); x < 88.7; x += .0117 {
		want := math.Exp(float64(x))
		if got := float64(Exp(x)); math.Abs(got-want)/want > 2.4e-7 {
			t.Fatalf("Exp(%v) = %v, want %v", x, got, want)
		}
	}
	inf := float32(math.Inf(1))
	if got := []float32{Exp(0), Exp(-1000), Exp(1000), Exp(-inf)}; !slices.Equal(got, []float32{1, 0, inf, 0}) {
		t.Errorf("Exp(0, -1000, 1000, -inf) = %v", got)
	}
	if got := Exp(float32(math.NaN())); got == got {
		t.Errorf("Exp(NaN) = %v", got)
	}
}

func TestSoftmax(t *testing.T) {
	for _, n := range widths {
		p := random(rand.New(rand.NewPCG(3, uint64(n))), n)
		for i := range p {
			p[i] *= 60
		}
		top := ArgMax(p)
		Softmax(p)
		var sum float64
		for _, v := range p {
			sum += float64(v)
		}
		if math.Abs(sum-1) > 1e-5 || ArgMax(p) != top {
			t.Errorf("%d scores: the sum is %v, the top moved from %d to %d", n, sum, top, ArgMax(p))
		}
	}
	p := []float32{0, float32(math.Log(3))}
	if Softmax(p); math.Abs(float64(p[0])-.25) > 1e-6 {
		t.Errorf("softmax of 0 and ln 3 = %v, want .25 and .75", p)
	}
	p = []float32{1, float32(math.NaN()), 2}
	if Softmax(p); p[0] == p[0] {
		t.Errorf("softmax with a NaN = %v, want NaN", p)
	}
	Softmax(nil)
}

func BenchmarkGatherAdd(b *testing.B) {
	bench(b, "", GatherAdd)
	bench(b, "plain/", gatherAddPlain)
}

func bench(b *testing.B, name string, f func(sum, table []float32, stride int, rows []uint32)) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, width := range []int{2, 3, 16, 150} {
		b.Run(fmt.Sprintf("%swidth=%d", name, width), func(b *testing.B) {
			table, rows := random(rng, 10_000*width), someRows(rng, 10_000, 1000)
			sum := make([]float32, width)
			b.ReportAllocs()
			for b.Loop() {
				f(sum, table, width, rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
		})
	}
}

func BenchmarkDescend(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, width := range []int{2, 3, 16, 150} {
		b.Run(fmt.Sprintf("width=%d", width), func(b *testing.B) {
			table, rows := make([]float32, 10_000*(width+1)), someRows(rng, 10_000, 1000)
			grad := random(rng, width)
			for b.Loop() {
				Descend(table, width+1, rows, grad, Step{Rate: .01, Square: .001, Decay: .001})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
		})
	}
}

func BenchmarkSoftmax(b *testing.B) {
	for _, width := range []int{3, 150} {
		b.Run(fmt.Sprintf("width=%d", width), func(b *testing.B) {
			scores := random(rand.New(rand.NewPCG(6, 6)), width)
			p := make([]float32, width)
			for b.Loop() {
				copy(p, scores)
				Softmax(p)
			}
		})
	}
}
