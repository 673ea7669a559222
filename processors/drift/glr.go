package drift

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// GLR detects an increase of the rate of a Bernoulli stream: the generalised likelihood
// ratio test of "one rate all along" against "a higher rate since some point", over all
// points, with a threshold under which the chance of ever raising a false alarm on a
// stationary stream is at most Delta, however long the stream and whatever its rate
// (Besson, Kaufmann, Maillard, Seznec: Efficient Change-Point Detection for Tackling
// Piecewise-Stationary Bandits, JMLR 23, 2022, theorem 4 and its approximation).
//
// It keeps sums at points that thin out with their age, O(log n) of them; a change is
// then dated to within a few percent of its age. The zero GLR with a Delta is ready.
type GLR struct {
	Delta  float64
	n      int64
	ones   int64
	points []point // by n, the oldest first
}

// point is the state of the sums before an observation.
type point struct {
	n, ones int64
	at      int64 // the offset of the observation behind it
}

// Change is an alarm: since the observation at From, the rate has been After, where it
// was Before.
type Change struct {
	From                 int64
	Before, After        float64
	Examples, Total      int64
	Statistic, Threshold float64
}

// thin is the resolution of old points: neighbours are at most a thinth of their age
// apart.
const thin = 24

// exact is the number of latest points that are all kept.
const exact = 48

// Observe takes the observation x at offset and says whether it raises an alarm.
func (g *GLR) Observe(offset int64, x bool) (Change, bool) {
	g.points = append(g.points, point{g.n, g.ones, offset})
	g.n++
	if x {
		g.ones++
	}
	if len(g.points) > 2*exact && g.n%exact == 0 {
		g.thin()
	}
	if !x { // what is no error cannot raise the rate
		return Change{}, false
	}
	return g.test()
}

// clone is a detector that goes on by itself from here.
func (g *GLR) clone() GLR {
	c := *g
	c.points = slices.Clone(g.points)
	return c
}

// Count is the number of observations, and of ones among them.
func (g *GLR) Count() (n, ones int64) { return g.n, g.ones }

func (g *GLR) test() (Change, bool) {
	all := float64(g.ones) / float64(g.n)
	best, found := 0.0, -1
	for i, p := range g.points {
		if p.n == 0 {
			continue
		}
		m := g.n - p.n
		before, after := float64(p.ones)/float64(p.n), float64(g.ones-p.ones)/float64(m)
		if after <= before {
			continue
		}
		if s := float64(p.n)*kl(before, all) + float64(m)*kl(after, all); s > best {
			best, found = s, i
		}
	}
	threshold := math.Log(3 * math.Pow(float64(g.n), 1.5) / g.Delta)
	if found < 0 || best <= threshold {
		return Change{}, false
	}
	p := g.points[found]
	return Change{
		From: p.at, Before: float64(p.ones) / float64(p.n), After: float64(g.ones-p.ones) / float64(g.n-p.n),
		Examples: g.n - p.n, Total: g.n, Statistic: best, Threshold: threshold,
	}, true
}

// kl is the Kullback-Leibler divergence of Bernoulli rates, in nats.
func kl(p, q float64) float64 {
	var d float64
	if p > 0 {
		d += p * math.Log(p/q)
	}
	if p < 1 {
		d += (1 - p) * math.Log((1-p)/(1-q))
	}
	return d
}

// thin drops points that are closer together than their age needs.
func (g *GLR) thin() {
	kept := len(g.points) - exact
	out := g.points[:0]
	var last int64 = -1
	for i, p := range g.points {
		if i < kept && last >= 0 && p.n-last < (g.n-p.n)/thin {
			continue
		}
		out = append(out, p)
		last = p.n
	}
	g.points = out
}

var errState = errors.New("drift: the state of a detector is damaged; delete the state folder, it is rebuilt")

// AppendState appends the detector's state.
func (g *GLR) AppendState(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(g.n))
	b = binary.AppendUvarint(b, uint64(g.ones))
	b = binary.AppendUvarint(b, uint64(len(g.points)))
	var last point
	for _, p := range g.points {
		b = binary.AppendUvarint(b, uint64(p.n-last.n))
		b = binary.AppendUvarint(b, uint64(p.ones-last.ones))
		b = binary.AppendUvarint(b, uint64(p.at-last.at))
		last = p
	}
	return b
}

// maxPoints bounds what LoadState takes; a stream of 2^60 has fewer.
const maxPoints = 1 << 16

// LoadState replaces the detector's state and returns what follows it.
func (g *GLR) LoadState(b []byte) ([]byte, error) {
	next := func() (int64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > math.MaxInt64 {
			return 0, false
		}
		b = b[n:]
		return int64(v), true
	}
	var head [3]int64
	for i := range head {
		v, ok := next()
		if !ok {
			return nil, errState
		}
		head[i] = v
	}
	if head[2] > maxPoints {
		return nil, errState
	}
	g.n, g.ones, g.points = head[0], head[1], make([]point, 0, head[2])
	var last point
	for range head[2] {
		var d [3]int64
		for i := range d {
			v, ok := next()
			if !ok {
				return nil, errState
			}
			d[i] = v
		}
		last = point{last.n + d[0], last.ones + d[1], last.at + d[2]}
		g.points = append(g.points, last)
	}
	return b, nil
}
