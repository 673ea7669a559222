package bus

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/testvar"
	"github.com/millrace-io/millrace/schemas"
)

// What may become of a request.
const (
	lostReply = "applied, reply lost"
	timedOut  = "applied, timed out"
	notEnough = "applied, too few replicas"
	retriable = "retriable"
	fatal     = "fatal"
	inPart    = "fatal, in part"
)

// outcomes are the columns of the matrix, in its order.
var outcomes = []string{lostReply, timedOut, notEnough, retriable, fatal, inPart}

// retriableOf are the errors that a broker answers a request with which it wants again.
var retriableOf = map[kmsg.Key]*kerr.Error{
	kmsg.Produce: kerr.NotLeaderForPartition, kmsg.Fetch: kerr.NotLeaderForPartition, kmsg.ListOffsets: kerr.NotLeaderForPartition,
	kmsg.OffsetForLeaderEpoch: kerr.FencedLeaderEpoch, kmsg.Metadata: kerr.LeaderNotAvailable, kmsg.FindCoordinator: kerr.CoordinatorNotAvailable,
	kmsg.CreateTopics: kerr.NotController, kmsg.DeleteRecords: kerr.NotLeaderForPartition, kmsg.IncrementalAlterConfigs: kerr.NotController,
	kmsg.JoinGroup: kerr.CoordinatorLoadInProgress, kmsg.SyncGroup: kerr.RebalanceInProgress, kmsg.Heartbeat: kerr.RebalanceInProgress,
}

// onlyFor are the requests that an outcome is for, where not for all: those that a broker
// may answer as failed though it did them, and the one that may succeed for one partition
// and fail for another.
var onlyFor = map[string][]kmsg.Key{
	inPart:    {kmsg.Produce},
	timedOut:  {kmsg.Produce, kmsg.OffsetCommit, kmsg.CreateTopics, kmsg.IncrementalAlterConfigs, kmsg.DeleteRecords},
	notEnough: {kmsg.Produce},
}

// topLevel are the requests whose answer has one error for all of it.
var topLevel = map[kmsg.Key]bool{kmsg.ApiVersions: true, kmsg.ListGroups: true}

// play is a small deployment: raw records, two stages, a reader that counts, all in one
// process, which is stopped in the midst and comes back.
type play struct {
	*rig
	fs       *vfs.MemFS
	cut      *cutNet
	got      *sync.Map
	restarts int
	doubled  map[string]int
	mu       sync.Mutex
	acked    []uint64
}

const (
	playRecords = 40 // in each of two rounds
	playLimit   = 30 * time.Second
)

func newPlay(t *testing.T) *play {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.GroupMinSessionTimeout(shortSession))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	specs := []TopicSpec{{Name: "a", Partitions: 2, Input: true, MaxBytes: 1 << 20}, {Name: "b", Partitions: 3, MaxBytes: 1 << 20}, {Name: "c", Partitions: 2, MaxBytes: 1 << 20}}
	p := &play{rig: &rig{t: t, cluster: cluster, objects: objects, specs: specs, session: shortSession}, fs: vfs.NewMem(), cut: &cutNet{}, got: &sync.Map{}, doubled: map[string]int{}}
	p.client = []kgo.Opt{kgo.Dialer(p.cut.dial), kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }),
		kgo.MetadataMinAge(10 * time.Millisecond), kgo.ConnIdleTimeout(time.Minute)}
	return p
}

