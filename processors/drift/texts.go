package drift

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
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
			t := &textsTask{cfg: cfg, model: model, st: st, labelled: newStretch(), seen: map[uint64]struct{}{}}
			return t, t.load()
		},
	}
}

// buckets is how many groups of words are told apart, by the hash of a word.
const buckets = 4096

// textsTask compares each window of texts with a reference, the first window and from a
// change on the one that showed it: for every bucket of hashed words, in how many texts
// of each one of its words stands. A text counts once a bucket, and copies of a text
// once a window, so that texts, which are independent, are counted, and not words or
// posts, which are not. The statistic is the largest |z| of a two-proportion test over
// the buckets, its bound the normal quantile of TextDelta shared among them (Bonferroni).
//
// A fixed reference sees what adjacent windows hide: a change that takes many of them.
//
// Keys of its state: 'l' -> the labelled texts that are not reported yet; 'n', 'r' -> the
// window that fills, and the reference; 'h' hash -> nothing, for each text of the window.
type textsTask struct {
	cfg       Config
	model     string
	st        *state.Partition
	labelled  stretch
	reference window
	now       window
	seen      map[uint64]struct{} // the content of the window's texts
}

// window counts the texts in which a bucket occurs.
type window struct {
	Posts      int64 // copies included
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
	if w.Posts == 0 {
		w.From = r.Offset
	}
	w.Posts++
	w.To = r.Offset + 1
	if t.isNew(text) {
		w.add(text.Text)
	}
	if w.Posts < t.cfg.TextWindow {
		return
	}
	if t.reference.Texts == 0 || t.differs(r, out, text) {
		t.reference = t.now
		t.st.Set(keyReference, t.reference.append(nil))
	}
	t.now = window{}
	clear(t.seen)
	t.st.DeleteRange(keySeen, keySeenEnd)
}

// isNew says whether a text is the first of its content in the window.
func (t *textsTask) isNew(text *schemas.CleanText) bool {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text.ContentHash)) // never fails
	sum := h.Sum64()
	if _, ok := t.seen[sum]; ok && text.ContentHash != "" {
		return false
	}
	t.seen[sum] = struct{}{}
	t.st.Set(binary.BigEndian.AppendUint64(slices.Clone(keySeen), sum), nil)
	return true
}

// add counts a text.
func (w *window) add(text string) {
	w.Texts++
	var seen [buckets]bool
	for word := range strings.FieldsSeq(text) {
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
}

// differs compares the window with the reference, and writes a signal where it differs.
func (t *textsTask) differs(r *bus.Record, out *bus.Output, text *schemas.CleanText) bool {
	a, b := &t.reference, &t.now
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
		return false
	}
	out.Emit(r, bus.ModelEvents, out.ByKey(bus.ModelEvents, []byte(t.model)), []byte(t.model), &schemas.DriftSignal{
		Envelope: envelope(text.Envelope, r, textsName, "signal"), Model: t.model, Detector: "two_windows", Signal: "token_distribution",
		Topic: r.Topic, Partition: r.Partition.Partition, FromOffset: b.From, ToOffset: b.To, Statistic: worst, Threshold: bound,
		Before: share0, After: share1, Examples: b.Texts, ExamplesTotal: a.Texts + b.Texts,
		Detail: fmt.Sprintf("a group of words that stood in %.1f %% of the texts stands in %.1f %%", 100*share0, 100*share1),
	})
	return true
}

// Keys of the state.
var (
	keyLabelled  = []byte("l")
	keyNow       = []byte("n")
	keyReference = []byte("r")
	keySeen      = []byte("h")
	keySeenEnd   = []byte("i")
)

type savedStretch struct {
	From, To, Examples, Total int64
	Labels                    map[string]int64
}

func (t *textsTask) save() error {
	s := &t.labelled
	data, err := json.Marshal(savedStretch{s.from, s.to, s.examples, s.total, s.labels})
	if err != nil {
		return fmt.Errorf("drift: render the state: %w", err)
	}
	t.st.Set(keyLabelled, data)
	t.st.Set(keyNow, t.now.append(nil))
	return nil
}

func (t *textsTask) load() error {
	data, ok, err := t.st.Get(keyLabelled)
	if err != nil || !ok {
		return err
	}
	var s savedStretch
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("%w: %w", errState, err)
	}
	t.labelled = stretch{from: s.From, to: s.To, examples: s.Examples, total: s.Total, labels: s.Labels}
	if t.labelled.labels == nil {
		t.labelled.labels = map[string]int64{}
	}
	for key, w := range map[string]*window{string(keyNow): &t.now, string(keyReference): &t.reference} {
		data, ok, err := t.st.Get([]byte(key))
		if err == nil && ok {
			err = w.load(data)
		}
		if err != nil {
			return err
		}
	}
	for kv, err := range t.st.Scan(keySeen) {
		if err != nil {
			return err
		}
		if len(kv.Key) != len(keySeen)+8 {
			return errState
		}
		t.seen[binary.BigEndian.Uint64(kv.Key[len(keySeen):])] = struct{}{}
	}
	return nil
}

// append encodes w: its four numbers, then each bucket that is not empty as the distance
// from the one before and its count.
func (w *window) append(b []byte) []byte {
	for _, n := range []int64{w.Posts, w.Texts, w.From, w.To} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	last := -1
	for i, n := range w.Containing {
		if n > 0 {
			b = binary.AppendUvarint(b, uint64(i-last))
			b = binary.AppendUvarint(b, uint64(n))
			last = i
		}
	}
	return b
}

// load decodes what append wrote.
func (w *window) load(b []byte) error {
	next := func() int64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > math.MaxInt64 {
			b = nil
			return -1
		}
		b = b[n:]
		return int64(v)
	}
	*w = window{Posts: next(), Texts: next(), From: next(), To: next()}
	if w.To < 0 {
		return errState
	}
	for at := int64(-1); len(b) > 0; {
		at += max(1, next())
		n := next()
		if at >= buckets || n < 0 {
			return errState
		}
		w.Containing[at] = n
	}
	return nil
}
