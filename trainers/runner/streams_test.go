package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
	schemaparquet "github.com/millrace-io/millrace/schemas/parquet"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/classifier"
	"github.com/millrace-io/millrace/trainers/dataset"
	"github.com/millrace-io/millrace/trainers/policy"
	"github.com/millrace-io/millrace/trainers/registry"
	"github.com/millrace-io/millrace/trainers/rollout"
)

// said is a text of a stream with its right label. labelled ones come with it; of others
// a thumb may be all that is told of the champion's answer.
type said struct {
	text, label     string
	labelled, thumb bool
}

// loop plays a stream against the deciders, the snapshots, the trainings and the gate, as
// they are, on a log in memory and a lake in a folder. Only the detector is played: it
// signals some examples behind a change that the stream is known to have.
type loop struct {
	t        *testing.T
	log      []bus.Record
	deciders map[string]trainers.Decider
	read     map[string]int
	fold     *registry.Fold
	runner   *Runner
	champion trainers.Artifact

	rows   map[string][]schemas.Message // what the lake does not hold yet, by topic
	stored map[string]int64
	at     int64
	report map[string]*schemas.QualityReport // by version
	// change is the offset of the first example behind the change, 0 before it.
	change int64
	told   bool
}

func newLoop(t *testing.T) *loop {
	t.Helper()
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	quick := classifier.DefaultConfig()
	quick.WordNgrams, quick.Epochs, quick.Shards = 1, 5, 1
	recipe, err := classifier.NewRecipe(quick)
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{
		t: t, deciders: map[string]trainers.Decider{}, read: map[string]int{}, fold: registry.NewFold(),
		rows: map[string][]schemas.Message{}, stored: map[string]int64{}, report: map[string]*schemas.QualityReport{},
		runner: &Runner{cfg: DefaultConfig(), deps: Deps{Objects: objects, Recipe: recipe}, done: prometheus.NewGauge(prometheus.GaugeOpts{Name: "done"})},
	}
	db, err := state.Open("/s", vfs.NewMem(), bustest.Log())
	if err != nil {
		t.Fatal(err)
	}
	cfg := policy.DefaultConfig()
	cfg.Model = "m"
	p, err1 := policy.Stage(cfg, policy.Deps{Log: bustest.Log(), Metrics: prometheus.NewRegistry()})
	g, err2 := registry.Stage(registry.Deps{Log: bustest.Log(), Metrics: prometheus.NewRegistry()})
	o, err3 := rollout.Stage(rollout.DefaultConfig(), rollout.Deps{Log: bustest.Log(), Metrics: prometheus.NewRegistry()})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for _, s := range []bus.Stage{p, g, o} {
		st, err := db.Partition(s.Name, [16]byte{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		task, err := s.Open(t.Context(), bus.Partition{Topic: bus.ModelEvents}, st)
		if err != nil {
			t.Fatal(err)
		}
		l.deciders[s.Name] = task.(trainers.Decider)
	}
	return l
}

func (l *loop) append(rec bus.Record) {
	rec.Topic, rec.Offset = bus.ModelEvents, int64(len(l.log))
	rec.Timestamp = time.Unix(1_700_000_000+l.at*60, 0)
	l.log = append(l.log, rec)
}

// tell writes what a step says, and lets everybody read.
func (l *loop) tell(step string, m schemas.Message) {
	l.t.Helper()
	m.Env().EventID = fmt.Sprint(step, len(l.log))
	l.append(bus.Record{Kind: m.Kind(), Derived: true, Origin: bus.Origin{Step: step, Offset: int64(len(l.log))}, Value: m.MarshalAppend(nil)})
	for busy := true; busy; {
		busy = false
		for _, step := range []string{trainers.StepRegistry, trainers.StepPolicy, trainers.StepRollout} {
			for ; l.read[step] < len(l.log); l.read[step]++ {
				busy = true
				rec := l.log[l.read[step]]
				out, err := l.deciders[step].Decide(&rec)
				if err != nil {
					l.t.Fatal(err)
				}
				for i, m := range out {
					l.append(bus.Record{Kind: m.Kind(), Derived: true, Origin: bus.Origin{Step: step, Offset: rec.Offset, Index: int32(i)}, Value: m.MarshalAppend(nil)})
				}
			}
		}
		for ; l.read[""] < len(l.log); l.read[""]++ {
			if err := l.fold.Apply(&l.log[l.read[""]]); err != nil {
				l.t.Fatal(err)
			}
		}
		if m := l.fold.Model("m"); m != nil && m.InFlight() != nil {
			l.run(m, m.InFlight().Trigger)
			busy = true
		}
	}
}

// claim writes what a runner says.
func (l *loop) claim(m schemas.Message, id string) {
	m.Env().EventID = id
	l.append(bus.Record{Kind: m.Kind() + "_claim", Origin: bus.Origin{Offset: int64(len(l.log))}, Value: m.MarshalAppend(nil)})
}

// run makes a run as a runner does, without a log of Kafka's.
func (l *loop) run(m *registry.Model, t *schemas.DriftTrigger) {
	l.t.Helper()
	l.flush(bus.CleanText)
	l.flush(bus.TrainingExamples)
	w := &work{Runner: l.runner, trigger: t, champion: m.Version(t.ParentVersion)}
	var err error
	if w.data, err = dataset.Snapshot(l.t.Context(), l.runner.cfg.Dataset, dataset.Deps{Objects: l.runner.deps.Objects, Topics: l}, t); err != nil {
		l.t.Fatal(err)
	}
	_, err = w.train(l.t.Context())
	if err == nil {
		_, err = w.evaluate(l.t.Context())
	}
	if err != nil {
		l.t.Fatal(err)
	}
	made := w.chosen.made
	l.claim(&schemas.ModelVersion{Model: "m", RunID: t.RunID, Artifact: made.Artifact, Digest: made.Digest, GatePassed: w.evaluation.Gate.Passed}, t.RunID+"-version")
	l.claim(&schemas.TrainingRun{Model: "m", RunID: t.RunID, Step: trainers.RunFinished}, t.RunID+"-finished")
	l.t.Logf("at %d: %s on %d examples: %v", l.at, t.Reason, len(w.data.Examples), w.evaluation.Gate.Reasons)
	if w.evaluation.Gate.Passed {
		l.champion = w.chosen.model
	}
}

// Topic implements dataset.Topics.
func (l *loop) Topic(name string) (t bus.Topic, err error) {
	t.Name, t.Partitions = name, 1
	copy(t.ID[:], name)
	return t, nil
}

// Ends implements dataset.Topics.
func (l *loop) Ends(_ context.Context, topic string) (map[int32]int64, error) {
	return map[int32]int64{0: l.stored[topic]}, nil
}

func (l *loop) flush(name string) {
	l.t.Helper()
	rows, first := l.rows[name], l.stored[name]
	if len(rows) == 0 {
		return
	}
	topic, _ := l.Topic(name)
	var file bytes.Buffer
	w := schemaparquet.NewWriter(&file, rows[0].Kind(), parquet.Compression(&parquet.Uncompressed))
	var err error
	for i, m := range rows {
		err = errors.Join(err, w.Write(&schemas.Meta{Topic: name, Offset: first + int64(i)}, m))
	}
	err = errors.Join(err, w.Close())
	f := lake.File{Key: lake.FileKey("a", rows[0].Kind(), "2023-11-14", name, topic.ID, 0, first), Kind: rows[0].Kind(), Tenant: "a", Day: "2023-11-14", Rows: int64(len(rows))}
	err = errors.Join(err, l.runner.deps.Objects.Create(l.t.Context(), f.Key, file.Bytes()))
	l.rows[name], l.stored[name] = nil, first+int64(len(rows))
	if err = errors.Join(err, lake.PutCommit(l.t.Context(), l.runner.deps.Objects, topic.ID, 0, lake.Commit{First: first, End: l.stored[name], Files: []lake.File{f}})); err != nil {
		l.t.Fatal(err)
	}
}

// observe notes an example for the next report of its version.
func (l *loop) observe(topic, version, label string, offset, least int64) {
	l.t.Helper()
	r := l.report[version]
	if r == nil {
		r = &schemas.QualityReport{Model: "m", ModelVersion: version, Topic: topic, FromOffset: offset, Labels: map[string]int64{}}
		l.report[version] = r
	}
	r.ToOffset = offset + 1
	if r.Examples++; label != "" {
		r.Labels[label]++
	}
	if r.Examples >= least {
		delete(l.report, version)
		l.tell("drift", r)
	}
}

// next plays one text, and says whether the champion was right.
func (l *loop) next(s *said) (right, asked bool) {
	l.t.Helper()
	l.at++
	id, at := fmt.Sprint("t", l.at), schemas.Micros(1_700_000_000_000_000+l.at)
	offset := l.stored[bus.CleanText] + int64(len(l.rows[bus.CleanText]))
	m := &schemas.CleanText{Text: s.text}
	m.Tenant, m.EventID, m.ArrivedAt = "a", id, at
	if s.labelled {
		m.Label = s.label
	}
	l.rows[bus.CleanText] = append(l.rows[bus.CleanText], m)
	champion := l.fold.Model("m")
	switch {
	case s.labelled:
		l.observe(bus.CleanText, "", s.label, offset, 50)
		return false, false
	case champion == nil || champion.Champion == nil:
		return false, false
	}
	version := champion.Champion.Version
	prediction, _ := l.champion.Predict(s.text)
	right = prediction == s.label
	offset = l.stored[bus.TrainingExamples] + int64(len(l.rows[bus.TrainingExamples]))
	e := &schemas.TrainingExample{InferenceID: "i" + id, TextID: id, Model: "m", ModelVersion: version, Prediction: prediction, Label: s.label, Correct: &right, Weight: 1, Revision: 1, Judgement: 1, InferredAt: at}
	if s.thumb && !right {
		e.Label = "" // of a thumb nobody knows what would have been right
	}
	e.Tenant, e.EventID, e.ArrivedAt = "a", "e"+id, at
	l.rows[bus.TrainingExamples] = append(l.rows[bus.TrainingExamples], e)
	l.observe(bus.TrainingExamples, version, e.Label, offset, 10)
	if l.change > 0 && !l.told && offset >= l.change+30 {
		l.told = true
		l.tell("drift", &schemas.DriftSignal{
			Model: "m", ModelVersion: l.fold.Model("m").Champion.Version, Signal: "error_rate", Topic: bus.TrainingExamples,
			FromOffset: l.change, ToOffset: offset + 1, Examples: offset + 1 - l.change, Before: .1, After: .5,
		})
	}
	return right, true
}

// play plays a stream that changes at a text, and returns how often the champion was right
// on its last third.
func (l *loop) play(stream []said, change int) float64 {
	l.t.Helper()
	n, all := 0, 0
	for i := range stream {
		if i == change {
			l.change = l.stored[bus.TrainingExamples] + int64(len(l.rows[bus.TrainingExamples]))
		}
		right, asked := l.next(&stream[i])
		if !asked || i < len(stream)*2/3 {
			continue
		}
		if all++; right {
			n++
		}
	}
	return float64(n) / float64(max(1, all))
}

// speech makes texts of a topic: a few of its words, of which it has the more the higher
// spread is, among words of none.
func speech(rng *rand.Rand, topic int, spread float64) string {
	var b strings.Builder
	for i := range 8 {
		if i < 3 {
			fmt.Fprintf(&b, "topic%dword%d ", topic, int(rng.ExpFloat64()*spread))
		} else {
			fmt.Fprintf(&b, "word%d ", rng.IntN(500))
		}
	}
	return b.String()
}

// TestStreams plays streams that the loop once did not learn, with what went wrong.
func TestStreams(t *testing.T) {
	const topics = 10
	label := func(topic int) string { return fmt.Sprint("label", topic) }
	team := func(topic int, moved bool) string {
		if moved && topic%5 < 2 {
			topic += 5
		}
		return []string{"one", "other"}[topic%topics/5]
	}
	for _, x := range []struct {
		name             string
		labelled, all    int
		change, distinct int
		spread           float64 // of 60, a few hundred texts do not tell all
		of               func(topic int, changed bool) string
		thumbs           float64
		fresh            bool // the change brings topics
		want             float64
	}{
		// Without a signal, nothing that was judged was ever learned from.
		{name: "few labels, then judgements", labelled: 260, all: 2400, spread: 60, of: func(topic int, _ bool) string { return label(topic) }, want: .9},
		// The gate vetoed whoever had learned the new meaning, by the old examples.
		{name: "labels change their meaning", labelled: 700, all: 2400, change: 900, spread: 60, of: team, want: .9},
		// The old labels of a text outvoted the new one.
		{name: "texts come again, and change their labels", labelled: 800, all: 2400, change: 1200, distinct: 150, spread: 4, of: team, want: .9},
		// Where thumbs say most of what is known, it takes longer and is learned too; which
		// examples then judge, the dataset's tests say.
		{name: "thumbs in place of labels", labelled: 600, all: 2400, change: 900, spread: 20, of: func(topic int, _ bool) string { return label(topic) }, thumbs: .8, fresh: true, want: .9},
	} {
		t.Run(x.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(11, 3))
			var base [topics][]string
			for i := range x.distinct {
				base[i%topics] = append(base[i%topics], speech(rng, i%topics, x.spread))
			}
			stream := make([]said, x.all)
			for i := range stream {
				changed := x.change > 0 && i >= x.change
				topic := rng.IntN(topics)
				if x.fresh && !changed {
					topic = rng.IntN(topics - 4)
				}
				text := speech(rng, topic, x.spread)
				if x.distinct > 0 {
					text = base[topic][rng.IntN(len(base[topic]))]
				}
				stream[i] = said{text: text, label: x.of(topic, changed), labelled: i < x.labelled, thumb: rng.Float64() < x.thumbs}
			}
			if got := newLoop(t).play(stream, x.change); got < x.want {
				t.Errorf("on the last third the champion is right on %.3f, want %.3f", got, x.want)
			} else {
				t.Logf("on the last third the champion is right on %.3f", got)
			}
		})
	}
}
