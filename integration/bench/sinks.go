package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/processors/clean"
	"github.com/millrace-io/millrace/schemas"
)

const (
	sinkRecords = 400_000
	sinkBytes   = 1000
)

func sinkTopics() []bus.TopicSpec { return bus.DefaultTopicsConfig().Specs() }

// startSinks starts a broker whose clean.text holds what the real clean stage wrote.
func startSinks(ctx context.Context) (task, func(), error) {
	return prepared(ctx, "sink-fill", task{Name: "fill", Count: sinkRecords})
}

// roundOf gives a round a folder of its own, so that a stage finds neither claims nor
// checkpoints of the round before, from which it would go on.
func roundOf(t task, round int) (task, func(), error) {
	t.Dir = filepath.Join(t.Dir, fmt.Sprint("round-", round))
	return t, func() { _ = os.RemoveAll(t.Dir) }, os.MkdirAll(t.Dir, 0o755)
}

// sinkFill writes texts and has the clean stage judge them.
func sinkFill(ctx context.Context, t task) (result, error) {
	b, _, closeBus, err := openBus(ctx, t, sinkTopics())
	if err != nil {
		return result{}, err
	}
	defer closeBus()
	watch := startWatch()
	began := time.Now().Add(-time.Hour)
	var m schemas.Text
	err = fill(ctx, t, bus.RawText, func(i int) ([]byte, []byte) {
		m = schemas.Text{Text: prose(uint64(i), sinkBytes), ContentType: "text/plain", Language: "en", Attributes: map[string]string{"folder": "inbox"}}
		m.EventID, m.Source, m.Subject = fmt.Sprintf("event-%08d", i), "bench", fmt.Sprint("person-", i%1000)
		m.EventTime = schemas.MicrosOf(began.Add(time.Duration(i) * time.Millisecond))
		return []byte(m.EventID), m.MarshalAppend(nil)
	})
	if err != nil {
		return result{}, err
	}
	r, err := rules.New(rules.DefaultConfig())
	if err != nil {
		return result{}, err
	}
	stage, err := clean.Stage(clean.DefaultConfig(), clean.Deps{Rules: r, Tenant: "bench", Metrics: prometheus.NewRegistry(), Clock: time.Now})
	if err != nil {
		return result{}, err
	}
	counted, done := untilSeen(stage, t.Count)
	return watch.stop(t.Count), drain(ctx, b, counted, done)
}

// untilSeen is a stage whose tasks tell when they were given count records.
func untilSeen(stage bus.Stage, count int) (bus.Stage, <-chan struct{}) {
	var left atomic.Int64
	left.Store(int64(count))
	done := make(chan struct{})
	seen := func(n int) {
		if left.Add(-int64(n)) == 0 {
			close(done)
		}
	}
	open := stage.Open
	stage.Open = func(ctx context.Context, p bus.Partition, st *state.Partition) (bus.Task, error) {
		t, err := open(ctx, p, st)
		if err != nil {
			return nil, err
		}
		if r, ok := t.(bus.Ranger); ok {
			return &seenRanger{r, seen}, nil
		}
		return &seenTask{t, seen}, nil
	}
	return stage, done
}

type seenTask struct {
	bus.Task
	seen func(int)
}

func (s *seenTask) Process(ctx context.Context, in []bus.Record, out *bus.Output) error {
	err := s.Task.Process(ctx, in, out)
	if err == nil {
		s.seen(len(in))
	}
	return err
}

type seenRanger struct {
	bus.Ranger
	seen func(int)
}

func (s *seenRanger) ProcessRange(ctx context.Context, first, end int64, in []bus.Record) error {
	err := s.Ranger.ProcessRange(ctx, first, end, in)
	if err == nil {
		s.seen(len(in))
	}
	return err
}

// consume is the loop of the peers: it polls clean.text, hands every record over,
// flushes when a batch is full or all was read, and commits what was flushed.
func consume(ctx context.Context, t task, maxRecords, maxBytes int, each func(*kgo.Record, *schemas.CleanText) error, flush func() error) error {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(t.Broker), kgo.ConsumerGroup(t.Name), kgo.ConsumeTopics(bus.CleanText),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.FetchMaxBytes(32<<20), kgo.FetchMaxPartitionBytes(4<<20), // as the bus
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	records, bytes := 0, 0
	for n := 0; n < t.Count; {
		fetches := cl.PollRecords(ctx, 10_000)
		if err := fetches.Err(); err != nil {
			return err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			var m schemas.CleanText
			if err := m.Unmarshal(r.Value); err != nil {
				return err
			}
			if err := each(r, &m); err != nil {
				return err
			}
			n, records, bytes = n+1, records+1, bytes+len(r.Key)+len(r.Value)
		}
		if records < maxRecords && bytes < maxBytes && n < t.Count {
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		records, bytes = 0, 0
		if err := cl.CommitUncommittedOffsets(ctx); err != nil {
			return err
		}
	}
	return nil
}

// metaOf is a row's identity as a loop without origins knows it: where the record lies.
func metaOf(r *kgo.Record, topicID string) schemas.Meta {
	return schemas.Meta{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, OriginTopicID: topicID, OriginPartition: r.Partition, OriginOffset: r.Offset}
}

// stored fails unless a store holds every row once.
func stored(where string, got, want int64) error {
	if got != want {
		return fmt.Errorf("%s holds %d rows, want %d", where, got, want)
	}
	return nil
}
