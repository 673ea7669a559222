package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/internal/testvar"
	"github.com/millrace-io/millrace/schemas"
)

// fanTask writes every record to a topic of Millrace's and, once more, to an input.
type fanTask struct{}

func (fanTask) Process(_ context.Context, in []Record, out *Output) error {
	for i := range in {
		out.EmitRaw(&in[i], "b", out.ByKey("b", in[i].Key), in[i].Key, schemas.KindCleanText, in[i].Value)
		out.EmitRaw(&in[i], "d", out.ByKey("d", in[i].Key), in[i].Key, "", in[i].Value)
	}
	return nil
}

// rangeTask is a sink that writes ranges.
type rangeTask struct{ collectTask }

func (rangeTask) RangeEnd(context.Context, int64) (int64, error) { return 0, nil }
func (rangeTask) Due(context.Context, int64, int64) bool         { return true }
func (r *rangeTask) ProcessRange(ctx context.Context, _, _ int64, in []Record) error {
	return r.Process(ctx, in, nil)
}

// refuseSome refuses batches for each partition of a topic, drawn, most of them while
// others of the same request and later ones land.
func (r *rig) refuseSome(topic string, partitions int32, draw func(n int) bool) {
	const oneIn, most = 4, 6
	for n := range partitions {
		refused := 0
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{n}, Err: kerr.InvalidRecord, Count: -1,
			When: func(kmsg.Request) bool {
				if refused == most || !draw(oneIn) {
					return false
				}
				refused++
				return true
			}})
	}
}

// holes counts, by partition, the records of a topic that landed though the one that
// their writer sent before them had not, as it lies in the log.
func (r *rig) holes(topic string, records int) map[int32]int {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.DisableClientMetrics(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	type writer struct {
		from, to int32
		place    place
	}
	seen, holes := map[writer]bool{}, map[int32]int{}
	left := int64(0)
	for _, info := range r.cluster.PartitionInfos(topic) {
		left += info.HighWatermark
	}
	if left < int64(records) {
		r.t.Fatalf("%s has %d records, want %d or more", topic, left, records)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	for left > 0 && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
			left--
			l, err := parseLink(header(rec, HeaderOrigin), func(b []byte) string { return string(b) })
			if err != nil {
				r.t.Fatal(err)
			}
			if l.prev != none && !seen[writer{l.Partition, rec.Partition, l.prev}] {
				holes[rec.Partition]++
			}
			seen[writer{l.Partition, rec.Partition, place{l.Offset, l.Index}}] = true
		})
	}
	return holes
}

// TestGaps lets writes to every partition of a topic and of an input fail while later ones
// land, and checks that each kind of reader (a stage, a sink of ranges, a follower) leaves
// what lies behind a gap to the replay, and is given everything once.
func TestGaps(t *testing.T) {
	const n = 600
	r := newRig(t,
		TopicSpec{Name: "a", Partitions: 2, Input: true, MaxBytes: 1 << 20}, TopicSpec{Name: "b", Partitions: 3, MaxBytes: 1 << 20},
		TopicSpec{Name: "c", Partitions: 1, MaxBytes: 1 << 20}, TopicSpec{Name: "d", Partitions: 2, Input: true, MaxBytes: 1 << 20})
	rng := rand.New(rand.NewPCG(testvar.Seed(t), 4))
	b := r.member(vfs.NewMem())
	// The client fails what it holds of a partition with the batch that was refused. What
	// is produced then it sends under a new epoch, and the broker takes it.
	b.largestBatch, b.maxBuffered = 600, 20
	r.produce("a", 2, 0, n)
	draw := func(n int) bool { return rng.IntN(n) == 0 } // the cluster's one goroutine draws
	r.refuseSome("b", 3, draw)
	r.refuseSome("c", 1, draw)
	r.refuseSome("d", 2, draw)

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var failed atomic.Int64
	keep := func(s Stage) {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := b.Run(ctx, s); errors.Is(err, kerr.InvalidRecord) {
					failed.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	open := func(task Task) func(context.Context, Partition, *state.Partition) (Task, error) {
		return func(context.Context, Partition, *state.Partition) (Task, error) { return task, nil }
	}
	var stage, ranges, follower sync.Map
	keep(Stage{Name: "fan", Inputs: []string{"a"}, Limits: Limits{MaxRecords: 150, MaxBytes: 1 << 20}, Open: open(fanTask{})})
	keep(copyStage("copy", "b", "c", nil))
	keep(sinkStage("stage", "c", &stage))
	keep(Stage{Name: "ranges", Inputs: []string{"b"}, Limits: DefaultLimits(), Open: open(&rangeTask{collectTask{&ranges}})})
	wg.Go(func() {
		f, err := b.Follow(ctx, "d")
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		for ctx.Err() == nil {
			records, err := f.Next(ctx)
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			_ = (&collectTask{&follower}).Process(ctx, records, nil)
		}
	})
	readers := map[string]*sync.Map{"stage": &stage, "ranges": &ranges, "follower": &follower}
	for ctx.Err() == nil && (length(&stage) < n || length(&ranges) < n || length(&follower) < n) {
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // what comes twice would come now
	cancel()
	wg.Wait()
	for name, got := range readers {
		for i := range uint64(n) {
			if c := times(got, i); c != 1 {
				t.Errorf("the %s was given record %d %d times, want once", name, i, c)
			}
		}
	}
	found := ""
	for topic, partitions := range map[string]int32{"b": 3, "c": 1, "d": 2} {
		holes := r.holes(topic, n)
		for p := range partitions {
			found += fmt.Sprintf(" %s/%d:%d", topic, p, holes[p])
			if holes[p] == 0 {
				t.Errorf("no write to %s/%d failed before one that landed", topic, p)
			}
		}
	}
	t.Logf("stages failed %d times; gaps:%s", failed.Load(), found)
}
