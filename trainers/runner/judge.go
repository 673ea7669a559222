package runner

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"

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
}

// evaluate judges the candidate, or adopts how it was judged before.
func (w *work) evaluate(ctx context.Context) (map[string]float64, error) {
	err := w.adopt(ctx, trainers.RunEvaluated, &w.evaluation, func() (any, error) { return w.judge(ctx) })
	if err != nil {
		return nil, err
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

// judge asks candidate and champion about examples that neither was trained on, and lets
// the gate decide.
func (w *work) judge(ctx context.Context) (*evaluation, error) {
	e := &evaluation{Said: map[string]string{}}
	after := 0
	for i := range w.data.Examples {
		if x := &w.data.Examples[i]; x.Test {
			e.Said[x.ContentHash], _ = w.candidate.Predict(x.Text)
			if x.After {
				after++
			}
		}
	}
	if after < w.cfg.CrossfitBelow {
		if err := w.crossfit(ctx, e.Said); err != nil {
			return nil, err
		}
	}
	champion, err := w.championSays(ctx)
	if err != nil {
		return nil, err
	}
	var answers []evaluate.Answer
	for i := range w.data.Examples {
		x := &w.data.Examples[i]
		said, judged := e.Said[x.ContentHash]
		if !judged {
			continue
		}
		a := evaluate.Answer{Right: x.Label, Candidate: said, After: x.After}
		if champion != nil {
			if a.Champion, judged = champion(x); !judged {
				continue // the champion learned it by heart
			}
		}
		answers = append(answers, a)
	}
	e.Gate = evaluate.Gate(w.cfg.Gate, answers, champion != nil)
	return e, nil
}

// crossfit adds what models say of the training side's examples from after the drift,
// each of which was trained without the examples that it is asked about (Stone, JRSS B
// 36, 1974: cross-validatory choice). A part that leaves too little to train on is left
// out.
func (w *work) crossfit(ctx context.Context, said map[string]string) error {
	for fold := range w.cfg.Folds {
		held := func(x *dataset.Example) bool {
			return x.After && !x.Test && foldOf(x.ContentHash, w.cfg.Folds) == fold
		}
		model, err := w.deps.Recipe.Train(ctx, w.training(func(x *dataset.Example) bool { return !held(x) }), w.cfg.Seed, w.done.Set)
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
	learned := map[string]bool{}
	for i := range data.Examples {
		if x := &data.Examples[i]; !x.Test {
			learned[x.ContentHash] = true
		}
	}
	var before evaluation
	if err := w.read(ctx, objectKey(w.champion.RunID, trainers.RunEvaluated), &before); err != nil && !errors.Is(err, objstore.ErrNotFound) {
		return nil, err
	}
	return func(x *dataset.Example) (string, bool) {
		if learned[x.ContentHash] {
			said, ok := before.Said[x.ContentHash]
			return said, ok
		}
		said, _ := model.Predict(x.Text)
		return said, true
	}, nil
}
