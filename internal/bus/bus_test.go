package bus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// rig is a fake cluster with an object store; members of it come and go.
type rig struct {
	t       *testing.T
	cluster *kfake.Cluster
	objects objstore.Store
	specs   []TopicSpec
	client  []kgo.Opt     // of every member
	session time.Duration // their session timeout
}

// shortSession is the session timeout of tests in which members hang.
const shortSession = 400 * time.Millisecond

func newRig(t *testing.T, specs ...TopicSpec) *rig {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(shortSession))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, cluster: cluster, objects: objects, specs: specs}
}

// member is one process: a bus with a local state of its own.
func (r *rig) member(fs vfs.FS) *Bus {
	r.t.Helper()
	b, end := r.process(fs)
	if err := b.Ensure(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(end)
	return b
}

// process is a member that has not asked for its topics yet, and how it ends.
func (r *rig) process(fs vfs.FS) (b *Bus, end func()) {
	r.t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := state.Open("/state", fs, log)
	if err != nil {
		r.t.Fatal(err)
	}
	b, err = New(Config{Brokers: r.cluster.ListenAddrs(), Client: r.client, Topics: r.specs, Secret: make([]byte, 32), SessionTimeout: r.session},
		Deps{State: db, Objects: r.objects, Log: log, Metrics: prometheus.NewRegistry(), Clock: time.Now})
	if err != nil {
		r.t.Fatal(err)
	}
	return b, func() { b.Close(); _ = db.Close() }
}

// produce writes n records as a foreign client does, with keys and 8-byte values.
func (r *rig) produce(topic string, partitions int32, from, n int) {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	for i := from; i < from+n; i++ {
		rec := &kgo.Record{Topic: topic, Partition: int32(i) % partitions, Key: fmt.Appendf(nil, "k%d", i), Value: binary.BigEndian.AppendUint64(nil, uint64(i))}
		cl.Produce(r.t.Context(), rec, func(_ *kgo.Record, err error) {
			if err != nil {
				r.t.Error(err)
			}
		})
	}
	if err := cl.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// copyTask emits every record once to the output, and keeps a count in its state.
type copyTask struct {
	st    *state.Partition
	to    string
	crash func() error
}

var countKey = []byte("n")

func (c *copyTask) Process(_ context.Context, in []Record, out *Output) error {
	v, _, err := c.st.Get(countKey)
	if err != nil {
		return err
	}
	var n uint64
	if len(v) == 8 {
		n = binary.BigEndian.Uint64(v)
	}
	for i := range in {
		out.EmitRaw(&in[i], c.to, out.ByKey(c.to, in[i].Key), in[i].Key, schemas.KindCleanText, in[i].Value)
		n++
	}
	c.st.Set(countKey, binary.BigEndian.AppendUint64(nil, n))
	if c.crash != nil {
		return c.crash()
	}
	return nil
}

func copyStage(name, from, to string, crash func() error) Stage {
	return Stage{
		Name: name, Inputs: []string{from}, Limits: Limits{MaxRecords: 37, MaxBytes: 1 << 20},
		Open: func(_ context.Context, _ Partition, st *state.Partition) (Task, error) {
			return &copyTask{st: st, to: to, crash: crash}, nil
		},
	}
}

// collectTask is a sink: it remembers which values it was given.
type collectTask struct{ got *sync.Map }

func (c *collectTask) Process(_ context.Context, in []Record, _ *Output) error {
	for i := range in {
		n, _ := c.got.LoadOrStore(binary.BigEndian.Uint64(in[i].Value), new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	}
	return nil
}

// refuseProduces fails a produce request for some of its partitions, before they are
// written, now and then.
func refuseProduces(c *kfake.Cluster, now func() bool) {
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		p := req.(*kmsg.ProduceRequest)
		if p.TransactionID != nil || !now() {
			return nil, nil, false
		}
		resp := p.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range p.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, part := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = part.Partition, kerr.InvalidRecord.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
}

var errCrash = errors.New("crash")

// TestExactlyOnce runs two stages whose members fail at random (in Process, behind the
// flush, with a write that failed between others that landed), lose their local state or
// keep it, and checks that the reader behind them is given every record once.
func TestExactlyOnce(t *testing.T) {
	const n, partitions = 3000, 3
	r := newRig(t,
		TopicSpec{Name: "a", Partitions: partitions, Input: true, MaxBytes: 1 << 20},
		TopicSpec{Name: "b", Partitions: 2, MaxBytes: 1 << 20},
		TopicSpec{Name: "c", Partitions: 2, MaxBytes: 1 << 20})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	oneIn := func(n int) bool {
		mu.Lock()
		defer mu.Unlock()
		return rng.IntN(n) == 0
	}
	crash := func() error {
		if oneIn(12) {
			return errCrash
		}
		return nil
	}
	r.member(vfs.NewMem()) // makes the topics
	r.produce("a", partitions, 0, n)
	refuseProduces(r.cluster, func() bool { return oneIn(25) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	forever := func(stage Stage, crash func() error) {
		wg.Go(func() {
			for ctx.Err() == nil { // a new member has no local state
				b := r.member(vfs.NewMem())
				b.afterFlush, b.checkpointEvery = crash, 20*time.Millisecond
				for ctx.Err() == nil && !oneIn(4) {
					err := b.Run(ctx, stage)
					if err != nil && !errors.Is(err, errCrash) && !errors.Is(err, kerr.InvalidRecord) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	forever(copyStage("one", "a", "b", crash), crash)
	forever(copyStage("two", "b", "c", crash), crash)
	got := &sync.Map{}
	forever(Stage{Name: "sink", Inputs: []string{"c"}, Limits: DefaultLimits(),
		Open: func(context.Context, Partition, *state.Partition) (Task, error) { return &collectTask{got}, nil }}, nil)

	count := func() (distinct int, total int64) {
		got.Range(func(_, v any) bool {
			distinct++
			total += v.(*atomic.Int64).Load()
			return true
		})
		return distinct, total
	}
	deadline := time.Now().Add(time.Minute)
	for d, _ := count(); d < n && time.Now().Before(deadline); d, _ = count() {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // a repeat would come now
	cancel()
	wg.Wait()
	if d, total := count(); d != n || total != n {
		t.Fatalf("the reader was given %d records, %d distinct; want %d", total, d, n)
	}
}

// TestForgedOrigin checks that an origin header on an input topic counts only with the
// deployment's MAC: a stranger can neither hide records nor drop others'.
func TestForgedOrigin(t *testing.T) {
	r := newRig(t, TopicSpec{Name: "a", Partitions: 1, Input: true, MaxBytes: 1 << 20})
	b := r.member(vfs.NewMem())
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	forged := appendLink(nil, link{Origin: Origin{Step: "predict", Offset: 1 << 40}, prev: place{offset: 1 << 39}})
	for i := range 3 {
		rec := &kgo.Record{Topic: "a", Value: binary.BigEndian.AppendUint64(nil, uint64(i)),
			Headers: []kgo.RecordHeader{{Key: HeaderOrigin, Value: forged}, {Key: HeaderMAC, Value: make([]byte, macBytes)}}}
		if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got := &sync.Map{}
	seen := make(chan int, 10)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() {
		_ = b.Run(ctx, Stage{Name: "s", Inputs: []string{"a"}, Limits: DefaultLimits(),
			Open: func(context.Context, Partition, *state.Partition) (Task, error) {
				return taskFunc(func(in []Record) {
					_ = (&collectTask{got}).Process(ctx, in, nil)
					for i := range in {
						if in[i].Derived || in[i].Origin.Offset != in[i].Offset {
							t.Errorf("record %d is taken as derived from %v", in[i].Offset, in[i].Origin)
						}
						seen <- i
					}
				}), nil
			}})
	})
	for range 3 {
		select {
		case <-seen:
		case <-ctx.Done():
			t.Fatal("a record with a forged origin was hidden")
		}
	}
}

type taskFunc func([]Record)

func (f taskFunc) Process(_ context.Context, in []Record, _ *Output) error { f(in); return nil }

func TestLinkRoundTrip(t *testing.T) {
	for _, l := range []link{
		{Origin: Origin{Step: "clean", TopicID: TopicID{1, 2}, Partition: 7, Offset: 1 << 40, Index: 3}, prev: place{12, 1}},
		{Origin: Origin{Step: "x"}, prev: none},
	} {
		got, err := parseLink(appendLink(nil, l), func(b []byte) string { return string(b) })
		if err != nil || got != l {
			t.Errorf("%+v came back as %+v, %v", l, got, err)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	f.Add(appendLink(nil, link{Origin: Origin{Step: "clean", Offset: 5}, prev: none}))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLink(b, func(b []byte) string { return string(b) })
		if err != nil {
			return
		}
		if again, err := parseLink(appendLink(nil, l), func(b []byte) string { return string(b) }); err != nil || again != l {
			t.Fatalf("%+v came back as %+v, %v", l, again, err)
		}
	})
}

// TestPartitionOf compares with the partitioner of franz-go, which is Kafka's.
func TestPartitionOf(t *testing.T) {
	p := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	for i := range 1000 {
		key := fmt.Appendf(nil, "key-%d", i*i)
		if got, want := PartitionOf(key, 7), p.Partition(&kgo.Record{Key: key}, 7); int(got) != want {
			t.Fatalf("key %s: partition %d, want %d", key, got, want)
		}
	}
}

// TestMarks plays the walk-through of the gap: the write of 2 fails, 3 lands, and the
// replay sends both again.
func TestMarks(t *testing.T) {
	m := newMarks()
	at := func(offset, prev int64) *link {
		return &link{Origin: Origin{Step: "s", Offset: offset}, prev: place{offset: prev}}
	}
	for i, step := range []struct {
		l    *link
		want verdict
	}{
		{at(1, -1), applied}, {at(3, 2), behindGap}, {at(1, -1), repeated},
		{at(2, -1), applied}, {at(3, 2), applied}, {at(3, 2), repeated}, {at(2, -1), repeated},
	} {
		if got := m.admit(step.l); got != step.want {
			t.Fatalf("step %d: %+v was given verdict %d, want %d", i, step.l, got, step.want)
		}
	}
}

// TestHoldAndTake lets the worker take everything at each point of a pause, and checks
// that its partition is fetched again: a pause that nobody ends stops it for good.
func TestHoldAndTake(t *testing.T) {
	for _, when := range []string{"before", "behind"} {
		w := &worker{
			bus: &Bus{clock: time.Now}, arrived: make(chan struct{}, 1),
			stage: Stage{Limits: Limits{MaxBytes: 4 * queuedBytes}}, // so it wants more whenever it has taken
		}
		fetching := true
		w.pauseFetch = func() {
			if when == "before" {
				w.take()
			}
			fetching = false
			if when == "behind" {
				w.take()
			}
		}
		w.resumeFetch = func() { fetching = true }
		if full := w.offer([]*kgo.Record{{Value: make([]byte, queuedBytes+1)}}, 1); !full {
			t.Fatalf("a queue of %d bytes is not full", queuedBytes+1)
		}
		w.hold()
		select {
		case <-w.arrived:
			w.take()
		default:
			t.Errorf("taken %s the pause: the worker is not told to look again", when)
		}
		if !fetching || w.paused.Load() {
			t.Errorf("taken %s the pause: the partition is never fetched again", when)
		}
	}
}
