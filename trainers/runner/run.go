package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/dataset"
	"github.com/millrace-io/millrace/trainers/registry"
)

// work is one try of one run.
type work struct {
	*Runner
	trigger  *schemas.DriftTrigger
	champion *registry.Version // that the trigger names; nil where it names none

	data       *dataset.Dataset
	trained    trained
	candidates []*candidate
	evaluation evaluation
	chosen     *candidate
}

// The results of a run.
const (
	resultPassed   = "passed"
	resultRejected = "rejected"
)

// all makes the steps in order and returns what came of the run.
func (w *work) all(ctx context.Context) (result string, err error) {
	if err := w.claim(ctx, w.trigger, trainers.RunStarted, &schemas.TrainingRun{Ranges: w.trigger.Ranges}); err != nil {
		return "", err
	}
	for _, step := range []struct {
		name string
		make func(context.Context) (map[string]float64, error)
	}{
		{trainers.RunDataset, w.snapshot}, {trainers.RunTrained, w.train}, {trainers.RunEvaluated, w.evaluate},
	} {
		began := time.Now()
		metrics, err := step.make(ctx)
		if err != nil {
			return "", fmt.Errorf("step %s: %w", step.name, err)
		}
		seconds := time.Since(began).Seconds()
		w.steps.WithLabelValues(step.name).Observe(seconds)
		c := &schemas.TrainingRun{
			Dataset: w.data.Key, DatasetHash: w.data.Hash, Examples: int64(len(w.data.Examples)), Ranges: w.trigger.Ranges,
			Seconds: seconds, Metrics: metrics,
		}
		if err := w.claim(ctx, w.trigger, step.name, c); err != nil {
			return "", err
		}
	}
	if err := w.claimVersion(ctx); err != nil {
		return "", err
	}
	result = resultRejected
	if w.evaluation.Gate.Passed {
		result = resultPassed
	}
	return result, w.claim(ctx, w.trigger, trainers.RunFinished, &schemas.TrainingRun{Dataset: w.data.Key, DatasetHash: w.data.Hash})
}

func (w *work) snapshot(ctx context.Context) (map[string]float64, error) {
	var err error
	w.data, err = dataset.Snapshot(ctx, w.cfg.Dataset, dataset.Deps{Objects: w.deps.Objects, Topics: w.deps.Bus}, w.trigger)
	if err != nil {
		return nil, err
	}
	m := map[string]float64{}
	for split, periods := range w.data.Manifest.Counts {
		for period, labels := range periods {
			for _, n := range labels {
				m[split+"_"+period] += float64(n)
			}
		}
	}
	return m, nil
}

// load reads an artefact that is what its digest says.
func (w *work) load(ctx context.Context, key, digest string) (trainers.Artifact, error) {
	data, err := objstore.GetDigest(ctx, w.deps.Objects, key, digest)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", key, err)
	}
	return w.deps.Recipe.Load(data)
}

func objectKey(runID, step string) string { return "runs/" + runID + "/" + step + ".json" }

// adopt reads into what this run's step made before; where there is nothing, it makes it
// and keeps it. Of two that make it at once, both end with the first.
func (w *work) adopt(ctx context.Context, step string, into any, make func() (any, error)) error {
	key := objectKey(w.trigger.RunID, step)
	err := w.read(ctx, key, into)
	if !errors.Is(err, objstore.ErrNotFound) {
		return err
	}
	made, err := make()
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		return fmt.Errorf("render %s: %w", key, err)
	}
	if err := w.deps.Objects.Create(ctx, key, data); err != nil && !errors.Is(err, objstore.ErrExists) {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return w.read(ctx, key, into)
}

func (w *work) read(ctx context.Context, key string, into any) error {
	data, err := w.deps.Objects.Get(ctx, key)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return nil
}

// claimVersion claims what the run made as a version; the registry names it.
func (w *work) claimVersion(ctx context.Context) error {
	made := w.chosen.made
	v := &schemas.ModelVersion{
		Envelope: w.envelope(w.trigger, "version"), Model: w.trigger.Model, RunID: w.trigger.RunID,
		Artifact: made.Artifact, Digest: made.Digest, Bytes: made.Bytes,
		Dataset: w.data.Key, DatasetHash: w.data.Hash, Examples: made.Examples, Ranges: w.trigger.Ranges,
		TrainingRulesVersion: w.data.Manifest.RulesVersion(), Labels: w.chosen.model.Labels(),
		GatePassed: w.evaluation.Gate.Passed, Gate: w.evaluation.Gate.Figures,
		GateDetail: strings.Join(w.evaluation.Gate.Reasons, "; "), CodeVersion: w.deps.Version,
	}
	return w.publish(ctx, w.trigger.Model, schemas.KindModelVersionClaim, v)
}
