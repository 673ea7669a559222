package join

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/content"
	"github.com/millrace-io/millrace/schemas"
)

// began is when the tests' logs begin: the start of a day, so that days can be counted.
const began = schemas.Micros(1_700_006_400_000_000)

const hour = schemas.Micros(3600_000_000)

var window = schemas.Micros(DefaultConfig().Window.Microseconds())

func newStage(t testing.TB) bus.Stage {
	t.Helper()
	s, err := Stage(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inference is one as clean passes it on, which arrived some time after began.
func inference(tenant, id string, after schemas.Micros) *kgo.Record {
	return bustest.Event(bus.Interactions, id, &schemas.Inference{
		Envelope:     schemas.Envelope{Tenant: tenant, EventID: id, EventTime: began, ArrivedAt: began + after, Subject: "asker", ContentHash: "1:" + id},
		RequestModel: "m", ModelVersion: "v1", Role: "champion", TextID: "text-" + id, Prediction: "spam", Confidence: .75,
		InputMessages: "a body that is not to be copied",
	})
}

// feedback is one on an inference that gives a label.
func feedback(tenant, id, of, label string, after schemas.Micros) *kgo.Record {
	return bustest.Event(bus.Interactions, of, &schemas.Feedback{
		Envelope:    schemas.Envelope{Tenant: tenant, EventID: id, ArrivedAt: began + after, Subject: "reviewer"},
		InferenceID: of, Label: label, Comment: "a body too",
	})
}

// examples reads all examples in the log's order, and checks what must hold of each
// record.
func examples(t testing.TB, c *bustest.Cluster, b *bus.Bus) []*schemas.TrainingExample {
	t.Helper()
	var out []*schemas.TrainingExample
	ids := map[string]bool{}
	for _, r := range c.Read(b, bus.TrainingExamples) {
		e := bustest.Decode(t, &r).(*schemas.TrainingExample)
		if !r.Derived || r.Origin.Step != "join" || string(r.Key) != e.InferenceID {
			t.Errorf("offset %d: of %s, under key %q, is an example on %q", r.Offset, r.Origin, r.Key, e.InferenceID)
		}
		if e.EventID == "" || ids[e.EventID] {
			t.Errorf("offset %d: two examples have the id %q", r.Offset, e.EventID)
		}
		ids[e.EventID] = true
		out = append(out, e)
	}
	return out
}

// joined is what becomes of records.
func joined(t testing.TB, records ...*kgo.Record) []*schemas.TrainingExample {
	t.Helper()
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	for _, r := range records {
		c.Produce(bustest.OnPartition(r, 0))
	}
	c.MustDrain(b, newStage(t))
	return examples(t, c, b)
}

// TestEitherOrder checks that it does not matter which comes first.
func TestEitherOrder(t *testing.T) {
	right := false
	want := schemas.TrainingExample{
		Envelope:    schemas.Envelope{Tenant: "a", EventTime: began, ArrivedAt: began + 2*hour, Subject: "asker", ContentHash: "1:i"},
		InferenceID: "i", FeedbackID: "f", Model: "m", ModelVersion: "v1", Role: "champion", TextID: "text-i",
		Prediction: "spam", Confidence: .75, Label: "ham", Correct: &right, Weight: 1, Split: "train", Revision: 1, Judgement: 1,
		Reviewer: "reviewer", InferredAt: began + hour, JudgedAt: began + 2*hour,
	}
	for name, records := range map[string][]*kgo.Record{
		"inference first": {inference("a", "i", hour), feedback("a", "f", "i", "ham", 2*hour)},
		"feedback first":  {feedback("a", "f", "i", "ham", 2*hour), inference("a", "i", hour)},
	} {
		got := joined(t, records...)
		if len(got) != 1 {
			t.Fatalf("%s: %d examples, want 1", name, len(got))
		}
		if got[0].InferenceOffset+got[0].FeedbackOffset != 1 || (name == "feedback first") != (got[0].InferenceOffset == 1) {
			t.Errorf("%s: the inference is at %d and the feedback at %d", name, got[0].InferenceOffset, got[0].FeedbackOffset)
		}
		got[0].EventID, got[0].InferenceOffset, got[0].FeedbackOffset = "", 0, 0
		if !reflect.DeepEqual(*got[0], want) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got[0].AppendJSON(nil), want.AppendJSON(nil))
		}
	}
}

// TestRevisions checks that the last feedback in the log's order counts, whether the
// inference lies before it, behind it or between.
func TestRevisions(t *testing.T) {
	labels := []string{"ham", "spam", "ads"}
	for at := range len(labels) + 1 {
		var records []*kgo.Record
		for i, l := range labels {
			if i == at {
				records = append(records, inference("a", "i", 0))
			}
			// The times go back, as they may between partitions: the log's order is what counts.
			records = append(records, feedback("a", fmt.Sprint("f", i), "i", l, hour*schemas.Micros(9-i)))
		}
		if at == len(labels) {
			records = append(records, inference("a", "i", 0))
		}
		records = append(records, inference("a", "i", 20*hour)) // one of the same id is not the one that was judged
		got := joined(t, records...)
		if len(got) != len(labels) {
			t.Fatalf("the inference at %d: %d examples, want %d", at, len(got), len(labels))
		}
		for i, e := range got {
			if e.Revision != int64(i+1) || e.Label != labels[i] || e.InferredAt != began || *e.Correct != (labels[i] == "spam") {
				t.Errorf("the inference at %d: example %d is %s", at, i, e.AppendJSON(nil))
			}
		}
	}
}

