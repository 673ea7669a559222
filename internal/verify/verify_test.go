package verify_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks/parquet"
)

// rig is a log with verdicts, and the lake that the real sink made of it.
type rig struct {
	*bustest.Cluster
	t      *testing.T
	bus    *bus.Bus
	folder string
	stores []verify.Store
	wait   time.Duration
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{Cluster: bustest.New(t), t: t, folder: t.TempDir(), wait: 200 * time.Millisecond}
	var err error
	if r.Objects, err = objstore.Folder(r.folder); err != nil {
		t.Fatal(err)
	}
	r.bus = r.Member(vfs.NewMem())
	r.stores = []verify.Store{&parquet.Store{Objects: r.Objects}}
	return r
}

// stranger is a process that knows nothing of what the others have committed.
func (r *rig) stranger() *bus.Bus {
	r.t.Helper()
	other := r.With(r.t)
	var err error
	if other.Objects, err = objstore.Folder(r.t.TempDir()); err != nil {
		r.t.Fatal(err)
	}
	return other.Member(vfs.NewMem())
}

// inputs puts n texts on each partition of raw.text.
func (r *rig) inputs(n int) {
	r.t.Helper()
	var all []*kgo.Record
	for i := range 2 * n {
		all = append(all, bustest.OnPartition(bustest.Input(bus.RawText, fmt.Sprint("text-", i), []byte(`{"text":"a text"}`)), i%2))
	}
	r.Produce(all...)
}

// judge is a stage that writes verdicts as clean does, where shift says nothing else to
// the partition of their input.
type judge struct {
	skip  func(partition int32, offset int64) bool
	shift int32
}

func (j judge) stage() bus.Stage {
	return bus.Stage{Name: "clean", Inputs: []string{bus.RawText}, Limits: bus.DefaultLimits(),
		Open: func(context.Context, bus.Partition, *state.Partition) (bus.Task, error) { return j, nil }}
}

func (j judge) Process(_ context.Context, in []bus.Record, out *bus.Output) error {
	for i := range in {
		r := &in[i]
		if j.skip != nil && j.skip(r.Partition.Partition, r.Offset) {
			continue
		}
		env := schemas.Envelope{Tenant: "t", EventID: string(r.Key), ArrivedAt: 1}
		var m schemas.Message = &schemas.CleanText{Envelope: env}
		if r.Offset%4 == 3 {
			m = &schemas.Rejected{Envelope: env, Rule: "odd"}
		}
		out.Emit(r, bus.CleanText, (r.Partition.Partition+j.shift)%2, r.Key, m)
	}
	return nil
}

// sink lets the real sink write the lake.
func (r *rig) sink() {
	r.t.Helper()
	stage, err := parquet.Stage(parquet.Config{MaxRecords: 8, MaxBytes: 1 << 20, MaxAge: 10 * time.Millisecond}, r.Objects, "", bustest.Log())
	if err != nil {
		r.t.Fatal(err)
	}
	r.MustDrain(r.bus, stage)
}

