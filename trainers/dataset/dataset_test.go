package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/content"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
)

// TestSides checks that of copies, however they came, there is one example, on the side
// that its content says.
func TestSides(t *testing.T) {
	w := newWorld(t)
	const n = 300
	var texts, more, inputs, examples []schemas.Message
	for i := range n {
		s := fmt.Sprint("text number ", i)
		texts = append(texts, text(fmt.Sprint("t", i), s, "ham", i), text(fmt.Sprint("u", i), s, "", i))
		more = append(more, text(fmt.Sprint("v", i), s, "ham", n+i))
		inputs = append(inputs, asked(fmt.Sprint("i", i), s, i))
		examples = append(examples, judged(fmt.Sprint("i", i), "", "ham", 1, i), judged(fmt.Sprint("j", i), fmt.Sprint("u", i), "ham", 1, i))
	}
	w.put(bus.CleanText, 0, texts...)
	w.put(bus.CleanText, 1, more...)
	w.put(bus.Interactions, 1, inputs...)
	w.put(bus.TrainingExamples, 0, examples...)
	d := w.must(trigger("clean.text/0:0-600", "clean.text/1:0-300", "training.examples/0:0-600"))
	if len(d.Examples) != n || d.Manifest.LeftOut != (LeftOut{Copies: 3 * n}) {
		t.Fatalf("%d examples of %d contents, left out: %+v", len(d.Examples), n, d.Manifest.LeftOut)
	}
	test := map[string]bool{}
	for _, e := range d.Examples {
		if e.ContentHash != hashOf(e.Text) || e.Test != content.IsTest(e.ContentHash) {
			t.Errorf("%q is on the wrong side: %+v", e.Text, e)
		}
		if e.Test {
			test[e.Text] = true
		}
	}
	if len(test) < n/20 || len(test) > n/5 {
		t.Errorf("%d of %d are for tests, want about a tenth", len(test), n)
	}
	if total := d.Labels()["ham"]; total != n-len(test) || d.Manifest.Counts["test"]["after"]["ham"] != len(test) {
		t.Errorf("%d are for training and %d for tests, the manifest counts %v", total, len(test), d.Manifest.Counts)
	}
}

// TestElection checks which label copies get that were labelled differently.
func TestElection(t *testing.T) {
	one := func(id, label string, n int, weight float64) *schemas.TrainingExample {
		e := judged(id, "t", label, 1, n)
		e.Weight = weight
		return e
	}
	for name, x := range map[string]struct {
		examples []schemas.Message
		label    string
		id       string
		left     LeftOut
	}{
		"most":           {[]schemas.Message{one("a", "ham", 1, 1), one("b", "ham", 2, 1), one("c", "spam", 3, 1)}, "ham", "b", LeftOut{Copies: 1, Conflicts: 1}},
		"weight":         {[]schemas.Message{one("a", "ham", 1, 1), one("b", "ham", 2, 1), one("c", "spam", 3, 2.5)}, "spam", "c", LeftOut{Conflicts: 2}},
		"last of a draw": {[]schemas.Message{one("b", "spam", 2, 1), one("a", "ham", 1, 1)}, "spam", "b", LeftOut{Conflicts: 1}},
		"no weight":      {[]schemas.Message{one("a", "ham", 1, 1), one("b", "spam", 2, 0)}, "ham", "a", LeftOut{Weightless: 1}},
	} {
		w := newWorld(t)
		w.put(bus.CleanText, 0, text("t", "a text", "", 0))
		w.put(bus.TrainingExamples, 0, x.examples...)
		d := w.must(trigger(fmt.Sprintf("training.examples/0:0-%d", len(x.examples))))
		if len(d.Examples) != 1 || d.Examples[0].Label != x.label || d.Examples[0].ID != x.id || d.Manifest.LeftOut != x.left {
			t.Errorf("%s: %+v, left out %+v; want %s by %s, %+v", name, d.Examples, d.Manifest.LeftOut, x.label, x.id, x.left)
		}
	}
}

