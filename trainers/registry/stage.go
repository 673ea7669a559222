package registry

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
)

// Deps is what the stage works with.
type Deps struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Stage answers the claims on model.events, in the log's order.
//
// The first claim of a run's step, and the first version of a run, count; repeats get no
// answer. What belongs to no run, or comes behind its end, gets none either. Every
// command is answered once: accepted, or why not. An answer keeps the claim's id.
func Stage(deps Deps) (bus.Stage, error) {
	if deps.Log == nil || deps.Metrics == nil {
		return bus.Stage{}, errors.New("registry: a logger and a metrics registerer are needed")
	}
	claims := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_registry_claims_total",
		Help: "Claims on model.events, by kind and by what came of them: answered, refused, repeated, stray, malformed.",
	}, []string{"kind", "result"})
	if err := deps.Metrics.Register(claims); err != nil {
		return bus.Stage{}, fmt.Errorf("registry: register metrics: %w", err)
	}
	return trainers.DeciderStage(trainers.StepRegistry, func(st *state.Partition) (trainers.Decider, error) {
		fold, err := Restore(st)
		return &decider{fold: fold, log: deps.Log, claims: claims}, err
	}), nil
}

// What came of a claim.
const (
	resultAnswered  = "answered"
	resultRefused   = "refused"   // a command that cannot be carried out; it is answered
	resultRepeated  = "repeated"  // answered before
	resultStray     = "stray"     // of no run that is in flight
	resultMalformed = "malformed" // it cannot be read, or lacks what it must have
)

type decider struct {
	fold   *Fold
	log    *slog.Logger
	claims *prometheus.CounterVec
}

// Decide folds what counts and answers a claim. The answer is folded at once, so that
// the next claim is judged by it.
func (d *decider) Decide(rec *bus.Record) ([]schemas.Message, error) {
	if _, claim := rec.Kind.Claim(); !claim {
		if err := d.fold.Apply(rec); err != nil {
			d.log.Error("an event of a model cannot be read and does not count", "error", err)
		}
		return nil, nil
	}
	m := schemas.New(rec.Kind)
	result, why := resultMalformed, ""
	if err := m.Unmarshal(rec.Value); err != nil {
		why = err.Error()
	} else {
		result, why = d.fold.answer(rec, m)
	}
	if m.Size() > trainers.MaxEventBytes {
		result, why = resultMalformed, fmt.Sprintf("its answer would have %d bytes, the limit is %d", m.Size(), trainers.MaxEventBytes)
	}
	d.claims.WithLabelValues(string(rec.Kind), result).Inc()
	if result != resultAnswered && result != resultRefused {
		d.log.Info("a claim gets no answer", "kind", string(rec.Kind), "offset", rec.Offset, "because", result, "detail", why)
		return nil, nil
	}
	d.fold.Decided(trainers.StepRegistry, m)
	return []schemas.Message{m}, nil
}
