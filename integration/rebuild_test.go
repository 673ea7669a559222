//go:build integration

package integration

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks/clickhouse"
	"github.com/millrace-io/millrace/sinks/parquet"
)

// storedOn are the kinds of each topic that is stored.
var storedOn = map[string][]schemas.Kind{
	bus.CleanText:        {schemas.KindCleanText, schemas.KindRejected, schemas.KindDuplicate, schemas.KindDeadLetter},
	bus.Interactions:     {schemas.KindInference, schemas.KindFeedback, schemas.KindRejected},
	bus.TrainingExamples: {schemas.KindTrainingExample},
	bus.ModelEvents: {schemas.KindDriftSignal, schemas.KindModelVersion, schemas.KindQualityReport, schemas.KindDriftTrigger,
		schemas.KindTrainingRun, schemas.KindModelCommand},
}

// rebuilding is a log, a lake and a ClickHouse that hold the same.
type rebuilding struct {
	t       *testing.T
	c       *bustest.Cluster
	bus     *bus.Bus
	conn    driver.Conn
	objects string // their folder
	events  int
}

// fill produces n events of each topic and lets both sinks store them.
func (r *rebuilding) fill(n int) {
	r.t.Helper()
	for topic, kinds := range storedOn {
		for i := range n {
			m := schemas.New(kinds[i%len(kinds)])
			env := m.Env()
			r.events++
			*env = schemas.Envelope{Tenant: []string{"acme", "naïve café"}[i%2], EventID: fmt.Sprintf("%s-%d", topic, r.events), Source: "test",
				EventTime: schemas.Micros(r.events), ArrivedAt: schemas.MicrosOf(time.Date(2026, time.Month(1+i%3), 1+i%2, 0, 0, 0, 7000, time.UTC))}
			switch m := m.(type) {
			case *schemas.CleanText:
				m.Text, m.Attributes, m.Redactions, m.Quality = awkward, map[string]string{"key": awkward}, map[string]int64{"email": 3}, .25
			case *schemas.Inference:
				temperature := float64(i)
				m.RequestModel, m.RequestTemperature, m.ResponseFinishReasons = "a model", &temperature, []string{"stop", ""}
			case *schemas.Feedback:
				m.InferenceID = "an inference"
			case *schemas.TrainingExample:
				m.Revision, m.Weight = int64(i), .5
			}
			r.c.Produce(bustest.Event(topic, env.EventID, m))
		}
	}
	r.c.MustDrain(r.bus, r.parquet())
	r.c.MustDrain(r.bus, r.clickhouse("millrace"))
}

func (r *rebuilding) parquet() bus.Stage {
	stage, err := parquet.Stage(parquet.Config{MaxRecords: 4, MaxBytes: 1 << 20, MaxAge: 20 * time.Millisecond}, r.c.Objects, "", bustest.Log())
	if err != nil {
		r.t.Fatal(err)
	}
	return stage
}

func (r *rebuilding) clickhouse(database string) bus.Stage {
	stage, err := clickhouse.Stage(clickhouse.Config{MaxRecords: 100, MaxBytes: 1 << 20, Linger: 20 * time.Millisecond}, clickhouse.NewInserter(r.conn, database), "", bustest.Log())
	if err != nil {
		r.t.Fatal(err)
	}
	return stage
}

