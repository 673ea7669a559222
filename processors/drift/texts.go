package drift

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

const textsName = "drift-texts"

// reportLabelled is how many labelled texts at least make a report.
const reportLabelled = 50

// textsStage counts labelled texts and watches the distribution of words.
func textsStage(cfg Config, model string) bus.Stage {
	return bus.Stage{
		Name: textsName, Inputs: []string{bus.CleanText}, Limits: bus.DefaultLimits(),
		Open: func(_ context.Context, _ bus.Partition, st *state.Partition) (bus.Task, error) {
			t := &textsTask{cfg: cfg, model: model, st: st, labelled: newStretch()}
			return t, t.load()
		},
	}
}

// buckets is the number of bits of a word's hash that are told apart, as a power of two.
const buckets = 256

// textsTask compares each window of texts with the one before: for every bucket of
// hashed words, in how many texts of each window one of its words stands. A text counts
// once a bucket, so that texts, which are independent, are counted and not words, which
// are not. The statistic is the largest |z| of a two-proportion test over the buckets,
// its bound the normal quantile of TextDelta shared among them (Bonferroni).
type textsTask struct {
	cfg      Config
	model    string
	st       *state.Partition
	labelled stretch
	before   window
	now      window
}

// window counts the texts in which a bucket occurs.
type window struct {
	Texts      int64
	From, To   int64
	Containing [buckets]int64
}

// Process implements bus.Task.
func (t *textsTask) Process(_ context.Context, in []bus.Record, out *bus.Output) error {
	for i := range in {
		if in[i].Kind != schemas.KindCleanText {
			continue
		}
		var text schemas.CleanText
		if err := text.Unmarshal(in[i].Value); err != nil {
			return fmt.Errorf("drift: decode %s at offset %d: %w", in[i].Partition, in[i].Offset, err)
		}
		if text.Label != "" {
			t.labelled.add(in[i].Offset, text.Label, false)
			if t.labelled.due(t.cfg, reportLabelled) {
				t.labelled.report(&in[i], out, text.Envelope, textsName, t.model, "")
			}
		}
		t.observe(&in[i], out, &text)
	}
	return t.save()
}

func (t *textsTask) observe(r *bus.Record, out *bus.Output, text *schemas.CleanText) {
	w := &t.now
	if w.Texts == 0 {
		w.From = r.Offset
	}
	w.Texts++
	w.To = r.Offset + 1
	var seen [buckets]bool
	for word := range strings.FieldsSeq(text.Text) {
		h := uint32(2166136261) // FNV-1a
		for i := range len(word) {
			c := word[i]
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			h = (h ^ uint32(c)) * 16777619
		}
		b := (h ^ h>>15) % buckets
		if !seen[b] {
			seen[b] = true
			w.Containing[b]++
		}
	}
	if w.Texts < t.cfg.TextWindow {
		return
	}
	if t.before.Texts > 0 {
		t.compare(r, out, text)
	}
	t.before, t.now = t.now, window{}
}

func (t *textsTask) compare(r *bus.Record, out *bus.Output, text *schemas.CleanText) {
	a, b := &t.before, &t.now
	worst, share0, share1 := 0.0, 0.0, 0.0
	for i := range a.Containing {
		p, q := float64(a.Containing[i])/float64(a.Texts), float64(b.Containing[i])/float64(b.Texts)
		pooled := float64(a.Containing[i]+b.Containing[i]) / float64(a.Texts+b.Texts)
		variance := pooled * (1 - pooled) * (1/float64(a.Texts) + 1/float64(b.Texts))
		if variance == 0 {
			continue
		}
		if z := math.Abs(p-q) / math.Sqrt(variance); z > worst {
			worst, share0, share1 = z, p, q
		}
	}
	bound := math.Sqrt2 * math.Erfinv(1-t.cfg.TextDelta/buckets)
	if worst <= bound {
		return
	}
	out.Emit(r, bus.ModelEvents, out.ByKey(bus.ModelEvents, []byte(t.model)), []byte(t.model), &schemas.DriftSignal{
		Envelope: envelope(text.Envelope, r, textsName, "signal"), Model: t.model, Detector: "two_windows", Signal: "token_distribution",
		Topic: r.Topic, Partition: r.Partition.Partition, FromOffset: b.From, ToOffset: b.To, Statistic: worst, Threshold: bound,
		Before: share0, After: share1, Examples: b.Texts, ExamplesTotal: a.Texts + b.Texts,
		Detail: fmt.Sprintf("a group of words that stood in %.1f %% of the texts stands in %.1f %%", 100*share0, 100*share1),
	})
}

type savedTexts struct {
	From, To, Examples, Total int64
	Labels                    map[string]int64
	Before, Now               window
}

func (t *textsTask) save() error {
	s := &t.labelled
	data, err := json.Marshal(savedTexts{s.from, s.to, s.examples, s.total, s.labels, t.before, t.now})
	if err != nil {
		return fmt.Errorf("drift: render the state: %w", err)
	}
	t.st.Set([]byte("t"), data)
	return nil
}

func (t *textsTask) load() error {
	data, ok, err := t.st.Get([]byte("t"))
	if err != nil || !ok {
		return err
	}
	var s savedTexts
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("%w: %w", errState, err)
	}
	t.labelled = stretch{from: s.From, to: s.To, examples: s.Examples, total: s.Total, labels: s.Labels}
	if t.labelled.labels == nil {
		t.labelled.labels = map[string]int64{}
	}
	t.before, t.now = s.Before, s.Now
	return nil
}
