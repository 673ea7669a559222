package drift

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/schemas"
)

const began = schemas.Micros(1_700_000_000_000_000)

// example is a judged inference of a version, on partition 0.
func example(version string, revision int64, correct *bool, label string) *kgo.Record {
	m := &schemas.TrainingExample{Model: "m", ModelVersion: version, Role: "champion", Revision: revision, Correct: correct, Label: label}
	m.Tenant, m.ArrivedAt = "a", began
	return bustest.OnPartition(bustest.Event(bus.TrainingExamples, version, m), 0)
}

// judged draws n first judgements of a version that errs at a rate.
func judged(rng *rand.Rand, version string, n int, errs float64) []*kgo.Record {
	out := make([]*kgo.Record, n)
	for i := range out {
		right := rng.Float64() >= errs
		out[i] = example(version, 1, &right, []string{"ham", "spam"}[rng.IntN(2)])
	}
	return out
}

// texts draws n texts of words of a vocabulary; every fourth has a label.
func texts(rng *rand.Rand, vocabulary string, n int) []*kgo.Record {
	out := make([]*kgo.Record, n)
	for i := range out {
		m := &schemas.CleanText{}
		m.Tenant, m.EventID, m.ArrivedAt = "a", fmt.Sprint(vocabulary, i), began
		for range 12 {
			m.Text += fmt.Sprintf("%s%d ", vocabulary, int(rng.ExpFloat64()*20))
		}
		if i%4 == 0 {
			m.Label = []string{"ham", "spam"}[rng.IntN(2)]
		}
		out[i] = bustest.OnPartition(bustest.Event(bus.CleanText, m.EventID, m), 0)
	}
	return out
}

// stage is one of the two; model is "m".
func stage(t testing.TB, cfg Config, name string) bus.Stage {
	t.Helper()
	all, err := Stages(cfg, "m")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s bus.Stage) bool { return s.Name == name })
	return all[i]
}

// seen reads what the stages wrote, and checks what must hold of each record.
func seen(t testing.TB, c *bustest.Cluster, b *bus.Bus) (all []schemas.Message, reports []*schemas.QualityReport, signals []*schemas.DriftSignal) {
	t.Helper()
	ids := map[string]bool{}
	for _, r := range c.Read(b, bus.ModelEvents) {
		m := bustest.Decode(t, &r)
		if string(r.Key) != "m" || m.Env().Tenant != "a" || m.Env().ArrivedAt != began || ids[m.Env().EventID] {
			t.Errorf("offset %d: under key %q: %s", r.Offset, r.Key, m.AppendJSON(nil))
		}
		ids[m.Env().EventID] = true
		all = append(all, m)
		switch m := m.(type) {
		case *schemas.QualityReport:
			reports = append(reports, m)
		case *schemas.DriftSignal:
			signals = append(signals, m)
		}
	}
	return all, reports, signals
}