// TestJudgements checks that those are counted which say whether the answer was right,
// whatever lies between.
func TestJudgements(t *testing.T) {
	thumb := func(id, thumb string) *kgo.Record {
		return bustest.Event(bus.Interactions, "i", &schemas.Feedback{Envelope: schemas.Envelope{Tenant: "a", EventID: id, ArrivedAt: began}, InferenceID: "i", Thumb: thumb, Comment: "hm"})
	}
	for _, at := range []int{0, 2, 5} {
		records := []*kgo.Record{thumb("f0", ""), feedback("a", "f1", "i", "ham", 0), thumb("f2", ""), thumb("f3", "up"), thumb("f4", "")}
		records = slices.Insert(records, at, inference("a", "i", 0))
		var got []int64
		for _, e := range joined(t, records...) {
			if (e.Correct == nil) != (e.Judgement == 0) {
				t.Errorf("the inference at %d: %s", at, e.AppendJSON(nil))
			}
			got = append(got, e.Judgement)
		}
		if want := []int64{0, 1, 0, 2, 0}; !slices.Equal(got, want) {
			t.Errorf("the inference at %d: judgements %v, want %v", at, got, want)
		}
	}
}

// TestApart checks that what does not belong together is not joined: others' feedback,
// names that run into each other, and what comes too late.
func TestApart(t *testing.T) {
	for _, x := range []struct {
		name    string
		records []*kgo.Record
		want    int
	}{
		{"another tenant", []*kgo.Record{inference("a", "i", 0), feedback("b", "f", "i", "ham", 0), feedback("b", "g", "j", "ham", 0), inference("a", "j", 0)}, 0},
		{"another id", []*kgo.Record{feedback("a", "f", "ix", "ham", 0), inference("a", "i", 0), feedback("a", "g", "i ", "ham", 0)}, 0},
		{"a tenant's name goes on in an id", []*kgo.Record{inference("a", "b\x00c", 0), feedback("a\x00b", "f", "c", "ham", 0)}, 0},
		{"an id goes on", []*kgo.Record{feedback("a", "f", "i\x00j", "ham", 0), inference("a", "i", 0), inference("a", "i\x00j", 0)}, 1},
		{"feedback at the end of the window", []*kgo.Record{inference("a", "i", 0), feedback("a", "f", "i", "ham", window)}, 1},
		{"feedback behind the window", []*kgo.Record{inference("a", "i", 0), feedback("a", "f", "i", "ham", window+1)}, 0},
		{"inference at the end of the window", []*kgo.Record{feedback("a", "f", "i", "ham", 0), inference("a", "i", window)}, 1},
		{"inference behind the window", []*kgo.Record{feedback("a", "f", "i", "ham", 0), inference("a", "i", window+1)}, 0},
		{"feedback on nothing", []*kgo.Record{feedback("a", "f", "i", "ham", 0)}, 0},
	} {
		if got := joined(t, x.records...); len(got) != x.want {
			t.Errorf("%s: %d examples, want %d", x.name, len(got), x.want)
		}
	}
}

// TestExpiry checks that what waited in vain leaves the state with its day.
func TestExpiry(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	stage := newStage(t)
	keys := func() string {
		db := stateOf(t, c, b, stage)
		return strings.Join(db, " ")
	}
	put := func(records ...*kgo.Record) {
		for _, r := range records {
			c.Produce(bustest.OnPartition(r, 0))
		}
		c.MustDrain(b, stage)
	}
	put(inference("a", "judged", 0), feedback("a", "f", "judged", "ham", hour), inference("a", "unjudged", hour),
		feedback("a", "g", "unknown", "ham", hour), inference("a", "young", 30*hour))
	for _, name := range []string{"judged", "unjudged", "unknown", "young"} {
		if !strings.Contains(keys(), name) {
			t.Errorf("%s is not waited for", name)
		}
	}
	put(inference("a", "new", window+25*hour))
	for name, want := range map[string]bool{"judged": false, "unjudged": false, "unknown": false, "young": true, "new": true} {
		if got := strings.Contains(keys(), name); got != want {
			t.Errorf("a day behind the window: %s is in the state: %t, want %t", name, got, want)
		}
	}
}

var errCrash = errors.New("crash")

