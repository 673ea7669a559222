package verify_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/verify"
)

// TestRepair takes verdicts, a file and a part of another away: what is written again is
// accounted for, as if nothing had been gone, and what was there stays.
func TestRepair(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inputs(20)
	skipping := judge{skip: func(partition int32, offset int64) bool { return partition == 1 && (offset == 4 || offset == 19) }}.stage()
	r.MustDrain(r.bus, skipping)
	r.sink()
	damage := func(pattern string, how func(string) error) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(r.folder, "lake", "tenant=t", pattern))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: %q, %v", pattern, files, err)
		}
		if err := how(files[0]); err != nil {
			t.Fatal(err)
		}
	}
	damage("kind=rejected/day=*/clean.text-*-00001-*8.parquet", os.Remove)
	damage("kind=clean_text/day=*/clean.text-*-00000-*8.parquet", func(path string) error { return os.Truncate(path, 50) })
	broken := r.account()
	if broken.OK() || broken.Lost != 2+2+6 {
		t.Fatalf("%d lost, want 2 verdicts, 2 rejected and 6 clean", broken.Lost)
	}
	done, err := verify.Repair(t.Context(), r.bus, broken)
	if err != nil || done.Inputs != 2 || done.Rows["parquet"] != 8 {
		t.Fatalf("%+v, %v", done, err)
	}
	r.MustDrain(r.bus, skipping) // the replays lie behind what it skips
	r.sink()
	report := r.account()
	check(t, report, 0, 0, nil)
	if l := line(t, report, bus.RawText, 1); l.Records != 22 || l.Verdicts != 22 || report.Replayed != 2 {
		t.Errorf("%+v, %d replayed", l, report.Replayed)
	}
	if l := line(t, report, bus.CleanText, 1); l.Records != 20 || l.Stored["parquet"] != 20 {
		t.Errorf("%+v", l)
	}
}