// TestErrors checks that the version whose errors jump raises one signal, which dates the
// jump, and the other, on the same partition, none; and that reports account for every
// first judgement up to a signal, whatever lies between.
func TestErrors(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	rng := rand.New(rand.NewPCG(1, 2))
	wrong := false
	var log []*kgo.Record
	mix := func(n int, rate1, rate2 float64) {
		one, two := judged(rng, "v1", 2*n, rate1), judged(rng, "v2", n, rate2)
		for i := range n {
			// Second thoughts, and judgements that do not say what was right, are no errors.
			log = append(log, one[2*i], two[i], example("v1", 2, &wrong, "ham"), one[2*i+1], example("v1", 1, nil, ""))
		}
	}
	mix(400, .05, .05)
	jump := int64(len(log))
	mix(300, .05, .6) // it goes on like that, which is no second jump
	c.Produce(log...)
	c.MustDrain(b, stage(t, DefaultConfig(), errorsName))
	all, reports, signals := seen(t, c, b)
	if len(signals) != 1 {
		t.Fatalf("%d signals, want 1", len(signals))
	}
	s := signals[0]
	if s.ModelVersion != "v2" || s.Signal != "error_rate" || s.Topic != bus.TrainingExamples || s.Partition != 0 || s.Statistic <= s.Threshold ||
		s.Before > .1 || s.After < .4 || !strings.Contains(s.Detail, "errors of v2 rose") {
		t.Errorf("the signal: %s", s.AppendJSON(nil))
	}
	if s.FromOffset < jump-50 || s.FromOffset > jump+100 || s.ToOffset > jump+250 {
		t.Errorf("the jump at %d is dated to %d-%d", jump, s.FromOffset, s.ToOffset)
	}
	totals := map[string]*schemas.QualityReport{}
	for _, m := range all {
		if m == schemas.Message(s) {
			if last := totals["v2"]; last == nil || last.ToOffset != s.ToOffset || last.ExamplesTotal != s.ExamplesTotal-1 { // v2's detector went on from v1's first
				t.Errorf("the report before the signal at %d is %v", s.ToOffset, last)
			}
			continue
		}
		r := m.(*schemas.QualityReport)
		last := totals[r.ModelVersion]
		if last == nil {
			last = &schemas.QualityReport{}
		}
		if r.FromOffset < last.ToOffset || r.ExamplesTotal != last.ExamplesTotal+r.Examples || r.Labels["ham"]+r.Labels["spam"] != r.Examples ||
			r.Correct > r.Examples || r.Role != "champion" || r.Examples < 10 && r.ToOffset != s.ToOffset {
			t.Errorf("behind %s\ncomes  %s", last.AppendJSON(nil), r.AppendJSON(nil))
		}
		totals[r.ModelVersion] = r
	}
	if n := totals["v1"].ExamplesTotal; n < 1300 || n > 1400 {
		t.Errorf("%d of v1's 1,400 judgements are reported", n)
	}
	if len(reports) > 250 {
		t.Errorf("%d reports on 2,100 judgements", len(reports))
	}
}

// TestTexts checks that a new vocabulary raises one signal, in the window that it comes
// in, that none comes of chance, and that every labelled text is reported once.
func TestTexts(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	rng := rand.New(rand.NewPCG(3, 4))
	cfg := DefaultConfig()
	cfg.TextWindow = 500
	c.Produce(texts(rng, "old", 3000)...)
	c.Produce(bustest.OnPartition(bustest.Event(bus.CleanText, "x", &schemas.Rejected{Rule: "empty"}), 0))
	c.Produce(texts(rng, "new", 1000)...)
	c.MustDrain(b, stage(t, cfg, textsName))
	_, reports, signals := seen(t, c, b)
	if len(signals) != 1 {
		t.Fatalf("%d signals, want 1: %v", len(signals), signals)
	}
	if s := signals[0]; s.FromOffset != 3001 || s.ToOffset != 3501 || s.Signal != "token_distribution" || s.Topic != bus.CleanText || s.Statistic <= s.Threshold || s.Before == s.After {
		t.Errorf("the signal: %s", s.AppendJSON(nil))
	}
	var examples, labels, end int64
	for _, r := range reports {
		if r.FromOffset < end || r.ModelVersion != "" || r.Topic != bus.CleanText || r.Correct != 0 {
			t.Errorf("behind offset %d comes %s", end, r.AppendJSON(nil))
		}
		end = r.ToOffset
		examples += r.Examples
		labels += r.Labels["ham"] + r.Labels["spam"]
		if r.ExamplesTotal != examples {
			t.Errorf("the report up to %d counts %d in all, want %d", r.ToOffset, r.ExamplesTotal, examples)
		}
	}
	if examples < 900 || examples > 1000 || labels != examples {
		t.Errorf("%d of 1,000 labelled texts are reported, with %d labels", examples, labels)
	}
}

// TestSlowChange checks that a change that takes ten windows is seen, though no window
// differs much from the one before, and that it is told once or a few times and not with
// every window that follows.
func TestSlowChange(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	rng := rand.New(rand.NewPCG(8, 9))
	cfg := DefaultConfig()
	cfg.TextWindow = 500
	const windows = 10
	for w := range 2 * windows {
		log := append(texts(rng, "old", 500-25*min(w, windows)), texts(rng, "new", 25*min(w, windows))...)
		c.Produce(log...)
	}
	c.MustDrain(b, stage(t, cfg, textsName))
	_, _, signals := seen(t, c, b)
	if len(signals) < 1 || len(signals) > 4 {
		t.Fatalf("%d signals of a change from one vocabulary to a half of another, want 1 to 4", len(signals))
	}
	if from := signals[0].FromOffset; from < 500 || from > 500*windows {
		t.Errorf("the first signal is on the window at %d", from)
	}
}