// history is a log in which ids come again, feedback before and behind its inference, and
// in which arrival jumps back and forth by more than the window, as it does where one
// input is read long after another.
func history() []*kgo.Record {
	rng := rand.New(rand.NewPCG(5, 9))
	var out []*kgo.Record
	for i := range 800 {
		id := fmt.Sprintf("i%d", rng.IntN(60))
		at := schemas.Micros(i)*3*hour + schemas.Micros(rng.Int64N(int64(window*5/4)))
		if rng.IntN(3) == 0 {
			out = append(out, bustest.OnPartition(inference("a", id, at), 0))
		} else {
			out = append(out, bustest.OnPartition(feedback("a", fmt.Sprint("f", i), id, []string{"ham", "spam"}[rng.IntN(2)], at), 0))
		}
	}
	return out
}

// TestRestart checks that the examples are a function of the log: not of how it was cut
// into batches, nor of how often a member died, with its state or without.
func TestRestart(t *testing.T) {
	run := func(batch int, crash bool) []string {
		c := bustest.New(t)
		b := c.Member(vfs.NewMem())
		c.Produce(history()...)
		stage := newStage(t)
		stage.Limits.MaxRecords = batch
		var n atomic.Int64
		for tries := 0; ; tries++ {
			err := c.Drain(b, bustest.Failing(stage, func() error {
				if n.Add(1)%9 == 4 && crash {
					return errCrash
				}
				return nil
			}))
			if err == nil {
				break
			}
			if !errors.Is(err, errCrash) || tries > 100 {
				t.Fatal(err)
			}
			if tries == 2 || tries == 5 {
				b = c.Member(vfs.NewMem()) // it has no state: everything is written again, and counts once
			}
		}
		var out []string
		for _, e := range examples(t, c, b) {
			e.EventID = "" // a function of the topic's id, which each cluster has its own of
			out = append(out, string(e.AppendJSON(nil)))
		}
		return out
	}
	want := run(10_000, false)
	if len(want) < 100 {
		t.Fatalf("the history makes %d examples, which proves little", len(want))
	}
	for _, x := range []struct {
		batch int
		crash bool
	}{{1, false}, {40, false}, {40, true}} {
		got := run(x.batch, x.crash)
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("batches of %d, crashes %t: example %d\ngot  %s\nwant %s", x.batch, x.crash, i, got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("batches of %d, crashes %t: %d examples, want %d", x.batch, x.crash, len(got), len(want))
		}
	}
}

// TestCorrect checks which feedback says whether the answer was right.
func TestCorrect(t *testing.T) {
	rate := func(f float64) *float64 { return &f }
	for _, x := range []struct {
		prediction string
		f          schemas.Feedback
		want       string
	}{
		{"spam", schemas.Feedback{Label: "spam"}, "true"},
		{"spam", schemas.Feedback{Label: "ham", Thumb: "up"}, "false"}, // a label says more than a thumb
		{"", schemas.Feedback{Label: "ham", Thumb: "up"}, "true"},
		{"", schemas.Feedback{Label: "ham"}, "nothing"},
		{"spam", schemas.Feedback{Thumb: "down"}, "false"},
		{"spam", schemas.Feedback{Rating: rate(1)}, "true"},
		{"spam", schemas.Feedback{Rating: rate(.25)}, "false"},
		{"spam", schemas.Feedback{Rating: rate(4)}, "nothing"}, // of a scale that is not known
		{"spam", schemas.Feedback{Comment: "hm"}, "nothing"},
	} {
		got := "nothing"
		if c := correct(x.prediction, &x.f); c != nil {
			got = fmt.Sprint(*c)
		}
		if got != x.want {
			t.Errorf("%s of the answer %q: %s, want %s", x.f.AppendJSON(nil), x.prediction, got, x.want)
		}
	}
}

// TestSplit checks that an example's side is that of the text that is trained on, as
// datasets are split: of the text event's, or of the input's text, whatever its form.
func TestSplit(t *testing.T) {
	test := 0
	for i := range 1000 {
		text := fmt.Sprint("text number ", i)
		want := "train"
		if content.IsTest(content.Hash(text)) {
			want = "test"
			test++
		}
		for _, in := range []schemas.Inference{
			{Envelope: schemas.Envelope{EventID: "a", ContentHash: content.Hash(text)}, TextID: "t"},
			{Envelope: schemas.Envelope{EventID: "b", ContentHash: "1:of the messages"}, InputMessages: text},
			{Envelope: schemas.Envelope{EventID: "c"}, InputMessages: `[{"role":"user","content":"` + text + `"}]`},
		} {
			if got := split(&in); got != want {
				t.Errorf("inference %s on %q is for %s, want %s", in.EventID, text, got, want)
			}
		}
	}
	if test < 50 || test > 150 {
		t.Errorf("%d of 1,000 are for tests", test)
	}
	known := map[string]bool{}
	for i := range 100 {
		known[split(&schemas.Inference{Envelope: schemas.Envelope{EventID: fmt.Sprint("i", i)}})] = true
	}
	if len(known) != 2 {
		t.Errorf("without a text all are for %v", known)
	}
}

func TestConfig(t *testing.T) {
	if _, err := Stage(Config{Window: time.Minute}); err == nil || !strings.Contains(err.Error(), "window") {
		t.Errorf("a window of a minute: %v", err)
	}
}
