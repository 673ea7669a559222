package runner

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"

	"github.com/millrace-io/millrace/internal/content"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/dataset"
	"github.com/millrace-io/millrace/trainers/evaluate"
)

// evaluation is the object of a run that says how its candidate was judged.
type evaluation struct {
	Gate evaluate.Result `json:"gate"`
	// Said is what the candidate said of each example that it was judged by, by content
	// hash; of one on the training side, what a model said that had not seen it. A later
	// run compares with that.
	Said map[string]string `json:"said"`
	// Alone is true where the candidate is the one that was trained on the examples from
	// after the drift alone.
	Alone bool `json:"alone,omitempty"`
}

// evaluate judges the candidates, or adopts how they were judged before.
func (w *work) evaluate(ctx context.Context) (map[string]float64, error) {
	err := w.adopt(ctx, trainers.RunEvaluated, &w.evaluation, func() (any, error) { return w.judge(ctx) })
	if err != nil {
		return nil, err
	}
	w.chosen = w.candidates[0]
	if w.evaluation.Alone {
		w.chosen = w.candidates[1]
	}
	m := maps.Clone(w.evaluation.Gate.Figures)
	if m == nil {
		m = map[string]float64{}
	}
	m["passed"] = 0
	if w.evaluation.Gate.Passed {
		m["passed"] = 1
	}
	return m, nil
}

// judge asks candidates and champion about examples that none of them was trained on, and
// lets the gate decide. Of two candidates the one counts that was trained on all: it knows
// more. The other one gives up all that was learned before the drift, and what little it
// gains on the days since may be lost on those that come; it counts where it is better by
// far, unless it alone does not pass. Where a drift has brought something new it falls behind; where one has
// changed what is right, the gap is wide.
func (w *work) judge(ctx context.Context) (*evaluation, error) {
	champion, err := w.championSays(ctx)
	if err != nil {
		return nil, err
	}
	var best *evaluation
	for i, c := range w.candidates {
		e := &evaluation{Said: map[string]string{}, Alone: i > 0}
		if err := w.ask(ctx, c, e.Said); err != nil {
			return nil, err
		}
		e.Gate = evaluate.Gate(w.cfg.Gate, w.answers(champion, e.Said), champion != nil)
		if len(w.candidates) > 1 {
			e.Gate.Figures["after_alone"] = float64(i)
		}
		if best == nil {
			best = e
		} else if p := w.compare(e.Said, best.Said); (e.Gate.Passed || !best.Gate.Passed) && p.Candidate()-p.Champion() >= aloneGain && p.Better() <= aloneAlpha {
			best = e
		}
	}
	return best, nil
}

// The model of the examples from after the drift alone must be right more often than that
// of all by aloneGain, and the p value of the test that it is better be aloneAlpha at most.
const (
	aloneGain  = .05
	aloneAlpha = .01
)

// compare counts where two candidates are right, over the examples from after the drift
// that both were asked about.
func (w *work) compare(one, other map[string]string) (p evaluate.Pairs) {
	for i := range w.data.Examples {
		x := &w.data.Examples[i]
		a, asked := one[x.ContentHash]
		if b, both := other[x.ContentHash]; asked && both && x.After {
			p.Add(a == x.Label, b == x.Label)
		}
	}
	return p
}

// ask adds what a candidate says of the examples that may judge it.
func (w *work) ask(ctx context.Context, c *candidate, said map[string]string) error {
	after := 0
	for i := range w.data.Examples {
		if x := &w.data.Examples[i]; x.Test {
			said[x.ContentHash], _ = c.model.Predict(x.Text)
			if x.After {
				after++
			}
		}
	}
	if after >= w.cfg.CrossfitBelow {
		return nil
	}
	return w.crossfit(ctx, c, said)
}

// answers puts together what candidate and champion said.
func (w *work) answers(champion func(*dataset.Example) (string, bool), said map[string]string) []evaluate.Answer {
	var answers []evaluate.Answer
	for i := range w.data.Examples {
		x := &w.data.Examples[i]
		candidate, judged := said[x.ContentHash]
		if !judged {
			continue
		}
		a := evaluate.Answer{Right: x.Label, Candidate: candidate, After: x.After}
		if champion != nil {
			if a.Champion, judged = champion(x); !judged {
				continue // the champion learned it by heart
			}
		}
		answers = append(answers, a)
	}
	return answers
}

// crossfit adds what models say of the training side's examples from after the drift,
// each of which was trained as the candidate was, without the examples that it is asked
// about (Stone, JRSS B 36, 1974: cross-validatory choice). A part that leaves too little
// to train on is left out.
func (w *work) crossfit(ctx context.Context, c *candidate, said map[string]string) error {
	for fold := range w.cfg.Folds {
		held := func(x *dataset.Example) bool {
			return x.After && !x.Test && !x.LearnOnly && foldOf(x.ContentHash, w.cfg.Folds) == fold
		}
		model, err := w.deps.Recipe.Train(ctx, w.training(func(x *dataset.Example) bool { return c.learns(x) && !held(x) }), w.cfg.Seed, w.done.Set)
		var fault *trainers.DataError
		if errors.As(err, &fault) {
			continue
		}
		if err != nil {
			return fmt.Errorf("train without part %d: %w", fold, err)
		}
		for i := range w.data.Examples {
			if x := &w.data.Examples[i]; held(x) {
				said[x.ContentHash], _ = model.Predict(x.Text)
			}
		}
	}
	return nil
}

// foldOf is the part of a text, a function of its content hash.
func foldOf(contentHash string, folds int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(contentHash)) // never fails
	return int(h.Sum32()>>8) % folds
}

// championSays returns what tells the champion's answer to an example that it was not
// trained on: its own, or where it was trained on it, that of its run's evaluation. It is
// nil where there is no champion.
func (w *work) championSays(ctx context.Context) (func(*dataset.Example) (string, bool), error) {
	if w.trigger.ParentVersion == "" {
		return nil, nil
	}
	if w.champion == nil {
		return nil, &trainers.DataError{Problem: fmt.Sprintf("nothing is known of version %s, which the trigger names as champion", w.trigger.ParentVersion)}
	}
	model, err := w.load(ctx, w.champion.Artifact, w.champion.Digest)
	if err != nil {
		return nil, err
	}
	data, err := dataset.Load(ctx, w.deps.Objects, w.champion.RunID)
	if err != nil {
		return nil, err
	}
	var before evaluation
	if err := w.read(ctx, objectKey(w.champion.RunID, trainers.RunEvaluated), &before); err != nil && !errors.Is(err, objstore.ErrNotFound) {
		return nil, err
	}
	// By the texts themselves: another release may have named them by another hash.
	type heard struct {
		said   string
		judged bool
	}
	learned := map[string]heard{}
	for i := range data.Examples {
		if x := &data.Examples[i]; !x.Test {
			said, judged := before.Said[x.ContentHash]
			learned[content.Hash(x.Text)] = heard{said, judged}
		}
	}
	return func(x *dataset.Example) (string, bool) {
		if h, ok := learned[content.Hash(x.Text)]; ok {
			return h.said, h.judged
		}
		said, _ := model.Predict(x.Text)
		return said, true
	}, nil
}
