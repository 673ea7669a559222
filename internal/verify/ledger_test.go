package verify_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks/parquet"
)

// ledger runs one in the background, whose clock is ahead.
func (r *rig) ledger(ahead time.Duration, change func(*verify.Retention)) {
	r.t.Helper()
	keep := verify.DefaultRetention()
	if change != nil {
		change(&keep)
	}
	r.begin(verify.LedgerConfig{Every: time.Second, Late: time.Minute, Anew: time.Hour}, keep, ahead)
}

// begin runs a ledger in the background, whose clock is ahead, and returns it and its
// metrics.
func (r *rig) begin(cfg verify.LedgerConfig, keep verify.Retention, ahead time.Duration) (*verify.Ledger, *prometheus.Registry) {
	r.t.Helper()
	metrics := prometheus.NewRegistry()
	l, err := verify.NewLedger(cfg, keep, verify.LedgerDeps{
		Bus: r.bus, Stores: r.stores, Readers: map[string][]string{bus.RawText: {"clean"}, bus.CleanText: {"parquet"}}, Log: bustest.Log(), Metrics: metrics,
		Clock: func() time.Time { return time.Now().Add(ahead) },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.Start("ledger", l.Run)
	return l, metrics
}

// checkpoint stands for checkpoints of a stage at an offset of a topic: what is trimmed
// goes by their names.
func (r *rig) checkpoint(stage, topic string, offset int64) {
	r.t.Helper()
	t, err := r.bus.Topic(topic)
	if err != nil {
		r.t.Fatal(err)
	}
	for n := range t.Partitions {
		if err := r.Objects.Create(r.t.Context(), fmt.Sprintf("checkpoints/%s/%s/%d/%020d", stage, t.ID, n, offset), nil); err != nil {
			r.t.Fatal(err)
		}
	}
}

// trimmed is where the log of a topic begins in the partition that begins first, as noted,
// and as the broker has it.
func (r *rig) trimmed(topic string) (noted, broker int64) {
	r.t.Helper()
	t, err := r.bus.Topic(topic)
	if err != nil {
		r.t.Fatal(err)
	}
	starts, err := r.bus.Starts(r.t.Context(), topic)
	if err != nil {
		r.t.Fatal(err)
	}
	noted, broker = math.MaxInt64, math.MaxInt64
	for n := range t.Partitions {
		trim, err := r.bus.Trimmed(r.t.Context(), bus.Partition{Topic: topic, TopicID: t.ID, Partition: n})
		if err != nil {
			r.t.Fatal(err)
		}
		noted, broker = min(noted, trim.Offset), min(broker, starts[n])
	}
	return noted, broker
}

// awaitPoints waits until the ledger has settled both partitions of texts, raw and clean, up
// to an offset.
func (r *rig) awaitPoints(offset int64) {
	r.t.Helper()
	bustest.Await(r.t, "points", func() bool {
		n := 0
		for info, err := range r.Objects.List(r.t.Context(), "points/") {
			if err == nil && strings.HasSuffix(info.Key, fmt.Sprintf("%020d", offset)) {
				n++
			}
		}
		return n == 4
	})
}

// seen counts what a stage that is new is given of clean.text.
type seen struct {
	mu sync.Mutex // a worker for each partition
	at map[int32][]int64
}

func (s *seen) Process(_ context.Context, in []bus.Record, _ *bus.Output) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range in {
		s.at[r.Partition.Partition] = append(s.at[r.Partition.Partition], r.Offset)
	}
	return nil
}

// TestTrim lets a ledger trim logs amid a stretch of their writer, and checks that whoever
// begins behind that is given all that counts and nothing else, that the account outlives
// the log, and that what is lost of it then is still found.
func TestTrim(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.wait = 5 * time.Second
	r.Start("clean", func(ctx context.Context) error { return r.bus.Run(ctx, judge{}.stage()) })
	sink, err := parquet.Stage(parquet.Config{MaxRecords: 8, MaxBytes: 1 << 20, MaxAge: 10 * time.Millisecond}, r.Objects, "", bustest.Log())
	if err != nil {
		t.Fatal(err)
	}
	r.Start("parquet", func(ctx context.Context) error { return r.bus.Run(ctx, sink) })
	r.inputs(20)
	r.ledger(8*24*time.Hour, nil)
	r.awaitPoints(20)
	if noted, broker := r.trimmed(bus.RawText); noted != 0 || broker != 0 {
		t.Fatalf("the log is trimmed to %d, at the broker %d, and its reader has no checkpoint", noted, broker)
	}
	r.checkpoint("clean", bus.RawText, 20)
	r.checkpoint("parquet", bus.CleanText, 20)
	// The next round of retention is a minute away; another ledger begins with one.
	r.ledger(8*24*time.Hour, nil)
	bustest.Await(t, "both logs are trimmed", func() bool {
		in, inBroker := r.trimmed(bus.RawText)
		out, outBroker := r.trimmed(bus.CleanText)
		return in == 20 && inBroker == 19 && out == 20 && outBroker == 19 // the last record stays
	})
	r.inputs(20) // the same ids again; judge does not care

	report := r.account()
	check(t, report, 0, 0, nil)
	for n := range int32(2) {
		if l := line(t, report, bus.RawText, n); l.Records != 40 || l.Verdicts != 40 || l.Trimmed != 20 {
			t.Errorf("%+v", l)
		}
		if l := line(t, report, bus.CleanText, n); l.Records != 40 || l.Stored["parquet"] != 40 || l.Trimmed != 20 {
			t.Errorf("%+v", l)
		}
	}
	if report.Outcomes[schemas.KindCleanText] != 60 || report.Outcomes[schemas.KindRejected] != 20 {
		t.Errorf("outcomes %v", report.Outcomes)
	}

	fresh := &seen{at: map[int32][]int64{}}
	r.MustDrain(r.bus, bus.Stage{Name: "new", Inputs: []string{bus.CleanText}, Limits: bus.DefaultLimits(),
		Open: func(context.Context, bus.Partition, *state.Partition) (bus.Task, error) { return fresh, nil }})
	for n := range int32(2) {
		if got := fresh.at[n]; len(got) != 20 || got[0] != 20 || got[19] != 39 {
			t.Errorf("a new stage was given %v of partition %d, want 20 to 39", got, n)
		}
	}

	files, err := filepath.Glob(filepath.Join(r.folder, "lake", "tenant=t", "kind=clean_text", "day=*", "clean.text-*-00001-*0000.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the first files: %q, %v", files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	report = r.account()
	if l := line(t, report, bus.CleanText, 1); report.Lost == 0 || report.Doubled != 0 || len(l.Differences) != 2 ||
		!strings.Contains(l.Differences[0], filepath.Base(files[0])) || !strings.Contains(l.Differences[1], "below offset 20, where the log was trimmed; 15 were accounted for") {
		t.Errorf("%d lost, %d doubled, %+v", report.Lost, report.Doubled, l)
	}
}

// TestStandsBelow stops a stage that has been on a topic before and stands below the
// log's begin: what it knew is lost, and it must not go on as if it were new.
func TestStandsBelow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(5)
	topic, err := r.bus.Topic(bus.RawText)
	if err != nil {
		t.Fatal(err)
	}
	at := bus.Partition{Topic: bus.RawText, TopicID: topic.ID, Partition: 1}
	if err := r.bus.Trim(t.Context(), at, bus.Trim{Start: bus.Start{Offset: 3}}); err != nil {
		t.Fatal(err)
	}
	r.MustDrain(r.bus, judge{}.stage()) // new: it begins at 3
	if n := len(r.Read(r.bus, bus.CleanText)); n != 7 {
		t.Errorf("%d verdicts, want 5 of one partition and 2 of the other", n)
	}
	if err := r.bus.Trim(t.Context(), at, bus.Trim{Start: bus.Start{Offset: 5}}); err != nil {
		t.Fatal(err)
	}
	// Its state is gone, and so are its checkpoints of that partition.
	for info, err := range r.Objects.List(t.Context(), fmt.Sprintf("checkpoints/clean/%s/1/", topic.ID)) {
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Objects.Delete(t.Context(), info.Key); err != nil {
			t.Fatal(err)
		}
	}
	stranger := r.Member(vfs.NewMem())
	err = r.Drain(stranger, judge{}.stage())
	if err == nil || !strings.Contains(err.Error(), "stage clean stands at offset 0 of raw.text/1, and the log begins at 5: restore checkpoints/clean/") {
		t.Errorf("it goes on: %v", err)
	}
}

// TestExpire lets a ledger remove rows by age, and accounts for the rest as if nothing
// were missing: before the next rows and behind them.
func TestExpire(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(20)
	r.MustDrain(r.bus, judge{}.stage())
	r.sink()
	r.ledger(2*time.Hour, func(keep *verify.Retention) { keep.Lake = time.Hour })
	r.awaitPoints(20)
	r.ledger(2*time.Hour, func(keep *verify.Retention) { keep.Lake = time.Hour }) // it begins with a round of retention
	bustest.Await(t, "rows expire", func() bool {
		report := r.account()
		return report.OK() && line(t, report, bus.CleanText, 0).Stored["parquet"] == 0 && line(t, report, bus.CleanText, 1).Stored["parquet"] == 0
	})
	r.inputs(5)
	r.MustDrain(r.bus, judge{}.stage())
	r.sink()
	report := r.account()
	check(t, report, 0, 0, nil)
	for n := range int32(2) {
		if l := line(t, report, bus.CleanText, n); l.Records != 25 || l.Stored["parquet"] != 5 || l.Expired["parquet"] != 20 || l.Trimmed != 0 {
			t.Errorf("%+v", l)
		}
	}
}

// TestBrokerForgets begins behind a trim although the broker has lost where its log
// begins, and trims it again.
func TestBrokerForgets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(5)
	topic, err := r.bus.Topic(bus.RawText)
	if err != nil {
		t.Fatal(err)
	}
	at := bus.Partition{Topic: bus.RawText, TopicID: topic.ID}
	// A trim that was noted, and whose deletion a crash undid, or kept from happening.
	if err := r.Objects.Create(t.Context(), fmt.Sprintf("trims/%s/0/%020d", topic.ID, 2), []byte(`{"offset":2}`)); err != nil {
		t.Fatal(err)
	}
	r.MustDrain(r.bus, judge{}.stage())
	if n := len(r.Read(r.bus, bus.CleanText)); n != 8 {
		t.Errorf("%d verdicts, want 3 of the one partition and 5 of the other", n)
	}
	trim, err := r.bus.Trimmed(t.Context(), at)
	if err != nil || trim.Offset != 2 {
		t.Fatalf("the log begins at %d: %v", trim.Offset, err)
	}
	if err := r.bus.Trim(t.Context(), at, trim); err != nil {
		t.Fatal(err)
	}
	starts, err := r.bus.Starts(t.Context(), bus.RawText)
	if err != nil || starts[0] != 2 {
		t.Errorf("the broker's log begins at %d: %v", starts[0], err)
	}
	if err := r.bus.Trim(t.Context(), bus.Partition{Topic: bus.ModelEvents}, trim); err == nil {
		t.Error("model.events was trimmed")
	}
}

// late hides where a log begins from whoever asks for the first time, and shows it to who
// asks again, so many times over: as if it had been trimmed in between.
type late struct {
	objstore.Store
	mu    sync.Mutex
	times int
	asked map[string]int
}

func (l *late) List(ctx context.Context, prefix string) iter.Seq2[objstore.Info, error] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.HasPrefix(prefix, "trims/") {
		if l.asked[prefix]++; l.asked[prefix]%2 == 1 && l.asked[prefix] < 2*l.times {
			return func(func(objstore.Info, error) bool) {}
		}
	}
	return l.Store.List(ctx, prefix)
}

