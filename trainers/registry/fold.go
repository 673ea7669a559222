// Package registry answers the claims of clients on model.events and folds that log
// into what is known of each model.
//
// A Fold is the state of the models at a place of the log. Whoever reads the log makes
// the same Fold of it: the stages registry and rollout, the runner, the command line.
package registry

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
)

// keptSignals bounds the signals that a Fold keeps of a model; the log has them all.
const keptSignals = 64

// Fold is the state of all models of one partition of model.events. It is not safe for
// concurrent use.
type Fold struct {
	models   map[string]*Model
	answered map[string]bool // ids of commands
	// journal is nil, or is told every event that changed what decisions go by.
	journal func(step string, m schemas.Message)
}

// Model is what is known of one model.
type Model struct {
	Name string
	// Versions are in the order of their numbers.
	Versions []*Version
	// Champion is the version that serves, nil before the first. A champion is replaced,
	// never taken away: it serves until the next is named.
	Champion *Version
	// Runs are in the order of their triggers.
	Runs []*Run
	// Commands are the answered ones.
	Commands []*schemas.ModelCommand
	// Signals are the latest, and Quality sums up the reports by version ("" for
	// labelled texts). A Fold that a stage restored from its state knows neither of
	// what came before: nothing is decided by them.
	Signals []*schemas.DriftSignal
	Quality map[string]Quality

	past []*Version // former champions; one that served twice is there twice
}

// Version is a version with its life so far.
type Version struct {
	schemas.ModelVersion
	Changes []Change
}

// Change is a change of a version's stage.
type Change struct {
	// ID is the event's.
	ID     string
	Stage  string
	At     schemas.Micros
	Reason string
}

// Run is what came of a trigger.
type Run struct {
	Trigger *schemas.DriftTrigger
	// Steps are the answered claims, in order.
	Steps []*schemas.TrainingRun
	// Version is what it made, nil where there is none (yet).
	Version *Version
}

// Quality counts the judged examples of a version.
type Quality struct{ Examples, Correct int64 }

// NewFold is the state before the log's first record.
func NewFold() *Fold {
	return &Fold{models: map[string]*Model{}, answered: map[string]bool{}}
}

// Names are the models' names, sorted.
func (f *Fold) Names() []string { return slices.Sorted(maps.Keys(f.models)) }

// Model finds a model by its name; nil where nothing is known of it.
func (f *Fold) Model(name string) *Model { return f.models[name] }

// Apply folds one record. Records that do not count (claims, and what other steps than
// the deciding one wrote) change nothing. A record that cannot be read is an error and
// changes nothing either; the fold goes on behind it.
func (f *Fold) Apply(rec *bus.Record) error {
	if !rec.Derived || !counts(rec.Kind, rec.Origin.Step) {
		return nil
	}
	m := schemas.New(rec.Kind)
	if err := m.Unmarshal(rec.Value); err != nil {
		return fmt.Errorf("registry: read the %s at %s, offset %d: %w", rec.Kind, rec.Partition, rec.Offset, err)
	}
	f.apply(rec.Origin.Step, m)
	return nil
}

// Decided folds what a stage has decided, before it has landed.
func (f *Fold) Decided(step string, m schemas.Message) { f.apply(step, m) }

// counts says whether an event of that kind counts when that step wrote it.
func counts(k schemas.Kind, step string) bool {
	switch k {
	case schemas.KindDriftSignal, schemas.KindQualityReport:
		return true
	case schemas.KindDriftTrigger:
		return step == trainers.StepPolicy
	case schemas.KindTrainingRun, schemas.KindModelCommand:
		return step == trainers.StepRegistry
	case schemas.KindModelVersion:
		return step == trainers.StepRegistry || step == trainers.StepRollout
	}
	return false
}