// TestCopies checks that one text that is posted again and again is no change of the
// world.
func TestCopies(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	rng := rand.New(rand.NewPCG(10, 11))
	cfg := DefaultConfig()
	cfg.TextWindow = 500
	for w := range 4 {
		log := texts(rng, "old", 500)
		if w == 2 {
			advert := &schemas.CleanText{Text: "buy buy buy"}
			advert.Tenant, advert.ContentHash = "a", "the same"
			for i := range 200 {
				log[i] = bustest.OnPartition(bustest.Event(bus.CleanText, "x", advert), 0)
			}
		}
		c.Produce(log...)
	}
	c.MustDrain(b, stage(t, cfg, textsName))
	if _, _, signals := seen(t, c, b); len(signals) > 0 {
		t.Errorf("copies of one text raise %s", signals[0].AppendJSON(nil))
	}
}

// TestManyLabels checks that labels that are all different, which anybody may post, make
// reports that fit the log of models.
func TestManyLabels(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	cfg := DefaultConfig()
	cfg.ReportShare = 1 // no report would be due behind the first
	var log []*kgo.Record
	for i := range 5000 {
		m := &schemas.CleanText{Text: "a text", Label: fmt.Sprintf("%0256d", i)}
		m.Tenant, m.ArrivedAt = "a", began
		log = append(log, bustest.OnPartition(bustest.Event(bus.CleanText, "x", m), 0))
	}
	c.Produce(log...)
	c.MustDrain(b, stage(t, cfg, textsName))
	_, reports, _ := seen(t, c, b)
	if len(reports) < 5 || reports[len(reports)-1].ExamplesTotal < 4000 {
		t.Errorf("%d reports on 5,000 labels", len(reports))
	}
}

var errCrash = errors.New("crash")

// TestRestart checks that both stages write the same, whole and once, however often a
// member dies, with its state or without, and however the log is cut into batches.
func TestRestart(t *testing.T) {
	run := func(name string, batch int, crash bool) []string {
		c := bustest.New(t)
		b := c.Member(vfs.NewMem())
		rng := rand.New(rand.NewPCG(5, 6))
		c.Produce(judged(rng, "v1", 300, .05)...)
		c.Produce(judged(rng, "v2", 200, .3)...)
		c.Produce(judged(rng, "v1", 100, .6)...)
		c.Produce(judged(rng, "v1", 150, .95)...)
		c.Produce(texts(rng, "old", 450)...)
		c.Produce(texts(rng, "new", 300)...)
		cfg := DefaultConfig()
		cfg.TextWindow = 100
		s := stage(t, cfg, name)
		s.Limits.MaxRecords = batch
		var n atomic.Int64
		for tries := 0; ; tries++ {
			err := c.Drain(b, bustest.Failing(s, func() error {
				if n.Add(1)%7 == 4 && crash {
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
				b = c.Member(vfs.NewMem())
			}
		}
		var out []string
		all, _, _ := seen(t, c, b)
		for _, m := range all {
			m.Env().EventID = "" // a function of the topic's id, which each cluster has its own of
			out = append(out, string(m.Kind())+" "+string(m.AppendJSON(nil)))
		}
		return out
	}
	for _, name := range []string{errorsName, textsName} {
		want := run(name, 10_000, false)
		if !slices.ContainsFunc(want, func(s string) bool { return strings.HasPrefix(s, "drift_signals") }) || len(want) < 4 {
			t.Fatalf("%s writes %q, which proves little", name, want)
		}
		for _, batch := range []int{1, 30} {
			if got := run(name, batch, batch > 1); !slices.Equal(got, want) {
				t.Errorf("%s in batches of %d:\ngot  %s\nwant %s", name, batch, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
			}
		}
	}
}

func TestConfig(t *testing.T) {
	bad := DefaultConfig()
	bad.ErrorDelta = 1
	if _, err := Stages(bad, "m"); err == nil || !strings.Contains(err.Error(), "error_delta") {
		t.Errorf("a delta of 1: %v", err)
	}
	if _, err := Stages(DefaultConfig(), ""); err == nil {
		t.Error("a model without a name: no error")
	}
}
