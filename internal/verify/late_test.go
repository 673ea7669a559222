package verify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/verify"
)

// TestLateVerdict tells of an input that has no verdict for long, and of no other; once it has
// one, of nothing.
func TestLateVerdict(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(20)
	skipping := judge{skip: func(partition int32, offset int64) bool { return partition == 1 && offset == 4 }}.stage()
	r.MustDrain(r.bus, skipping)
	r.sink()
	l, _ := r.begin(verify.LedgerConfig{Every: time.Second, Late: 2 * time.Second, Anew: time.Hour}, verify.DefaultRetention(), 0)
	bustest.Await(t, "the input is late", func() bool { return strings.HasPrefix(l.Problem(), "1 records are not accounted for, some since ") })
	broken := r.account()
	if done, err := verify.Repair(t.Context(), r.bus, broken); err != nil || done.Inputs != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	r.MustDrain(r.bus, skipping)
	r.sink()
	bustest.Await(t, "nothing is late", func() bool { return l.Problem() == "" })
	check(t, r.account(), 0, 0, nil)
}

// TestOutage: a ledger that begins over a log of long ago, all of which is stored, says at no
// time that anything of it is not accounted for.
func TestOutage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(50)
	r.MustDrain(r.bus, judge{}.stage())
	r.sink()
	l, metrics := r.begin(verify.LedgerConfig{Every: time.Second, Late: 2 * time.Second, Anew: time.Hour}, verify.DefaultRetention(), time.Hour) // the outage
	seen := 0
	bustest.Await(t, "the account is told of", func() bool {
		for _, name := range []string{"millrace_unaccounted_events", "millrace_unaccounted_age_seconds"} {
			for _, n := range gauges(t, metrics, name) {
				if seen++; n != 0 {
					t.Fatalf("%s is %v", name, n)
				}
			}
		}
		return seen > 100 // rounds in which it could have been wrong
	})
	if p := l.Problem(); p != "" {
		t.Errorf("the ledger says that %s", p)
	}
}

// TestAnew: a file that goes missing from the lake behind its settlement is found when the
// account is made anew.
func TestAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(20)
	r.MustDrain(r.bus, judge{}.stage())
	r.sink()
	l, metrics := r.begin(verify.LedgerConfig{Every: time.Second, Late: 2 * time.Second, Anew: 4 * time.Second}, verify.DefaultRetention(), 0)
	bustest.Await(t, "all is settled", func() bool { return len(gauges(t, metrics, "millrace_unaccounted_events")) > 0 })
	files, err := filepath.Glob(filepath.Join(r.folder, "lake", "tenant=*", "kind=clean_text", "day=*", "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the loss is seen", func() bool { return strings.Contains(l.Problem(), "are not accounted for") })
}

// gauges are the values of a metric.
func gauges(t *testing.T, from *prometheus.Registry, name string) (all []float64) {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				all = append(all, m.GetGauge().GetValue())
			}
		}
	}
	return all
}
