package drift

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/schemas"
)

// history is what a log tells of one model's versions.
type history struct {
	task *errorsTask
	rng  *rand.Rand
	at   int64
}

func newHistory(seed uint64) *history {
	return &history{task: &errorsTask{cfg: DefaultConfig(), versions: map[string]*version{}}, rng: rand.New(rand.NewPCG(seed, 21))}
}

// answers draws n answers of a version that errs at a rate, and returns the number at
// which its detector raises an alarm; 0 where it does not.
func (h *history) answers(v string, n int, errs float64) int {
	for i := 1; i <= n; i++ {
		h.at++
		ex := &schemas.TrainingExample{Model: "m", ModelVersion: v, Role: "champion", InferredAt: schemas.Micros(h.at)}
		of := h.task.version(ex)
		of.stretch.role = ex.Role
		if _, alarm := of.detector.Observe(h.at, h.rng.Float64() < errs); alarm {
			of.detector, of.alarmed = GLR{Delta: h.task.cfg.ErrorDelta}, true
			return i
		}
	}
	return 0
}

// TestPromoted checks that a jump right behind a promotion is seen, if the version before
// was seen for long enough; and that a version which replaces one that raised a signal is
// not held against its errors.
func TestPromoted(t *testing.T) {
	const tries = 200
	missed, late, false2 := 0, 0, 0
	for seed := range uint64(tries) {
		h := newHistory(seed)
		if h.answers("v1", 300, .06) != 0 || h.answers("v2", 10, .05) != 0 {
			t.Fatalf("seed %d: a false alarm", seed)
		}
		switch n := h.answers("v2", 500, .5); {
		case n == 0:
			missed++
		case n > 60:
			late++
		}
		h.answers("v2", 100, .5)
		if h.answers("v3", 500, .15) != 0 {
			false2++
		}
	}
	if missed > 0 || late > tries/50 || false2 > tries/50 {
		t.Errorf("of %d jumps behind a promotion %d are missed and %d seen late; %d of the versions behind them raise a false alarm", tries, missed, late, false2)
	}
}

// TestNeverWorse checks the promise on false alarms where each version is as good as the
// one before it, or better.
func TestNeverWorse(t *testing.T) {
	alarms := 0
	const streams = 60
	for seed := range uint64(streams) {
		h := newHistory(seed)
		rate := []float64{.1, .3, .5}[seed%3]
		for v := range 30 {
			if h.answers(fmt.Sprint("v", v), 20+h.rng.IntN(400), rate) != 0 {
				alarms++
				break
			}
			rate *= .9 + .1*h.rng.Float64()
		}
	}
	if alarms > 1 {
		t.Errorf("%d false alarms in %d histories of 30 versions, want at most 1", alarms, streams)
	}
}

// TestBefore checks which version a new one is held against.
func TestBefore(t *testing.T) {
	h := newHistory(1)
	h.answers("v1", 5, 0)
	h.answers("v2", 5, 0)
	h.answers("v1", 5, 0) // v2 was rolled back
	other := h.task.version(&schemas.TrainingExample{Model: "n", ModelVersion: "v9", Role: "champion", InferredAt: 1 << 40})
	unnamed := h.task.version(&schemas.TrainingExample{Model: "m", Role: "champion", InferredAt: 1 << 40})
	canary := h.task.version(&schemas.TrainingExample{Model: "m", ModelVersion: "v3", Role: "canary"})
	for name, v := range map[string]*version{"another model's": other, "without a name": unnamed, "a canary": canary} {
		if n, _ := v.detector.Count(); n != 0 {
			t.Errorf("%s begins with %d observations", name, n)
		}
	}
	if got := h.task.before(&schemas.TrainingExample{Model: "m", ModelVersion: "v4", Role: "champion"}); got != h.task.versions[versionKey("m", "v1")] {
		t.Errorf("before v4 answered %+v", got)
	}
	// What a version learns of its own is not told to the one that it goes on from.
	h.answers("v4", 3, 1)
	if n, ones := h.task.versions[versionKey("m", "v1")].detector.Count(); n != 10 || ones != 0 {
		t.Errorf("v1 has %d observations, %d errors; want 10, 0", n, ones)
	}
	if n, ones := h.task.versions[versionKey("m", "v4")].detector.Count(); n != 13 || ones != 3 {
		t.Errorf("v4 has %d observations, %d errors; want 13, 3", n, ones)
	}
}

// TestObserves checks that the first feedback that judges counts, and that once.
func TestObserves(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	yes := true
	add := func(revision, judgement int64, correct *bool) {
		r := example("v1", revision, correct, "ham")
		m := bustest.Event(bus.TrainingExamples, "v1", &schemas.TrainingExample{
			Envelope: schemas.Envelope{Tenant: "a", ArrivedAt: began}, Model: "m", ModelVersion: "v1", Role: "champion",
			Revision: revision, Judgement: judgement, Correct: correct, Label: "ham",
		})
		r.Value = m.Value
		c.Produce(r)
	}
	for range 10 {
		add(1, 0, nil) // a comment
		add(2, 1, &yes)
		add(3, 2, &yes)
		add(4, 0, nil)
		add(1, 0, &yes) // of an older release
		add(2, 0, &yes)
	}
	c.MustDrain(b, stage(t, DefaultConfig(), errorsName))
	_, reports, _ := seen(t, c, b)
	if len(reports) != 2 || reports[1].ExamplesTotal != 20 {
		t.Errorf("%d reports, of %d observations; want 2 of 20", len(reports), reports[len(reports)-1].ExamplesTotal)
	}
}
