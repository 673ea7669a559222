package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	schemaparquet "github.com/millrace-io/millrace/schemas/parquet"
)

// began is when the tests' logs begin.
const began = schemas.Micros(1_700_000_000_000_000)

// place is one partition.
type place struct {
	topic     string
	partition int32
}

// world is a log and the lake that holds it, in a folder.
type world struct {
	t       testing.TB
	objects *objstore.FolderStore
	mu      sync.Mutex
	ends    map[place]int64 // of the log, under mu
	stored  map[place]int64 // how far the lake is
}

func newWorld(t testing.TB) *world {
	t.Helper()
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, objects: objects, ends: map[place]int64{}, stored: map[place]int64{}}
}

// Topic implements Topics. Each topic has one id in all worlds.
func (w *world) Topic(name string) (bus.Topic, error) {
	var t bus.Topic
	t.Name, t.Partitions = name, 2
	copy(t.ID[:], name)
	return t, nil
}

// Ends implements Topics.
func (w *world) Ends(_ context.Context, topic string) (map[int32]int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[int32]int64{}
	for n := range int32(2) {
		out[n] = w.ends[place{topic, n}]
	}
	return out, nil
}

// put brings messages to the lake as one range of a partition, which begins where the
// one before it ends.
func (w *world) put(topic string, partition int32, messages ...schemas.Message) {
	w.t.Helper()
	at := place{topic, partition}
	t, _ := w.Topic(topic)
	first := w.stored[at]
	commit := lake.Commit{First: first, End: first + int64(len(messages))}
	files := map[schemas.Kind]*bytes.Buffer{}
	writers := map[schemas.Kind]schemaparquet.Writer{}
	var kinds []schemas.Kind
	for i, m := range messages {
		k := m.Kind()
		if writers[k] == nil {
			files[k] = new(bytes.Buffer)
			// The codec's tables, made anew for each file, would take most of the tests' time.
			writers[k] = schemaparquet.NewWriter(files[k], k, parquet.Compression(&parquet.Uncompressed))
			kinds = append(kinds, k)
		}
		if err := writers[k].Write(&schemas.Meta{Topic: topic, Partition: partition, Offset: first + int64(i)}, m); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, k := range kinds {
		if err := writers[k].Close(); err != nil {
			w.t.Fatal(err)
		}
		f := lake.File{Key: lake.FileKey("a", k, "2023-11-14", topic, t.ID, partition, first), Kind: k, Tenant: "a", Day: "2023-11-14", Rows: writers[k].Rows()}
		if err := w.objects.Create(w.t.Context(), f.Key, files[k].Bytes()); err != nil {
			w.t.Fatal(err)
		}
		commit.Files = append(commit.Files, f)
	}
	if err := lake.PutCommit(w.t.Context(), w.objects, t.ID, partition, commit); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stored[at] = commit.End
	w.ends[at] = max(w.ends[at], commit.End)
}

// each puts every message as a range of its own.
func (w *world) each(topic string, partition int32, messages ...schemas.Message) {
	w.t.Helper()
	for _, m := range messages {
		w.put(topic, partition, m)
	}
}

// trigger asks for a run on model m.
func trigger(ranges ...string) *schemas.DriftTrigger {
	t := &schemas.DriftTrigger{Model: "m", RunID: "run", Ranges: ranges}
	t.EventID = "trigger"
	return t
}

func (w *world) snapshot(tr *schemas.DriftTrigger) (*Dataset, error) {
	return w.snapshotWith(DefaultConfig(), tr)
}

func (w *world) snapshotWith(cfg Config, tr *schemas.DriftTrigger) (*Dataset, error) {
	cfg.Wait = time.Second
	return Snapshot(w.t.Context(), cfg, Deps{Objects: w.objects, Topics: w}, tr)
}

func (w *world) must(tr *schemas.DriftTrigger) *Dataset {
	w.t.Helper()
	d, err := w.snapshot(tr)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "1:" + hex.EncodeToString(sum[:16])
}

// at is a time of the log.
func at(n int) schemas.Micros { return began + schemas.Micros(n)*1_000_000 }

// text is one that came n seconds behind the beginning, with a label or without.
func text(id, s, label string, n int) *schemas.CleanText {
	m := &schemas.CleanText{Text: s, Label: label}
	m.Tenant, m.EventID, m.ArrivedAt, m.ContentHash, m.RulesVersion = "a", id, at(n), hashOf(s), "r1"
	return m
}

// asked is an inference on an input that is no text event.
func asked(id, input string, n int) *schemas.Inference {
	m := &schemas.Inference{InputMessages: input}
	m.Tenant, m.EventID, m.ArrivedAt, m.ContentHash, m.RulesVersion = "a", id, at(n), hashOf(input), "r2"
	return m
}

// judged is an example of model m, on the text event textID, or where that is empty, on
// the inference's own input.
func judged(inference, textID, label string, revision int64, n int) *schemas.TrainingExample {
	m := &schemas.TrainingExample{InferenceID: inference, TextID: textID, Model: "m", Label: label, Weight: 1, Revision: revision, InferredAt: at(n)}
	m.Tenant, m.EventID, m.ArrivedAt = "a", fmt.Sprint(inference, revision), at(n)
	return m
}

// labels are the examples of a dataset, by their text.
func labels(d *Dataset) map[string]string {
	out := map[string]string{}
	for i := range d.Examples {
		out[d.Examples[i].Text] = d.Examples[i].Label
	}
	return out
}