// keep calls f until it succeeds, as whoever supervises does.
func (p *play) keep(ctx context.Context, f func(context.Context) error) {
	for ctx.Err() == nil {
		if f(ctx) == nil || ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		p.restarts++
		p.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
}

// round is one life of the process: records from first on are published, and processed.
func (p *play) round(ctx context.Context, first uint64) error {
	b, end := p.process(p.fs)
	defer end()
	p.keep(ctx, b.Ensure)
	ctx, cancel := context.WithTimeout(ctx, playLimit)
	defer cancel()
	p.publish(ctx, b, first, playRecords/2) // before the stages, so that they have batches of many
	running, stop := context.WithCancel(ctx)
	defer stop()
	var stages sync.WaitGroup
	for _, s := range []Stage{copyStage("one", "a", "b", nil), copyStage("two", "b", "c", nil), sinkStage("three", "c", p.got)} {
		stages.Go(func() { p.keep(running, func(ctx context.Context) error { return b.Run(ctx, s) }) })
	}
	p.publish(ctx, b, first+playRecords/2, playRecords/4)
	for _, topic := range []string{"a", "b", "c"} { // from one of the two brokers to the other
		if err := p.cluster.MoveTopicPartition(topic, 0, 1-p.cluster.LeaderFor(topic, 0)); err != nil {
			p.t.Error(err)
		}
	}
	p.publish(ctx, b, first+playRecords*3/4, playRecords/4)
	p.keep(ctx, func(ctx context.Context) error { _, err := b.Lags(ctx, "a"); return err })
	for ctx.Err() == nil && !p.through(b) {
		time.Sleep(2 * time.Millisecond)
	}
	time.Sleep(2 * shortSession / 4) // a heartbeat of each stage
	p.keep(ctx, func(ctx context.Context) error {
		t, err := b.Topic("c")
		if err != nil {
			return err
		}
		return b.deleteBelow(ctx, Partition{"c", t.ID, 0}, int64(1+first/1000))
	})
	err := ctx.Err()
	stop()
	stages.Wait()
	return err
}

func (p *play) publish(ctx context.Context, b *Bus, first, n uint64) {
	for i := first; i < first+n; i++ {
		p.keep(ctx, func(ctx context.Context) error {
			_, err := b.Publish(ctx, "a", fmt.Appendf(nil, "k%d", i), "", text(i))
			return err
		})
		p.acked = append(p.acked, i)
	}
}

// through says whether the sink has been given everything that was acknowledged.
func (p *play) through(b *Bus) bool {
	for _, i := range p.acked {
		if _, ok := p.got.Load(i); !ok {
			return false
		}
	}
	behind, err := b.Behind(context.Background(), "three")
	return err == nil && behind == 0
}

// text is an input whose encoded form begins with i, as collectTask reads it.
func text(i uint64) schemas.Message { return &numbered{n: i} }

// numbered is a message of eight bytes.
type numbered struct {
	schemas.Text
	n uint64
}

// MarshalAppend implements schemas.Message.
func (m *numbered) MarshalAppend(b []byte) []byte { return binary.BigEndian.AppendUint64(b, m.n) }

// check compares with a count of its own: what lies on the input, read by a client that
// knows nothing of origins, against what the sink was given and what a follower reads.
func (p *play) check() error {
	inputs := p.count("a")
	for _, topic := range []string{"b", "c"} {
		p.count(topic)
	}
	for _, i := range p.acked {
		if inputs[i] == 0 {
			return fmt.Errorf("record %d was acknowledged and is not in the log", i)
		}
	}
	given := map[uint64]int64{}
	p.got.Range(func(k, _ any) bool { given[k.(uint64)] = times(p.got, k.(uint64)); return true })
	if !maps.Equal(inputs, given) {
		return fmt.Errorf("the sink was given %v, the input has %v", odd(given), odd(inputs))
	}
	return nil
}

// count reads what lies on a topic, and notes how much of it lies there again.
func (p *play) count(topic string) map[uint64]int64 {
	m := map[uint64]int64{}
	for _, v := range p.raw(topic) {
		if m[v]++; m[v] > 1 {
			p.doubled[topic]++
		}
	}
	return m
}

// odd is what of a count is not one.
func odd(m map[uint64]int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d distinct", len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] != 1 {
			fmt.Fprintf(&b, ", %d %d times", k, m[k])
		}
	}
	return b.String()
}

// raw reads the values of a topic as they lie.
func (p *play) raw(topic string) []uint64 {
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.cluster.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.DisableClientMetrics(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		p.t.Fatal(err)
	}
	defer cl.Close()
	var want int64
	for _, info := range p.cluster.PartitionInfos(topic) {
		want += info.HighWatermark - info.LogStartOffset
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	var all []uint64
	for int64(len(all)) < want && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { all = append(all, binary.BigEndian.Uint64(r.Value)) })
	}
	return all
}

// all runs both rounds and checks.
func (p *play) all() error {
	defer p.cluster.Close()
	for round := range 2 {
		if err := p.round(p.t.Context(), uint64(round*1000)); err != nil {
			return fmt.Errorf("round %d did not come to its end, %d of %d came: %w", round+1, length(p.got), len(p.acked), err)
		}
		for i := range p.specs { // so that the next life changes the topics' configuration
			p.specs[i].MaxBytes <<= 1
		}
	}
	return p.check()
}

func length(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

// observe counts the requests of each key that a play without faults makes.
func observe(t *testing.T) map[kmsg.Key]int {
	p := newPlay(t)
	var mu sync.Mutex
	seen := map[kmsg.Key]int{}
	p.cluster.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		p.cluster.KeepControl()
		mu.Lock()
		seen[kmsg.Key(r.Key())]++
		mu.Unlock()
		return nil, nil, false
	})
	if err := p.all(); err != nil {
		t.Fatalf("without a fault: %v", err)
	}
	if p.restarts > 0 {
		t.Errorf("without a fault something failed %d times", p.restarts)
	}
	mu.Lock()
	defer mu.Unlock()
	return seen
}

