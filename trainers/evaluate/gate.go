package evaluate

import (
	"errors"
	"fmt"
	"slices"
)

// GateConfig says what a candidate must show.
type GateConfig struct {
	// Alpha is the largest p value of the test that the candidate is better. It is not
	// small: to serve a candidate that is no better costs nothing, to keep a stale
	// champion does; what is worse is kept out by the margins below.
	Alpha float64 `yaml:"alpha"`
	// Margin is how much accuracy it may lose on examples from before the drift.
	Margin float64 `yaml:"margin"`
	// SliceMargin is how much recall it may lose on a label, where the label has at least
	// SliceFrom examples.
	SliceMargin float64 `yaml:"slice_margin"`
	SliceFrom   int64   `yaml:"slice_from"`
}

// DefaultGateConfig suits a classifier.
func DefaultGateConfig() GateConfig {
	return GateConfig{Alpha: .1, Margin: .02, SliceMargin: .1, SliceFrom: 20}
}

// Validate says what is wrong with c.
func (c GateConfig) Validate() error {
	share := func(f float64) bool { return f >= 0 && f <= 1 }
	if !(c.Alpha > 0 && c.Alpha < 1) || !share(c.Margin) || !share(c.SliceMargin) || c.SliceFrom < 1 {
		return errors.New("gate: alpha must lie between 0 and 1, margins be 0 to 1, slice_from 1 or more")
	}
	return nil
}

// Answer is what candidate and champion said of one held-out example.
type Answer struct {
	Right, Candidate string
	// Champion is what the champion said; empty where there is no champion.
	Champion string
	// After is true for examples from after the drift.
	After bool
}

// Result is what a gate found. Figures names every number that it went by.
type Result struct {
	Passed  bool               `json:"passed"`
	Reasons []string           `json:"reasons"`
	Figures map[string]float64 `json:"figures"`
}

// Gate judges a candidate by its answers on examples that it was not trained on. With a
// champion it must be better on those from after the drift, by the paired test, lose no
// more than Margin on those from before, and on no label more than SliceMargin of its
// recall. Without a champion it must be better than the answer that is most often right.
func Gate(cfg GateConfig, answers []Answer, hasChampion bool) Result {
	r := Result{Passed: true, Figures: map[string]float64{}}
	if len(answers) == 0 {
		r.fail("there is no held-out example to judge by")
		return r
	}
	all := NewConfusion()
	for _, a := range answers {
		all.Add(a.Right, a.Candidate)
	}
	r.Figures["held_out"] = float64(all.Total())
	r.Figures["accuracy"] = all.Accuracy()
	r.Figures["macro_f1"] = all.MacroF1()
	if !hasChampion {
		r.baseline(cfg, answers)
		return r
	}
	var after, before Pairs
	byLabel := map[string]*Pairs{}
	for _, a := range answers {
		p := &before
		if a.After {
			p = &after
		}
		p.Add(a.Candidate == a.Right, a.Champion == a.Right)
		if byLabel[a.Right] == nil {
			byLabel[a.Right] = &Pairs{}
		}
		byLabel[a.Right].Add(a.Candidate == a.Right, a.Champion == a.Right)
	}
	r.pairs("after", after)
	r.pairs("before", before)
	if after.N() == 0 {
		r.fail("there is no held-out example from after the drift")
	} else if p := after.Better(); p > cfg.Alpha {
		r.fail(fmt.Sprintf("on %d examples from after the drift it is not shown to be better: %.3f against %.3f, p = %.3f above %.3f", after.N(), after.Candidate(), after.Champion(), p, cfg.Alpha))
	}
	if loss := before.Champion() - before.Candidate(); loss > cfg.Margin && before.Worse() <= cfg.Alpha {
		r.fail(fmt.Sprintf("on %d examples from before the drift it loses %.3f of accuracy, at most %.3f is taken", before.N(), loss, cfg.Margin))
	}
	labels := make([]string, 0, len(byLabel))
	for l := range byLabel {
		labels = append(labels, l)
	}
	slices.Sort(labels)
	for _, l := range labels {
		p := byLabel[l]
		if loss := p.Champion() - p.Candidate(); p.N() >= cfg.SliceFrom && loss > cfg.SliceMargin && p.Worse() <= cfg.Alpha {
			r.fail(fmt.Sprintf("on %d examples of %q it loses %.3f of recall, at most %.3f is taken", p.N(), l, loss, cfg.SliceMargin))
		}
	}
	return r
}

func (r *Result) fail(reason string) {
	r.Passed = false
	r.Reasons = append(r.Reasons, reason)
}

// pairs names the figures of a comparison.
func (r *Result) pairs(name string, p Pairs) {
	d, low, high := p.Difference()
	for k, v := range map[string]float64{
		"n": float64(p.N()), "candidate": p.Candidate(), "champion": p.Champion(), "gained": float64(p.Gained), "lost": float64(p.Lost),
		"p_better": p.Better(), "p_worse": p.Worse(), "difference": d, "difference_low": low, "difference_high": high,
	} {
		r.Figures[name+"_"+k] = v
	}
}

// baseline compares with the answer that is most often right.
func (r *Result) baseline(cfg GateConfig, answers []Answer) {
	counts := map[string]int{}
	for _, a := range answers {
		counts[a.Right]++
	}
	most := ""
	for l, n := range counts {
		if n > counts[most] || n == counts[most] && l < most {
			most = l
		}
	}
	var p Pairs
	for _, a := range answers {
		p.Add(a.Candidate == a.Right, most == a.Right)
	}
	r.pairs("baseline", p)
	if b := p.Better(); b > cfg.Alpha {
		r.fail(fmt.Sprintf("on %d held-out examples it is not shown to be better than always answering %q: %.3f against %.3f, p = %.3f above %.3f", p.N(), most, p.Candidate(), p.Champion(), b, cfg.Alpha))
	}
}
