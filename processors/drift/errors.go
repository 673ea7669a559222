package drift

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

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
	// inferred is when the latest of its inferences arrived, alarmed whether it ever
	// raised a signal.
	inferred schemas.Micros
	alarmed  bool
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
		if observes(&ex) {
			t.one(&in[i], out, &ex)
		}
	}
	return t.save()
}

// observes says whether ex is an observation of the model: the first feedback that judges
// the inference. A comment before it judges nothing, and a reviewer who thinks again is
// not a second observation. Examples of before judgements were counted have none; of
// those the first feedback counts.
func observes(ex *schemas.TrainingExample) bool {
	return ex.Correct != nil && (ex.Judgement == 1 || ex.Judgement == 0 && ex.Revision == 1)
}

// version is that of ex.
func (t *errorsTask) version(ex *schemas.TrainingExample) *version {
	key := versionKey(ex.Model, ex.ModelVersion)
	v := t.versions[key]
	if v == nil {
		v = t.begin(ex)
		t.versions[key] = v
	}
	v.changed = true
	v.inferred = max(v.inferred, ex.InferredAt)
	return v
}

// begin makes a version that is seen for the first time. Its detector goes on with what
// that of the version knows which answered before it, so that a change soon after a
// promotion is held against more than the few examples since. One that raised a signal
// hands nothing on: what replaces it is not to be held against its errors.
//
// The bound on false alarms stands as long as no version errs more often than the one
// before it. Then the rates of the observations never rise, p1 >= p2 >= ..., and for any
// point the mean rate q behind it is no higher than before it. The statistic at the point
// is the least over r of the sum of n kl(mean, r) of both sides; at the r next to q that
// lies between the two observed means, it is at most n kl(mean, q) summed over the sides
// that lie beyond q: the one before it below, the one behind it above. Both are the
// deviations that the threshold bounds for equal rates, and unequal ones of the same mean
// deviate less (Hoeffding, Annals of Mathematical Statistics 27, 1956). A version that
// does err more often than the one before it raises a signal in time, as it should.
func (t *errorsTask) begin(ex *schemas.TrainingExample) *version {
	v := &version{detector: GLR{Delta: t.cfg.ErrorDelta}, stretch: newStretch()}
	if before := t.before(ex); before != nil && !before.alarmed {
		v.detector = before.detector.clone()
	}
	return v
}

// before is the version of ex's model, in ex's role, that answered last; nil where ex is
// of no version, or of the first.
func (t *errorsTask) before(ex *schemas.TrainingExample) *version {
	if ex.ModelVersion == "" {
		return nil
	}
	prefix, last := versionKey(ex.Model, ""), ""
	for key, v := range t.versions {
		if len(key) == len(prefix) || !strings.HasPrefix(key, prefix) || v.stretch.role != ex.Role {
			continue
		}
		if last == "" || cmp.Or(cmp.Compare(v.inferred, t.versions[last].inferred), strings.Compare(key, last)) > 0 {
			last = key
		}
	}
	return t.versions[last]
}

func (t *errorsTask) one(r *bus.Record, out *bus.Output, ex *schemas.TrainingExample) {
	v := t.version(ex)
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
	v.detector, v.alarmed = GLR{Delta: t.cfg.ErrorDelta}, true // what comes next is compared with itself
}

// saved is a version's stretch in the state; its detector follows in its own form.
type saved struct {
	From, To, Examples, Correct, Total int64
	Labels                             map[string]int64
	Role                               string
	Detector                           []byte
	Inferred                           schemas.Micros
	Alarmed                            bool
}

func (t *errorsTask) save() error {
	for key, v := range t.versions {
		if !v.changed {
			continue
		}
		s := v.stretch
		data, err := json.Marshal(saved{s.from, s.to, s.examples, s.correct, s.total, s.labels, s.role, v.detector.AppendState(nil), v.inferred, v.alarmed})
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
		v := &version{
			detector: GLR{Delta: t.cfg.ErrorDelta}, stretch: stretch{s.From, s.To, s.Examples, s.Correct, s.Total, s.Labels, s.Role},
			inferred: s.Inferred, alarmed: s.Alarmed,
		}
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
