package runner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	schemaparquet "github.com/millrace-io/millrace/schemas/parquet"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/classifier"
	"github.com/millrace-io/millrace/trainers/registry"
)

// rig is a log of models with its registry, and a lake of labelled texts.
type rig struct {
	*bustest.Cluster
	t      *testing.T
	bus    *bus.Bus
	stored int64
	// triggers numbers the origins of what policy would write.
	triggers int64
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{Cluster: bustest.New(t), t: t}
	r.bus = r.Member(vfs.NewMem())
	return r
}

// registry answers claims from here on.
func (r *rig) registry() {
	r.t.Helper()
	s, err := registry.Stage(registry.Deps{Log: bustest.Log(), Metrics: prometheus.NewRegistry()})
	if err != nil {
		r.t.Fatal(err)
	}
	b := r.Member(vfs.NewMem())
	r.Start("registry", func(ctx context.Context) error { return b.Run(ctx, s) })
}

// texts puts labelled texts into the lake: words of the label among words of none.
func (r *rig) texts(n int, labels ...string) {
	r.t.Helper()
	r.called(n, nil, labels...)
}

// called puts texts into the lake as texts does, whose right labels are others.
func (r *rig) called(n int, others map[string]string, labels ...string) {
	r.t.Helper()
	topic, err := r.bus.Topic(bus.CleanText)
	if err != nil {
		r.t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(r.stored), 1))
	var file bytes.Buffer
	w := schemaparquet.NewWriter(&file, schemas.KindCleanText, parquet.Compression(&parquet.Uncompressed))
	for i := range int64(n) {
		m := &schemas.CleanText{Label: labels[rng.IntN(len(labels))]}
		for range 12 {
			m.Text += fmt.Sprintf("word%d %s%d ", rng.IntN(2000), m.Label, rng.IntN(20))
		}
		if l, ok := others[m.Label]; ok {
			m.Label = l
		}
		sum := sha256.Sum256([]byte(m.Text))
		m.Tenant, m.EventID, m.ArrivedAt, m.ContentHash = "a", fmt.Sprint("t", r.stored+i), 1_700_000_000_000_000+schemas.Micros(r.stored+i), "1:"+hex.EncodeToString(sum[:16])
		if err := w.Write(&schemas.Meta{Topic: bus.CleanText, Offset: r.stored + i}, m); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		r.t.Fatal(err)
	}
	f := lake.File{Key: lake.FileKey("a", schemas.KindCleanText, "2023-11-14", bus.CleanText, topic.ID, 0, r.stored), Kind: schemas.KindCleanText, Tenant: "a", Day: "2023-11-14", Rows: int64(n)}
	if err := r.Objects.Create(r.t.Context(), f.Key, file.Bytes()); err != nil {
		r.t.Fatal(err)
	}
	commit := lake.Commit{First: r.stored, End: r.stored + int64(n), Files: []lake.File{f}}
	if err := lake.PutCommit(r.t.Context(), r.Objects, topic.ID, 0, commit); err != nil {
		r.t.Fatal(err)
	}
	r.stored = commit.End
}

// trigger asks for a run on everything in the lake, as policy does.
func (r *rig) trigger(runID string, edit func(*schemas.DriftTrigger)) {
	r.t.Helper()
	m := &schemas.DriftTrigger{Model: "m", RunID: runID, Recipe: "classifier", Ranges: []string{fmt.Sprintf("clean.text/0:0-%d", r.stored)}}
	m.Tenant, m.EventID = "a", "trigger-"+runID
	if edit != nil {
		edit(m)
	}
	r.triggers++
	r.Produce(bustest.Input(bus.ModelEvents, "m", m.MarshalAppend(nil),
		kgo.RecordHeader{Key: bus.HeaderKind, Value: []byte(m.Kind())},
		bus.OriginHeader(bus.Origin{Step: trainers.StepPolicy, Offset: r.triggers})))
}

// recipe is the classifier, whose trainings are counted and may fail.
type recipe struct {
	trainers.Recipe
	mu   sync.Mutex
	n    int
	fail func(n int) error
	// seed changes every model.
	seed int64
}

func newRecipe(t *testing.T) *recipe {
	t.Helper()
	cfg := classifier.DefaultConfig()
	cfg.WordNgrams, cfg.Epochs, cfg.Shards = 1, 3, 1
	r, err := classifier.NewRecipe(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &recipe{Recipe: r}
}

func (r *recipe) Train(ctx context.Context, examples []trainers.Example, seed int64, progress func(float64)) (trainers.Artifact, error) {
	r.mu.Lock()
	n := r.n
	r.n++
	r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(n); err != nil {
			return nil, err
		}
	}
	return r.Recipe.Train(ctx, examples, seed+r.seed, progress)
}

