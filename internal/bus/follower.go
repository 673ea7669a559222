package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
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

// Follow begins where the log of topic does. Close ends it.
func (b *Bus) Follow(ctx context.Context, topic string) (*Follower, error) {
	t, err := b.Topic(topic)
	if err != nil {
		return nil, err
	}
	starts := map[int32]Start{}
	for n := range t.Partitions {
		trim, err := b.Trimmed(ctx, Partition{Topic: t.Name, TopicID: t.ID, Partition: n})
		if err != nil {
			return nil, err
		}
		starts[n] = trim.Start
	}
	return b.FollowFrom(ctx, topic, starts)
}

// FollowPartition is Follow of one partition alone.
func (b *Bus) FollowPartition(ctx context.Context, topic string, partition int32) (*Follower, error) {
	t, err := b.Topic(topic)
	if err != nil {
		return nil, err
	}
	trim, err := b.Trimmed(ctx, Partition{Topic: t.Name, TopicID: t.ID, Partition: partition})
	if err != nil {
		return nil, err
	}
	return b.FollowFrom(ctx, topic, map[int32]Start{partition: trim.Start})
}

// FollowFrom is Follow from places that the caller has kept, of the partitions that it
// names.
func (b *Bus) FollowFrom(ctx context.Context, topic string, starts map[int32]Start) (*Follower, error) {
	t, err := b.Topic(topic)
	if err != nil {
		return nil, err
	}
	f := &Follower{bus: b, topic: t, in: map[int32]*intake{}, next: map[int32]int64{}, skipped: map[int32]int64{}}
	if err := f.Extend(ctx); err != nil {
		return nil, err
	}
	from := map[int32]kgo.Offset{}
	for n, start := range starts {
		m := newMarks()
		if m.committed, err = start.Marks.decode(); err != nil {
			return nil, err
		}
		in := b.newIntake("follower", t, n, m)
		f.in[n], f.next[n] = &in, start.Offset
		from[n] = kgo.NewOffset().At(start.Offset)
	}
	opts := append(b.common(), consuming()...)
	opts = append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	if f.client, err = kgo.NewClient(opts...); err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	return f, nil
}

// Extend moves the end that CaughtUp speaks of to the log's present end.
func (f *Follower) Extend(ctx context.Context) (err error) {
	f.ends, err = f.bus.Ends(ctx, f.topic.Name)
	return err
}

// Marks returns the marks of a partition at its place in Positions.
func (f *Follower) Marks(partition int32) Marks { return f.in[partition].marks.snapshot() }

// CaughtUp is true once Next has returned everything that the log held when it began, or
// was extended last.
func (f *Follower) CaughtUp() bool {
	for n, next := range f.next {
		if next < f.ends[n] {
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
// when ctx ends before there are any, and ErrTrimmed where what comes next was deleted. A
// returned slice may be empty.
func (f *Follower) Next(ctx context.Context) ([]Record, error) {
	fetches := f.client.PollRecords(ctx, pollRecords)
	if err := ctx.Err(); err != nil && fetches.Empty() {
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
		case p.Topic == "" && ctx.Err() != nil: // the end of ctx, beside records
		default:
			failure = errors.Join(failure, fmt.Errorf("bus: fetch %s/%d: %w", p.Topic, p.Partition, f.outOfRange(ctx, p)))
		}
	})
	return out, failure
}

// ErrTrimmed says that a log was trimmed above where it was read: whoever reads it begins
// once more, where it begins now.
var ErrTrimmed = errors.New("the log was trimmed while it was read")

// outOfRange is outOfRange, for a reader whose place is nobody's to keep.
func (f *Follower) outOfRange(ctx context.Context, p kgo.FetchTopicPartition) error {
	if !errors.Is(p.Err, kerr.OffsetOutOfRange) {
		return p.Err
	}
	trim, err := f.bus.Trimmed(ctx, Partition{Topic: f.topic.Name, TopicID: f.topic.ID, Partition: p.Partition})
	switch {
	case err != nil:
		return errors.Join(p.Err, err)
	case trim.Offset > f.next[p.Partition]:
		return fmt.Errorf("%w: it begins at %d, and offset %d was to be read", ErrTrimmed, trim.Offset, f.next[p.Partition])
	}
	return outOfRange(p.Err, p.Topic)
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
