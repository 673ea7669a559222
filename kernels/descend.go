package kernels

import "math"

// Step is how far Descend goes.
type Step struct {
	// Rate is the learning rate times the feature's value.
	Rate float32
	// Square is what the row's squared gradients grow by.
	Square float32
	// Decay pulls a weight towards 0, for each unit of the row's own rate.
	Decay float32
}

// Descend takes one step of gradient descent in some rows of a table. Row r begins at
// table[r*stride]: first the sum of its squared gradients, then len(grad) weights.
//
// A row's rate is Rate / G^(1/4), where G is its sum of squares, this step's included.
// This is AdaGrad (Duchi, Hazan, Singer: Adaptive Subgradient Methods, JMLR 12, 2011)
// with one sum a row instead of one a weight, and with the fourth root in place of the
// square root: a rare feature learns faster than a common one, but not so fast that one
// wrong label makes it.
func Descend(table []float32, stride int, rows []uint32, grad []float32, s Step) {
	for _, r := range rows {
		row := table[int(r)*stride:][:len(grad)+1]
		row[0] += s.Square
		root := float32(math.Sqrt(float64(row[0])))
		rate := s.Rate / float32(math.Sqrt(float64(root)))
		keep := 1 - rate*s.Decay
		w := row[1:][:len(grad)]
		for k, g := range grad {
			w[k] = w[k]*keep - rate*g
		}
	}
}