// TestTrimmedMeanwhile trims logs between the moment when an account asks where they begin
// and the moment when it reads: it is made once more. One that would be trimmed under for
// ever says so.
func TestTrimmedMeanwhile(t *testing.T) {
	t.Parallel()
	for times, trimmed := range map[int]bool{0: false, 1: false, 3: false, 1000: true} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			l := &late{Store: r.Objects, asked: map[string]int{}}
			r.Objects = l
			b := r.Member(vfs.NewMem())
			r.inputs(5)
			r.MustDrain(r.bus, judge{}.stage())
			r.sink()
			for _, name := range []string{bus.RawText, bus.CleanText} {
				topic, err := b.Topic(name)
				if err != nil {
					t.Fatal(err)
				}
				at := bus.Partition{Topic: name, TopicID: topic.ID, Partition: 1}
				f, err := b.FollowPartition(t.Context(), name, 1)
				if err != nil {
					t.Fatal(err)
				}
				for f.Positions()[1] < 4 {
					if _, err := f.Next(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				start := bus.Start{Offset: 4}
				if name == bus.CleanText {
					start.Marks = f.Marks(1) // of 5, which are those of 4 and more: nothing is left to apply
					start.Offset = 5
				}
				f.Close()
				if err := b.Trim(t.Context(), at, bus.Trim{Start: start}); err != nil {
					t.Fatal(err)
				}
			}
			l.times, l.asked = times, map[string]int{}
			_, err := verify.Run(t.Context(), verify.Config{Wait: r.wait}, b, r.stores)
			if errors.Is(err, bus.ErrTrimmed) != trimmed || !trimmed && err != nil {
				t.Errorf("trimmed under it %d times: %v", times, err)
			}
		})
	}
}

// TestRefusedRead fails where the broker refuses to hand out a log: an account that waited
// for it would wait for ever.
func TestRefusedRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(5)
	r.Kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: bus.RawText, Err: kerr.TopicAuthorizationFailed, Count: -1})
	if report, err := verify.Run(t.Context(), verify.Config{Wait: r.wait}, r.bus, r.stores); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("%+v, %v", report, err)
	}
}
