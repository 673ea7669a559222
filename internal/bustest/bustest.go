// Package bustest gives tests of stages the real bus on a cluster in memory, with all of
// Millrace's topics. Only tests import it.
package bustest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// patience is how long Drain and Read wait; a test that needs it has failed.
const patience = 30 * time.Second

// Log is a logger that says nothing.
func Log() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Cluster is a log and an object store; members come and go.
type Cluster struct {
	Kafka   *kfake.Cluster
	Objects objstore.Store
	t       testing.TB
	client  *kgo.Client
	topics  bus.TopicsConfig
}

// New starts a cluster that ends with the test.
func New(t testing.TB) *Cluster {
	t.Helper()
	return NewWith(t, bus.DefaultTopicsConfig())
}

// NewWith is New with other topics.
func NewWith(t testing.TB, topics bus.TopicsConfig) *Cluster {
	t.Helper()
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...),
		kgo.RecordPartitioner(byHand{kgo.StickyKeyPartitioner(nil)}), kgo.ProducerBatchMaxBytes(16<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &Cluster{Kafka: kafka, Objects: objects, t: t, client: client, topics: topics}
}

// With is c for another test or a target of fuzzing, which it fails in place of c's own.
func (c *Cluster) With(t testing.TB) *Cluster {
	other := *c
	other.t = t
	return &other
}

// WithTopics is c for members whose configuration of the topics is another.
func (c *Cluster) WithTopics(topics bus.TopicsConfig) *Cluster {
	other := *c
	other.topics = topics
	return &other
}

// Member is one process: a bus whose local state lies in fs.
func (c *Cluster) Member(fs vfs.FS) *bus.Bus {
	c.t.Helper()
	b, leave := c.Leaving(fs)
	c.t.Cleanup(leave)
	return b
}

