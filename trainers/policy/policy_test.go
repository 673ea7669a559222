package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
)

// rig is the stage alone, told what a log would hold.
type rig struct {
	t       *testing.T
	decider trainers.Decider
	at      int64
	day     int64
	ends    map[string]int64 // of what was reported, by version
}

func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	s, err := Stage(cfg, Deps{Log: bustest.Log(), Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	db, err := state.Open("/s", vfs.NewMem(), bustest.Log())
	if err != nil {
		t.Fatal(err)
	}
	st, err := db.Partition(s.Name, [16]byte{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	task, err := s.Open(t.Context(), bus.Partition{Topic: bus.ModelEvents}, st)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, decider: task.(trainers.Decider), ends: map[string]int64{}}
}

// tell hands the stage an event that a step wrote, and returns the trigger that it makes
// of it; nil where it makes none.
func (r *rig) tell(step string, m schemas.Message) *schemas.DriftTrigger {
	r.t.Helper()
	r.at++
	m.Env().EventID = fmt.Sprint("event ", r.at)
	out, err := r.decider.Decide(&bus.Record{
		Kind: m.Kind(), Derived: true, Origin: bus.Origin{Step: step, Offset: r.at}, Value: m.MarshalAppend(nil),
		Timestamp: time.Unix(1_700_000_000+r.day*secondsPerDay, 0),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(out) == 0 {
		return nil
	}
	return out[0].(*schemas.DriftTrigger)
}

// report tells of n more examples of a version, or of labelled texts where it has none.
func (r *rig) report(model, version string, n int64) *schemas.DriftTrigger {
	e := &schemas.QualityReport{Model: model, ModelVersion: version, Topic: bus.TrainingExamples, Examples: n, Labels: map[string]int64{"a": n / 2, "b": n - n/2}}
	if version == "" {
		e.Topic = bus.CleanText
	}
	e.FromOffset = r.ends[model+version]
	e.ToOffset = e.FromOffset + n
	r.ends[model+version] = e.ToOffset
	return r.tell("drift", e)
}

// finish ends a run with a version that becomes champion, or is rejected.
func (r *rig) finish(t *schemas.DriftTrigger, version string, passed bool) {
	r.t.Helper()
	v := &schemas.ModelVersion{Model: t.Model, RunID: t.RunID, Version: version, GatePassed: passed, Stage: trainers.StageRejected}
	if passed {
		v.Stage = trainers.StageCandidate
	}
	none := func(d *schemas.DriftTrigger) {
		if d != nil {
			r.t.Fatalf("%s asks for %s (%s)", version, d.Reason, d.Detail)
		}
	}
	none(r.tell(trainers.StepRegistry, v))
	if passed {
		v.Stage = trainers.StageChampion
		none(r.tell(trainers.StepRollout, v))
	}
	none(r.tell(trainers.StepRegistry, &schemas.TrainingRun{Model: t.Model, RunID: t.RunID, Step: trainers.RunFinished}))
}

func config() Config {
	cfg := DefaultConfig()
	cfg.Model = "m"
	return cfg
}

// TestGrowth checks that what was judged is learned from without a signal: in runs that
// grow with the logarithm of the examples, whether their candidates pass or not, and no
// more in a day than are allowed.
func TestGrowth(t *testing.T) {
	for _, x := range []struct {
		name             string
		labelled, judged int64 // judged come in tens
		passes           bool
		most             int64
		least, runs      int
	}{
		{"many judged", 260, 10_000, true, 48, 10, 16},
		{"none passes", 260, 10_000, false, 48, 10, 16},
		{"few judged beside many labelled", 1000, 350, true, 48, 4, 8},
		{"very few", 10_000, 400, true, 48, 0, 0},
		{"a day's budget", 260, 10_000, true, 3, 3, 3},
	} {
		cfg := config()
		cfg.MaxPerDay = x.most + 1 // the first
		r := newRig(t, cfg)
		first := r.report("m", "", x.labelled)
		if first == nil || first.Reason != trainers.ReasonBootstrap {
			t.Fatalf("%s: the first model is asked for by %v", x.name, first)
		}
		r.finish(first, "v1", true)
		champion, runs := "v1", 0
		for range x.judged / 10 {
			d := r.report("m", champion, 10)
			if d == nil {
				continue
			}
			runs++
			if d.Reason != trainers.ReasonGrowth || d.ParentVersion != champion || len(d.DriftSince) > 0 {
				t.Fatalf("%s: run %d: %s", x.name, runs, d.AppendJSON(nil))
			}
			version := fmt.Sprint("v", 1+runs)
			r.finish(d, version, x.passes)
			if x.passes {
				champion = version
			}
		}
		if runs < x.least || runs > x.runs {
			t.Errorf("%s: %d runs, want %d to %d", x.name, runs, x.least, x.runs)
		}
	}
}

// TestOthers checks that a model which only inferences name is trained when a person asks
// for it, and not before; and that what was judged without a version is not taken for
// labelled texts.
func TestOthers(t *testing.T) {
	r := newRig(t, config())
	for range 50 {
		if d := r.report("gpt", "theirs", 100); d != nil {
			t.Fatalf("a model of others is bootstrapped: %s", d.AppendJSON(nil))
		}
	}
	ask := &schemas.ModelCommand{Model: "gpt", Command: trainers.CommandTrain, Accepted: true}
	d := r.tell(trainers.StepRegistry, ask)
	if d == nil || d.Reason != trainers.ReasonManual {
		t.Fatalf("a person's command is answered by %v", d)
	}
	r.finish(d, "v1", false)
	if d = r.report("gpt", "theirs", 4000); d == nil || d.Reason != trainers.ReasonBootstrap {
		t.Errorf("a model that has a version of ours is not trained: %v", d)
	}

	m := &model{Name: "m"}
	m.report(&schemas.QualityReport{Model: "m", Topic: bus.TrainingExamples, ToOffset: 7, Examples: 7})
	m.report(&schemas.QualityReport{Model: "m", Topic: bus.CleanText, ToOffset: 5, Examples: 5})
	if got, want := m.counts(), (counts{Labelled: 5, Judged: 7}); got != want {
		t.Errorf("without a version there are %+v, want %+v", got, want)
	}
}