// trim takes everything that a partition's log holds now away from it.
func (r *rebuilding) trim(topic string, partition int32) {
	r.t.Helper()
	f, err := r.bus.FollowPartition(r.t.Context(), topic, partition)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	for !f.CaughtUp() {
		if _, err := f.Next(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
	}
	start := bus.Start{Offset: f.Positions()[partition], Marks: f.Marks(partition)}
	if err := r.bus.Trim(r.t.Context(), r.at(topic, partition), bus.Trim{Start: start}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rebuilding) at(topic string, partition int32) bus.Partition {
	t, err := r.bus.Topic(topic)
	if err != nil {
		r.t.Fatal(err)
	}
	return bus.Partition{Topic: topic, TopicID: t.ID, Partition: partition}
}

// rebuild fills a database and returns what came of each partition.
func (r *rebuilding) rebuild(database string) (map[string]clickhouse.Rebuilt, error) {
	r.t.Helper()
	migrated(r.t, r.conn, database)
	all := map[string]clickhouse.Rebuilt{}
	err := clickhouse.Rebuild(r.t.Context(), clickhouse.Config{MaxRecords: 7, MaxBytes: 1 << 20}, clickhouse.RebuildDeps{
		Bus: r.bus, Into: clickhouse.NewInserter(r.conn, database), Log: slog.New(slog.DiscardHandler), Progress: func(int) {},
		Each: func(x clickhouse.Rebuilt) { all[fmt.Sprintf("%s/%d", x.Topic, x.Partition)] = x },
	})
	return all, err
}

// rows are all rows of a database, each as text, without when they were stored.
func (r *rebuilding) rows(database string) map[string]string {
	r.t.Helper()
	all := map[string]string{}
	for _, kind := range schemas.StoredKinds() {
		rows, err := r.conn.Query(r.t.Context(), fmt.Sprintf(
			"SELECT concat(_topic, '/', toString(_partition), ':', toString(_offset)), formatRow('JSONEachRow', * EXCEPT (_stored_at)) FROM %s.%s", database, kind))
		if err != nil {
			r.t.Fatal(err)
		}
		for rows.Next() {
			var at, row string
			if err := rows.Scan(&at, &row); err != nil {
				r.t.Fatal(err)
			}
			if all[at] != "" {
				r.t.Errorf("%s: %s is there twice", database, at)
			}
			all[at] = string(kind) + " " + row
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			r.t.Fatal(err)
		}
	}
	return all
}

// same compares a database with what there should be.
func (r *rebuilding) same(when, database string, want map[string]string) {
	r.t.Helper()
	got := r.rows(database)
	for at, row := range want {
		if got[at] != row {
			r.t.Errorf("%s: %s is\n%s\nwant\n%s", when, at, got[at], row)
		}
	}
	if len(got) != len(want) {
		r.t.Errorf("%s: there are %d rows, want %d", when, len(got), len(want))
	}
}

// TestRebuild fills new databases from a log that was trimmed and from a lake that was
// compacted: every row must be what it was; also where it is filled again, where rows
// have expired, and where a file of the lake is gone, but for that file's.
func TestRebuild(t *testing.T) {
	t.Parallel()
	conn, _ := engine(t)
	c := bustest.New(t)
	objects := t.TempDir()
	folder, err := objstore.Folder(objects)
	if err != nil {
		t.Fatal(err)
	}
	c.Objects = folder
	r := &rebuilding{t: t, c: c, conn: conn, objects: objects, bus: c.Member(vfs.NewMem())}
	r.fill(30)
	compactor, err := parquet.NewCompactor(parquet.CompactConfig{TargetBytes: 40_000, MaxAge: time.Hour}, parquet.CompactDeps{Objects: c.Objects, Log: bustest.Log(),
		Metrics: prometheus.NewRegistry(), Clock: func() time.Time { return time.Now().Add(48 * time.Hour) },
		Partitions: func() []bus.Partition { return []bus.Partition{r.at(bus.CleanText, 0), r.at(bus.Interactions, 1)} }})
	if err != nil {
		t.Fatal(err)
	}
	if failed := compactor.Once(t.Context()); failed != nil {
		t.Fatal(failed)
	}
	for _, topic := range []string{bus.CleanText, bus.Interactions, bus.TrainingExamples} {
		r.trim(topic, 0)
	}
	r.fill(10)
	want := r.rows("millrace")
	if len(want) != r.events {
		t.Fatalf("%d rows are stored of %d events", len(want), r.events)
	}

	for range 2 {
		all, err := r.rebuild("fresh")
		if err != nil {
			t.Fatal(err)
		}
		r.same("rebuilt", "fresh", want)
		if x := all["clean.text/0"]; x.Lake == 0 || x.Log == 0 {
			t.Errorf("of clean.text/0, whose log was trimmed, %d rows came from the lake and %d from the log", x.Lake, x.Log)
		}
		if x := all["clean.text/1"]; x.Lake != 0 || x.Log == 0 {
			t.Errorf("of clean.text/1, whose log is whole, %d rows came from the lake and %d from the log", x.Lake, x.Log)
		}
	}
	if _, err := r.rebuild("millrace"); err != nil { // a database that lacks nothing
		t.Fatal(err)
	}
	r.same("rebuilt over what was there", "millrace", want)
	r.expired(want)
	r.damaged(want)
}

// expired lets rows of the trimmed part expire in ClickHouse: they do not come back.
func (r *rebuilding) expired(want map[string]string) {
	r.t.Helper()
	const below = 5
	at := r.at(bus.CleanText, 0)
	if err := verify.NoteExpired(r.t.Context(), r.c.Objects, "clickhouse", at, below); err != nil {
		r.t.Fatal(err)
	}
	for o := range below {
		delete(want, fmt.Sprintf("%s:%d", at, o))
	}
	if _, err := r.rebuild("expired"); err != nil {
		r.t.Fatal(err)
	}
	r.same("rebuilt where rows have expired", "expired", want)
}

// damaged takes a file of the trimmed part away from the lake.
func (r *rebuilding) damaged(want map[string]string) {
	r.t.Helper()
	found, err := filepath.Glob(filepath.Join(r.objects, "lake", "*", "kind=training_examples", "*", "training.examples-*-00000-"+strings.Repeat("0", 20)+".parquet"))
	if err != nil || len(found) == 0 {
		r.t.Fatalf("the file is not there: %v, %v", found, err)
	}
	if err := os.Remove(found[0]); err != nil {
		r.t.Fatal(err)
	}
	all, err := r.rebuild("damaged")
	x := all["training.examples/0"]
	if !errors.Is(err, clickhouse.ErrIncomplete) || x.Missing == nil || !strings.Contains(x.Missing.Error(), filepath.Base(found[0])) {
		r.t.Errorf("with %s gone it ends with %v, and says %v", found[0], err, x.Missing)
	}
	got := r.rows("damaged")
	for at, row := range want {
		if got[at] == "" && strings.HasPrefix(at, "training.examples/0:") {
			delete(want, at)
		} else if got[at] != row {
			r.t.Errorf("with a file gone, %s is\n%s\nwant\n%s", at, got[at], row)
		}
	}
	if len(got) != len(want) || len(got) == r.events {
		r.t.Errorf("with a file gone there are %d rows of %d", len(got), r.events)
	}
}

// TestRebuildCommand drops the database of a deployment that runs, and that takes events
// meanwhile: rebuild makes it whole again, and verify says so.
func TestRebuildCommand(t *testing.T) {
	t.Parallel()
	m := up(t, t.TempDir())
	const events = 60
	post := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			id := fmt.Sprintf("text-%d", i)
			m.takes(id, "/v1/text", fmt.Sprintf(`{"id":%q,"text":"Text number %d."}`, id, i))
		}
	}
	post(0, events)
	m.await(fmt.Sprint(events), "SELECT count() FROM clean_text")
	m.admin("DROP DATABASE millrace SYNC")
	post(events, 2*events)
	for _, args := range [][]string{{"rebuild", "clickhouse"}, {"rebuild", "clickhouse"}, {"rebuild", "clickhouse", "--drop"}} {
		out, errs, code := m.run(args...)
		if code != 0 || !strings.Contains(out, "FROM THE LOG") {
			t.Fatalf("millrace %s exits with %d:\n%s%s", strings.Join(args, " "), code, out, errs)
		}
		m.await(fmt.Sprint(2*events), "SELECT count() FROM clean_text")
	}
	if out := m.verify(); !strings.Contains(out, "0 lost, 0 doubled") {
		t.Errorf("verify says %s", out)
	}
	m.stop()
	m = up(t, m.data) // the database is another now: it is filled from the log once more
	m.await(fmt.Sprint(2*events), "SELECT count() FROM clean_text")
	m.verify()
	m.stop()
}
