// Package clean gives every input its one verdict: clean, rejected by a named rule, a
// duplicate of a named post, or dead.
//
// Verdicts on texts go to clean.text, those on inferences and feedback to interactions,
// each at a partition that is a function of the record's raw key, never of the verdict.
package clean

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/deadletters"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// ReasonIDConflict is of a post of an id that stands elsewhere with other content.
const ReasonIDConflict = "id_conflict"

// Config is what may be chosen.
type Config struct {
	// IDWindow is how long an id is remembered, counted from its arrival.
	IDWindow time.Duration `yaml:"id_window"`
	// StopOnDeadShare stops the stage when more than this share of the last 1,000 records
	// of an input partition is dead; 0 never does.
	StopOnDeadShare float64 `yaml:"stop_on_dead_share"`
}

// DefaultConfig remembers ids for a week, and takes whatever share is dead.
func DefaultConfig() Config { return Config{IDWindow: 7 * 24 * time.Hour} }

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if c.IDWindow < time.Hour {
		return fmt.Errorf("clean: id_window must be 1h or more, got %s", c.IDWindow)
	}
	if !(c.StopOnDeadShare >= 0 && c.StopOnDeadShare <= 1) {
		return fmt.Errorf("clean: stop_on_dead_share must be from 0 (never) to 1, got %g", c.StopOnDeadShare)
	}
	return nil
}

// Deps is what clean works with.
type Deps struct {
	Rules *rules.Rules
	// Tenant is given to events that name none.
	Tenant string
	// Objects hold how far people have looked at what is dead; needed where the share of
	// the dead may stop the stage.
	Objects objstore.Store
	Metrics prometheus.Registerer
	Clock   func() time.Time
}

// Stage is the processor.
func Stage(cfg Config, deps Deps) (bus.Stage, error) {
	if err := cfg.Validate(); err != nil {
		return bus.Stage{}, err
	}
	if deps.Rules == nil || deps.Tenant == "" {
		return bus.Stage{}, errors.New("clean: rules and a tenant are needed")
	}
	if cfg.StopOnDeadShare > 0 && deps.Objects == nil {
		return bus.Stage{}, errors.New("clean: stop_on_dead_share needs the objects, where it is noted how far a person has looked")
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return bus.Stage{}, err
	}
	return bus.Stage{
		Name: "clean", Inputs: []string{bus.RawText, bus.InferenceLogs, bus.UserFeedback}, Limits: bus.DefaultLimits(),
		Open: func(ctx context.Context, p bus.Partition, st *state.Partition) (bus.Task, error) {
			t := &task{deps: deps, at: p, metrics: m, ids: ids{st: st, window: cfg.IDWindow}, dead: share{st: st}, out: bus.Interactions}
			switch p.Topic {
			case bus.RawText:
				t.event, t.out = new(schemas.Text), bus.CleanText
			case bus.InferenceLogs:
				t.event = new(schemas.Inference)
			case bus.UserFeedback:
				t.event = new(schemas.Feedback)
			default:
				return nil, fmt.Errorf("clean: %s is not an input", p.Topic)
			}
			if cfg.StopOnDeadShare > 0 {
				looked, err := deadletters.Resumed(ctx, deps.Objects, p)
				if err != nil {
					return nil, fmt.Errorf("clean: %w", err)
				}
				t.stop = stop{share: cfg.StopOnDeadShare, looked: looked}
			}
			return t, errors.Join(t.ids.load(), t.dead.load())
		},
	}, nil
}

// task cleans one partition.
type task struct {
	deps    Deps
	at      bus.Partition
	metrics *metrics
	ids     ids
	dead    share
	stop    stop
	stopped bool   // by stop
	out     string // the topic of its verdicts
	event   schemas.Message
	clean   schemas.CleanText
	scratch []byte
}

