package verify_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
)

// forgetful is a store that lacks what an earlier topic held of some records.
type forgetful struct {
	verify.Store
	lacks   map[int64]bool
	now     bus.TopicID
	expired int64 // of all topics but now
}

func (f *forgetful) Name() string { return "forgetful" }

func (f *forgetful) Expired(_ context.Context, at bus.Partition) (int64, error) {
	if at.TopicID == f.now || at.Topic != bus.CleanText {
		return 0, nil
	}
	return f.expired, nil
}

func (f *forgetful) Former(ctx context.Context, topic bus.Topic, earlier, origins []bus.TopicID, each func(schemas.Kind, bus.Origin)) (damaged, err error) {
	return f.Store.Former(ctx, topic, earlier, origins, func(k schemas.Kind, o bus.Origin) {
		if !f.lacks[o.Offset] {
			each(k, o)
		}
	})
}

// anew is a deployment whose clean.text was made anew when it had the verdicts on ten
// texts a partition; on offset 4 of the second there was none. Three texts came since.
func anew(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	fs := vfs.NewMem()
	skipping := judge{skip: func(partition int32, offset int64) bool { return partition == 1 && offset == 4 }}.stage()
	first, leave := r.Leaving(fs)
	r.bus = first
	r.inputs(10)
	r.MustDrain(r.bus, skipping)
	r.sink()
	check(t, r.account(), 1, 0, map[string][]string{"raw.text/1": {"1 records have no verdict: offsets 4"}})
	leave()
	if err := r.Kafka.DeleteTopic(bus.CleanText); err != nil {
		t.Fatal(err)
	}
	r.bus = r.Member(fs)
	r.inputs(3)
	r.MustDrain(r.bus, skipping)
	r.sink()
	return r
}

// TestMadeAnew makes the topic of the verdicts anew. Those that it held lie in the stores
// alone, and count; the one that is missing is still missing, and is all that is repaired.
func TestMadeAnew(t *testing.T) {
	t.Parallel()
	r := anew(t)
	report := r.account()
	check(t, report, 1, 0, map[string][]string{"raw.text/1": {"1 records have no verdict: offsets 4"}})
	for n, want := range []int64{10, 9} {
		if l := line(t, report, bus.RawText, int32(n)); l.Records != 13 || l.Verdicts != want+3 || l.Former != want {
			t.Errorf("%+v", l)
		}
		if l := line(t, report, bus.CleanText, int32(n)); l.Records != 3 || l.Stored["parquet"] != 3 {
			t.Errorf("%+v", l)
		}
	}
	if report.Outcomes[schemas.KindCleanText] != 15+4 || report.Outcomes[schemas.KindRejected] != 4+2 {
		t.Errorf("outcomes %v", report.Outcomes)
	}
	done, err := verify.Repair(t.Context(), r.bus, report)
	if err != nil || done.Inputs != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	r.MustDrain(r.bus, judge{}.stage())
	r.sink()
	check(t, r.account(), 0, 0, nil)
}

// TestMadeAnewLedger lets a ledger begin on such a log: nothing stays unaccounted for but
// what has no verdict.
func TestMadeAnewLedger(t *testing.T) {
	t.Parallel()
	r := anew(t)
	metrics := prometheus.NewRegistry()
	l, err := verify.NewLedger(verify.LedgerConfig{Every: time.Second, Late: 2 * time.Second, Anew: time.Hour}, verify.DefaultRetention(), verify.LedgerDeps{
		Bus: r.bus, Stores: r.stores, Readers: map[string][]string{}, Log: bustest.Log(), Metrics: metrics, Clock: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Start("ledger", l.Run)
	unaccounted := func() (n float64) {
		families, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		n = -1
		for _, f := range families {
			if f.GetName() == "millrace_unaccounted_events" {
				n = 0
				for _, m := range f.GetMetric() {
					n += m.GetGauge().GetValue()
				}
			}
		}
		return n
	}
	bustest.Await(t, "all but one is accounted for", func() bool { return unaccounted() == 1 })
	if done, err := verify.Repair(t.Context(), r.bus, r.account()); err != nil || done.Inputs != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	r.MustDrain(r.bus, judge{}.stage())
	r.sink()
	bustest.Await(t, "everything is accounted for", func() bool { return unaccounted() == 0 })
}

// TestMadeAnewLacks tells of rows of the earlier topic that one store has and another has
// not, and of what cannot be known where no store is whole; neither is judged once more.
func TestMadeAnewLacks(t *testing.T) {
	t.Parallel()
	r := anew(t)
	now, err := r.bus.Topic(bus.CleanText)
	if err != nil {
		t.Fatal(err)
	}
	other := &forgetful{now: now.ID, Store: r.stores[0], lacks: map[int64]bool{0: true, 2: true, 3: true}}
	r.stores = append(r.stores, other)
	report := r.account()
	const lacks = "forgetful lacks the rows of 3 verdicts that an earlier clean.text held, which no log has any more: on offsets 0, 2-3"
	check(t, report, 7, 0, map[string][]string{"raw.text/0": {lacks}, "raw.text/1": {lacks, "1 records have no verdict: offsets 4"}})
	if len(report.Rebuild) != 1 || report.Rebuild[0] != "forgetful" {
		t.Errorf("to be rebuilt: %q", report.Rebuild)
	}
	// What was removed by age is not missed; and where the lake has lost a file, no store
	// has all that there was.
	other.expired = 1
	files, err := filepath.Glob(filepath.Join(r.folder, "lake", "tenant=t", "kind=rejected", "day=*", "clean.text-*-00001-*0.parquet"))
	if err != nil || len(files) != 2 {
		t.Fatalf("the first files of rejected: %q, %v", files, err)
	}
	for _, f := range files {
		if strings.Contains(f, now.ID.String()[:8]) {
			continue
		}
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	report = r.account()
	l := line(t, report, bus.RawText, 1)
	const unknown = "an earlier clean.text held verdicts, and no store has all of its rows any more: whether these records had one cannot be known, and --repair leaves them"
	if l.Former != 7 || len(l.Differences) != 2 || l.Differences[0] != "3 records have no verdict: offsets 3-4, 7" || l.Differences[1] != unknown {
		t.Errorf("%+v", l)
	}
	if done, err := verify.Repair(t.Context(), r.bus, report); err != nil || done.Inputs != 0 {
		t.Errorf("%+v, %v", done, err)
	}
}