func (r *rig) account() *verify.Report {
	r.t.Helper()
	report, err := verify.Run(r.t.Context(), verify.Config{Wait: r.wait}, r.bus, r.stores)
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

// line finds the account of a partition.
func line(t *testing.T, r *verify.Report, topic string, partition int32) verify.Line {
	t.Helper()
	for _, l := range r.Lines {
		if l.Topic == topic && l.Partition == partition {
			return l
		}
	}
	t.Fatalf("there is no line for %s/%d", topic, partition)
	return verify.Line{}
}

// check compares an account with what it must be; differences are by topic/partition.
func check(t *testing.T, r *verify.Report, lost, doubled int64, differences map[string][]string) {
	t.Helper()
	if r.Lost != lost || r.Doubled != doubled || r.OK() != (lost+doubled == 0) {
		t.Errorf("%d lost, %d doubled, OK %t; want %d, %d", r.Lost, r.Doubled, r.OK(), lost, doubled)
	}
	for _, l := range r.Lines {
		at := fmt.Sprintf("%s/%d", l.Topic, l.Partition)
		if !slices.Equal(l.Differences, differences[at]) {
			t.Errorf("%s: it says %q, want %q", at, l.Differences, differences[at])
		}
		delete(differences, at)
	}
	if len(differences) > 0 {
		t.Errorf("nothing is said of %q", differences)
	}
}

// altered is a store that lacks rows of another, has some twice, or some that it never
// had.
type altered struct {
	verify.Store
	lack, more map[schemas.Kind][]int64
	partition  int32
}

func (a *altered) Name() string { return "altered" }

func (a *altered) Sums(ctx context.Context, topic bus.Topic, partition int32, r verify.Range, origins []bus.TopicID) (verify.Sums, error) {
	got, err := a.Offsets(ctx, topic, partition, r, origins)
	out := verify.Sums{}
	for k, offsets := range got {
		var sum verify.Sum
		for _, n := range offsets {
			sum.Add(n)
		}
		if sum.Rows > 0 {
			out[k] = sum
		}
	}
	return out, err
}

func (a *altered) Offsets(ctx context.Context, topic bus.Topic, partition int32, r verify.Range, origins []bus.TopicID) (map[schemas.Kind][]int64, error) {
	got, err := a.Store.Offsets(ctx, topic, partition, r, origins)
	if topic.Name != bus.CleanText || partition != a.partition {
		return got, err
	}
	for k, offsets := range a.lack {
		got[k] = slices.DeleteFunc(got[k], func(n int64) bool { return slices.Contains(offsets, n) })
	}
	for k, offsets := range a.more {
		for _, n := range offsets {
			if n >= r.From && n < r.To {
				got[k] = append(got[k], n)
			}
		}
		slices.Sort(got[k])
	}
	return got, err
}

// TestSound accounts for a log of everything that is right: it finds nothing.
func TestSound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(20)
	r.MustDrain(r.bus, judge{}.stage())
	claim := bustest.Event(bus.ModelEvents, "m", new(schemas.ModelCommand))
	claim.Headers[0].Value = []byte(schemas.KindModelCommandClaim)
	// Claims have no rows, not even the last of the log.
	r.Produce(bustest.Event(bus.TrainingExamples, "i", &schemas.TrainingExample{Envelope: schemas.Envelope{Tenant: "t"}}), claim)
	r.sink()
	report := r.account()
	check(t, report, 0, 0, nil)
	if n := len(report.Lines); n != 3*2+2*2+1+1 {
		t.Errorf("there are %d lines", n)
	}
	for n := range int32(2) {
		if l := line(t, report, bus.RawText, n); l.Records != 20 || l.Verdicts != 20 || l.Skipped != 0 || l.Stored != nil {
			t.Errorf("%+v", l)
		}
		if l := line(t, report, bus.CleanText, n); l.Records != 20 || l.Verdicts != -1 || l.Stored["parquet"] != 20 {
			t.Errorf("%+v", l)
		}
	}
	if l := line(t, report, bus.TrainingExamples, 0); l.Records != 1 || l.Stored["parquet"] != 1 {
		t.Errorf("%+v", l)
	}
	if l := line(t, report, bus.ModelEvents, 0); l.Records != 0 || l.Stored["parquet"] != 0 {
		t.Errorf("%+v", l)
	}
	if report.Outcomes[schemas.KindCleanText] != 30 || report.Outcomes[schemas.KindRejected] != 10 {
		t.Errorf("outcomes %v", report.Outcomes)
	}
}

// TestLostVerdict finds inputs without a verdict, and names them.
func TestLostVerdict(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(20)
	r.MustDrain(r.bus, judge{skip: func(partition int32, offset int64) bool {
		return partition == 1 && (offset == 3 || offset == 4 || offset == 19)
	}}.stage())
	r.sink()
	check(t, r.account(), 3, 0, map[string][]string{"raw.text/1": {"3 records have no verdict: offsets 3-4, 19"}})
}

// TestDoubledVerdict finds inputs with two verdicts: the marks of a partition know nothing
// of another's, so an instance with other rules of placement doubles.
func TestDoubledVerdict(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(4)
	r.MustDrain(r.bus, judge{}.stage())
	r.MustDrain(r.stranger(), judge{shift: 1, skip: func(partition int32, offset int64) bool { return partition == 1 || offset < 2 }}.stage())
	r.sink()
	check(t, r.account(), 0, 2, map[string][]string{"raw.text/0": {
		"offset 2 has a second verdict on clean.text/1 at offset 4", "offset 3 has a second verdict on clean.text/1 at offset 5",
	}})
}

