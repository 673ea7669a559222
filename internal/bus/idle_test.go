package bus

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
)

// idle is a task to which nothing comes.
type idle struct{ Task }

// counting counts what is created.
type counting struct {
	objstore.Store
	made atomic.Int64
}

// CreateFunc implements objstore.Store.
func (c *counting) CreateFunc(ctx context.Context, key string, write func(io.Writer) error) error {
	c.made.Add(1)
	return c.Store.CreateFunc(ctx, key, write)
}

// TestIdleCheckpoint: a partition to which nothing more comes is checkpointed all the same,
// also by a worker that found its state and no checkpoint of it; and once.
func TestIdleCheckpoint(t *testing.T) {
	folder, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	objects := &counting{Store: folder}
	synctest.Test(t, func(t *testing.T) {
		db, err := state.Open("/state", vfs.NewMem(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for life, want := range []int64{1, 1} {
			st, err := db.Partition("clean", TopicID{}, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := st.Restore(t.Context(), objects); err != nil {
				t.Fatal(err)
			}
			if life == 0 {
				if err := st.Commit(7); err != nil { // before a crash
					t.Fatal(err)
				}
			}
			b := &Bus{objects: objects, clock: time.Now, metrics: newMetrics(prometheus.NewRegistry()), checkpointEvery: time.Minute}
			w := &worker{bus: b, stage: Stage{Name: "clean"}, st: st, task: idle{}, checkpointed: b.clock(),
				arrived: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
			go w.run()
			time.Sleep(59 * time.Second)
			if objects.made.Load() != int64(life) { // of the life before
				t.Errorf("life %d: %d checkpoints before one is due", life, objects.made.Load())
			}
			time.Sleep(time.Hour)
			if objects.made.Load() != want {
				t.Errorf("life %d: %d checkpoints after an hour, want %d", life, objects.made.Load(), want)
			}
			close(w.stop)
			<-w.done
			if w.err != nil || objects.made.Load() != want {
				t.Errorf("life %d ended with %v and %d checkpoints", life, w.err, objects.made.Load())
			}
		}
	})
}
