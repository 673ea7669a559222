package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/dataset"
)

// TestRuns checks that each trigger of the recipe makes one version, which is judged
// beside the champion that the trigger names, and that nobody makes it again.
func TestRuns(t *testing.T) {
	r := newRig(t)
	r.registry()
	r.texts(240, "ham", "spam")
	rec := newRecipe(t)
	stop := r.runner(t.Context(), rec, r.Objects)
	r.trigger("foreign", func(m *schemas.DriftTrigger) { m.Recipe = "lora" })
	r.trigger("first", nil)
	first := r.finished("first")
	v := first.Version
	if v.Version != "v1" || !v.GatePassed || v.Stage != trainers.StageCandidate || !slices.Equal(v.Labels, []string{"ham", "spam"}) || v.Examples < 200 || v.CodeVersion != "test" {
		t.Errorf("the version: %s", v.AppendJSON(nil))
	}
	data, err := objstore.GetDigest(t.Context(), r.Objects, v.Artifact, v.Digest)
	if err != nil {
		t.Fatal(err)
	}
	model, err := rec.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	if label, _ := model.Predict("spam1 spam2 spam3"); label != "spam" {
		t.Errorf("the artefact says %s", label)
	}
	if d, err := dataset.Load(t.Context(), r.Objects, "first"); err != nil || d.Hash != v.DatasetHash || d.Key != v.Dataset {
		t.Errorf("the version's dataset is %s %s: %v", v.Dataset, v.DatasetHash, err)
	}
	if m := first.Step(trainers.RunEvaluated).Metrics; m["passed"] != 1 || m["accuracy"] < .9 || m["held_out"] < 50 {
		t.Errorf("it was judged by %v", m)
	}

	// The same data again is no better; a label that the champion cannot know is.
	r.trigger("same", func(m *schemas.DriftTrigger) { m.ParentVersion = "v1" })
	if v := r.finished("same").Version; v.GatePassed || v.Stage != trainers.StageRejected || !strings.Contains(v.GateDetail, "not shown to be better") || v.Digest != first.Version.Digest {
		t.Errorf("on the same data: %s", v.AppendJSON(nil))
	}
	r.texts(120, "ham", "ads")
	r.trigger("drift", func(m *schemas.DriftTrigger) { m.ParentVersion, m.DriftSince = "v1", []string{"clean.text/0:240"} })
	if v := r.finished("drift").Version; !v.GatePassed || v.Version != "v3" || v.Gate["after_candidate"] < v.Gate["after_champion"]+.2 {
		t.Errorf("after the drift: %s", v.AppendJSON(nil))
	}

	if err := stop(); err != nil {
		t.Fatal(err)
	}
	trained := rec.trainings()
	r.runner(t.Context(), rec, r.Objects)
	r.trigger("last", nil)
	r.finished("last")
	if n := rec.trainings() - trained; n > 3 {
		t.Errorf("another runner trained %d models, want those of the last run", n)
	}
	for _, id := range []string{"first", "same", "drift", "last"} {
		if got, want := r.claims(id), slices.Insert(slices.Clone(allSteps), 4, "version"); !slices.Equal(got, want) {
			t.Errorf("the claims of %s are %v, want %v", id, got, want)
		}
	}
	if m := r.model(); len(m.Versions) != 4 || len(r.claims("foreign")) != 0 || m.Run("foreign").Ended() {
		t.Errorf("%d versions; of another recipe's run %v is claimed", len(m.Versions), r.claims("foreign"))
	}
}

// TestMeaning checks that behind a drift that has changed what is right the model of the
// examples since then serves, and that another such run adopts both that were made.
func TestMeaning(t *testing.T) {
	r := newRig(t)
	r.registry()
	r.texts(400, "ham", "spam")
	r.runner(t.Context(), newRecipe(t), r.Objects)
	r.trigger("first", nil)
	first := r.finished("first").Version
	r.called(200, map[string]string{"ham": "spam", "spam": "ham"}, "ham", "spam")
	r.trigger("drift", changed)
	run := r.finished("drift")
	v := run.Version
	if !v.GatePassed || v.Gate["after_alone"] != 1 || v.Gate["after_candidate"] < .9 || v.Gate["after_champion"] > .1 || v.Examples > 200 {
		t.Errorf("the version: %s", v.AppendJSON(nil))
	}
	if m := run.Step(trainers.RunTrained).Metrics; m["examples_alone"] != float64(v.Examples) || m["examples"] < 500 || v.Digest == first.Digest {
		t.Errorf("it trained %v, and the version has %d examples", m, v.Examples)
	}
	if data, err := objstore.GetDigest(t.Context(), r.Objects, v.Artifact, v.Digest); err != nil {
		t.Error(err)
	} else if model, err := newRecipe(t).Load(data); err != nil {
		t.Error(err)
	} else if label, _ := model.Predict("spam1 spam2 spam3"); label != "ham" {
		t.Errorf("the artefact says %s", label)
	}
	// The next one is compared with what this one said of what it has learned.
	r.trigger("again", func(m *schemas.DriftTrigger) { changed(m); m.ParentVersion = "v2" })
	if v := r.finished("again").Version; v.GatePassed || v.Gate["after_n"] < 190 || v.Gate["after_gained"]+v.Gate["after_lost"] != 0 {
		t.Errorf("on the same data: %s", v.AppendJSON(nil))
	}
}