// TestWrittenAgain counts what an instance wrote again after a crash: it is no second
// verdict, and no row.
func TestWrittenAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(6)
	r.MustDrain(r.bus, judge{}.stage())
	r.MustDrain(r.stranger(), judge{}.stage())
	r.sink()
	report := r.account()
	check(t, report, 0, 0, nil)
	for n := range int32(2) {
		if l := line(t, report, bus.CleanText, n); l.Records != 6 || l.Skipped != 6 || l.Stored["parquet"] != 6 {
			t.Errorf("%+v", l)
		}
	}
}

// TestRows finds rows that a store lacks or has too often.
func TestRows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(20)
	r.MustDrain(r.bus, judge{}.stage())
	r.sink()
	const clean, rejected = schemas.KindCleanText, schemas.KindRejected
	type rows = map[schemas.Kind][]int64
	for _, c := range []struct {
		name          string
		store         altered
		lost, doubled int64
		want          []string
	}{
		{"nothing", altered{}, 0, 0, nil},
		{"the last row is missing", altered{lack: rows{rejected: {19}}}, 1, 0, []string{"altered: rejected lacks offsets 19"}},
		{"rows of two kinds are missing", altered{lack: rows{clean: {0, 1, 2, 8}, rejected: {3}}}, 5, 0, []string{"altered: clean_text lacks offsets 0-2, 8", "altered: rejected lacks offsets 3"}},
		{"rows are doubled", altered{more: rows{clean: {0, 5}}}, 0, 2, []string{"altered: clean_text has offsets 0, 5 too much"}},
		{"one row three times", altered{more: rows{clean: {5, 5}}}, 0, 2, []string{"altered: clean_text has offsets 5 too much"}},
		{"a row of a hole", altered{more: rows{clean: {3}}}, 0, 1, []string{"altered: clean_text has offsets 3 too much"}},
		{"rows behind the log's end", altered{more: rows{clean: {20, 90}}}, 0, 2, []string{"altered: clean_text has offsets 20, 90 too much: the log ends at 20"}},
		{"a row of another kind", altered{lack: rows{clean: {4}}, more: rows{schemas.KindDuplicate: {4}}}, 1, 1, []string{"altered: clean_text lacks offsets 4", "altered: duplicates has offsets 4 too much"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.store.Store, c.store.partition = r.stores[0], 1
			one := *r
			one.t, one.stores = t, []verify.Store{r.stores[0], &c.store}
			want := map[string][]string{}
			if c.want != nil {
				want["clean.text/1"] = c.want
			}
			report := one.account()
			check(t, report, c.lost, c.doubled, want)
			if l := line(t, report, bus.CleanText, 1); l.Stored["parquet"] != 20 || l.Stored["altered"] != 20-c.lost+c.doubled {
				t.Errorf("%+v", l)
			}
		})
	}
}

// TestHoles accounts for logs whose offsets have holes: markers of transactions, and
// records of one that was given up.
func TestHoles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(3)
	client, err := kgo.NewClient(kgo.SeedBrokers(r.Kafka.ListenAddrs()...), kgo.TransactionalID("stranger"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	transaction := func(end kgo.TransactionEndTry) {
		t.Helper()
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			client.Produce(t.Context(), &kgo.Record{Topic: bus.RawText, Partition: 1, Key: fmt.Append(nil, i), Value: []byte(`{"text":"x"}`)}, nil)
		}
		if err := errors.Join(client.Flush(t.Context()), client.EndTransaction(t.Context(), end)); err != nil {
			t.Fatal(err)
		}
	}
	transaction(kgo.TryAbort)  // 3 to 5
	transaction(kgo.TryCommit) // 6 to 8
	r.Produce(bustest.OnPartition(bustest.Input(bus.RawText, "last", []byte(`{"text":"x"}`)), 1))
	r.MustDrain(r.bus, judge{skip: func(partition int32, offset int64) bool { return partition == 1 && offset == 7 }}.stage())
	r.sink()
	transaction(kgo.TryAbort) // the log ends with a hole
	if ends, err := r.bus.Ends(t.Context(), bus.RawText); err != nil || ends[1] != 13 {
		t.Fatalf("the log ends at %d: %v", ends[1], err)
	}
	report := r.account()
	check(t, report, 1, 0, map[string][]string{"raw.text/1": {"1 records have no verdict: offsets 7"}})
	for n, want := range []int64{3, 6} {
		if l := line(t, report, bus.RawText, int32(n)); l.Records != want || l.Skipped != 0 {
			t.Errorf("%+v, want %d records", l, want)
		}
	}
}