// Leaving is Member for one that leaves before the test ends, so that another may have its
// disk.
func (c *Cluster) Leaving(fs vfs.FS) (b *bus.Bus, leave func()) {
	c.t.Helper()
	db, err := state.Open("/state", fs, Log())
	if err != nil {
		c.t.Fatal(err)
	}
	b, err = bus.New(
		bus.Config{Brokers: c.Kafka.ListenAddrs(), Topics: c.topics.Specs(), Secret: make([]byte, 32)},
		bus.Deps{State: db, Objects: c.Objects, Log: Log(), Metrics: prometheus.NewRegistry(), Clock: time.Now})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := b.Ensure(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	return b, func() { b.Close(); _ = db.Close() }
}

// byHand partitions by key as Kafka's own clients do, except for records of OnPartition.
type byHand struct{ kgo.Partitioner }

func (p byHand) ForTopic(topic string) kgo.TopicPartitioner {
	return byHandTopic{p.Partitioner.ForTopic(topic)}
}

type byHandTopic struct{ kgo.TopicPartitioner }

type handKey struct{}

func (p byHandTopic) Partition(r *kgo.Record, n int) int {
	if r.Context != nil {
		if at, ok := r.Context.Value(handKey{}).(int); ok {
			return at
		}
	}
	return p.TopicPartitioner.Partition(r, n)
}

// OnPartition makes r go to a partition, whatever its key.
func OnPartition(r *kgo.Record, partition int) *kgo.Record {
	r.Context = context.WithValue(context.Background(), handKey{}, partition)
	return r
}

// Input is a record as a foreign producer writes it.
func Input(topic, key string, value []byte, headers ...kgo.RecordHeader) *kgo.Record {
	r := &kgo.Record{Topic: topic, Value: value, Headers: headers}
	if key != "" {
		r.Key = []byte(key)
	}
	return r
}

// Event is a record of a topic behind the inputs. It has no origin header, so that it
// is its own origin, but on model.events, where only what a stage wrote counts.
func Event(topic, key string, m schemas.Message) *kgo.Record {
	r := Input(topic, key, m.MarshalAppend(nil), kgo.RecordHeader{Key: bus.HeaderKind, Value: []byte(m.Kind())})
	if topic == bus.ModelEvents {
		r.Headers = append(r.Headers, bus.OriginHeader(bus.Origin{Step: "test", Offset: events.Add(1)}))
	}
	return r
}

// events gives the events of a stage that is played origins in their order.
var events atomic.Int64

// Produce writes records in order, and waits for each to be acknowledged.
func (c *Cluster) Produce(records ...*kgo.Record) {
	c.t.Helper()
	for _, r := range records {
		if r.Context == nil {
			r.Context = c.t.Context()
		}
	}
	if err := c.client.ProduceSync(c.t.Context(), records...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// Read returns everything that counts on a topic, by partition and offset.
func (c *Cluster) Read(b *bus.Bus, topic string) []bus.Record {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	f, err := b.Follow(ctx, topic)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	var all []bus.Record
	for !f.CaughtUp() {
		records, err := f.Next(ctx)
		if err != nil {
			c.t.Fatalf("read %s: %v", topic, err)
		}
		all = append(all, records...)
	}
	slices.SortStableFunc(all, func(a, b bus.Record) int {
		return cmp.Or(cmp.Compare(a.Partition.Partition, b.Partition.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return all
}

// Decode reads a record's event as every reader behind it does.
func Decode(t testing.TB, r *bus.Record) schemas.Message {
	t.Helper()
	m := schemas.New(r.Kind)
	if m == nil {
		t.Fatalf("%s at offset %d is of kind %q", r.Partition, r.Offset, r.Kind)
	}
	if err := m.Unmarshal(r.Value); err != nil {
		t.Fatalf("%s at offset %d: %s cannot be read: %v", r.Partition, r.Offset, r.Kind, err)
	}
	return m
}

// Drain runs a stage until it has processed and committed everything that its inputs
// hold, or fails.
func (c *Cluster) Drain(b *bus.Bus, stage bus.Stage) error {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	left := map[bus.Partition]int64{}
	for _, name := range stage.Inputs {
		topic, err := b.Topic(name)
		if err != nil {
			c.t.Fatal(err)
		}
		ends, err := b.Ends(ctx, name)
		if err != nil {
			c.t.Fatal(err)
		}
		for n, end := range ends {
			left[bus.Partition{Topic: name, TopicID: topic.ID, Partition: n}] = end
		}
	}
	watched := make(chan bool, 1)
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			positions := b.Positions(stage.Name)
			if !slices.ContainsFunc(slices.Collect(maps.Keys(left)), func(at bus.Partition) bool {
				position, here := positions[at]
				return !here || position < left[at]
			}) {
				watched <- true
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
		watched <- false
	}()
	err := b.Run(ctx, stage)
	cancel()
	if reached := <-watched; err == nil && !reached {
		err = errors.New("bustest: the stage has not reached the end of its inputs")
	}
	return err
}

// MustDrain is Drain for a stage that must not fail.
func (c *Cluster) MustDrain(b *bus.Bus, stage bus.Stage) {
	c.t.Helper()
	if err := c.Drain(b, stage); err != nil {
		c.t.Fatal(err)
	}
}

// Start runs something in the background until the test ends.
func (c *Cluster) Start(what string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	c.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			c.t.Errorf("%s: %v", what, err)
		}
	})
}

// Await waits until ok; the test fails where it does not come.
func Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// Failing lets a stage's tasks fail behind their work, where fail says so: nothing of
// the batch is committed, and what it emitted is not sent.
func Failing(stage bus.Stage, fail func() error) bus.Stage {
	open := stage.Open
	stage.Open = func(ctx context.Context, at bus.Partition, st *state.Partition) (bus.Task, error) {
		inner, err := open(ctx, at, st)
		return failing{inner, fail}, err
	}
	return stage
}

type failing struct {
	bus.Task
	fail func() error
}

func (f failing) Process(ctx context.Context, in []bus.Record, out *bus.Output) error {
	if err := f.Task.Process(ctx, in, out); err != nil {
		return err
	}
	return f.fail()
}

// Close implements bus.Closer for a task that does.
func (f failing) Close() {
	if c, ok := f.Task.(bus.Closer); ok {
		c.Close()
	}
}

// Objects is an object store whose calls fail where Fail says so; write calls fail
// before they are made, or behind them as an answer that was lost.
type Objects struct {
	objstore.Store
	// Fail is asked before and after each call that writes.
	Fail func() error
}

// Create implements objstore.Store.
func (o *Objects) Create(ctx context.Context, key string, data []byte) error {
	return o.around(func() error { return o.Store.Create(ctx, key, data) })
}

// CreateFunc implements objstore.Store.
func (o *Objects) CreateFunc(ctx context.Context, key string, write func(io.Writer) error) error {
	return o.around(func() error { return o.Store.CreateFunc(ctx, key, write) })
}

// Hold implements objstore.Store.
func (o *Objects) Hold(ctx context.Context, key string, data []byte) error {
	return o.around(func() error { return o.Store.Hold(ctx, key, data) })
}

// Delete implements objstore.Store.
func (o *Objects) Delete(ctx context.Context, key string) error {
	return o.around(func() error { return o.Store.Delete(ctx, key) })
}

func (o *Objects) around(call func() error) error {
	if err := o.Fail(); err != nil {
		return err
	}
	if err := call(); err != nil {
		return err
	}
	return o.Fail()
}
