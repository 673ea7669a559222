// Package kernels holds the numeric hot loops. Each loop that is written for speed has
// a plain twin of the same signature, and one test holds the two together.
//
// Nothing here allocates, and the order of every sum depends on the arguments alone: on
// one architecture the same arguments give the same bits.
package kernels

// GatherAdd adds rows of a table to sum, in the order of rows. Row r has len(sum)
// columns, which begin at table[r*stride]. It panics where a row lies outside the table.
//
// It goes through the rows once for every few columns, whose sums stay in registers.
func GatherAdd(sum, table []float32, stride int, rows []uint32) {
	for len(sum) > 0 && len(rows) > 0 {
		n := 1
		switch {
		case len(sum) >= 8:
			n = 8
			gatherAdd8((*[8]float32)(sum), table, stride, rows)
		case len(sum) >= 4:
			n = 4
			gatherAdd4((*[4]float32)(sum), table, stride, rows)
		case len(sum) == 3:
			n = 3
			gatherAdd3((*[3]float32)(sum), table, stride, rows)
		case len(sum) == 2:
			n = 2
			gatherAdd2((*[2]float32)(sum), table, stride, rows)
		default:
			gatherAddPlain(sum, table, stride, rows)
		}
		sum, table = sum[n:], table[n:]
	}
}

func gatherAdd2(sum *[2]float32, table []float32, stride int, rows []uint32) {
	a, b := sum[0], sum[1]
	for _, r := range rows {
		w := (*[2]float32)(table[int(r)*stride:])
		a, b = a+w[0], b+w[1]
	}
	*sum = [2]float32{a, b}
}

func gatherAdd3(sum *[3]float32, table []float32, stride int, rows []uint32) {
	a, b, c := sum[0], sum[1], sum[2]
	for _, r := range rows {
		w := (*[3]float32)(table[int(r)*stride:])
		a, b, c = a+w[0], b+w[1], c+w[2]
	}
	*sum = [3]float32{a, b, c}
}

func gatherAdd4(sum *[4]float32, table []float32, stride int, rows []uint32) {
	a, b, c, d := sum[0], sum[1], sum[2], sum[3]
	for _, r := range rows {
		w := (*[4]float32)(table[int(r)*stride:])
		a, b, c, d = a+w[0], b+w[1], c+w[2], d+w[3]
	}
	*sum = [4]float32{a, b, c, d}
}

func gatherAdd8(sum *[8]float32, table []float32, stride int, rows []uint32) {
	a, b, c, d, e, f, g, h := sum[0], sum[1], sum[2], sum[3], sum[4], sum[5], sum[6], sum[7]
	for _, r := range rows {
		w := (*[8]float32)(table[int(r)*stride:])
		a, b, c, d = a+w[0], b+w[1], c+w[2], d+w[3]
		e, f, g, h = e+w[4], f+w[5], g+w[6], h+w[7]
	}
	*sum = [8]float32{a, b, c, d, e, f, g, h}
}

// gatherAddPlain is the twin of GatherAdd.
func gatherAddPlain(sum, table []float32, stride int, rows []uint32) {
	for _, r := range rows {
		for k := range sum {
			sum[k] += table[int(r)*stride+k]
		}
	}
}
