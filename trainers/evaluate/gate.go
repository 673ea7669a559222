package evaluate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// GateConfig says what a candidate must show.
type GateConfig struct {
	// Alpha is the largest p value of the test that the candidate is better. It is not
	// small: to serve a candidate that is no better costs nothing, to keep a stale
	// champion does; what is worse is kept out by the margins below.
	Alpha float64 `yaml:"alpha"`
	// Margin is how much accuracy it may lose on examples from before the drift, while
	// there are fewer than EnoughAfter from after it.
	Margin      float64 `yaml:"margin"`
	EnoughAfter int64   `yaml:"enough_after"`
	// SliceMargin is how much recall it may lose on a label that has at least SliceFrom
	// examples, and on all others together.
	SliceMargin float64 `yaml:"slice_margin"`
	SliceFrom   int64   `yaml:"slice_from"`
}

// DefaultGateConfig suits a classifier.
func DefaultGateConfig() GateConfig {
	return GateConfig{Alpha: .1, Margin: .02, EnoughAfter: 200, SliceMargin: .1, SliceFrom: 20}
}

// Validate says what is wrong with c.
func (c GateConfig) Validate() error {
	share := func(f float64) bool { return f >= 0 && f <= 1 }
	if !(c.Alpha > 0 && c.Alpha < 1) || !share(c.Margin) || !share(c.SliceMargin) || c.SliceFrom < 1 || c.EnoughAfter < 0 {
		return errors.New("gate: alpha must lie between 0 and 1, margins be 0 to 1, slice_from 1 or more, enough_after 0 or more")
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

// Gate judges a candidate by its answers on examples that it was not trained on. Without a
// champion it must be better than the answer that is most often right.
//
// With a champion it must be better on those from after the drift, by the paired test:
// they are what is asked for now, what was learned before and is still asked for among
// them. Those from before have a say only where these cannot tell: as a whole while there
// are few from after and the two together do not speak for the candidate, and by label
// where the label has come too seldom since. Where the drift has changed what is right,
// the answers of before are wrong now, and whoever gives them must not serve.
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
	byLabel := map[string]*slice{}
	for _, a := range answers {
		candidate, champion := a.Candidate == a.Right, a.Champion == a.Right
		if byLabel[a.Right] == nil {
			byLabel[a.Right] = &slice{}
		}
		byLabel[a.Right].all.Add(candidate, champion)
		if !a.After {
			before.Add(candidate, champion)
			continue
		}
		after.Add(candidate, champion)
		byLabel[a.Right].after.Add(candidate, champion)
	}
	r.pairs("after", after)
	r.pairs("before", before)
	if after.N() == 0 {
		r.fail("there is no held-out example from after the drift")
	} else if p := after.Better(); p > cfg.Alpha {
		r.fail(fmt.Sprintf("on %d examples from after the drift it is not shown to be better: %.3f against %.3f, p = %.3f above %.3f", after.N(), after.Candidate(), after.Champion(), p, cfg.Alpha))
	}
	outweighed := after.N() >= cfg.EnoughAfter || after.Gained-after.Lost >= before.Lost-before.Gained
	if loss := before.Champion() - before.Candidate(); !outweighed && loss > cfg.Margin && before.Worse() <= cfg.Alpha {
		r.fail(fmt.Sprintf("on %d examples from before the drift it loses %.3f of accuracy, at most %.3f is taken", before.N(), loss, cfg.Margin))
	}
	r.slices(cfg, byLabel)
	return r
}

// slice compares the two on one label.
type slice struct{ after, all Pairs }

// slices fails where a label is lost: by its examples from after the drift where there are
// enough, else by all. Labels with few of both are judged together, since by itself none
// of them could show anything, and all may be lost at once.
func (r *Result) slices(cfg GateConfig, byLabel map[string]*slice) {
	check := func(what string, p Pairs) {
		if loss := p.Champion() - p.Candidate(); loss > cfg.SliceMargin && p.Worse() <= cfg.Alpha {
			r.fail(fmt.Sprintf("on %d examples of %s it loses %.3f of recall, at most %.3f is taken", p.N(), what, loss, cfg.SliceMargin))
		}
	}
	var rare Pairs
	for _, label := range slices.Sorted(maps.Keys(byLabel)) {
		switch s := byLabel[label]; {
		case s.after.N() >= cfg.SliceFrom:
			check(strconv.Quote(label), s.after)
		case s.all.N() >= cfg.SliceFrom:
			check(strconv.Quote(label), s.all)
		default:
			rare.AddAll(s.all)
		}
	}
	check("rare labels", rare)
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
