// Package join makes training examples: an inference and a feedback on it, in whatever
// order they come.
//
// It reads interactions, the one log that orders both, and keeps of each ids, answers and
// times for 30 days of arrival; bodies stay in the lake. Every feedback makes an example.
// Where an inference has several, the last in the log's order counts: its example has the
// highest revision and replaces the earlier ones.
package join

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/content"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// Config is what may be chosen.
type Config struct {
	// Window is how long one waits for the other, counted from its arrival.
	Window time.Duration `yaml:"window"`
}

// DefaultConfig waits 30 days.
func DefaultConfig() Config { return Config{Window: 30 * 24 * time.Hour} }

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if c.Window < time.Hour {
		return fmt.Errorf("join: window must be 1h or more, got %s", c.Window)
	}
	return nil
}

// stageName is the step of the examples' origins.
const stageName = "join"

// Stage is the processor.
func Stage(cfg Config) (bus.Stage, error) {
	if err := cfg.Validate(); err != nil {
		return bus.Stage{}, err
	}
	return bus.Stage{
		Name: stageName, Inputs: []string{bus.Interactions}, Limits: bus.DefaultLimits(),
		Open: func(_ context.Context, _ bus.Partition, st *state.Partition) (bus.Task, error) {
			t := &task{st: st, window: schemas.Micros(cfg.Window.Microseconds())}
			return t, t.loadClock()
		},
	}, nil
}

// task joins one partition.
//
// Keys of its state: 'i' tenant id -> the inference, in the form of an example whose
// revision counts its feedback, and its judgement those that judge; 'f' tenant id offset -> a feedback that came first;
// 'd' day, one of these keys -> nothing, for sweeping; 't' -> the latest arrival. The
// length of a tenant and of an id is before it: either may hold any byte.
type task struct {
	st     *state.Partition
	window schemas.Micros
	now    schemas.Micros // the latest arrival; arrivals of two inputs are not in order
	swept  uint32
}

// Process implements bus.Task.
func (t *task) Process(_ context.Context, in []bus.Record, out *bus.Output) error {
	for i := range in {
		r := &in[i]
		var err error
		switch r.Kind {
		case schemas.KindInference:
			err = t.inference(r, out)
		case schemas.KindFeedback:
			err = t.feedback(r, out)
		}
		if err != nil {
			return err
		}
	}
	t.st.Set(clockKey, binary.BigEndian.AppendUint64(nil, uint64(t.now)))
	return t.sweep()
}

var clockKey = []byte("t")

func (t *task) loadClock() error {
	v, ok, err := t.st.Get(clockKey)
	if err != nil || !ok {
		return err
	}
	if len(v) != 8 {
		return fmt.Errorf("join: the clock in the state has %d bytes, want 8; delete the state folder, it is rebuilt", len(v))
	}
	t.now = schemas.Micros(binary.BigEndian.Uint64(v))
	return nil
}

// forgotten says whether what arrived then counts no more. It is decided by the log
// alone: when the sweep comes, which depends on how the log is cut into batches, it
// removes only what is forgotten.
func (t *task) forgotten(arrived schemas.Micros) bool { return day(arrived) < day(t.now-t.window) }

// near says whether two arrivals lie within the window, whichever came first.
func (t *task) near(a, b schemas.Micros) bool { return max(a, b)-min(a, b) <= t.window }

func key(tenant, id string) []byte {
	k := binary.AppendUvarint([]byte{'i'}, uint64(len(tenant)))
	k = binary.AppendUvarint(append(k, tenant...), uint64(len(id)))
	return append(k, id...)
}

func pendingKey(tenant, id string) []byte {
	k := key(tenant, id)
	k[0] = 'f'
	return k
}

func (t *task) inference(r *bus.Record, out *bus.Output) error {
	var in schemas.Inference
	if err := in.Unmarshal(r.Value); err != nil {
		return fmt.Errorf("join: decode %s at offset %d: %w", r.Partition, r.Offset, err)
	}
	t.now = max(t.now, in.ArrivedAt)
	ex := &schemas.TrainingExample{
		Envelope: in.Envelope, InferenceID: in.EventID, Model: in.RequestModel, ModelVersion: in.ModelVersion,
		Role: in.Role, TextID: in.TextID, Prediction: in.Prediction, Confidence: in.Confidence,
		Weight: 1, Split: split(&in), InferenceOffset: r.Offset, InferredAt: in.ArrivedAt,
	}
	k := key(in.Tenant, in.EventID)
	old, known, err := t.load(k)
	if err != nil || known && !t.forgotten(old.InferredAt) {
		return err // the first inference of an id counts
	}
	if known {
		t.st.Delete(indexKey(k, old.InferredAt)) // or its sweep would take the new one
	}
	prefix := pendingKey(in.Tenant, in.EventID)
	var waiting []schemas.Feedback
	var offsets []int64
	for kv, err := range t.st.Scan(prefix) {
		if err != nil {
			return err
		}
		var f schemas.Feedback
		if err := f.Unmarshal(kv.Value); err != nil {
			return fmt.Errorf("join: the state of %s is damaged: %w", r.Partition, err)
		}
		waiting = append(waiting, f)
		offsets = append(offsets, int64(binary.BigEndian.Uint64(kv.Key[len(prefix):])))
	}
	for i := range waiting {
		if f := &waiting[i]; !t.forgotten(f.ArrivedAt) && t.near(f.ArrivedAt, in.ArrivedAt) {
			t.example(r, out, ex, f, offsets[i])
		}
		t.st.Delete(binary.BigEndian.AppendUint64(pendingKey(in.Tenant, in.EventID), uint64(offsets[i])))
	}
	t.store(k, ex, in.ArrivedAt)
	return nil
}

