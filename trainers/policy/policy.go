// Package policy says when a model is trained: it answers what detectors and reports say
// on model.events with triggers.
//
// A first model is trained once there are labels enough (bootstrap), a further one when
// the champion's quality has changed (drift), and again whenever there is much more to
// learn from than at the last run (growth): more examples since the change, more judged
// examples, or more of all. One run of a model is in flight at a time.
package policy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

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

// Stage reads model.events and writes triggers there.
func Stage(cfg Config, deps Deps) (bus.Stage, error) {
	if err := cfg.Validate(); err != nil {
		return bus.Stage{}, err
	}
	if deps.Log == nil || deps.Metrics == nil {
		return bus.Stage{}, errors.New("policy: a logger and a metrics registerer are needed")
	}
	triggers := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_policy_triggers_total",
		Help: "Training runs that were asked for, by model and reason.",
	}, []string{"model", "reason"})
	if err := deps.Metrics.Register(triggers); err != nil {
		return bus.Stage{}, fmt.Errorf("policy: register metrics: %w", err)
	}
	return trainers.DeciderStage(trainers.StepPolicy, func(st *state.Partition) (trainers.Decider, error) {
		d := &decider{cfg: cfg, log: deps.Log, triggers: triggers, st: st, models: map[string]*model{}}
		return d, d.restore()
	}), nil
}

type decider struct {
	cfg      Config
	log      *slog.Logger
	triggers *prometheus.CounterVec
	st       *state.Partition
	models   map[string]*model
}

// modelKey leads the keys of the models in the stage's state; the name follows.
const modelKey = 'm'

func (d *decider) restore() error {
	for kv, err := range d.st.Scan([]byte{modelKey}) {
		if err != nil {
			return err
		}
		m := &model{Name: string(kv.Key[1:])}
		if err := json.Unmarshal(kv.Value, m); err != nil {
			return fmt.Errorf("policy: read the state of model %q: %w", m.Name, err)
		}
		d.models[m.Name] = m
	}
	return nil
}

// Decide folds the record and asks for a run where one is wanted behind it.
func (d *decider) Decide(rec *bus.Record) ([]schemas.Message, error) {
	m, cause, err := d.fold(rec)
	if err != nil {
		d.log.Error("an event of a model cannot be read and does not count", "error", err)
		return nil, nil
	}
	if m == nil {
		return nil, nil
	}
	var out []schemas.Message
	day := max(m.Day, rec.Timestamp.Unix()/secondsPerDay)
	if reason := m.wants(d.cfg, day); reason != "" {
		e := d.trigger(rec, cause, m, reason)
		m.asks(d.cfg, asked{ID: e.RunID, Reason: reason}, day)
		out = append(out, e)
		d.triggers.WithLabelValues(m.Name, reason).Inc()
		d.log.Info("a training run is asked for", "model", m.Name, "run", e.RunID, "reason", reason, "detail", e.Detail)
	}
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("policy: write the state of model %q: %w", m.Name, err)
	}
	d.st.Set(append([]byte{modelKey}, m.Name...), data)
	return out, nil
}

const secondsPerDay = 86400

// fold applies a record and returns the model that it is about; nil where it does not
// count.
func (d *decider) fold(rec *bus.Record) (*model, *schemas.Envelope, error) {
	if !rec.Derived {
		return nil, nil, nil
	}
	e := schemas.New(rec.Kind)
	if e == nil {
		return nil, nil, nil
	}
	if err := e.Unmarshal(rec.Value); err != nil {
		return nil, nil, fmt.Errorf("policy: read the %s at %s, offset %d: %w", rec.Kind, rec.Partition, rec.Offset, err)
	}
	var m *model
	step := rec.Origin.Step
	switch e := e.(type) {
	case *schemas.QualityReport:
		m = d.model(e.Model)
		m.report(e)
	case *schemas.DriftSignal:
		m = d.model(e.Model)
		m.signal(d.cfg, e)
	case *schemas.DriftTrigger:
		if step == trainers.StepPolicy {
			m = d.model(e.Model)
			m.landed(d.cfg, e)
		}
	case *schemas.TrainingRun:
		if step == trainers.StepRegistry {
			m = d.model(e.Model)
			m.run(d.cfg, e)
		}
	case *schemas.ModelVersion:
		if step == trainers.StepRegistry || step == trainers.StepRollout {
			m = d.model(e.Model)
			m.version(d.cfg, e, step)
		}
	case *schemas.ModelCommand:
		if step == trainers.StepRegistry && e.Accepted && e.Command == trainers.CommandTrain {
			m = d.model(e.Model)
			m.Command = &command{ID: e.EventID, Detail: cut(strings.Trim(e.By+": "+e.Reason, ": "))}
		}
	}
	return m, e.Env(), nil
}

func (d *decider) model(name string) *model {
	m := d.models[name]
	if m == nil {
		m = &model{Name: name}
		d.models[name] = m
	}
	return m
}

// trigger is the event that asks for a run of m: on everything that was reported.
func (d *decider) trigger(rec *bus.Record, cause *schemas.Envelope, m *model, reason string) *schemas.DriftTrigger {
	e := &schemas.DriftTrigger{
		Model: m.Name, RunID: bus.DerivedID(rec.Origin, "run"), Reason: reason, CauseID: cause.EventID,
		Recipe: d.cfg.Recipe, ParentVersion: m.Champion, Ranges: m.ranges(),
	}
	e.Tenant, e.EventID = cause.Tenant, bus.DerivedID(rec.Origin, "trigger")
	e.ArrivedAt = schemas.MicrosOf(rec.Timestamp)
	e.EventTime = e.ArrivedAt
	c := m.counts()
	e.Detail = fmt.Sprintf("%d labelled texts and %d judged examples", c.Labelled, c.Judged)
	if m.Drift != nil {
		e.DriftSince = []string{m.Drift.Since.String()}
		e.Detail += fmt.Sprintf(", %d of them since the change", m.sinceDrift())
	}
	switch reason {
	case trainers.ReasonDrift:
		e.CauseID = m.Drift.SignalID
		e.Detail = m.Drift.Detail + "; " + e.Detail
	case trainers.ReasonManual:
		e.CauseID = m.Command.ID
		e.Detail = m.Command.Detail + "; " + e.Detail
	}
	return e
}

// ranges are the stretches of every partition that reports were about, sorted.
func (m *model) ranges() []string {
	var all []trainers.Range
	for _, s := range m.Stretches {
		i := slices.IndexFunc(all, func(r trainers.Range) bool { return r.Topic == s.Topic && r.Partition == s.Partition })
		if i < 0 {
			all = append(all, trainers.Range{Topic: s.Topic, Partition: s.Partition, To: s.To})
			continue
		}
		all[i].To = max(all[i].To, s.To)
	}
	slices.SortFunc(all, func(a, b trainers.Range) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	out := make([]string, len(all))
	for i, r := range all {
		out[i] = r.String()
	}
	return out
}

// describe is a signal in words.
func describe(e *schemas.DriftSignal) string {
	s := fmt.Sprintf("%s of %s went from %.3g to %.3g over %d examples (%s: %.3g, bound %.3g)",
		e.Signal, e.ModelVersion, e.Before, e.After, e.Examples, e.Detector, e.Statistic, e.Threshold)
	if e.Detail != "" {
		s += ", " + e.Detail
	}
	return cut(s)
}

// maxDetail bounds what a trigger repeats of others' words, in bytes.
const maxDetail = 1 << 10

func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxDetail)], "") }