// TestRanges checks that a dataset holds what its ranges hold, and no more: of labels,
// of judgements, of models. Texts that were judged are found wherever they lie.
func TestRanges(t *testing.T) {
	w := newWorld(t)
	w.put(bus.CleanText, 0, text("t0", "before the range", "ham", 0), text("t1", "first", "ham", 1), text("t2", "unlabelled", "", 2))
	w.put(bus.CleanText, 0, text("t3", "last", "spam", 3), text("t4", "behind the range", "spam", 4), text("t5", "judged", "", 5), text("t6", "judged before", "", 6))
	w.put(bus.CleanText, 1, text("t7", "of another partition", "ham", 7))
	other := judged("i3", "t5", "theirs", 2, 8)
	other.Model = "other"
	stranger := judged("i5", "t5", "theirs", 3, 8)
	stranger.Tenant = "b"
	w.each(bus.TrainingExamples, 0, judged("i0", "t6", "ham", 1, 6), judged("i1", "t5", "spam", 1, 8), other, stranger, judged("i4", "t1", "ham", 1, 9), judged("i1", "t5", "behind", 2, 9))
	d := w.must(trigger("clean.text/0:1-4", "training.examples/0:1-5"))
	want := map[string]string{"first": "ham", "last": "spam", "judged": "spam"}
	if got := labels(d); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if d.Manifest.LeftOut != (LeftOut{Missing: 1, Copies: 1}) {
		t.Errorf("left out: %+v", d.Manifest.LeftOut) // the stranger's text is not ours; i4 repeats t1's label
	}
	var files []string
	for _, f := range d.Manifest.Files {
		files = append(files, fmt.Sprintf("%s %d-%d", f.Topic, f.First, f.End))
	}
	wantFiles := []string{"training.examples 1-2", "training.examples 2-3", "training.examples 3-4", "training.examples 4-5", "clean.text 0-3", "clean.text 3-7", "clean.text 0-1"}
	if len(files) < len(wantFiles) || !slices.Equal(files[:len(wantFiles)], wantFiles) {
		t.Errorf("the manifest names the files %q, want %q at first", files, wantFiles)
	}
	if d.Manifest.RulesVersion() != "r1" || d.Manifest.Rules["r1"] != 3 {
		t.Errorf("the texts went through the rules %v", d.Manifest.Rules)
	}
}

