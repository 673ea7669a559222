// Package runner makes the training runs that triggers ask for.
//
// It is a client of model.events: it follows the log, works off the runs of its recipe
// that have not ended, and claims what came of each step; the registry answers. What a
// step made is an object of its run, created exclusively: whoever makes the run again,
// after a crash or beside another runner, adopts the first and claims the same.
package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/registry"
)

// Deps is what a runner works with.
type Deps struct {
	Bus     *bus.Bus
	Objects objstore.Store
	Recipe  trainers.Recipe
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Clock   func() time.Time
	// Version is Millrace's own, which what is made names.
	Version string
}

// Runner makes one run at a time.
type Runner struct {
	cfg  Config
	deps Deps
	fold *registry.Fold
	// claimed are the runs whose end is claimed; the answer may not have come yet.
	claimed map[string]bool
	runs    *prometheus.CounterVec
	steps   *prometheus.HistogramVec
	done    prometheus.Gauge
}

// New prepares a runner.
func New(cfg Config, deps Deps) (*Runner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Bus == nil || deps.Objects == nil || deps.Recipe == nil || deps.Log == nil || deps.Metrics == nil || deps.Clock == nil {
		return nil, errors.New("runner: a bus, objects, a recipe, a logger, a metrics registerer and a clock are needed")
	}
	r := &Runner{
		cfg: cfg, deps: deps, claimed: map[string]bool{},
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_trainer_runs_total", Help: "Training runs that ended here, by model and result: passed, rejected, failed.",
		}, []string{"model", "result"}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "millrace_trainer_step_seconds", Help: "How long the steps of training runs took.",
			Buckets: prometheus.ExponentialBuckets(.1, 2, 16),
		}, []string{"step"}),
		done: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "millrace_trainer_progress", Help: "The part of the training under way that is done, 0 to 1.",
		}),
	}
	for _, c := range []prometheus.Collector{r.runs, r.steps, r.done} {
		if err := deps.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("runner: register metrics: %w", err)
		}
	}
	return r, nil
}

// Run follows the log and makes runs until ctx ends. It may be called again after an
// error.
func (r *Runner) Run(ctx context.Context) error {
	f, err := r.deps.Bus.Follow(ctx, bus.ModelEvents)
	if err != nil {
		return err
	}
	defer f.Close()
	r.fold = registry.NewFold()
	for {
		for run := r.next(); f.CaughtUp() && run != nil; run = r.next() {
			if err := r.make(ctx, run); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			r.claimed[run.Trigger.RunID] = true
		}
		records, err := f.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range records {
			if err := r.fold.Apply(&records[i]); err != nil {
				r.deps.Log.Error("an event of a model cannot be read and does not count", "error", err)
			}
		}
	}
}

// next is the first run that is to be made here; nil where there is none.
func (r *Runner) next() *registry.Run {
	for _, name := range r.fold.Names() {
		for _, run := range r.fold.Model(name).Runs {
			if !run.Ended() && !r.claimed[run.Trigger.RunID] && run.Trigger.Recipe == r.deps.Recipe.Name() {
				return run
			}
		}
	}
	return nil
}

// make makes a run and claims its end. It returns an error only where the log cannot be
// written.
func (r *Runner) make(ctx context.Context, run *registry.Run) error {
	t := run.Trigger
	log := r.deps.Log.With("model", t.Model, "run", t.RunID)
	log.Info("a training run begins", "reason", t.Reason, "detail", t.Detail)
	var err error
	for try := range r.cfg.Tries {
		w := &work{Runner: r, trigger: t}
		if t.ParentVersion != "" {
			w.champion = r.fold.Model(t.Model).Version(t.ParentVersion)
		}
		var result string
		if result, err = w.all(ctx); err == nil {
			r.runs.WithLabelValues(t.Model, result).Inc()
			log.Info("a training run ends", "result", result, "detail", w.evaluation.Gate.Reasons)
			return nil
		}
		var fault *trainers.DataError
		if ctx.Err() != nil || errors.As(err, &fault) || errors.Is(err, errClaim) {
			break
		}
		log.Warn("a training run fails; it is tried again", "try", try+1, "of", r.cfg.Tries, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(r.cfg.RetryPause << min(try, 6)):
		}
	}
	if ctx.Err() != nil || errors.Is(err, errClaim) {
		return err
	}
	r.runs.WithLabelValues(t.Model, "failed").Inc()
	log.Error("a training run failed", "error", err)
	return r.claim(ctx, t, trainers.RunFailed, &schemas.TrainingRun{Error: bounded(err.Error())})
}

// maxError bounds what a claim says of an error, in bytes.
const maxError = 4 << 10

// bounded cuts s to what a claim can hold: a claim that is not UTF-8 gets no answer, and
// its run would never end.
func bounded(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxError)], "")
}

// errClaim says that the log could not be written: nothing that was made is lost by it.
var errClaim = errors.New("runner: a claim cannot be written")

// claim writes the claim of a step. Its id is a function of the run and the step, so that
// the registry sees what is claimed again.
func (r *Runner) claim(ctx context.Context, t *schemas.DriftTrigger, step string, c *schemas.TrainingRun) error {
	c.Envelope = r.envelope(t, step)
	c.Model, c.RunID, c.Step, c.Seed, c.CodeVersion = t.Model, t.RunID, step, r.cfg.Seed, r.deps.Version
	return r.publish(ctx, t.Model, schemas.KindTrainingRunClaim, c)
}

func (r *Runner) envelope(t *schemas.DriftTrigger, what string) schemas.Envelope {
	return schemas.Envelope{Tenant: t.Tenant, EventID: t.RunID + "-" + what, EventTime: schemas.MicrosOf(r.deps.Clock())}
}

func (r *Runner) publish(ctx context.Context, model string, kind schemas.Kind, m schemas.Message) error {
	if _, err := r.deps.Bus.Publish(ctx, bus.ModelEvents, []byte(model), kind, m); err != nil {
		return fmt.Errorf("%w: %w", errClaim, err)
	}
	return nil
}
