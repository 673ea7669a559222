// Package kernels holds the numeric hot loops, in plain Go. One that is written anew for
// speed keeps the plain one as its twin, of the same signature and under the same tests.
//
// Nothing here allocates, and the order of every sum depends on the arguments alone: on
// one architecture the same arguments give the same bits.
package kernels

import "math"

// AddScaled adds a times x to y, element by element: y[i] += a*x[i]. y has len(x)
// elements or more, of which the first len(x) change.
func AddScaled(a float32, x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += a * v
	}
}

// Softmax turns scores into probabilities, in place: each is e to its score over the sum
// of all, with the largest score taken off before, so that none overflows. None stay none.
func Softmax(scores []float32) {
	if len(scores) == 0 {
		return
	}
	top := scores[0]
	for _, s := range scores[1:] {
		top = max(top, s)
	}
	var sum float32
	for i, s := range scores {
		scores[i] = float32(math.Exp(float64(s - top)))
		sum += scores[i]
	}
	for i := range scores {
		scores[i] /= sum
	}
}