// cell is one pair of the matrix, with the request that it hits.
type cell struct {
	key     kmsg.Key
	outcome string
	nth     int

	hits, restarts int
	doubled        map[string]int // by topic, what lies there more than once
	err            error
}

// mostPlays bounds how often a cell is played until its fault hits: how many requests of
// a kind are made depends on the moment.
const mostPlays = 8

func (c *cell) run(t *testing.T) {
	for n := 0; n < mostPlays && c.hits == 0 && c.err == nil; n++ {
		if n > 0 {
			c.nth = max(1, c.nth/2)
		}
		c.play(t)
	}
}

func (c *cell) play(t *testing.T) {
	p := newPlay(t)
	hits := func() int { return p.cut.hits }
	if c.outcome == lostReply {
		p.cut.key, p.cut.left = int16(c.key), c.nth
	} else {
		hits = p.cluster.Fault(c.fault()).Hits
	}
	c.err = p.all()
	c.hits, c.restarts, c.doubled = hits(), p.restarts, p.doubled
}

func (c *cell) fault() kfake.Fault {
	n := 0
	var last kmsg.Request
	f := kfake.Fault{Keys: []kmsg.Key{c.key}, TopLevel: topLevel[c.key], When: func(r kmsg.Request) bool {
		if r != last {
			n++
			last = r
		}
		return n >= c.nth
	}}
	switch c.outcome {
	case timedOut:
		f.Err = kerr.RequestTimedOut
	case notEnough:
		f.Err = kerr.NotEnoughReplicasAfterAppend
	case retriable:
		if f.Err = retriableOf[c.key]; f.Err == nil {
			f.Err = kerr.CoordinatorLoadInProgress
		}
	case fatal:
		f.Err = kerr.UnknownServerError
	case inPart:
		f.Topic, f.Partitions, f.Err = "b", []int32{0}, kerr.UnknownServerError
	}
	return f
}

// atOnce is how many plays run at a time; they mostly wait.
const atOnce = 16

// TestRequests lets every request that the bus makes be applied and its answer be lost, be
// refused for now, and be refused for good: the first of its kind, and one drawn among all
// of them. Whatever fails begins again. In the end everything that was acknowledged is
// through once.
func TestRequests(t *testing.T) {
	rng := rand.New(rand.NewPCG(testvar.Seed(t), 9))
	seen := observe(t)
	var cells []*cell
	for _, key := range slices.Sorted(maps.Keys(seen)) {
		for _, outcome := range outcomes {
			if of, some := onlyFor[outcome]; some && !slices.Contains(of, key) {
				continue
			}
			cells = append(cells, &cell{key: key, outcome: outcome, nth: 1})
			if most := seen[key] / 2; most > 1 { // another run may make fewer
				cells = append(cells, &cell{key: key, outcome: outcome, nth: 2 + rng.IntN(most-1)})
			}
		}
	}
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for _, c := range cells {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			c.run(t)
		})
	}
	wg.Wait()
	for _, c := range cells {
		if c.err != nil {
			t.Errorf("%s, %s, request %d: %v", c.key.Name(), c.outcome, c.nth, c.err)
		}
		if c.hits == 0 {
			t.Errorf("%s, %s, request %d: the fault has hit nothing", c.key.Name(), c.outcome, c.nth)
		}
	}
	for _, c := range cells {
		if len(c.doubled) > 0 {
			t.Logf("%s, %s, request %d: %d began again, lie doubled in the log: %v", c.key.Name(), c.outcome, c.nth, c.restarts, c.doubled)
		}
	}
	t.Logf("%d kinds of requests, %d faults; a cell is: request hit/what began again\n%s", len(seen), len(cells), matrix(seen, cells))
}

func matrix(seen map[kmsg.Key]int, cells []*cell) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "request\tmade\t%s\n", strings.Join(outcomes, "\t"))
	for _, key := range slices.Sorted(maps.Keys(seen)) {
		fmt.Fprintf(w, "%s\t%d", key.Name(), seen[key])
		for _, outcome := range outcomes {
			var all []string
			for _, c := range cells {
				if c.key == key && c.outcome == outcome {
					all = append(all, fmt.Sprintf("%d/%d", c.nth, c.restarts))
				}
			}
			fmt.Fprintf(w, "\t%s", strings.Join(all, " "))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // a buffer takes everything
	return b.String()
}