// Process implements bus.Task.
func (t *task) Process(_ context.Context, in []bus.Record, out *bus.Output) error {
	t.metrics.show(t.at, &t.dead)
	if err := t.stop.check(&t.dead, t.at); err != nil {
		t.stopped = true
		return err
	}
	for i := range in {
		if err := t.one(&in[i], out); err != nil {
			return err
		}
	}
	t.dead.save()
	t.metrics.show(t.at, &t.dead)
	return t.ids.save()
}

// Close implements bus.Closer. What stopped the stage stays to be seen.
func (t *task) Close() {
	if !t.stopped {
		t.metrics.forget(t.at)
	}
}

// one gives one record its verdict.
func (t *task) one(r *bus.Record, out *bus.Output) error {
	arrived := t.ids.arrive(schemas.MicrosOf(r.Timestamp), schemas.MicrosOf(t.deps.Clock()))
	if r.Unreadable {
		t.event.Reset()
		t.complete(r, arrived)
		t.bury(r, out, schemas.ClassTooLarge, "its batch unpacks to more than is taken; send smaller batches")
		return nil
	}
	var reason, detail string // of what is malformed
	if err := t.decode(r); err != nil {
		var wrong *schemas.FieldError
		if !errors.As(err, &wrong) {
			return fmt.Errorf("clean: decode: %w", err)
		}
		reason, detail = wrong.Class, wrong.Error()
	}
	named := reason == "" && t.event.Env().EventID != ""
	t.complete(r, arrived)
	if r.Replay != nil && !r.Derived { // the copy of a replay under its right key is of the first
		first, again, err := t.ids.replay(r, arrived)
		if err != nil {
			return err
		}
		if again {
			t.emit(r, out, t.duplicate("replayed", first), "duplicate", "")
			return nil
		}
	}
	if reason != "" {
		t.bury(r, out, reason, detail)
		return nil
	}
	if key := t.key(); named || key != t.event.Env().EventID {
		k := []byte(key)
		if home := out.ByKey(t.at.Topic, k); home != t.at.Partition || !bytes.Equal(k, r.Key) {
			t.rekey(r, out, home, k)
			return nil
		}
	}
	return t.post(r, out, arrived)
}

// post gives a record under its right key its verdict.
func (t *task) post(r *bus.Record, out *bus.Output, arrived schemas.Micros) error {
	first, err := t.ids.post(t.event, r, arrived)
	if err != nil {
		return err
	}
	switch first.outcome {
	case repeated:
		t.emit(r, out, t.duplicate("repeated", first), "duplicate", "")
	case conflicting:
		t.bury(r, out, ReasonIDConflict, fmt.Sprintf("event_id was posted with other content at offset %d of partition %d", first.offset, t.at.Partition))
	default:
		t.judge(r, out, arrived)
	}
	return nil
}

// decode reads a record's value, Protobuf or JSON: as the content type says, else JSON
// where it begins with a brace.
func (t *task) decode(r *bus.Record) error {
	switch r.ContentType {
	case bus.ContentJSON:
		return t.event.DecodeJSON(r.Value)
	case bus.ContentProtobuf:
		return t.event.Unmarshal(r.Value)
	}
	text := bytes.TrimLeft(r.Value, " \t\r\n")
	if len(text) == 0 || text[0] != '{' {
		return t.event.Unmarshal(r.Value)
	}
	err := t.event.DecodeJSON(r.Value)
	// A line feed and a brace are also how Protobuf begins, with an envelope of 123 bytes.
	if err != nil && r.Value[0] == '\n' && t.event.Unmarshal(r.Value) == nil {
		return nil
	}
	return err
}