// TestRevisions checks that of several judgements of one inference the last counts, also
// where it takes the label away.
func TestRevisions(t *testing.T) {
	w := newWorld(t)
	for i := range 4 {
		w.put(bus.CleanText, 0, text(fmt.Sprint("t", i), fmt.Sprint("text ", i), "", i))
	}
	w.put(bus.TrainingExamples, 0,
		judged("i0", "t0", "ham", 1, 0), judged("i1", "t1", "ham", 1, 1), judged("i2", "t2", "ham", 1, 2), judged("i0", "t0", "spam", 2, 3))
	w.put(bus.TrainingExamples, 0,
		judged("i1", "t1", "", 2, 4), judged("i0", "t0", "ads", 3, 5), judged("i2", "t2", "ham", 2, 6), judged("i3", "t3", "", 1, 7), judged("i3", "t3", "spam", 2, 8))
	d := w.must(trigger("training.examples/0:0-9"))
	if got, want := labels(d), map[string]string{"text 0": "ads", "text 2": "ham", "text 3": "spam"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if d.Manifest.LeftOut != (LeftOut{Superseded: 5, Unlabelled: 1}) {
		t.Errorf("left out: %+v", d.Manifest.LeftOut)
	}
}

// TestPeriods checks on which side of a drift an example stands.
func TestPeriods(t *testing.T) {
	for _, x := range []struct {
		name  string
		since []string
		want  string // those from after the drift
	}{
		{"no drift is known", nil, "t0 t1 t2 t3 i4 i5 i6 i7"},
		{"dated on the examples", []string{"training.examples/0:2"}, "t2 t3 i6 i7"},
		{"dated on both", []string{"training.examples/0:1", "clean.text/0:3"}, "t3 i5 i6 i7"},
		{"dated on the texts", []string{"clean.text/0:1"}, "t1 t2 t3"},
	} {
		w := newWorld(t)
		var labelled, unlabelled, examples []schemas.Message
		for i := range 4 {
			labelled = append(labelled, text(fmt.Sprint("t", i), fmt.Sprint("labelled ", i), "ham", 10*i))
			unlabelled = append(unlabelled, text(fmt.Sprint("u", 4+i), fmt.Sprint("judged ", i), "", 0))
			examples = append(examples, judged(fmt.Sprint("i", 4+i), fmt.Sprint("u", 4+i), "ham", 1, 9*i))
		}
		w.put(bus.CleanText, 0, labelled...)
		w.put(bus.CleanText, 1, unlabelled...)
		w.put(bus.TrainingExamples, 0, examples...)
		tr := trigger("clean.text/0:0-4", "training.examples/0:0-4")
		tr.DriftSince = x.since
		d := w.must(tr)
		var after []string
		for _, e := range d.Examples {
			if e.After {
				after = append(after, e.ID)
			}
		}
		want := strings.Fields(x.want)
		slices.Sort(after)
		slices.Sort(want)
		if !slices.Equal(after, want) {
			t.Errorf("%s: after it are %v, want %v", x.name, after, want)
		}
		if !slices.IsSortedFunc(d.Examples, func(a, b Example) int { return int(a.At - b.At) }) {
			t.Errorf("%s: the examples are not in the order of their arrival", x.name)
		}
	}
}

// TestBounds checks that a dataset of more than its bounds leaves out the same texts as
// one of fewer texts does, and that long texts are cut between characters.
func TestBounds(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxAfter, cfg.MaxBefore, cfg.MaxTextBytes = 40, 20, 64
	kept := func(n int) map[string]bool {
		w := newWorld(t)
		var texts []schemas.Message
		for i := range n {
			texts = append(texts, text(fmt.Sprint("t", i), fmt.Sprintf("%d %s", i, strings.Repeat("ü", 40)), "ham", i))
		}
		w.put(bus.CleanText, 0, texts...)
		tr := trigger(fmt.Sprintf("clean.text/0:0-%d", n))
		tr.DriftSince = []string{"clean.text/0:100"}
		d, err := w.snapshotWith(cfg, tr)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]bool{}
		before := 0
		for _, e := range d.Examples {
			out[e.ID] = true
			if !e.After {
				before++
			}
			if len(e.Text) > 64 || len(e.Text) < 60 || strings.ToValidUTF8(e.Text, "?") != e.Text {
				t.Errorf("a text was cut to %q", e.Text)
			}
		}
		if before != 20 || len(out) != 60 || d.Manifest.LeftOut.Sampled != n-60 {
			t.Errorf("of %d texts there are %d from before and %d in all, left out %+v", n, before, len(out), d.Manifest.LeftOut)
		}
		return out
	}
	few, many := kept(200), kept(400)
	for id := range many {
		var n int
		if _, err := fmt.Sscanf(id, "t%d", &n); err != nil {
			t.Fatal(err)
		}
		if n < 200 && !few[id] {
			t.Errorf("%s is in the dataset of 400 texts and was left out of the one of 200", id)
		}
	}
}

// TestInputs checks which text an inference is known by that was not made on a text
// event.
func TestInputs(t *testing.T) {
	for input, want := range map[string]string{
		"a plain text": "a plain text",
		`[{"role":"system","parts":[{"type":"text","content":"be brief"}]},{"role":"user","parts":[{"type":"text","content":"hello"}]}]`: "be brief\nhello",
	} {
		w := newWorld(t)
		w.put(bus.Interactions, 1, asked("i", input, 1))
		w.put(bus.TrainingExamples, 0, judged("i", "", "ham", 1, 1))
		d := w.must(trigger("training.examples/0:0-1"))
		if d.Examples[0].Text != want || d.Examples[0].ContentHash != hashOf(want) || d.Manifest.RulesVersion() != "r2" {
			t.Errorf("%s: %+v", input, d.Examples[0])
		}
	}
}

