package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
)

// Repairer is a store that can be given again what it lacks.
type Repairer interface {
	// Repair stores what is missing of a partition, by kind and offset in order. log yields
	// the records of the partition that count, from where its log begins; it may be walked
	// more than once. What the store has already is stored as if it had come once.
	Repair(ctx context.Context, topic bus.Topic, partition int32, missing map[schemas.Kind][]int64, log iter.Seq2[bus.Record, error]) error
}

// Repaired counts what was written again.
type Repaired struct {
	// Rows by store, and inputs that are judged once more.
	Rows   map[string]int64 `json:"rows,omitempty"`
	Inputs int64            `json:"inputs,omitempty"`
}

// absence is what a store lacks of a partition.
type absence struct {
	store     Store
	topic     bus.Topic
	partition int32
	missing   map[schemas.Kind][]int64
}

// Repair writes what a report says is missing: rows from the log to their store, and
// inputs without a verdict to their topic once more, as replays, so that they get one.
// What is there too much it leaves; so it does what is missing below the log's begin. An
// account that is made afterwards says what came of it.
func Repair(ctx context.Context, b *bus.Bus, r *Report) (Repaired, error) {
	done := Repaired{Rows: map[string]int64{}}
	for _, a := range r.absent {
		to, can := a.store.(Repairer)
		if !can {
			return done, fmt.Errorf("verify: %s cannot be repaired", a.store.Name())
		}
		if err := to.Repair(ctx, a.topic, a.partition, a.missing, logOf(ctx, b, a.topic, a.partition)); err != nil {
			return done, fmt.Errorf("verify: repair %s: %s/%d: %w", a.store.Name(), a.topic.Name, a.partition, err)
		}
		for _, offsets := range a.missing {
			done.Rows[a.store.Name()] += int64(len(offsets))
		}
	}
	for _, u := range r.unjudged {
		n, err := replay(ctx, b, u)
		if done.Inputs += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

// unjudged are inputs without a verdict.
type unjudged struct {
	topic     bus.Topic
	partition int32
	offsets   []int64
}

// replaysAtOnce bounds the records of one write.
const replaysAtOnce = 1000

// replay puts inputs on their topic once more, each for itself.
func replay(ctx context.Context, b *bus.Bus, u unjudged) (done int64, err error) {
	var batch []bus.Replay
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		_, err := b.Replay(ctx, batch...)
		if err == nil {
			done += int64(len(batch))
		}
		batch = batch[:0]
		return err
	}
	for r, err := range logOf(ctx, b, u.topic, u.partition) {
		if err != nil {
			return done, err
		}
		if r.Offset > u.offsets[len(u.offsets)-1] {
			break
		}
		if _, found := slices.BinarySearch(u.offsets, r.Offset); !found {
			continue
		}
		batch = append(batch, bus.Replay{
			Topic: u.topic.Name, Attempt: r.Attempt + 1, Key: r.Key, Value: r.Value, ContentType: r.ContentType,
			Origin: bus.Origin{TopicID: r.TopicID, Partition: r.Partition.Partition, Offset: r.Offset},
		})
		if len(batch) == replaysAtOnce {
			if err := flush(); err != nil {
				return done, err
			}
		}
	}
	return done, flush()
}

// logOf yields the records of a partition that count, up to the log's present end.
func logOf(ctx context.Context, b *bus.Bus, topic bus.Topic, partition int32) iter.Seq2[bus.Record, error] {
	return func(yield func(bus.Record, error) bool) {
		err := func() error {
			f, err := b.FollowPartition(ctx, topic.Name, partition)
			if err != nil {
				return err
			}
			defer f.Close()
			for !f.CaughtUp() {
				records, err := f.Next(ctx)
				if err != nil {
					return err
				}
				for _, r := range records {
					if !yield(r, nil) {
						return errStopped
					}
				}
			}
			return nil
		}()
		if err != nil && !errors.Is(err, errStopped) {
			yield(bus.Record{}, err)
		}
	}
}

// errStopped ends a walk whose caller has enough.
var errStopped = errors.New("enough")
