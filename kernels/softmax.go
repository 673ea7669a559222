package kernels

import "math"

// Softmax turns scores into probabilities, in place. A score that is not a number makes
// all of them not a number. None stay none.
func Softmax(scores []float32) {
	if len(scores) == 0 {
		return
	}
	top := scores[0]
	for _, s := range scores[1:] {
		top = max(top, s)
	}
	var sum float32
	for k, s := range scores {
		e := Exp(s - top)
		scores[k] = e
		sum += e
	}
	for k := range scores {
		scores[k] /= sum
	}
}

// SumSquares is the squared length of v.
func SumSquares(v []float32) float32 {
	var sum float32
	for _, x := range v {
		sum += x * x
	}
	return sum
}

// ArgMax is the index of the largest value, the first of equals; 0 for none.
func ArgMax(v []float32) int {
	best := 0
	for k, x := range v {
		if x > v[best] {
			best = k
		}
	}
	return best
}

const (
	log2e = 1.44269504088896341
	// ln2 in two parts: the first has so few digits that its product with a small whole
	// number is exact.
	ln2High = 0.693359375
	ln2Low  = -2.12194440e-4
	// Beyond these, e^x is no normal float32.
	expLow  = -87.33654
	expHigh = 88.72283
)

// Exp is e^x with an error of at most 2 units in the last place, 0 where that would not
// be a normal number and infinity where it is too large. The method and the polynomial
// are those of Cephes' expf (Moshier: Methods and Programs for Mathematical Functions,
// 1989): x = n ln 2 + r, e^x = 2^n e^r.
func Exp(x float32) float32 {
	switch {
	case x < expLow:
		return 0
	case x > expHigh:
		return float32(math.Inf(1))
	case x != x:
		return x
	}
	t := x*log2e + .5
	n := int32(t)
	if float32(n) > t { // the conversion rounds towards 0; we want down
		n--
	}
	f := float32(n)
	r := x - f*ln2High - f*ln2Low
	p := float32(1.9875691500e-4)
	p = p*r + 1.3981999507e-3
	p = p*r + 8.3334519073e-3
	p = p*r + 4.1665795894e-2
	p = p*r + 1.6666665459e-1
	p = p*r + 5.0000001201e-1
	y := p*r*r + r + 1
	if n > 127 { // 2^128 is no float32; this product may still be one
		return y * 2 * math.Float32frombits(uint32(n-1+127)<<23)
	}
	return y * math.Float32frombits(uint32(n+127)<<23)
}
