package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

const (
	busRecords = 300_000
	busBytes   = 1000
)

// busTopics are one input and an output for each contestant.
func busTopics() []bus.TopicSpec {
	return []bus.TopicSpec{
		{Name: "in", Partitions: 2, Input: true, MaxBytes: 1 << 20},
		{Name: "out", Partitions: 2, MaxBytes: 1 << 20},
		{Name: "out.bare", Partitions: 2, MaxBytes: 1 << 20},
	}
}

// benchBus compares a stage that passes records through with a loop that a user of
// franz-go would write: poll, produce, flush, commit. The stage also keeps origins,
// marks, and its position with its state; the loop writes again what it had written
// whenever it starts anew.
func benchBus(ctx context.Context, o options) ([]row, error) {
	results, err := takeTurns(ctx, o, []string{"bus-millrace", "bus-bare"}, func(int) (task, func(), error) {
		return prepared(ctx, "bus-fill", task{Name: "fill", Count: busRecords})
	})
	if err != nil {
		return nil, err
	}
	return []row{compare("records a CPU-second through a pass-through stage, 1 KB each", "/s", "0.9",
		rates(results["bus-millrace"]), rates(results["bus-bare"]))}, nil
}

// busFill makes the topics and writes the input.
func busFill(ctx context.Context, t task) (result, error) {
	_, _, closeBus, err := openBus(ctx, t, busTopics())
	if err != nil {
		return result{}, err
	}
	defer closeBus()
	watch := startWatch()
	err = fill(ctx, t, "in", func(i int) ([]byte, []byte) {
		return fmt.Appendf(nil, "event-%08d", i), []byte(prose(uint64(i%5000), busBytes))
	})
	return watch.stop(t.Count), err
}

// fill writes t.Count records to topic.
func fill(ctx context.Context, t task, topic string, record func(i int) (key, value []byte)) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(t.Broker), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		return err
	}
	defer cl.Close()
	var once sync.Once
	var failed error
	for i := range t.Count {
		key, value := record(i)
		cl.Produce(ctx, &kgo.Record{Key: key, Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	return failed
}

// passTask passes records through.
type passTask struct {
	left *atomic.Int64
	done chan struct{}
}

func (p *passTask) Process(_ context.Context, in []bus.Record, out *bus.Output) error {
	for i := range in {
		r := &in[i]
		out.EmitRaw(r, "out", out.ByKey("out", r.Key), r.Key, schemas.KindText, r.Value)
	}
	if p.left.Add(-int64(len(in))) == 0 {
		close(p.done) // Run finishes this batch, and commits it, before it returns
	}
	return nil
}

func busMillrace(ctx context.Context, t task) (result, error) {
	b, _, closeBus, err := openBus(ctx, t, busTopics())
	if err != nil {
		return result{}, err
	}
	defer closeBus()
	var left atomic.Int64
	left.Store(int64(t.Count))
	done := make(chan struct{})
	watch := startWatch()
	err = drain(ctx, b, bus.Stage{
		Name: "pass", Inputs: []string{"in"}, Limits: bus.DefaultLimits(),
		Open: func(context.Context, bus.Partition, *state.Partition) (bus.Task, error) {
			return &passTask{left: &left, done: done}, nil
		},
	}, done)
	return watch.stop(t.Count), err
}

func busBare(ctx context.Context, t task) (result, error) {
	watch := startWatch()
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(t.Broker), kgo.ConsumerGroup(t.Name), kgo.ConsumeTopics("in"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.DefaultProduceTopic("out.bare"),
		// As large fetches as the bus makes: by the defaults the loop would flush and commit
		// four times as often.
		kgo.FetchMaxBytes(32<<20), kgo.FetchMaxPartitionBytes(4<<20),
	)
	if err != nil {
		return result{}, err
	}
	defer cl.Close()
	var once sync.Once
	var failed error
	landed := func(_ *kgo.Record, err error) {
		if err != nil {
			once.Do(func() { failed = err })
		}
	}
	for n := 0; n < t.Count; {
		fetches := cl.PollRecords(ctx, bus.DefaultLimits().MaxRecords)
		if err := fetches.Err(); err != nil {
			return result{}, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			n++
			cl.Produce(ctx, &kgo.Record{Key: r.Key, Value: r.Value}, landed)
		})
		if err := cl.Flush(ctx); err != nil {
			return result{}, err
		}
		if failed != nil {
			return result{}, failed
		}
		if err := cl.CommitUncommittedOffsets(ctx); err != nil {
			return result{}, err
		}
	}
	return watch.stop(t.Count), nil
}
