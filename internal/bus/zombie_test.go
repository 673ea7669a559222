package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/internal/testvar"
)

// freezer holds what goes over a member's connections, as a process that is stopped does.
type freezer struct {
	mu     sync.Mutex
	thawed *sync.Cond
	frozen bool
}

func newFreezer() *freezer {
	f := &freezer{}
	f.thawed = sync.NewCond(&f.mu)
	return f
}

func (f *freezer) set(frozen bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frozen = frozen
	f.thawed.Broadcast()
}

func (f *freezer) wait() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.frozen {
		f.thawed.Wait()
	}
}

func (f *freezer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	f.wait()
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	return &frozenConn{c, f}, err
}

type frozenConn struct {
	net.Conn
	f *freezer
}

// Write implements net.Conn.
func (c *frozenConn) Write(b []byte) (int, error) {
	c.f.wait()
	return c.Conn.Write(b)
}

// Read implements net.Conn.
func (c *frozenConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.f.wait()
	return n, err
}

// pausing is chainStage whose task stops in the midst of its work when it is told to.
func pausing(pause *atomic.Bool, paused chan<- string, goOn <-chan struct{}) Stage {
	s := chainStage()
	open := s.Open
	s.Open = func(ctx context.Context, at Partition, st *state.Partition) (Task, error) {
		inner, err := open(ctx, at, st)
		return pausingTask{inner, func() {
			if pause.CompareAndSwap(true, false) {
				paused <- at.String()
				<-goOn
			}
		}}, err
	}
	return s
}

type pausingTask struct {
	Task
	before func()
}

func (p pausingTask) Process(ctx context.Context, in []Record, out *Output) error {
	p.before()
	return p.Task.Process(ctx, in, out)
}

// keeps runs a stage of a member over and over until stop is called, which returns when it
// has ended.
func keeps(t *testing.T, b *Bus, s Stage) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			err := b.Run(ctx, s)
			var lost *kgo.ErrGroupSession
			if err != nil && ctx.Err() == nil && !errors.As(err, &lost) && !errors.Is(err, state.ErrDamaged) {
				t.Errorf("stage %s: %v", s.Name, err)
				return
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// await waits for ok.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) || t.Failed() {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// TestZombies stops a member in the midst of a batch until it has long lost its partitions
// and another has gone on with them, and lets it go on. What it writes then is dropped by
// all readers. When it is given the partitions again, it must go on from where the other
// was, by its checkpoint, and not from its own state; the log in between is deleted, so that
// nothing else can serve. MILLRACE_PROVE_ZOMBIES says how often.
func TestZombies(t *testing.T) {
	zombies := int(testvar.Number(t, "MILLRACE_PROVE_ZOMBIES", 3))
	const batch = 200
	rng := rand.New(rand.NewPCG(testvar.Seed(t), 7))
	r := newRig(t, chainTopics(2)...)
	r.session = shortSession
	frozen := newFreezer()
	r.client = []kgo.Opt{kgo.Dialer(frozen.dial)}
	one := r.member(vfs.NewMem())
	r.client = nil
	two := r.member(vfs.NewMem())
	var pause atomic.Bool
	paused, goOn := make(chan string), make(chan struct{})
	defer keeps(t, one, pausing(&pause, paused, goOn))()

	inputs, written := map[int32][][]byte{}, 0
	more := func() {
		r.produce("a", 2, written, batch)
		for i := written; i < written+batch; i++ {
			inputs[int32(i%2)] = append(inputs[int32(i%2)], number(i))
		}
		written += batch
	}
	through := func(members ...*Bus) func() bool {
		return func() bool {
			sum := int64(0)
			for _, b := range members {
				for _, at := range b.Positions("chain") {
					sum += at
				}
			}
			return sum == int64(written)
		}
	}
	for range zombies {
		more()
		await(t, "the first member is through", through(one))
		pause.Store(true)
		more()
		<-paused // one partition stands in the midst of a batch, the other goes on
		time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond)
		frozen.set(true)
		stop := keeps(t, two, chainStage())
		await(t, "the second member has taken over", func() bool { return len(two.Positions("chain")) == 2 })
		more()
		await(t, "the second member is through", through(two))
		before := r.highest("b")
		frozen.set(false)
		goOn <- struct{}{} // the zombie works on what is not its any more
		await(t, "the zombie has written", func() bool { return r.highest("b") > before })
		stop() // it checkpoints
		for n := range int32(2) {
			if err := r.cluster.DeleteRecords("a", n, int64(written/2)-1); err != nil {
				t.Fatal(err)
			}
		}
		await(t, "the first member has them again", through(one))
	}
	more()
	await(t, "the first member is through", through(one))
	skipped := r.checkChain(two, "b", sums(inputs))
	t.Logf("%d zombies, %d records, %d written again or in vain", zombies, written, skipped)
	if skipped == 0 {
		t.Error("no zombie has written anything")
	}
}

// highest is how many records lie on a topic.
func (r *rig) highest(topic string) (n int64) {
	for _, info := range r.cluster.PartitionInfos(topic) {
		n += info.HighWatermark
	}
	return n
}
