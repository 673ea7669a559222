package dataset

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
)

// TestElectionAfter checks that a text which was labelled before the drift and after it
// has the label that is right now, however often it had the other.
func TestElectionAfter(t *testing.T) {
	w := newWorld(t)
	w.put(bus.CleanText, 0, text("t0", "a text", "ham", 0), text("t1", "a text", "ham", 1), text("t2", "a text", "", 2), text("t3", "another", "ham", 3))
	w.put(bus.TrainingExamples, 0, judged("i0", "t2", "ham", 1, 4), judged("i1", "t2", "ham", 1, 5), judged("i2", "t2", "spam", 1, 6))
	tr := trigger("clean.text/0:0-4", "training.examples/0:0-3")
	tr.DriftSince = []string{"training.examples/0:2"}
	d := w.must(tr)
	if len(d.Examples) != 2 || d.Manifest.LeftOut != (LeftOut{Conflicts: 4}) {
		t.Fatalf("%+v, left out %+v", d.Examples, d.Manifest.LeftOut)
	}
	for _, e := range d.Examples {
		if e.After != (e.Text == "a text") || e.Text == "a text" && (e.Label != "spam" || e.ID != "i2") {
			t.Errorf("%+v", e)
		}
	}
}

// TestSameText checks that what is trained on decides which texts are the same, and not
// what else an event holds: neither the form of an input's messages nor the end of a long
// text, which is cut.
func TestSameText(t *testing.T) {
	long := strings.Repeat("long ", 20_000)
	w := newWorld(t)
	w.put(bus.Interactions, 0,
		asked("i0", `[{"role":"user","content":"a question"}]`, 0), asked("i1", `[{"role":"user","parts":[{"type":"text","content":"a question"},{"type":"blob","content":"AA"}]}]`, 1),
		asked("i2", "a question", 2))
	w.put(bus.CleanText, 0, text("t0", long+"one", "ham", 3), text("t1", long+"two", "ham", 4), text("t2", "a question", "ham", 5))
	w.put(bus.TrainingExamples, 0, judged("i0", "", "ham", 1, 6), judged("i1", "", "ham", 1, 7), judged("i2", "", "ham", 1, 8))
	d := w.must(trigger("clean.text/0:0-3", "training.examples/0:0-3"))
	if len(d.Examples) != 2 || d.Manifest.LeftOut != (LeftOut{Copies: 4}) {
		t.Fatalf("%d examples, left out %+v", len(d.Examples), d.Manifest.LeftOut)
	}
	for _, e := range d.Examples {
		if e.ContentHash != hashOf(e.Text) {
			t.Errorf("%.20q has the hash %s", e.Text, e.ContentHash)
		}
	}
}

// TestConfirmed checks that right answers, whose label is known where a thumb confirms
// them, judge in the share in which the label of wrong ones is known.
func TestConfirmed(t *testing.T) {
	const n = 400
	for _, x := range []struct {
		name              string
		wrong, unlabelled int // of n answers
		least, most       int // of the right ones that may judge, in percent
	}{
		{"labels alone", 100, 0, 100, 100},
		{"thumbs alone", 0, 100, 0, 0},
		{"four of five thumbs", 20, 80, 12, 28},
	} {
		w := newWorld(t)
		var texts, examples []schemas.Message
		for i := range n {
			texts = append(texts, text(fmt.Sprint("t", i), fmt.Sprint("text ", i), "", i))
			right := i >= x.wrong+x.unlabelled
			e := judged(fmt.Sprint("i", i), fmt.Sprint("t", i), "ham", 1, i)
			e.Correct, e.Prediction = &right, "ham"
			switch {
			case i < x.wrong:
				e.Label = "spam"
			case !right:
				e.Label = ""
			}
			examples = append(examples, e)
		}
		// What came with a label judges as ever.
		texts = append(texts, text("labelled", "labelled text", "ham", n))
		w.put(bus.CleanText, 0, texts...)
		w.put(bus.TrainingExamples, 0, examples...)
		d := w.must(trigger(fmt.Sprintf("clean.text/0:0-%d", n+1), fmt.Sprintf("training.examples/0:0-%d", n)))
		judges, learned := 0, 0
		for _, e := range d.Examples {
			switch {
			case e.LearnOnly && (e.Test || e.Label == "spam" || e.ID == "labelled"):
				t.Errorf("%s: %+v", x.name, e)
			case e.LearnOnly:
				learned++
			case e.Label == "ham" && e.ID != "labelled":
				judges++
			}
		}
		right := n - x.wrong - x.unlabelled
		if judges+learned+d.Manifest.LeftOut.Confirmed != right || judges < right*x.least/100 || judges > right*x.most/100 {
			t.Errorf("%s: of %d right answers %d judge and %d are learned from, left out %+v", x.name, right, judges, learned, d.Manifest.LeftOut)
		}
		if d.Manifest.Counts[sideLearn]["after"]["ham"] != learned || d.Labels()["ham"] < learned {
			t.Errorf("%s: the manifest counts %v", x.name, d.Manifest.Counts)
		}
	}
}

// TestSampler checks that no more texts are held than may become examples, and that those
// are held which would be taken of all at once.
func TestSampler(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	cfg := DefaultConfig()
	cfg.MaxBefore, cfg.MaxAfter = 20, 30
	c, err := newCollector(cfg, Deps{}, trigger())
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[bool][]string{}
	for range 2000 {
		it := &item{Example: Example{After: rng.IntN(3) == 0}}
		c.find(it, fmt.Sprint("text ", rng.IntN(500)), "r")
		if hashes[it.After] = append(hashes[it.After], it.ContentHash); len(c.texts) > 50 {
			t.Fatalf("%d texts are held", len(c.texts))
		}
	}
	for after, all := range hashes {
		slices.Sort(all)
		for i, hash := range slices.Compact(all) {
			if want := i < map[bool]int{false: 20, true: 30}[after]; c.samplers[after].held[hash] != want || want && c.texts[hash] == "" {
				t.Errorf("after %t: hash %d is held: %t, want %t, with the text %q", after, i, !want, want, c.texts[hash])
			}
		}
	}
}

// TestLabels checks that labels which anybody may make up do not make a dataset that no
// model can be made of.
func TestLabels(t *testing.T) {
	w := newWorld(t)
	var texts []schemas.Message
	for i := range 300 {
		label := fmt.Sprint("free text ", i)
		if i%3 == 0 {
			label = []string{"ham", "spam"}[i%2]
		}
		texts = append(texts, text(fmt.Sprint("t", i), fmt.Sprint("text ", i), label, i))
	}
	w.put(bus.CleanText, 0, texts...)
	cfg := DefaultConfig()
	cfg.MaxLabels = 4
	d, err := w.snapshotWith(cfg, trigger("clean.text/0:0-300"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, e := range d.Examples {
		found[e.Label]++
	}
	if len(found) != 4 || found["ham"] != 50 || found["spam"] != 50 || found["free text 1"] != 1 || found["free text 10"] != 1 || d.Manifest.LeftOut != (LeftOut{RareLabels: 198}) {
		t.Errorf("the labels %v, left out %+v", found, d.Manifest.LeftOut)
	}
}
