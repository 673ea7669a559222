// Package evaluate judges models: by one, how often and on what it is right; by two on the
// same examples, whether one is better; and by a gate, whether it may serve.
package evaluate

import (
	"math"
	"slices"
)

// Confusion counts answers by right label and predicted label.
type Confusion struct {
	labels map[string]bool
	count  map[[2]string]int64
	all    int64
	right  int64
}

// NewConfusion is empty.
func NewConfusion() *Confusion {
	return &Confusion{labels: map[string]bool{}, count: map[[2]string]int64{}}
}

// Add counts one answer.
func (c *Confusion) Add(right, predicted string) {
	c.labels[right], c.labels[predicted] = true, true
	c.count[[2]string{right, predicted}]++
	c.all++
	if right == predicted {
		c.right++
	}
}

// Labels are all that were seen, sorted.
func (c *Confusion) Labels() []string {
	out := make([]string, 0, len(c.labels))
	for l := range c.labels {
		out = append(out, l)
	}
	slices.Sort(out)
	return out
}

// Count is how often predicted was said where right was right.
func (c *Confusion) Count(right, predicted string) int64 { return c.count[[2]string{right, predicted}] }

// Total is the number of answers.
func (c *Confusion) Total() int64 { return c.all }

// Accuracy is the share of right answers, 0 where there are none.
func (c *Confusion) Accuracy() float64 { return ratio(c.right, c.all) }

// Precision is the share of right ones among the answers label, Recall the share of
// found ones among the examples of label; 0 where there are none.
func (c *Confusion) Precision(label string) float64 {
	var said int64
	for l := range c.labels {
		said += c.Count(l, label)
	}
	return ratio(c.Count(label, label), said)
}

// Recall is described with Precision.
func (c *Confusion) Recall(label string) float64 {
	var there int64
	for l := range c.labels {
		there += c.Count(label, l)
	}
	return ratio(c.Count(label, label), there)
}

// MacroF1 is the mean over labels of the harmonic mean of precision and recall.
func (c *Confusion) MacroF1() float64 {
	if len(c.labels) == 0 {
		return 0
	}
	var sum float64
	for _, l := range c.Labels() {
		if p, r := c.Precision(l), c.Recall(l); p+r > 0 {
			sum += 2 * p * r / (p + r)
		}
	}
	return sum / float64(len(c.labels))
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Pairs counts, over the same examples, where a candidate and a champion are right.
type Pairs struct {
	// Both and Neither are where they agree in being right or wrong; Gained is where the
	// candidate alone is right, Lost where the champion alone is.
	Both, Neither, Gained, Lost int64
}

// Add counts one example.
func (p *Pairs) Add(candidate, champion bool) {
	switch {
	case candidate && champion:
		p.Both++
	case candidate:
		p.Gained++
	case champion:
		p.Lost++
	default:
		p.Neither++
	}
}

// AddAll counts what q has counted.
func (p *Pairs) AddAll(q Pairs) {
	p.Both += q.Both
	p.Neither += q.Neither
	p.Gained += q.Gained
	p.Lost += q.Lost
}

// N is the number of examples.
func (p Pairs) N() int64 { return p.Both + p.Neither + p.Gained + p.Lost }

// Candidate and Champion are their accuracies.
func (p Pairs) Candidate() float64 { return ratio(p.Both+p.Gained, p.N()) }

// Champion is described with Candidate.
func (p Pairs) Champion() float64 { return ratio(p.Both+p.Lost, p.N()) }

// Better is the one-sided mid-p value of McNemar's exact test that the candidate is no
// better: small where it gained more than chance gives (Fagerland, Lydersen, Laake, BMC
// Medical Research Methodology 13:91, 2013). 1 where the two never differ.
func (p Pairs) Better() float64 { return midP(p.Gained, p.Lost) }

// Worse is the same for the candidate being no worse.
func (p Pairs) Worse() float64 { return midP(p.Lost, p.Gained) }

// midP is P(X > k) + P(X = k)/2 for X of k+other fair coins.
func midP(k, other int64) float64 {
	n := k + other
	if n == 0 {
		return 1
	}
	var p float64
	for i := k; i <= n; i++ {
		q := math.Exp(logChoose(n, i) - float64(n)*math.Ln2)
		if i == k {
			q /= 2
		}
		p += q
	}
	return min(p, 1)
}

func logChoose(n, k int64) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// Difference is the candidate's accuracy minus the champion's, with the bounds of its
// 95 % confidence interval (Wald's for paired proportions, with the correction of Agresti
// and Min, Statistics in Medicine 24, 2005: half an observation in each cell).
func (p Pairs) Difference() (d, low, high float64) {
	n := float64(p.N()) + 2
	if p.N() == 0 {
		return 0, -1, 1
	}
	b, c := float64(p.Gained)+.5, float64(p.Lost)+.5
	mid := (b - c) / n
	half := 1.959964 * math.Sqrt(b+c-(b-c)*(b-c)/n) / n
	return p.Candidate() - p.Champion(), max(-1, mid-half), min(1, mid+half)
}