// changed asks for a run behind a drift at the 400th text.
func changed(m *schemas.DriftTrigger) {
	m.ParentVersion, m.DriftSince = "v1", []string{"clean.text/0:400"}
}

// TestCrash checks that a runner that dies before or behind any write of an object leaves
// a run that the next one ends, with what was made so far and with the same version: a
// first one, and one of which two candidates are made.
func TestCrash(t *testing.T) {
	t.Run("first", func(t *testing.T) {
		r := newRig(t)
		r.registry()
		r.texts(150, "ham", "spam")
		r.crash(nil, 8)
	})
	t.Run("drift", func(t *testing.T) {
		r := newRig(t)
		r.registry()
		r.texts(400, "ham", "spam")
		stop := r.runner(t.Context(), newRecipe(t), r.Objects)
		r.trigger("first", nil)
		r.finished("first")
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		r.called(100, map[string]string{"ham": "spam", "spam": "ham"}, "ham", "spam")
		r.crash(changed, 9)
	})
}

// crash makes one run after another, each of which dies one write later.
func (r *rig) crash(edit func(*schemas.DriftTrigger), least int) {
	t := r.t
	versions := 0
	if m := r.model(); m != nil {
		versions = len(m.Versions)
	}
	digests := map[string]bool{}
	for at := 0; ; at++ {
		id := fmt.Sprint("run-", at)
		r.trigger(id, edit)
		ctx, die := context.WithCancel(t.Context())
		calls := 0
		objects := &bustest.Objects{Store: r.Objects, Fail: func() error {
			if calls++; calls > at {
				die()
			}
			return ctx.Err()
		}}
		stop := r.runner(ctx, newRecipe(t), objects)
		bustest.Await(t, "the first runner dies or ends", func() bool { return ctx.Err() != nil || r.model().Run(id).Ended() })
		died := ctx.Err() != nil
		die()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		before := r.objects(id)
		stop = r.runner(t.Context(), newRecipe(t), r.Objects)
		run := r.finished(id)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		after := r.objects(id)
		for key, data := range before {
			if after[key] != data {
				t.Errorf("death at write %d: %s was replaced", at, key)
			}
		}
		digests[run.Version.Digest] = true
		if n := len(r.model().Versions) - versions; n != at+1 || len(digests) != 1 {
			t.Fatalf("death at write %d: %d versions of %d artefacts, want %d of 1", at, n, len(digests), at+1)
		}
		if !died {
			if at < least {
				t.Errorf("a run has %d writes only", at)
			}
			return
		}
	}
}

// TestTwice checks that a run that is made again before anything is answered, by a runner
// that knows of no end, makes the same claims, of which the first of each count.
func TestTwice(t *testing.T) {
	r := newRig(t)
	r.texts(150, "ham", "spam")
	r.trigger("run", nil)
	want := slices.Insert(slices.Clone(allSteps), 4, "version")
	for tries := 1; tries <= 2; tries++ {
		rec := newRecipe(t)
		stop := r.runner(t.Context(), rec, r.Objects)
		bustest.Await(t, "all is claimed", func() bool { return len(r.claims("run")) == tries*len(want) })
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if n := rec.trainings(); tries == 2 && n != 0 {
			t.Errorf("made again, the run trained %d models", n)
		}
	}
	if got := r.claims("run"); !slices.Equal(got, slices.Concat(want, want)) {
		t.Errorf("the claims are %v", got)
	}
	r.registry()
	r.finished("run")
	if m := r.model(); len(m.Versions) != 1 {
		t.Errorf("%d versions, want 1", len(m.Versions))
	}
}