// TestDamage finds files of the lake that are gone or were changed, names them, and
// accounts for the rows that are lost with them, and for no other.
func TestDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"gone":  os.Remove,
		"cut":   func(path string) error { return os.Truncate(path, 100) },
		"empty": func(path string) error { return os.Truncate(path, 0) },
		"other": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("PAR1", 1000)), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.inputs(20)
			r.MustDrain(r.bus, judge{}.stage())
			r.sink()
			files, err := filepath.Glob(filepath.Join(r.folder, "lake", "tenant=t", "kind=rejected", "day=*", "clean.text-*-00001-*8.parquet"))
			if err != nil || len(files) != 1 {
				t.Fatalf("the file of the second range: %q, %v", files, err)
			}
			if err := damage(files[0]); err != nil {
				t.Fatal(err)
			}
			report := r.account()
			l := line(t, report, bus.CleanText, 1)
			if report.Lost != 2 || report.Doubled != 0 || l.Stored["parquet"] != 18 || len(l.Differences) != 2 {
				t.Fatalf("%d lost, %d doubled, %+v", report.Lost, report.Doubled, l)
			}
			if !strings.HasPrefix(l.Differences[0], "parquet: the lake is damaged: ") || !strings.Contains(l.Differences[0], filepath.Base(files[0])) {
				t.Errorf("it says %q of %s", l.Differences[0], files[0])
			}
			if l.Differences[1] != "parquet: rejected lacks offsets 11, 15" {
				t.Errorf("it says %q", l.Differences[1])
			}
		})
	}
}

// page overwrites four bytes of the page of a column.
func page(column string) func(path string) error {
	return func(path string) error {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		file, err := parquetgo.OpenFile(f, info.Size())
		if err != nil {
			return err
		}
		for _, c := range file.Metadata().RowGroups[0].Columns {
			if c.MetaData.PathInSchema[0] == column {
				_, err := f.WriteAt([]byte("oops"), c.MetaData.DataPageOffset+c.MetaData.TotalCompressedSize-6)
				return err
			}
		}
		return fmt.Errorf("%s has no column %s", path, column)
	}
}

// TestLate waits for what stages and sinks have not reached when the account begins: here
// they begin only when the account looks for verdicts, and the sink holds its range open
// until somebody wants it.
func TestLate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.wait = 30 * time.Second
	r.inputs(20)
	sink, err := parquet.Stage(parquet.Config{MaxRecords: 1000, MaxBytes: 1 << 20, MaxAge: time.Hour}, r.Objects, "", bustest.Log())
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := r.bus.Topic(bus.CleanText)
	if err != nil {
		t.Fatal(err)
	}
	looks := make(chan struct{})
	begin := sync.OnceFunc(func() { close(looks) })
	r.Kafka.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.Kafka.KeepControl()
		for _, topic := range req.(*kmsg.FetchRequest).Topics {
			if topic.TopicID == verdicts.ID {
				begin()
			}
		}
		return nil, nil, false
	})
	for _, stage := range []bus.Stage{judge{}.stage(), sink} {
		r.Start(stage.Name, func(ctx context.Context) error {
			select {
			case <-looks:
				return r.bus.Run(ctx, stage)
			case <-ctx.Done():
				return nil
			}
		})
	}
	check(t, r.account(), 0, 0, nil)
}

// TestGivesUp does not wait for ever for a stage and a sink that do not run.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(3)
	check(t, r.account(), 6, 0, map[string][]string{
		"raw.text/0": {"3 records have no verdict: offsets 0-2"}, "raw.text/1": {"3 records have no verdict: offsets 0-2"},
	})
	r.MustDrain(r.bus, judge{}.stage())
	check(t, r.account(), 6, 0, map[string][]string{
		"clean.text/0": {"parquet: clean_text lacks offsets 0-2"}, "clean.text/1": {"parquet: clean_text lacks offsets 0-2"},
	})
}

// TestUnasked fails where a store cannot be asked: that is no difference.
func TestUnasked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(1)
	r.MustDrain(r.bus, judge{}.stage())
	r.stores = []verify.Store{away{r.stores[0]}}
	if report, err := verify.Run(t.Context(), verify.Config{Wait: r.wait}, r.bus, r.stores); !errors.Is(err, errAway) {
		t.Errorf("%+v, %v", report, err)
	}
}

var errAway = errors.New("the store is away")

type away struct{ verify.Store }

func (away) Sums(context.Context, bus.Topic, int32, verify.Range, []bus.TopicID) (verify.Sums, error) {
	return nil, errAway
}
