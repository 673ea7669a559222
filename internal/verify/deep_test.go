package verify_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/sinks/parquet"
)

// TestDeep damages files where their offsets can still be read. Only an account that reads
// all of every row finds it; then the file's rows are lost, and are written again.
func TestDeep(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"a page": page("event_id"),
		// The file of another range has as many rows, none of them its own.
		"another file": func(path string) error {
			data, err := os.ReadFile(strings.Replace(path, "00008.parquet", "00000.parquet", 1))
			return errors.Join(err, os.WriteFile(path, data, 0o600))
		},
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
			sound, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(files[0]); err != nil {
				t.Fatal(err)
			}
			if name == "a page" {
				check(t, r.account(), 0, 0, nil)
			}
			r.stores = []verify.Store{&parquet.Store{Objects: r.Objects, Deep: true}}
			report := r.account()
			l := line(t, report, bus.CleanText, 1)
			if report.Lost != 2 || report.Doubled != 0 || l.Stored["parquet"] != 18 || len(l.Differences) != 2 {
				t.Fatalf("%d lost, %d doubled, %+v", report.Lost, report.Doubled, l)
			}
			if !strings.HasPrefix(l.Differences[0], "parquet: the lake is damaged: ") || !strings.Contains(l.Differences[0], filepath.Base(files[0])) || l.Differences[1] != "parquet: rejected lacks offsets 11, 15" {
				t.Errorf("it says %q", l.Differences)
			}
			if done, err := verify.Repair(t.Context(), r.bus, report); err != nil || done.Rows["parquet"] != 2 {
				t.Fatalf("%+v, %v", done, err)
			}
			check(t, r.account(), 0, 0, nil)
			if now, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(now, sound) {
				t.Errorf("the file that was written again is another than the first: %v", err)
			}
		})
	}
}
