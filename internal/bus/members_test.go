package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/millrace-io/millrace/internal/testvar"
)

// folder is a local state, which a member of it at a time works on; one that died comes
// back with what it had synced, or with a copy of some time before.
type folder struct {
	fs     *vfs.MemFS
	before *vfs.MemFS // an older copy, or nil
}

// churn is a deployment whose members come and go.
type churn struct {
	*rig
	rng     *rand.Rand
	free    []*folder
	running []*joined

	started, left, died, stale, empty int
}

// joined is a member that runs.
type joined struct {
	folder  *folder
	crashed atomic.Bool
	stop    context.CancelFunc
	ended   chan struct{}
}

// join starts a member, on a folder that another left, on an old copy of one, or on an
// empty one.
func (c *churn) join() {
	at := c.rng.IntN(len(c.free))
	f := c.free[at]
	c.free = append(c.free[:at], c.free[at+1:]...)
	switch c.rng.IntN(6) {
	case 0:
		f.fs, f.before = vfs.NewStrictMem(), nil
		c.empty++
	case 1:
		if f.before != nil {
			f.fs, f.before = f.before, nil
			c.stale++
		}
	}
	if f.before == nil {
		f.before = vfs.NewStrictMem()
		if _, err := vfs.Clone(f.fs, f.before, "/state", "/state", vfs.CloneSync); err != nil {
			c.t.Fatal(err)
		}
	}
	b, end := c.process(f.fs)
	if err := b.Ensure(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(c.t.Context())
	m := &joined{folder: f, stop: stop, ended: make(chan struct{})}
	b.checkpointEvery = 50 * time.Millisecond
	b.afterFlush = func() error {
		if m.crashed.Load() {
			return errCrash
		}
		return nil
	}
	var stages sync.WaitGroup
	for _, s := range []Stage{chainStage(), copyStage("copy", "b", "c", nil)} {
		stages.Go(func() {
			for ctx.Err() == nil {
				err := b.Run(ctx, s)
				if err != nil && !errors.Is(err, errCrash) && ctx.Err() == nil {
					c.t.Errorf("stage %s: %v", s.Name, err)
				}
			}
		})
	}
	go func() {
		defer close(m.ended)
		stages.Wait()
		if m.crashed.Load() {
			f.fs.SetIgnoreSyncs(true)
		}
		end()
		if m.crashed.Load() {
			f.fs.ResetToSyncedState()
			f.fs.SetIgnoreSyncs(false)
		}
	}()
	c.running = append(c.running, m)
	c.started++
}

// part ends a member: as it is told to, or in the midst of a batch of what more writes, with
// what it had not synced lost.
func (c *churn) part(more func()) {
	at := c.rng.IntN(len(c.running))
	m := c.running[at]
	c.running = append(c.running[:at], c.running[at+1:]...)
	if c.rng.IntN(2) == 0 {
		m.crashed.Store(true)
		more()
		time.Sleep(10 * time.Millisecond)
		c.died++
	} else {
		c.left++
	}
	m.stop()
	<-m.ended
	c.free = append(c.free, m.folder)
}

// TestMembers lets members of two stages, the first a function of all that it has seen,
// join and leave while records come: for a few seconds, or every 2 s for as long as
// MILLRACE_PROVE_MEMBERS_FOR says. In the end each record is there once, with the sum of
// all before it.
func TestMembers(t *testing.T) {
	const most, partitions = 4, 4
	length, every := 3*time.Second, 50*time.Millisecond
	if v := os.Getenv("MILLRACE_PROVE_MEMBERS_FOR"); v != "" {
		length, every = durationOf(t, v, 0), 2*time.Second
	}
	r := newRig(t, chainTopics(partitions)...)
	c := &churn{rig: r, rng: rand.New(rand.NewPCG(testvar.Seed(t), 1))}
	r.member(vfs.NewMem()) // makes the topics
	for range most {
		fs := vfs.NewStrictMem()
		if err := fs.MkdirAll("/state", 0o755); err != nil {
			t.Fatal(err)
		}
		c.free = append(c.free, &folder{fs: fs})
	}
	const batch = 40
	written := 0
	more := func() {
		r.produce("a", partitions, written, batch)
		written += batch
	}
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); {
		more()
		if len(c.running) == 0 || len(c.running) < most && c.rng.IntN(2) == 0 {
			c.join()
		} else {
			c.part(more)
		}
		time.Sleep(every/2 + time.Duration(c.rng.Int64N(int64(every))))
	}
	for len(c.running) > 0 {
		c.part(more)
	}
	last := r.member(vfs.NewMem())
	r.drain(last, chainStage(), copyStage("copy", "b", "c", nil))
	want := sums(r.read("a"))
	if len(want) != written {
		t.Fatalf("the input has %d records, want %d", len(want), written)
	}
	skippedB, skippedC := r.checkChain(last, "b", want), r.checkChain(last, "c", want)
	t.Logf("%s: %d members came, %d left, %d died, %d with an old folder, %d with an empty one; %d records; written again: %d by the first stage, %d by the second",
		length, c.started, c.left, c.died, c.stale, c.empty, written, skippedB, skippedC)
	if c.died == 0 || c.left == 0 || skippedB+skippedC == 0 {
		t.Errorf("nothing was written again, or nobody left or died")
	}
}