// apply folds an event unless it was folded before: a stage folds what it decides at
// once, and meets it again when it has landed.
func (f *Fold) apply(step string, m schemas.Message) {
	changed := false
	switch m := m.(type) {
	case *schemas.DriftSignal:
		of, first := f.model(m.Model)
		of.Signals = append(of.Signals[max(0, len(of.Signals)-keptSignals+1):], m)
		changed = first
	case *schemas.QualityReport:
		of, first := f.model(m.Model)
		q := of.Quality[m.ModelVersion]
		of.Quality[m.ModelVersion] = Quality{q.Examples + m.Examples, q.Correct + m.Correct}
		changed = first
	case *schemas.DriftTrigger:
		of, _ := f.model(m.Model)
		if changed = of.Run(m.RunID) == nil; changed {
			of.Runs = append(of.Runs, &Run{Trigger: m})
		}
	case *schemas.TrainingRun:
		run := f.run(m.Model, m.RunID)
		if changed = run != nil && run.Step(m.Step) == nil; changed {
			run.Steps = append(run.Steps, m)
		}
	case *schemas.ModelCommand:
		if changed = !f.answered[m.EventID]; changed {
			f.answered[m.EventID] = true
			if of := f.models[m.Model]; of != nil {
				of.Commands = append(of.Commands, m)
			}
		}
	case *schemas.ModelVersion:
		changed = f.applyVersion(m)
	}
	if changed && f.journal != nil {
		f.journal(step, m)
	}
}

func (f *Fold) model(name string) (m *Model, first bool) {
	m = f.models[name]
	if m == nil {
		m, first = &Model{Name: name, Quality: map[string]Quality{}}, true
		f.models[name] = m
	}
	return m, first
}

func (f *Fold) run(model, id string) *Run {
	if m := f.models[model]; m != nil {
		return m.Run(id)
	}
	return nil
}

func (f *Fold) applyVersion(e *schemas.ModelVersion) (changed bool) {
	m, _ := f.model(e.Model)
	v := m.Version(e.Version)
	if v == nil {
		v = &Version{}
		m.Versions = append(m.Versions, v)
		if run := m.Run(e.RunID); run != nil {
			run.Version = v
		}
	}
	if slices.ContainsFunc(v.Changes, func(c Change) bool { return c.ID == e.EventID }) {
		return false
	}
	v.ModelVersion = *e
	v.Changes = append(v.Changes, Change{ID: e.EventID, Stage: e.Stage, At: e.ArrivedAt, Reason: e.Reason})
	if e.Stage == trainers.StageChampion && v != m.Champion {
		if m.Champion != nil {
			m.past = append(m.past, m.Champion)
		}
		m.Champion = v
	}
	return true
}

// Version finds a version by its name; nil where there is none.
func (m *Model) Version(name string) *Version {
	for i := len(m.Versions) - 1; i >= 0; i-- {
		if m.Versions[i].Version == name {
			return m.Versions[i]
		}
	}
	return nil
}

// Run finds a run by its id; nil where there is none.
func (m *Model) Run(id string) *Run {
	for i := len(m.Runs) - 1; i >= 0; i-- {
		if m.Runs[i].Trigger.RunID == id {
			return m.Runs[i]
		}
	}
	return nil
}

// InFlight is the first run that has not ended; nil where there is none.
func (m *Model) InFlight() *Run {
	for _, r := range m.Runs {
		if !r.Ended() {
			return r
		}
	}
	return nil
}

// Previous is the version that a rollback of the champion goes back to: the latest
// former champion that was not itself rolled back; nil where there is none.
func (m *Model) Previous() *Version {
	for _, v := range slices.Backward(m.past) {
		if v != m.Champion && v.Stage != trainers.StageRolledBack {
			return v
		}
	}
	return nil
}

// nextVersion is the name of the next version, by the log's order.
func (m *Model) nextVersion() string { return "v" + strconv.Itoa(len(m.Versions)+1) }

// Step finds the answered claim of a step; nil where there is none.
func (r *Run) Step(name string) *schemas.TrainingRun {
	for _, s := range r.Steps {
		if s.Step == name {
			return s
		}
	}
	return nil
}

// Ended says whether the run is finished or failed.
func (r *Run) Ended() bool {
	return len(r.Steps) > 0 && trainers.EndsRun(r.Steps[len(r.Steps)-1].Step)
}
