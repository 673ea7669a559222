package parquet

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/millrace-io/millrace/internal/bustest"
)

var errKilled = errors.New("the process was killed")

// TestKilled kills the sink at many of its writes, each time before or behind one, and
// starts it again with other bounds of a batch, with its local state or without: every
// record must be in the lake once.
func TestKilled(t *testing.T) {
	c := bustest.New(t)
	reader := c.Member(vfs.NewMem())
	want := produce(t, c, 40)
	fs := vfs.NewMem()
	bounds := []int{7, 3, 1000, 13, 1, 29}
	killed := 0
	for i, writes := range []int64{1, 2, 3, 5, 8, 11, 14, 20, 31, 44, 60} {
		t.Run(fmt.Sprintf("at its write %d", writes), func(t *testing.T) {
			var left atomic.Int64
			left.Store(1 << 40) // the topics are made in peace
			dying := c.With(t)
			dying.Objects = &bustest.Objects{Store: c.Objects, Fail: func() error {
				if left.Add(-1) < 0 {
					return errKilled // and at everything behind it: a dead process does nothing in order
				}
				return nil
			}}
			b := dying.Member(fs)
			left.Store(writes)
			switch err := dying.Drain(b, newStage(t, dying.Objects, bounds[i%len(bounds)])); {
			case errors.Is(err, errKilled):
				killed++
			case err != nil:
				t.Fatal(err)
			}
		})
		if i%2 == 0 {
			fs = vfs.NewMem()
		}
	}
	if killed < 6 {
		t.Errorf("the sink was killed %d times: the test kills nothing", killed)
	}
	c.MustDrain(reader, newStage(t, c.Objects, 17))
	checkLake(t, reader, c.Objects, want)
}