// full is a world with something of everything, its lake in ranges of n records.
func full(t testing.TB, n int) *world {
	t.Helper()
	w := newWorld(t)
	logs := map[place][]schemas.Message{}
	for i := range 120 {
		s := fmt.Sprint("text number ", i%70)
		p := place{bus.CleanText, int32(i % 2)}
		logs[p] = append(logs[p], text(fmt.Sprint("t", i), s, []string{"", "ham", "spam"}[i%3], i))
		p.topic = bus.Interactions
		logs[p] = append(logs[p], asked(fmt.Sprint("i", i), s+" asked", i))
		p = place{bus.TrainingExamples, 0}
		logs[p] = append(logs[p], judged(fmt.Sprint("i", i%80), []string{"", fmt.Sprint("t", i%80)}[i%80%2], []string{"spam", "ham"}[i%2], int64(1+i/80), i))
	}
	for at, log := range logs {
		for part := range slices.Chunk(log, n) {
			w.put(at.topic, at.partition, part...)
		}
	}
	return w
}

func fullTrigger() *schemas.DriftTrigger {
	tr := trigger("clean.text/0:0-60", "clean.text/1:10-60", "training.examples/0:5-120")
	tr.DriftSince = []string{"training.examples/0:50"}
	return tr
}

func (w *world) object(key string) []byte {
	w.t.Helper()
	data, err := w.objects.Get(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// TestDeterministic checks that the bytes are a function of what the lake holds of the
// ranges: not of chance, nor of how the lake was cut into files.
func TestDeterministic(t *testing.T) {
	first := full(t, 25)
	d := first.must(fullTrigger())
	if d.Manifest.Counts["train"]["before"] == nil || d.Manifest.Counts["test"]["after"] == nil || d.Manifest.LeftOut.Copies == 0 || d.Manifest.LeftOut.Conflicts == 0 || d.Manifest.LeftOut.Superseded == 0 {
		t.Fatalf("the world is too dull to prove anything: %+v", d.Manifest)
	}
	for range 3 {
		again := full(t, 25)
		if e := again.must(fullTrigger()); e.Hash != d.Hash {
			t.Errorf("the same lake makes other manifests:\n%s\n%s", first.object(d.Key), again.object(e.Key))
		}
	}
	other := full(t, 1000)
	e := other.must(fullTrigger())
	if !bytes.Equal(first.object(d.Manifest.Object), other.object(e.Manifest.Object)) || !reflect.DeepEqual(d.Examples, e.Examples) || d.Manifest.Content != e.Manifest.Content {
		t.Error("another cut of the lake makes other examples")
	}
}

// TestRerun checks that whoever makes a run again adopts what was made, also what was
// made in part, and that a crash between any two writes leaves nothing else.
func TestRerun(t *testing.T) {
	w := full(t, 50)
	tr := fullTrigger()
	d := w.must(tr)
	w.put(bus.CleanText, 0, text("new", "a text that came later", "ham", 999))
	again := w.must(fullTrigger())
	if again.Hash != d.Hash || !reflect.DeepEqual(again, d) {
		t.Error("a rerun does not adopt the dataset")
	}
	// The examples are there, their manifest is not: they count, whatever would be made now.
	if err := w.objects.Delete(t.Context(), d.Key); err != nil {
		t.Fatal(err)
	}
	tr.Ranges = append(tr.Ranges[1:], "clean.text/0:0-61")
	if again = w.must(tr); !reflect.DeepEqual(again.Examples, d.Examples) || again.Manifest.Content != d.Manifest.Content {
		t.Error("examples without a manifest are not adopted")
	}

	for stop := range 10 {
		w := full(t, 50)
		calls := 0
		failing := &bustest.Objects{Store: w.objects, Fail: func() error {
			if calls++; calls == stop+1 {
				return errCrash
			}
			return nil
		}}
		_, err := Snapshot(t.Context(), DefaultConfig(), Deps{Objects: failing, Topics: w}, fullTrigger())
		if calls <= stop {
			if stop < 4 {
				t.Errorf("only %d writes were interrupted", stop)
			}
			break
		}
		if !errors.Is(err, errCrash) {
			t.Fatalf("stopped at write %d: %v", stop, err)
		}
		if e := w.must(fullTrigger()); e.Hash != d.Hash {
			t.Errorf("after a crash at write %d the manifest is another:\n%s", stop, w.object(e.Key))
		}
	}
}

var errCrash = errors.New("crash")

// TestTampered checks that a file of examples that was changed is an error, and never a
// dataset, nor a crash.
func TestTampered(t *testing.T) {
	w := full(t, 50)
	d := w.must(fullTrigger())
	good := w.object(d.Manifest.Object)
	replace := func(data []byte) error {
		t.Helper()
		if err := w.objects.Delete(t.Context(), d.Manifest.Object); err != nil {
			t.Fatal(err)
		}
		if err := w.objects.Create(t.Context(), d.Manifest.Object, data); err != nil {
			t.Fatal(err)
		}
		e, err := Load(t.Context(), w.objects, "run")
		if err == nil && !reflect.DeepEqual(e, d) {
			t.Errorf("%d bytes in place of %d are taken", len(data), len(good))
		}
		return err
	}
	changed := slices.Clone(d.Examples)
	changed[3].Label = "tampered"
	var b bytes.Buffer
	if err := writeArrow(&b, changed); err != nil {
		t.Fatal(err)
	}
	if err := replace(b.Bytes()); !errors.Is(err, ErrTampered) || !strings.Contains(err.Error(), d.Manifest.Object) {
		t.Errorf("another label: %v", err)
	}
	for n := 0; n < len(good); n += 1 + len(good)/40 {
		if err := replace(good[:n]); !errors.Is(err, ErrTampered) {
			t.Errorf("the first %d of %d bytes: %v", n, len(good), err)
		}
	}
	if err := replace(good); err != nil {
		t.Error(err)
	}
}

// TestWaits checks that a snapshot asks for what the lake does not hold yet, and says
// what it waited for in vain.
func TestWaits(t *testing.T) {
	w := full(t, 50)
	w.ends[place{bus.CleanText, 0}]++ // the log goes on
	topic, _ := w.Topic(bus.CleanText)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Snapshot(ctx, DefaultConfig(), Deps{Objects: w.objects, Topics: w}, fullTrigger())
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "clean.text/0") {
		t.Errorf("it waited in vain: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := Snapshot(t.Context(), DefaultConfig(), Deps{Objects: w.objects, Topics: w}, fullTrigger())
		done <- err
	}()
	bustest.Await(t, "the lake is asked", func() bool {
		end, err := lake.Wanted(t.Context(), w.objects, topic.ID, 0)
		return err == nil && end == 61
	})
	select {
	case err := <-done:
		t.Fatalf("it does not wait: %v", err)
	default:
	}
	w.put(bus.CleanText, 0, text("late", "a late text", "", 999))
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestFaults checks that a run which no second try can save says so.
func TestFaults(t *testing.T) {
	w := full(t, 50)
	since := fullTrigger()
	since.DriftSince = []string{"yesterday"}
	for problem, tr := range map[string]*schemas.DriftTrigger{
		`range "clean.text/0" is not`: trigger("clean.text/0"),
		`place "yesterday" is not`:    since,
		"no example with a text":      trigger("training.examples/0:3-3"),
	} {
		_, err := w.snapshot(tr)
		var fault *trainers.DataError
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), problem) {
			t.Errorf("%v: %v, want %q", tr.Ranges, err, problem)
		}
	}
	if _, err := Load(t.Context(), w.objects, "never"); !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("a run that never was: %v", err)
	}
	if err := (Config{MaxBefore: 1, MaxAfter: 1, MaxLabels: 2, MaxTextBytes: 64, Wait: time.Millisecond}).Validate(); err == nil || !strings.Contains(err.Error(), "wait") {
		t.Errorf("a wait of a millisecond: %v", err)
	}
}
