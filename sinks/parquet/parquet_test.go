package parquet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/internal/verify"
)

var errKilled = errors.New("the process was killed")

// TestKilled kills the sink at many of its writes, each time before or behind one, and
// starts it again with other bounds of a batch, with its local state or without: every
// record must be in the lake once.
func TestKilled(t *testing.T) {
	c := bustest.New(t)
	reader := c.Member(vfs.NewMem())
	want := produce(t, c, 36)
	fs := vfs.NewMem()
	bounds := []int{7, 3, 1000, 13, 1, 29}
	killed := 0
	for i, writes := range []int64{1, 2, 3, 5, 8, 11, 14, 20, 31} {
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
		t.Errorf("the sink was killed %d times of 9: the test kills too little", killed)
	}
	c.MustDrain(reader, newStage(t, c.Objects, 19))
	checkLake(t, reader, c.Objects, want)
}

// TestTwoWriters lets two writers have every partition at once, as one has that was
// thought dead, with other bounds each. They meet at each claim before either makes it:
// the one that comes too late has cut its range otherwise and must take the other's.
// Both must then write the same files, byte for byte.
func TestTwoWriters(t *testing.T) {
	c := bustest.New(t)
	reader := c.Member(vfs.NewMem())
	want := produce(t, c, 24)
	m := &meeting{keys: map[string]*encounter{}, sums: map[string][sha256.Size]byte{}}
	failed := make(chan error, 2)
	for i, records := range []int{5, 9} {
		store := &racer{Store: c.Objects, at: m, first: i == 0}
		b := otherGroup(t, c, store, fmt.Sprintf("writer%d", i))
		other := c.With(t)
		go func() { failed <- other.Drain(b, newStage(t, store, records)) }()
	}
	for range 2 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if m.differed == 0 {
		t.Error("both cut all ranges alike: the test races nothing")
	}
	if m.same == 0 {
		t.Error("no file was made by both")
	}
	for _, key := range m.unlike {
		t.Errorf("%s: the writers made different bytes", key)
	}
	checkLake(t, reader, c.Objects, want)
}