// complete gives an event what it may lack: an id, which then is a function of its
// origin, and a tenant.
func (t *task) complete(r *bus.Record, arrived schemas.Micros) {
	env := t.event.Env()
	env.ArrivedAt, env.RulesVersion = arrived, t.deps.Rules.Version()
	if !r.Derived { // predict knows the hash of the text that it judged; strangers claim it
		env.ContentHash = ""
	}
	of := r.Origin
	env.ReplayOf = ""
	if r.Replay != nil {
		of = *r.Replay
		env.ReplayOf = fmt.Sprintf("%s:%d:%d", of.TopicID, of.Partition, of.Offset)
	}
	if env.EventID == "" { // that of the place is the same for its copy under another key, and for its replay
		env.EventID = bus.DerivedID(bus.Origin{TopicID: of.TopicID, Partition: of.Partition, Offset: of.Offset}, "")
	}
	if env.Tenant == "" {
		env.Tenant = t.deps.Tenant
	}
}

// key is the key that the event's record should have.
func (t *task) key() string {
	if f, ok := t.event.(*schemas.Feedback); ok {
		return f.InferenceID
	}
	return t.event.Env().EventID
}

// rekey writes a record once more under its right key and where Kafka's own clients put
// that key (others hash differently), so that all posts of an id, and an inference and
// its feedback, meet in one partition.
func (t *task) rekey(r *bus.Record, out *bus.Output, home int32, key []byte) {
	if most := out.MaxBytes(t.at.Topic); len(r.Value) > most {
		t.bury(r, out, schemas.ClassTooLarge, fmt.Sprintf("its key is not its id, and it has %d bytes: what is written once more may have %d", len(r.Value), most))
		return
	}
	t.emit(r, out, t.duplicate("rekeyed", post{}), "rekeyed", "")
	out.EmitRaw(r, t.at.Topic, home, key, "", r.Value)
}

func (t *task) duplicate(reason string, first post) *schemas.Duplicate {
	d := &schemas.Duplicate{
		Envelope: *t.event.Env(), Topic: t.at.Topic, Reason: reason,
		FirstPartition: t.at.Partition, FirstOffset: first.offset,
	}
	if d.Validate() != nil { // a second replay may be of what cannot be read
		d.Envelope = readable(d.Envelope)
	}
	return d
}

func (t *task) judge(r *bus.Record, out *bus.Output, arrived schemas.Micros) {
	var v rules.Verdict
	var clean schemas.Message
	switch e := t.event.(type) {
	case *schemas.Text:
		t.clean.ArrivedAt = arrived
		v = t.deps.Rules.Text(e, &t.clean)
		clean = &t.clean
	case *schemas.Inference:
		v, clean = t.deps.Rules.Inference(e), e
	case *schemas.Feedback:
		v, clean = t.deps.Rules.Feedback(e), e
	}
	if !v.Clean() {
		t.emit(r, out, &schemas.Rejected{Envelope: *t.event.Env(), Topic: t.at.Topic, Rule: v.Rule, Detail: v.Detail, Scores: v.Scores}, "rejected", v.Rule)
		return
	}
	if size := clean.Size(); size > out.MaxBytes(t.out) {
		t.bury(r, out, schemas.ClassTooLarge, fmt.Sprintf("its clean form has %d bytes, the limit is %d", size, out.MaxBytes(t.out)))
		return
	}
	t.emit(r, out, clean, "clean", "")
}

// place is what stands for the key of a record that has none.
func (t *task) place(r *bus.Record) []byte {
	if len(r.Key) > 0 {
		return r.Key
	}
	t.scratch = fmt.Appendf(t.scratch[:0], "%d", t.at.Partition)
	return t.scratch
}

// emit writes a verdict. It is always the first that is written for its record.
func (t *task) emit(r *bus.Record, out *bus.Output, verdict schemas.Message, outcome, rule string) {
	partition := t.at.Partition % max(1, out.Partitions(t.out))
	if t.out == bus.Interactions && len(r.Key) > 0 {
		partition = out.ByKey(t.out, r.Key)
	}
	key := r.Key
	if len(key) > bus.MaxKey {
		key = nil // it is no id; the letter of what is dead says how long it was
	}
	out.Emit(r, t.out, partition, key, verdict)
	t.dead.note(r.Offset, outcome == outcomeDead, rule)
	t.metrics.verdicts.WithLabelValues(t.at.Topic, outcome, rule).Inc()
}
