package drift

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

const errorsName = "drift-errors"

// errorsStage watches the errors of every version, by feedback.
func errorsStage(cfg Config) bus.Stage {
	return bus.Stage{
		Name: errorsName, Inputs: []string{bus.TrainingExamples}, Limits: bus.DefaultLimits(),
		Open: func(_ context.Context, _ bus.Partition, st *state.Partition) (bus.Task, error) {
			t := &errorsTask{cfg: cfg, st: st, versions: map[string]*version{}}
			return t, t.load()
		},
	}
}

type errorsTask struct {
	cfg      Config
	st       *state.Partition
	versions map[string]*version // by model, 0, version
}

// version is what is known of one version of one model.
type version struct {
	detector GLR
	stretch  stretch
	changed  bool
}

func versionKey(model, v string) string { return model + "\x00" + v }

// Process implements bus.Task.
func (t *errorsTask) Process(_ context.Context, in []bus.Record, out *bus.Output) error {
	for i := range in {
		if in[i].Kind != schemas.KindTrainingExample {
			continue
		}
		var ex schemas.TrainingExample
		if err := ex.Unmarshal(in[i].Value); err != nil {
			return fmt.Errorf("drift: decode %s at offset %d: %w", in[i].Partition, in[i].Offset, err)
		}
		// A reviewer who thinks again is not a second observation of the model.
		if ex.Revision == 1 && ex.Correct != nil {
			t.one(&in[i], out, &ex)
		}
	}
	return t.save()
}

func (t *errorsTask) one(r *bus.Record, out *bus.Output, ex *schemas.TrainingExample) {
	key := versionKey(ex.Model, ex.ModelVersion)
	v := t.versions[key]
	if v == nil {
		v = &version{detector: GLR{Delta: t.cfg.ErrorDelta}, stretch: newStretch()}
		t.versions[key] = v
	}
	v.changed = true
	v.stretch.role = ex.Role
	v.stretch.add(r.Offset, ex.Label, *ex.Correct)
	change, alarm := v.detector.Observe(r.Offset, !*ex.Correct)
	if alarm || v.stretch.due(t.cfg, t.cfg.ReportEvery) {
		// Before a signal, so that who reads it knows of every example up to it.
		v.stretch.report(r, out, ex.Envelope, errorsName, ex.Model, ex.ModelVersion)
	}
	if !alarm {
		return
	}
	signal := &schemas.DriftSignal{
		Envelope: envelope(ex.Envelope, r, errorsName, "signal "+ex.ModelVersion), Model: ex.Model, ModelVersion: ex.ModelVersion,
		Detector: "glr", Signal: "error_rate", Topic: r.Topic, Partition: r.Partition.Partition,
		FromOffset: change.From, ToOffset: r.Offset + 1, Statistic: change.Statistic, Threshold: change.Threshold,
		Before: change.Before, After: change.After, Examples: change.Examples, ExamplesTotal: change.Total,
		Detail: fmt.Sprintf("errors of %s rose from %.1f %% to %.1f %% over the last %d examples", ex.ModelVersion, 100*change.Before, 100*change.After, change.Examples),
	}
	out.Emit(r, bus.ModelEvents, out.ByKey(bus.ModelEvents, []byte(ex.Model)), []byte(ex.Model), signal)
	v.detector = GLR{Delta: t.cfg.ErrorDelta} // what comes next is compared with itself
}

// saved is a version's stretch in the state; its detector follows in its own form.
type saved struct {
	From, To, Examples, Correct, Total int64
	Labels                             map[string]int64
	Role                               string
	Detector                           []byte
}

func (t *errorsTask) save() error {
	for key, v := range t.versions {
		if !v.changed {
			continue
		}
		s := v.stretch
		data, err := json.Marshal(saved{s.from, s.to, s.examples, s.correct, s.total, s.labels, s.role, v.detector.AppendState(nil)})
		if err != nil {
			return fmt.Errorf("drift: render the state: %w", err)
		}
		t.st.Set([]byte(key), data)
		v.changed = false
	}
	return nil
}

func (t *errorsTask) load() error {
	for kv, err := range t.st.Scan(nil) {
		if err != nil {
			return err
		}
		var s saved
		if err := json.Unmarshal(kv.Value, &s); err != nil {
			return fmt.Errorf("%w: %w", errState, err)
		}
		v := &version{detector: GLR{Delta: t.cfg.ErrorDelta}, stretch: stretch{s.From, s.To, s.Examples, s.Correct, s.Total, s.Labels, s.Role}}
		if rest, err := v.detector.LoadState(s.Detector); err != nil || len(rest) > 0 {
			return errState
		}
		if v.stretch.labels == nil {
			v.stretch.labels = map[string]int64{}
		}
		t.versions[string(kv.Key)] = v
	}
	return nil
}
