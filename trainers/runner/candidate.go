package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/dataset"
)

// artefact names a model that a run made.
type artefact struct {
	Artifact string `json:"artifact"`
	Digest   string `json:"digest"`
	Bytes    int64  `json:"bytes"`
	Examples int64  `json:"examples"`
}

// trained is the object of a run that says which artefacts it made: of all examples, and
// where there are enough of both periods, of those from after the drift alone. A drift
// that brings something new is best learned beside what was known; one that changes what
// is right makes the old examples wrong. Which it was, the evaluation tells.
type trained struct {
	artefact
	Alone *artefact `json:"alone,omitempty"`
}

// candidate is a model of a run that is judged.
type candidate struct {
	made  artefact
	model trainers.Artifact
	// learns says which of the training side's examples it was trained on.
	learns func(*dataset.Example) bool
}

func learnsAll(*dataset.Example) bool     { return true }
func learnsAfter(x *dataset.Example) bool { return x.After }

// A model of the examples from after the drift is tried from aloneFrom of them on, and
// while those from before are at least one in aloneShare: else it would be the same.
const (
	aloneFrom  = 20
	aloneShare = 10
)

// tryAlone says whether a model of the examples from after the drift is worth a training.
func (w *work) tryAlone() bool {
	var after, before int
	for i := range w.data.Examples {
		switch x := &w.data.Examples[i]; {
		case x.Test:
		case x.After:
			after++
		default:
			before++
		}
	}
	return w.trigger.ParentVersion != "" && after >= aloneFrom && before*aloneShare >= after+before
}

// train makes the artefacts, or adopts those that this run made before.
func (w *work) train(ctx context.Context) (map[string]float64, error) {
	err := w.adopt(ctx, trainers.RunTrained, &w.trained, func() (any, error) {
		all, err := w.makeModel(ctx, learnsAll)
		if err != nil {
			return nil, err
		}
		t := trained{artefact: *all}
		if w.tryAlone() {
			var fault *trainers.DataError
			if t.Alone, err = w.makeModel(ctx, learnsAfter); err != nil && !errors.As(err, &fault) {
				return nil, err
			}
		}
		return t, nil
	})
	if err != nil {
		return nil, err
	}
	w.candidates = []*candidate{{made: w.trained.artefact, learns: learnsAll}}
	if w.trained.Alone != nil {
		w.candidates = append(w.candidates, &candidate{made: *w.trained.Alone, learns: learnsAfter})
	}
	for _, c := range w.candidates {
		if c.model, err = w.load(ctx, c.made.Artifact, c.made.Digest); err != nil {
			return nil, err
		}
	}
	m := map[string]float64{"examples": float64(w.trained.Examples), "labels": float64(len(w.candidates[0].model.Labels())), "bytes": float64(w.trained.Bytes)}
	if w.trained.Alone != nil {
		m["examples_alone"] = float64(w.trained.Alone.Examples)
	}
	return m, nil
}

// makeModel trains on what keep lets through and writes what came of it.
func (w *work) makeModel(ctx context.Context, keep func(*dataset.Example) bool) (*artefact, error) {
	examples := w.training(keep)
	model, err := w.deps.Recipe.Train(ctx, examples, w.cfg.Seed, w.done.Set)
	if err != nil {
		return nil, err
	}
	data, err := model.Bytes()
	if err != nil {
		return nil, err
	}
	digest := objstore.Digest(data)
	a := &artefact{Artifact: "models/" + digest, Digest: digest, Bytes: int64(len(data)), Examples: int64(len(examples))}
	if err := w.deps.Objects.Create(ctx, a.Artifact, data); err != nil && !errors.Is(err, objstore.ErrExists) {
		return nil, fmt.Errorf("write %s: %w", a.Artifact, err)
	}
	return a, nil
}

// training are the examples of the training side that keep lets through, by content hash:
// a model is a function of what was seen and not of the order in which partitions were
// read.
func (w *work) training(keep func(*dataset.Example) bool) []trainers.Example {
	var kept []*dataset.Example
	for i := range w.data.Examples {
		if e := &w.data.Examples[i]; !e.Test && keep(e) {
			kept = append(kept, e)
		}
	}
	slices.SortFunc(kept, func(a, b *dataset.Example) int { return strings.Compare(a.ContentHash, b.ContentHash) })
	out := make([]trainers.Example, len(kept))
	for i, e := range kept {
		out[i] = trainers.Example{Text: e.Text, Label: e.Label, Weight: e.Weight}
	}
	return out
}