// TestFails checks what is said of runs that cannot be made, and how often they are tried.
func TestFails(t *testing.T) {
	long := "!" + strings.Repeat("ü", 10) + "\xff" + strings.Repeat("ü", maxError)
	for _, x := range []struct {
		name  string
		fail  func(n int) error
		edit  func(*schemas.DriftTrigger)
		tries int
		says  string // empty where the run is made in the end
	}{
		{"the data is at fault", func(int) error { return &trainers.DataError{Problem: "one label alone"} }, nil, 1, "step trained: one label alone"},
		{"it never works", func(int) error { return errors.New("no memory") }, nil, 3, "no memory"},
		{"it works at last", func(n int) error {
			if n < 2 {
				return errors.New("no memory")
			}
			return nil
		}, nil, 5, ""},
		{"much is said, not all of it readable", func(int) error { return errors.New(long) }, nil, 3, "step trained: !üü"},
		{"an empty range", nil, func(m *schemas.DriftTrigger) { m.Ranges = []string{"clean.text/0:5-5"} }, 0, "step dataset: there is no example"},
		{"a champion that nobody knows", nil, func(m *schemas.DriftTrigger) { m.ParentVersion = "v9" }, 1, "nothing is known of version v9"},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := newRig(t)
			r.registry()
			r.texts(150, "ham", "spam")
			rec := newRecipe(t)
			rec.fail = x.fail
			r.runner(t.Context(), rec, r.Objects)
			r.trigger("run", x.edit)
			run := r.ended("run")
			last := run.Steps[len(run.Steps)-1]
			if x.says == "" {
				if last.Step != trainers.RunFinished || run.Version == nil {
					t.Errorf("it ends with %s: %s", last.Step, last.Error)
				}
			} else if last.Step != trainers.RunFailed || !strings.Contains(last.Error, x.says) || len(last.Error) > maxError || run.Version != nil {
				t.Errorf("it ends with %s and says %.200q of %d bytes; want %q", last.Step, last.Error, len(last.Error), x.says)
			}
			if n := rec.trainings(); n != x.tries {
				t.Errorf("%d trainings, want %d", n, x.tries)
			}
		})
	}
}

// TestTampered checks that an artefact of a run that was changed is never claimed.
func TestTampered(t *testing.T) {
	r := newRig(t)
	r.registry()
	r.texts(150, "ham", "spam")
	r.trigger("first", nil)
	stop := r.runner(t.Context(), newRecipe(t), r.Objects)
	v := r.finished("first").Version
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := r.Objects.Delete(t.Context(), v.Artifact); err != nil {
		t.Fatal(err)
	}
	if err := r.Objects.Create(t.Context(), v.Artifact, []byte("another model")); err != nil {
		t.Fatal(err)
	}
	r.trigger("second", nil) // on the same data: its artefact has the same name
	r.runner(t.Context(), newRecipe(t), r.Objects)
	run := r.ended("second")
	if last := run.Steps[len(run.Steps)-1]; last.Step != trainers.RunFailed || !strings.Contains(last.Error, "is not what its digest says") || run.Version != nil {
		t.Errorf("it ends with %s and says %q", last.Step, last.Error)
	}
}

func TestConfig(t *testing.T) {
	for field, edit := range map[string]func(*Config){
		"folds": func(c *Config) { c.Folds = 1 }, "tries": func(c *Config) { c.Tries = 0 },
		"wait": func(c *Config) { c.Dataset.Wait = 0 }, "alpha": func(c *Config) { c.Gate.Alpha = 0 },
	} {
		cfg := DefaultConfig()
		edit(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("a wrong %s: %v", field, err)
		}
	}
	if _, err := New(DefaultConfig(), Deps{}); err == nil {
		t.Error("a runner with nothing to work with: no error")
	}
}

// TestTwoRunners lets two runners make the same run at once, abreast at every object that
// they keep, with models that differ: each step has one result, that of either, both end
// with it, and there is one version.
func TestTwoRunners(t *testing.T) {
	r := newRig(t)
	r.registry()
	r.texts(150, "ham", "spam")
	abreast := newPairs()
	var stops []func() error
	for n := range 2 {
		rec := newRecipe(t)
		rec.seed = int64(n) // as if another build trained another model
		stops = append(stops, r.runner(t.Context(), rec, &pairedObjects{Store: r.Objects, pairs: abreast}))
	}
	r.trigger("run", nil)
	run := r.finished("run")
	bustest.Await(t, "both have made their claims", func() bool { return len(r.claims("run")) >= 2*(len(allSteps)+1) })
	for _, stop := range stops {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	if n := len(r.model().Versions); n != 1 {
		t.Errorf("%d versions, want 1", n)
	}
	digests := map[string]bool{}
	for _, rec := range r.Read(r.bus, bus.ModelEvents) {
		if v, ok := bustest.Decode(t, &rec).(*schemas.ModelVersion); ok && v.RunID == "run" {
			digests[v.Digest] = true
		}
	}
	if len(digests) != 1 || !digests[run.Version.Digest] {
		t.Errorf("the runners claim versions of %v, and the registry has %s", digests, run.Version.Digest)
	}
	if abreast.met() < 3 {
		t.Errorf("the runners met at %d objects, want 3: the dataset, the model and its evaluation", abreast.met())
	}
}
