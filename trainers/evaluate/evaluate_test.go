package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-4 {
		t.Errorf("%s is %.6f, want %.6f", what, got, want)
	}
}

func TestConfusion(t *testing.T) {
	c := NewConfusion()
	for _, p := range [][2]string{{"a", "a"}, {"a", "a"}, {"a", "b"}, {"b", "b"}, {"b", "a"}, {"c", "a"}} {
		c.Add(p[0], p[1])
	}
	near(t, "accuracy", c.Accuracy(), .5)
	near(t, "precision of a", c.Precision("a"), .5)
	near(t, "recall of a", c.Recall("a"), 2./3)
	near(t, "recall of c", c.Recall("c"), 0)
	near(t, "macro F1", c.MacroF1(), (2*.5*(2./3)/(.5+2./3)+.5+0)/3)
}

// TestMcNemar checks values computed by hand from the binomial distribution.
func TestMcNemar(t *testing.T) {
	for _, c := range []struct {
		gained, lost int64
		want         float64
	}{{4, 0, 1. / 32}, {5, 1, .0625}, {1, 5, .9375}, {3, 3, .5}, {0, 0, 1}, {9, 2, (55./2 + 11 + 1) / 2048}} {
		near(t, "p", Pairs{Gained: c.gained, Lost: c.lost}.Better(), c.want)
	}
	d, low, high := Pairs{Both: 60, Neither: 10, Gained: 20, Lost: 10}.Difference()
	near(t, "difference", d, .1)
	if !(low < d && d < high && low > -.05 && high < .25) {
		t.Errorf("the interval is %g to %g", low, high)
	}
}

// TestGateCoin checks that a candidate that is no better passes about as often as alpha
// says, and one that is much better nearly always.
func TestGateCoin(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	passes := func(quality float64) (n int) {
		for range 400 {
			answers := make([]Answer, 150)
			for i := range answers {
				say := func(q float64) string {
					if rng.Float64() < q {
						return "x"
					}
					return "y"
				}
				answers[i] = Answer{Right: "x", Candidate: say(quality), Champion: say(.8), After: true}
			}
			if Gate(DefaultGateConfig(), answers, true).Passed {
				n++
			}
		}
		return n
	}
	if n := passes(.8); n < 15 || n > 65 {
		t.Errorf("an equal candidate passed %d of 400 times, want about 40", n)
	}
	if n := passes(.95); n < 380 {
		t.Errorf("a better candidate passed %d of 400 times", n)
	}
}

// TestGateManyRare checks that many labels, each with too few examples to be judged, are
// not all lost to one that has many.
func TestGateManyRare(t *testing.T) {
	var answers []Answer
	for range 460 {
		answers = append(answers, Answer{Right: "big", Candidate: "big", Champion: "other", After: true})
	}
	for i := range 450 {
		rare := fmt.Sprint("rare", i%30)
		answers = append(answers, Answer{Right: rare, Candidate: "big", Champion: rare, After: i%2 == 0})
	}
	if r := Gate(DefaultGateConfig(), answers, true); r.Passed || !strings.Contains(r.Reasons[0], "450 examples of rare labels") {
		t.Errorf("30 labels of 15 examples each are lost: %v", r.Reasons)
	}
}

func TestGateReasons(t *testing.T) {
	many := func(n int, a Answer) []Answer {
		out := make([]Answer, n)
		for i := range out {
			out[i] = a
		}
		return out
	}
	better := many(30, Answer{Right: "new", Candidate: "new", Champion: "old", After: true})
	for _, c := range []struct {
		name    string
		answers []Answer
		has     bool
		want    string
	}{
		{"better", append(better, many(50, Answer{Right: "old", Candidate: "old", Champion: "old"})...), true, ""},
		{"forgets", append(better, many(50, Answer{Right: "old", Candidate: "new", Champion: "old"})...), true, "from before the drift"},
		// What was right before is wrong now: enough answers from after it say so.
		{"another meaning", slices.Concat(many(150, Answer{Right: "a", Candidate: "a", Champion: "b", After: true}), many(150, Answer{Right: "b", Candidate: "b", Champion: "b", After: true}),
			many(400, Answer{Right: "b", Candidate: "a", Champion: "b"})), true, ""},
		// Few from after it say so where they gain more than was lost before, of a label that
		// they hold themselves; what they do not hold may not be lost.
		{"a label that does not come again", append(better, many(20, Answer{Right: "old", Candidate: "new", Champion: "old"})[:19]...), true, "rare labels"},
		{"few, and the label is among them", append(many(30, Answer{Right: "old", Candidate: "old", Champion: "new", After: true}), many(25, Answer{Right: "old", Candidate: "new", Champion: "old"})...), true, ""},
		{"a rare label is lost", slices.Concat(better, many(900, Answer{Right: "old", Candidate: "old", Champion: "old"}), many(19, Answer{Right: "fraud", Candidate: "old", Champion: "fraud"})), true, "rare labels"},
		{"a label of before is lost", slices.Concat(many(300, better[0]), many(900, Answer{Right: "old", Candidate: "old", Champion: "old"}), many(40, Answer{Right: "fraud", Candidate: "old", Champion: "fraud"})), true, `40 examples of "fraud"`},
		{"nothing", nil, true, "no held-out example"},
		{"only before", many(50, Answer{Right: "old", Candidate: "old", Champion: "old"}), true, "from after the drift"},
		{"first", append(many(20, Answer{Right: "a", Candidate: "a"}), many(20, Answer{Right: "b", Candidate: "b"})...), false, ""},
		{"first, useless", append(many(20, Answer{Right: "a", Candidate: "a"}), many(20, Answer{Right: "b", Candidate: "a"})...), false, "always answering"},
	} {
		r := Gate(DefaultGateConfig(), c.answers, c.has)
		if r.Passed != (c.want == "") || !strings.Contains(strings.Join(r.Reasons, "; "), c.want) {
			t.Errorf("%s: %+v, want %q", c.name, r, c.want)
		}
	}
}
