package verify_test

import (
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
	l, err := verify.NewLedger(verify.LedgerConfig{Every: time.Second, Late: 2 * time.Second}, verify.DefaultRetention(), verify.LedgerDeps{
		Bus: r.bus, Stores: r.stores, Readers: map[string][]string{}, Log: bustest.Log(), Metrics: prometheus.NewRegistry(), Clock: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Start("ledger", l.Run)
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
