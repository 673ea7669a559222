package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Follower reads one of Millrace's own topics from its start, all partitions, for those
// who fold a log in memory. It drops the same records as every other reader. It is used
// by one goroutine.
type Follower struct {
	bus    *Bus
	topic  Topic
	client *kgo.Client
	marks  map[int32]*marks
	next   map[int32]int64
	// skipped counts, by partition, the records that the marks did not admit.
	skipped map[int32]int64
	ends    map[int32]int64 // the log's ends when it began
	steps   map[string]string
	forged  prometheus.Counter
}

// Follow begins at the start of topic. Close ends it.
func (b *Bus) Follow(ctx context.Context, topic string) (*Follower, error) {
	t, err := b.Topic(topic)
	if err != nil {
		return nil, err
	}
	f := &Follower{
		bus: b, topic: t, marks: map[int32]*marks{}, next: map[int32]int64{}, skipped: map[int32]int64{}, steps: map[string]string{},
		forged: b.metrics.forged.WithLabelValues("follower", topic),
	}
	if f.ends, err = b.Ends(ctx, topic); err != nil {
		return nil, err
	}
	from := map[int32]kgo.Offset{}
	for n := range t.Partitions {
		from[n] = kgo.NewOffset().At(0)
		f.marks[n] = newMarks()
	}
	opts := append(b.common(), consuming()...)
	opts = append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	if f.client, err = kgo.NewClient(opts...); err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	return f, nil
}

// CaughtUp is true once Next has returned everything that the log held when it began.
func (f *Follower) CaughtUp() bool {
	for n, end := range f.ends {
		if f.next[n] < end {
			return false
		}
	}
	return true
}

// Positions returns, by partition, the offset behind what Next has read, skipped records
// included.
func (f *Follower) Positions() map[int32]int64 { return f.next }

// Skipped returns, by partition, how many records did not count so far: written again
// after a crash, or behind a gap.
func (f *Follower) Skipped() map[int32]int64 { return f.skipped }

// Next waits for records and returns them; they are the caller's. It returns ctx's error
// when ctx ends. A returned slice may be empty.
func (f *Follower) Next(ctx context.Context) ([]Record, error) {
	fetches := f.client.PollRecords(ctx, pollRecords)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var failure error
	fetches.EachError(func(topic string, partition int32, err error) {
		failure = errors.Join(failure, fmt.Errorf("bus: fetch %s/%d: %w", topic, partition, err))
	})
	if failure != nil {
		return nil, failure
	}
	var out []Record
	fetches.EachRecord(func(r *kgo.Record) {
		f.next[r.Partition] = r.Offset + 1
		rec := Record{
			Partition: Partition{f.topic.Name, f.topic.ID, r.Partition},
			Offset:    r.Offset, Timestamp: r.Timestamp, Key: r.Key, Value: r.Value,
			Kind:   kindOf(header(r, HeaderKind)),
			Origin: Origin{TopicID: f.topic.ID, Partition: r.Partition, Offset: r.Offset},
		}
		if l, derived := f.bus.linkOf(r, f.topic.Name, f.topic.Input, f.stepName, f.forged); derived {
			m := f.marks[r.Partition]
			if m.admit(&l) != applied {
				f.skipped[r.Partition]++
				return
			}
			rec.Origin, rec.Derived = l.Origin, true
		}
		out = append(out, rec)
	})
	return out, nil
}

func (f *Follower) stepName(b []byte) string {
	s, ok := f.steps[string(b)]
	if !ok {
		s = string(b)
		f.steps[s] = s
	}
	return s
}

// Close ends the follower.
func (f *Follower) Close() { f.client.Close() }
