package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func vector(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64() * math.Pow(10, float64(rng.IntN(9)-4)))
	}
	return v
}

// TestAddScaled holds the loop against the sum in double precision, at every length up to
// some, and sees that nothing behind it changes.
func TestAddScaled(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 40 {
		for range 50 {
			a, x, y := float32(rng.NormFloat64()), vector(rng, n), vector(rng, n+3)
			got := slices.Clone(y)
			AddScaled(a, x, got)
			for i := range x {
				if exact := float64(y[i]) + float64(a)*float64(x[i]); math.Abs(float64(got[i])-exact) > 1e-6*(math.Abs(exact)+math.Abs(float64(y[i]))) {
					t.Fatalf("element %d of %d: %g, want %g", i, n, got[i], exact)
				}
			}
			if !slices.Equal(got[n:], y[n:]) {
				t.Fatalf("%d elements: what lies behind them changed", n)
			}
		}
	}
}

func TestAddScaledTooShort(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a y that is too short is no panic")
		}
	}()
	AddScaled(1, make([]float32, 5), make([]float32, 4))
}

func TestSoftmax(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	Softmax(nil)
	for n := 1; n < 20; n++ {
		scores := vector(rng, n)
		scores[rng.IntN(n)] = 3e38 // the largest there is nearly
		p := slices.Clone(scores)
		Softmax(p)
		var sum float64
		for i := range p {
			sum += float64(p[i])
			for j := range p {
				if scores[i] > scores[j] && p[i] < p[j] {
					t.Errorf("score %g gets %g, score %g gets %g", scores[i], p[i], scores[j], p[j])
				}
			}
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("%d probabilities sum to %g", n, sum)
		}
	}
	p := []float32{0, float32(math.Log(3))}
	Softmax(p)
	if math.Abs(float64(p[0])-.25) > 1e-6 || math.Abs(float64(p[1])-.75) > 1e-6 {
		t.Errorf("0 and log 3 give %v, want a quarter and three", p)
	}
}

func BenchmarkAddScaled(b *testing.B) {
	for _, n := range []int{3, 150} {
		x, y := make([]float32, n), make([]float32, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				AddScaled(.5, x, y)
			}
		})
	}
}