func (t *task) feedback(r *bus.Record, out *bus.Output) error {
	var f schemas.Feedback
	if err := f.Unmarshal(r.Value); err != nil {
		return fmt.Errorf("join: decode %s at offset %d: %w", r.Partition, r.Offset, err)
	}
	t.now = max(t.now, f.ArrivedAt)
	k := key(f.Tenant, f.InferenceID)
	ex, known, err := t.load(k)
	if err != nil {
		return err
	}
	if known && !t.forgotten(ex.InferredAt) && t.near(f.ArrivedAt, ex.InferredAt) {
		inferred := ex.InferredAt
		t.example(r, out, ex, &f, r.Offset)
		t.store(k, ex, inferred)
		return nil
	}
	f.Correction, f.Comment, f.Attributes = "", "", nil // bodies stay in the lake
	t.store(binary.BigEndian.AppendUint64(pendingKey(f.Tenant, f.InferenceID), uint64(r.Offset)), &f, f.ArrivedAt)
	return nil
}

// example writes one feedback's example and counts it in ex.
func (t *task) example(r *bus.Record, out *bus.Output, ex *schemas.TrainingExample, f *schemas.Feedback, offset int64) {
	ex.Revision++
	verdict := correct(ex.Prediction, f)
	if verdict != nil {
		ex.Judgement++
	}
	e := *ex
	e.EventID = bus.DerivedID(bus.Origin{Step: stageName, TopicID: r.TopicID, Partition: r.Partition.Partition, Offset: r.Offset}, f.EventID)
	e.ArrivedAt = max(ex.InferredAt, f.ArrivedAt)
	e.FeedbackID, e.Reviewer, e.Label, e.FeedbackOffset, e.JudgedAt = f.EventID, f.Subject, f.Label, offset, f.ArrivedAt
	if e.Correct = verdict; verdict == nil {
		e.Judgement = 0
	}
	if e.Label == "" && e.Correct != nil && *e.Correct {
		e.Label = ex.Prediction // what was confirmed is the right answer
	}
	id := []byte(e.InferenceID)
	out.Emit(r, bus.TrainingExamples, out.ByKey(bus.TrainingExamples, []byte("model "+e.Model)), id, &e)
}

// correct says whether a feedback calls the prediction right; nil where it does not say.
func correct(prediction string, f *schemas.Feedback) *bool {
	var right bool
	switch {
	case f.Label != "" && prediction != "":
		right = f.Label == prediction
	case f.Thumb == "up" || f.Thumb == "down":
		right = f.Thumb == "up"
	case f.Rating != nil && *f.Rating >= 0 && *f.Rating <= 1:
		right = *f.Rating >= .5
	default:
		return nil
	}
	return &right
}

// split says whether an example is for training or for tests: a function of the text that
// a model is trained on, so that copies are on one side, or of its id where the text is
// not known. The inference on a text event has no input of its own, but its hash.
func split(in *schemas.Inference) string {
	hash := in.ContentHash
	switch {
	case in.InputMessages != "":
		hash = content.Hash(content.Text(in.InputMessages))
	case hash == "":
		hash = in.EventID
	}
	if content.IsTest(hash) {
		return "test"
	}
	return "train"
}

func (t *task) load(k []byte) (*schemas.TrainingExample, bool, error) {
	v, ok, err := t.st.Get(k)
	if err != nil || !ok {
		return nil, false, err
	}
	ex := new(schemas.TrainingExample)
	if err := ex.Unmarshal(v); err != nil {
		return nil, false, fmt.Errorf("join: the state is damaged; delete the state folder, it is rebuilt: %w", err)
	}
	return ex, true, nil
}

func (t *task) store(k []byte, m schemas.Message, arrived schemas.Micros) {
	t.st.Set(k, m.MarshalAppend(nil))
	t.st.Set(indexKey(k, arrived), nil)
}

func indexKey(k []byte, arrived schemas.Micros) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{'d'}, day(arrived)), k...)
}

func day(m schemas.Micros) uint32 {
	if m < 0 {
		return 0
	}
	return uint32(m.Time().Unix() / 86400)
}

// sweepAtOnce bounds what one batch removes.
const sweepAtOnce = 20_000

// sweep removes what is forgotten.
func (t *task) sweep() error {
	oldest := day(t.now - t.window)
	if oldest <= t.swept {
		return nil
	}
	var expired [][]byte
	for kv, err := range t.st.Scan([]byte{'d'}) {
		if err != nil {
			return err
		}
		if len(kv.Key) < 5 || binary.BigEndian.Uint32(kv.Key[1:]) >= oldest || len(expired) == sweepAtOnce {
			break
		}
		expired = append(expired, append([]byte(nil), kv.Key...))
	}
	for _, index := range expired {
		t.st.Delete(index[5:])
		t.st.Delete(index)
	}
	if len(expired) < sweepAtOnce {
		t.swept = oldest
	}
	return nil
}
