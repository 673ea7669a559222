package bus

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
)

// slow is a store in which every object takes its time, by a clock that is played.
type slow struct {
	objstore.Store
	now  time.Time
	take time.Duration
	made int
}

// CreateFunc implements objstore.Store.
func (s *slow) CreateFunc(ctx context.Context, key string, write func(io.Writer) error) error {
	s.now = s.now.Add(s.take)
	s.made++
	return s.Store.CreateFunc(ctx, key, write)
}

// TestCheckpointShare checks that a state that takes long to write is written less often:
// the whole of it is written each time, by the worker.
func TestCheckpointShare(t *testing.T) {
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	db, err := state.Open("/state", vfs.NewMem(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	st, err := db.Partition("clean", TopicID{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	store := &slow{Store: objects, now: time.Unix(1e9, 0)}
	b := &Bus{objects: store, clock: func() time.Time { return store.now }, metrics: newMetrics(prometheus.NewRegistry()), checkpointEvery: time.Minute}
	w := &worker{bus: b, stage: Stage{Name: "clean"}, st: st, checkpointed: store.now}
	position := int64(0)
	for _, c := range []struct {
		after, take time.Duration
		made        int
	}{
		{59 * time.Second, time.Second, 0},
		{time.Second, time.Second, 1}, // it takes a second
		{59 * time.Second, time.Second, 1},
		{time.Second, 10 * time.Second, 2}, // it takes ten, so that the next one waits for 200
		{199 * time.Second, time.Second, 2},
		{time.Second, time.Second, 3}, // one that is quick again
		{time.Minute, time.Second, 4},
	} {
		store.now, store.take = store.now.Add(c.after), c.take
		position++
		if err := st.Commit(position); err != nil {
			t.Fatal(err)
		}
		if err := w.checkpoint(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if store.made != c.made {
			t.Fatalf("%s after what was before, at position %d, %d checkpoints were made, want %d", c.after, position, store.made, c.made)
		}
	}
	position++
	if err := st.Commit(position); err != nil {
		t.Fatal(err)
	}
	if err := w.checkpoint(t.Context(), true); err != nil || store.made != 5 {
		t.Errorf("at the end %d checkpoints were made, %v, want 5", store.made, err)
	}
}