// otherGroup is a process that shares the log and the objects with others, and thinks
// that it alone has the partitions.
func otherGroup(t *testing.T, c *bustest.Cluster, objects objstore.Store, group string) *bus.Bus {
	t.Helper()
	db, err := state.Open("/state", vfs.NewMem(), bustest.Log())
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.New(
		bus.Config{Brokers: c.Kafka.ListenAddrs(), Topics: bus.DefaultTopicsConfig().Specs(), Secret: make([]byte, 32), Group: group},
		bus.Deps{State: db, Objects: objects, Log: bustest.Log(), Metrics: prometheus.NewRegistry(), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(); _ = db.Close() })
	if err := b.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// meeting is where two writers wait for each other.
type meeting struct {
	mu             sync.Mutex
	keys           map[string]*encounter
	sums           map[string][sha256.Size]byte
	same, differed int
	unlike         []string
}

// encounter is the meeting at one claim.
type encounter struct {
	here [2]bool
	both chan struct{} // both have come
	made chan struct{} // the one whose turn it is has made its claim
	data []byte
}

func (m *meeting) at(key string, who int) (e *encounter, again bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e = m.keys[key]
	if e == nil {
		e = &encounter{both: make(chan struct{}), made: make(chan struct{})}
		m.keys[key] = e
	}
	again = e.here[who]
	e.here[who] = true
	if !again && e.here[1-who] {
		close(e.both)
	}
	return e, again
}

// racer is the object store of one of the two.
type racer struct {
	objstore.Store
	at    *meeting
	first bool
}

// Create implements objstore.Store.
func (r *racer) Create(ctx context.Context, key string, data []byte) error {
	if !strings.HasPrefix(key, "claims/") {
		return r.Store.Create(ctx, key, data)
	}
	who := 1
	if r.first {
		who = 0
	}
	e, again := r.at.at(key, who)
	if again {
		return r.Store.Create(ctx, key, data)
	}
	select {
	case <-e.both:
	case <-time.After(20 * time.Second):
		return fmt.Errorf("the other writer never came to %s", key)
	}
	// Each is too late at every other claim, by a function of where it is.
	turn := int(key[len(key)-1]-'0') % 2
	if turn == who {
		e.data = data
		defer close(e.made)
		return r.Store.Create(ctx, key, data)
	}
	<-e.made
	if !bytes.Equal(e.data, data) {
		r.at.mu.Lock()
		r.at.differed++
		r.at.mu.Unlock()
	}
	return r.Store.Create(ctx, key, data)
}

// CreateFunc implements objstore.Store: what is written is made, even where the object
// exists, and compared with what the other made.
func (r *racer) CreateFunc(ctx context.Context, key string, write func(io.Writer) error) error {
	if !strings.HasPrefix(key, "lake/") {
		return r.Store.CreateFunc(ctx, key, write)
	}
	var made bytes.Buffer
	if err := write(&made); err != nil {
		return err
	}
	sum := sha256.Sum256(made.Bytes())
	r.at.mu.Lock()
	if other, ok := r.at.sums[key]; ok {
		r.at.same++
		if other != sum {
			r.at.unlike = append(r.at.unlike, key)
		}
	}
	r.at.sums[key] = sum
	r.at.mu.Unlock()
	return r.Store.Create(ctx, key, made.Bytes())
}

// opening counts how often each commit is read.
type opening struct {
	objstore.Store
	commits map[string]int
}

// Get implements objstore.Store.
func (o *opening) Get(ctx context.Context, key string) ([]byte, error) {
	if strings.HasPrefix(key, "commits/") {
		o.commits[key]++
	}
	return o.Store.Get(ctx, key)
}

// TestOffsets checks what verify is told of the lake, and that it is read in one walk.
func TestOffsets(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	want := produce(t, c, 36)
	c.MustDrain(b, newStage(t, c.Objects, 5))
	store := &opening{Store: c.Objects, commits: map[string]int{}}
	got := 0
	for _, name := range []string{bus.CleanText, bus.Interactions, bus.TrainingExamples, bus.ModelEvents} {
		topic, err := b.Topic(name)
		if err != nil {
			t.Fatal(err)
		}
		for partition := range topic.Partitions {
			offsets, err := (&Store{Objects: store}).Offsets(t.Context(), topic, partition, verify.Range{To: 1 << 40}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for kind, all := range offsets {
				if !slices.IsSorted(all) {
					t.Errorf("%s/%d: the offsets of %s are %v, want them in order", name, partition, kind, all)
				}
				for _, o := range all {
					got++
					if f := want[place{name, partition, o}]; f.kind != kind {
						t.Errorf("%s/%d: %d is said to be of %s, it is of %q", name, partition, o, kind, f.kind)
					}
				}
			}
		}
	}
	if got != len(want) {
		t.Errorf("%d offsets are told, want %d", got, len(want))
	}
	for key, n := range store.commits {
		if n != 1 {
			t.Errorf("%s was read %d times, want once", key, n)
		}
	}
}

// TestIdleTail leaves a few records at the end of a log on which nothing follows: they wait
// for others as long as a range may, and are in the lake then, as one.
func TestIdleTail(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	produce(t, c, 5)
	topic, err := b.Topic(bus.ModelEvents)
	if err != nil {
		t.Fatal(err)
	}
	const age = 300 * time.Millisecond
	stage, err := Stage(Config{MaxRecords: 1000, MaxBytes: 1 << 20, MaxAge: age}, c.Objects, "", bustest.Log())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c.Start("the sink", func(ctx context.Context) error { return b.Run(ctx, stage) })
	bustest.Await(t, "the tail is in the lake", func() bool {
		covered, err := lake.Covered(t.Context(), c.Objects, topic.ID, 0)
		return err == nil && covered == 5
	})
	if took := time.Since(began); took < age {
		t.Errorf("the range was closed after %s, it may wait %s", took, age)
	}
	for commit, err := range lake.Commits(t.Context(), c.Objects, topic.ID, 0) {
		if err != nil || commit.First != 0 || commit.End != 5 || commit.At.Before(began) {
			t.Errorf("the lake holds [%d, %d), written at %s, %v; want [0, 5), after %s", commit.First, commit.End, commit.At, err, began)
		}
	}
}

// TestClaimBeyondTheLog gives the sink a claim that ends behind the log's end, as a log
// has that lost its last records. It must stop and say so, and not wait for others in
// their place.
func TestClaimBeyondTheLog(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	produce(t, c, 36)
	topic, err := b.Topic(bus.ModelEvents)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lake.Claim(t.Context(), c.Objects, topic.ID, 0, 0, 40); err != nil {
		t.Fatal(err)
	}
	const want = "model.events/0: the range at 0 is claimed to end at 40, and the log ends at 36"
	if err := c.Drain(b, newStage(t, c.Objects, 5)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the sink ends with %v, want an error that says %q", err, want)
	}
	if covered, err := lake.Covered(t.Context(), c.Objects, topic.ID, 0); err != nil || covered != 0 {
		t.Errorf("the lake holds offsets below %d, %v; want none", covered, err)
	}
}
