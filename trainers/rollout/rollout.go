// Package rollout says which version of a model is champion. It is the only writer of
// that: it promotes what passed the gate, and carries out what the registry accepted of
// a person's commands.
package rollout

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/registry"
)

// Config says how far rollout goes by itself.
type Config struct {
	// Loop is auto: what passes its gate is promoted; else it waits for a person.
	Loop trainers.Loop `yaml:"-"`
}

// DefaultConfig promotes by itself.
func DefaultConfig() Config { return Config{Loop: trainers.Auto} }

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if err := c.Loop.Validate(); err != nil {
		return fmt.Errorf("rollout: %w", err)
	}
	return nil
}

// Deps is what the stage works with.
type Deps struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Stage reads model.events and writes changes of versions' stages there.
func Stage(cfg Config, deps Deps) (bus.Stage, error) {
	if err := cfg.Validate(); err != nil {
		return bus.Stage{}, err
	}
	if deps.Log == nil || deps.Metrics == nil {
		return bus.Stage{}, errors.New("rollout: a logger and a metrics registerer are needed")
	}
	changes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "millrace_rollout_changes_total",
		Help: "Changes of the stages of versions, by model and by the new stage.",
	}, []string{"model", "stage"})
	if err := deps.Metrics.Register(changes); err != nil {
		return bus.Stage{}, fmt.Errorf("rollout: register metrics: %w", err)
	}
	return trainers.DeciderStage(trainers.StepRollout, func(st *state.Partition) (trainers.Decider, error) {
		fold, err := registry.Restore(st)
		return &decider{cfg: cfg, fold: fold, log: deps.Log, changes: changes}, err
	}), nil
}

// maxReason bounds what an event repeats of a command's words, in bytes.
const maxReason = 1 << 10

type decider struct {
	cfg     Config
	fold    *registry.Fold
	log     *slog.Logger
	changes *prometheus.CounterVec
}

// Decide folds the record, and what is decided at once.
func (d *decider) Decide(rec *bus.Record) ([]schemas.Message, error) {
	if err := d.fold.Apply(rec); err != nil {
		d.log.Error("an event of a model cannot be read and does not count", "error", err)
		return nil, nil
	}
	if !rec.Derived || rec.Origin.Step != trainers.StepRegistry {
		return nil, nil
	}
	var out []schemas.Message
	for _, e := range d.answered(rec) {
		out = append(out, e)
		d.fold.Decided(trainers.StepRollout, e)
		d.changes.WithLabelValues(e.Model, e.Stage).Inc()
		d.log.Info("a version's stage changes", "model", e.Model, "version", e.Version, "stage", e.Stage, "reason", e.Reason)
	}
	return out, nil
}

// answered returns what an answer of the registry changes, in order.
func (d *decider) answered(rec *bus.Record) []*schemas.ModelVersion {
	switch rec.Kind {
	case schemas.KindModelVersion:
		var e schemas.ModelVersion
		if e.Unmarshal(rec.Value) == nil && e.Stage == trainers.StageCandidate && d.cfg.Loop == trainers.Auto {
			return d.promote(rec, &e)
		}
	case schemas.KindModelCommand:
		var c schemas.ModelCommand
		if c.Unmarshal(rec.Value) == nil && c.Accepted {
			return d.obey(rec, &c)
		}
	}
	return nil
}

// promote makes a candidate the champion that it was compared with. Where another one
// serves by now, the comparison says nothing, and a person may still promote it.
func (d *decider) promote(rec *bus.Record, e *schemas.ModelVersion) []*schemas.ModelVersion {
	m := d.fold.Model(e.Model)
	v := m.Version(e.Version)
	serving := ""
	if m.Champion != nil {
		serving = m.Champion.Version
	}
	if serving != e.ParentVersion {
		return []*schemas.ModelVersion{change(rec, v, trainers.StageArchived,
			fmt.Sprintf("it was compared with %s, and %s serves by now", orNone(e.ParentVersion), orNone(serving)))}
	}
	return replace(rec, m, v, trainers.StageArchived, "it passed its gate")
}

func orNone(version string) string {
	if version == "" {
		return "no champion"
	}
	return version
}

// obey carries out an accepted command. The registry judged it by what it had read;
// where the version that is meant has changed its part since, nothing is done.
func (d *decider) obey(rec *bus.Record, c *schemas.ModelCommand) []*schemas.ModelVersion {
	m := d.fold.Model(c.Model)
	if m == nil {
		return nil
	}
	v := m.Version(c.Version)
	why := c.Command
	if c.By != "" {
		why += " by " + c.By
	}
	if c.Reason != "" {
		why += ": " + c.Reason
	}
	why = strings.ToValidUTF8(why[:min(len(why), maxReason)], "")
	switch c.Command {
	case trainers.CommandPromote, trainers.CommandApprove:
		if v != nil && v != m.Champion {
			return replace(rec, m, v, trainers.StageArchived, why)
		}
	case trainers.CommandRollback:
		if back := m.Previous(); v != nil && v == m.Champion && back != nil {
			return replace(rec, m, back, trainers.StageRolledBack, why)
		}
	}
	return nil
}

// replace makes v champion and gives the one before it its new stage: that first, so
// that no reader ever sees two champions.
func replace(rec *bus.Record, m *registry.Model, v *registry.Version, before, reason string) []*schemas.ModelVersion {
	var out []*schemas.ModelVersion
	if old := m.Champion; old != nil {
		text := v.Version + " replaces it"
		if before == trainers.StageRolledBack {
			text = reason
		}
		out = append(out, change(rec, old, before, text))
	}
	return append(out, change(rec, v, trainers.StageChampion, reason))
}

// change is v's event at a new stage: all that is known of v, so that its latest event
// tells it whole.
func change(rec *bus.Record, v *registry.Version, stage, reason string) *schemas.ModelVersion {
	e := v.ModelVersion
	e.EventID = bus.DerivedID(rec.Origin, v.Version+" "+stage)
	e.ArrivedAt = schemas.MicrosOf(rec.Timestamp)
	e.EventTime = e.ArrivedAt
	e.Stage, e.Reason = stage, reason
	return &e
}