func (r *recipe) trainings() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// runner starts one, on a member of its own, that dies with ctx; stop ends it and returns
// what Run did.
func (r *rig) runner(ctx context.Context, recipe trainers.Recipe, objects objstore.Store) (stop func() error) {
	r.t.Helper()
	cfg := DefaultConfig()
	cfg.Tries, cfg.RetryPause, cfg.Folds = 3, 0, 2
	run, err := New(cfg, Deps{
		Bus: r.Member(vfs.NewMem()), Objects: objects, Recipe: recipe, Log: bustest.Log(), Metrics: prometheus.NewRegistry(), Clock: time.Now, Version: "test",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- run.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	r.t.Cleanup(func() {
		if err := stop(); err != nil {
			r.t.Errorf("runner: %v", err)
		}
	})
	return stop
}

// model is what the log says of the model m now.
func (r *rig) model() *registry.Model {
	r.t.Helper()
	f := registry.NewFold()
	for _, rec := range r.Read(r.bus, bus.ModelEvents) {
		if err := f.Apply(&rec); err != nil {
			r.t.Fatal(err)
		}
	}
	return f.Model("m")
}

// claims are those of a run, by their kind and step, in the log's order.
func (r *rig) claims(runID string) []string {
	r.t.Helper()
	var out []string
	for _, rec := range r.Read(r.bus, bus.ModelEvents) {
		if _, claim := rec.Kind.Claim(); !claim {
			continue
		}
		switch m := bustest.Decode(r.t, &rec).(type) {
		case *schemas.TrainingRun:
			if m.RunID == runID {
				out = append(out, m.Step)
			}
		case *schemas.ModelVersion:
			if m.RunID == runID {
				out = append(out, "version")
			}
		}
	}
	return out
}

// ended waits for the end of a run and returns it.
func (r *rig) ended(runID string) *registry.Run {
	r.t.Helper()
	var run *registry.Run
	bustest.Await(r.t, "run "+runID+" ends", func() bool {
		if m := r.model(); m != nil {
			run = m.Run(runID)
		}
		return run != nil && run.Ended()
	})
	return run
}

// steps are the answered ones.
func steps(run *registry.Run) []string {
	var out []string
	for _, s := range run.Steps {
		out = append(out, s.Step)
	}
	return out
}

var allSteps = []string{trainers.RunStarted, trainers.RunDataset, trainers.RunTrained, trainers.RunEvaluated, trainers.RunFinished}

func (r *rig) finished(runID string) *registry.Run {
	r.t.Helper()
	run := r.ended(runID)
	if got := steps(run); !slices.Equal(got, allSteps) || run.Version == nil {
		r.t.Fatalf("run %s: steps %v, version %v, %q", runID, got, run.Version, run.Steps[len(run.Steps)-1].Error)
	}
	return run
}

// objects are those of a run, by their keys.
func (r *rig) objects(runID string) map[string]string {
	r.t.Helper()
	out := map[string]string{}
	for info, err := range r.Objects.List(r.t.Context(), "runs/"+runID+"/") {
		if err != nil {
			r.t.Fatal(err)
		}
		data, err := r.Objects.Get(r.t.Context(), info.Key)
		if err != nil {
			r.t.Fatal(err)
		}
		out[info.Key] = string(data)
	}
	return out
}

// pairs lets two who would make the same object of a run wait for each other.
type pairs struct {
	mu   sync.Mutex
	come map[string]chan struct{}
	both int
}

// mostWait is how long one waits for a second who has adopted what is there already.
const mostWait = 2 * time.Second

func newPairs() *pairs { return &pairs{come: map[string]chan struct{}{}} }

func (p *pairs) meet(key string) {
	p.mu.Lock()
	other, second := p.come[key]
	if second {
		p.both++
		close(other)
		delete(p.come, key)
		p.mu.Unlock()
		return
	}
	mine := make(chan struct{})
	p.come[key] = mine
	p.mu.Unlock()
	select {
	case <-mine:
	case <-time.After(mostWait):
	}
}

// met is at how many objects the two were abreast.
func (p *pairs) met() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.both
}

// pairedObjects are the objects of one of the two.
type pairedObjects struct {
	objstore.Store
	pairs *pairs
}

// Create implements objstore.Store.
func (o *pairedObjects) Create(ctx context.Context, key string, data []byte) error {
	if strings.HasPrefix(key, "runs/") {
		o.pairs.meet(key)
	}
	return o.Store.Create(ctx, key, data)
}
