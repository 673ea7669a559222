package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Follower reads one of Millrace's own topics from its start, all partitions, for those
// who fold a log in memory. It drops the same records as every other reader. It is used
// by one goroutine.
type Follower struct {
	bus    *Bus
	topic  Topic
	client *kgo.Client
	in     map[int32]*intake
	next   map[int32]int64
	// skipped counts, by partition, the records that do not count.
	skipped map[int32]int64
	ends    map[int32]int64 // the log's ends when it began
}

// Follow begins at the start of topic. Close ends it.
func (b *Bus) Follow(ctx context.Context, topic string) (*Follower, error) {
	t, err := b.Topic(topic)
	if err != nil {
		return nil, err
	}
	f := &Follower{bus: b, topic: t, in: map[int32]*intake{}, next: map[int32]int64{}, skipped: map[int32]int64{}}
	if f.ends, err = b.Ends(ctx, topic); err != nil {
		return nil, err
	}
	from := map[int32]kgo.Offset{}
	for n := range t.Partitions {
		from[n] = kgo.NewOffset().At(0)
		in := b.newIntake("follower", t, n, newMarks())
		f.in[n] = &in
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
// after a crash, behind a gap, or by no stage of Millrace.
func (f *Follower) Skipped() map[int32]int64 { return f.skipped }

// Next waits for records and returns them; they are the caller's. It returns ctx's error
// when ctx ends. A returned slice may be empty.
func (f *Follower) Next(ctx context.Context) ([]Record, error) {
	fetches := f.client.PollRecords(ctx, pollRecords)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var failure error
	var out []Record
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		for _, r := range p.Records {
			out = f.take(out, r)
		}
		var large *kgo.ErrDecompressTooLarge
		switch {
		case p.Err == nil:
		case f.topic.Input && errors.As(p.Err, &large):
			for _, r := range standIns(large) {
				out = f.take(out, r)
			}
			f.next[p.Partition] = large.NextOffset
			f.client.SetOffsets(behind(large))
		default:
			failure = errors.Join(failure, fmt.Errorf("bus: fetch %s/%d: %w", p.Topic, p.Partition, p.Err))
		}
	})
	return out, failure
}

func (f *Follower) take(out []Record, r *kgo.Record) []Record {
	f.next[r.Partition] = r.Offset + 1
	rec, counts := f.in[r.Partition].take(r)
	switch {
	case counts:
		out = append(out, rec)
	case !r.Attrs.IsControl():
		f.skipped[r.Partition]++
	}
	return out
}

// Close ends the follower.
func (f *Follower) Close() { f.client.Close() }
