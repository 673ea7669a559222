package clickhouse

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks"
)

// ErrIncomplete says that some of what the tables should hold is nowhere else any more.
var ErrIncomplete = errors.New("not everything could be rebuilt")

// Rebuilt is what came of one partition.
type Rebuilt struct {
	Topic     string
	TopicID   bus.TopicID
	Partition int32
	// Lake and Log count the rows by where they were read.
	Lake, Log int64
	// Missing says what could not be read, and is nil where all could.
	Missing error
}

// RebuildDeps are what Rebuild works with.
type RebuildDeps struct {
	Bus  *bus.Bus
	Into Inserter
	Log  *slog.Logger
	// Each is told of a partition when it is done, Progress of rows when they are in.
	Each     func(Rebuilt)
	Progress func(rows int)
}

// Rebuild inserts every row that the tables should hold: what the logs hold from the logs,
// what they lost to retention, and what topics held that were made anew since, from the
// lake. Rows have the identity that they had, so that those which are there merge with
// them: it may run on a system that works, any number of times, and after it was cut. What
// has expired by age it leaves out.
//
// What cannot be read keeps it from nothing else; it then returns ErrIncomplete.
func Rebuild(ctx context.Context, cfg Config, deps RebuildDeps) error {
	r := &rebuild{deps: deps, cfg: cfg, ids: map[string]bus.TopicID{}, task: &task{into: deps.Into, log: deps.Log, byKind: map[schemas.Kind]*rows{}}}
	parts, err := r.partitions(ctx)
	if err != nil {
		return err
	}
	incomplete := false
	for i := range parts {
		if err := r.partition(ctx, &parts[i]); err != nil {
			return fmt.Errorf("clickhouse: rebuild %s/%d: %w", parts[i].Topic, parts[i].Partition, err)
		}
		deps.Each(parts[i].Rebuilt)
		incomplete = incomplete || parts[i].Missing != nil
	}
	if incomplete {
		return ErrIncomplete
	}
	return nil
}

type rebuild struct {
	deps  RebuildDeps
	cfg   Config
	task  *task
	ids   map[string]bus.TopicID
	batch []bus.Record
	bytes int
}

// part is a partition, and whether there is a log of it.
type part struct {
	Rebuilt
	logged bool
}

// partitions are those of the topics, and those of the lake of which there is no topic.
func (r *rebuild) partitions(ctx context.Context) ([]part, error) {
	var all []part
	known := map[bus.TopicID]bool{}
	for _, name := range sinks.Topics() {
		t, err := r.deps.Bus.Topic(name)
		if err != nil {
			return nil, err
		}
		known[t.ID] = true
		for n := range t.Partitions {
			all = append(all, part{Rebuilt{Topic: name, TopicID: t.ID, Partition: n}, true})
		}
	}
	old, err := lake.Partitions(ctx, r.deps.Bus.Objects())
	if err != nil {
		return nil, fmt.Errorf("clickhouse: rebuild: %w", err)
	}
	for _, p := range old {
		if !known[p.TopicID] {
			all = append(all, part{Rebuilt{Topic: p.TopicID.String(), TopicID: p.TopicID, Partition: p.Partition}, false})
		}
	}
	return all, nil
}

func (r *rebuild) partition(ctx context.Context, p *part) error {
	objects := r.deps.Bus.Objects()
	at := bus.Partition{Topic: p.Topic, TopicID: p.TopicID, Partition: p.Partition}
	from, err := verify.Expired(ctx, objects, (&Store{}).Name(), at)
	if err != nil {
		return err
	}
	begins := int64(math.MaxInt64) // the log does; all of what has none is in the lake
	if p.logged {
		trim, err := r.deps.Bus.Trimmed(ctx, at)
		if err != nil {
			return err
		}
		begins = trim.Offset
	}
	if from < begins {
		if err := r.fromLake(ctx, p, from, begins); err != nil {
			return err
		}
	}
	if p.logged {
		return r.fromLog(ctx, p, from)
	}
	return nil
}

// fromLake inserts the rows of offsets [from, to), and says which the lake lacks.
func (r *rebuild) fromLake(ctx context.Context, p *part, from, to int64) error {
	objects := r.deps.Bus.Objects()
	begins, err := lake.Begins(ctx, objects, p.TopicID, p.Partition)
	if err != nil {
		return err
	}
	covered, err := lake.Covered(ctx, objects, p.TopicID, p.Partition)
	if err != nil {
		return err
	}
	if begins > from {
		p.Missing = errors.Join(p.Missing, fmt.Errorf("offsets %d to %d are neither on the log nor in the lake, which begins behind them", from, min(begins, to)-1))
	}
	if covered < to && p.logged {
		p.Missing = errors.Join(p.Missing, fmt.Errorf("offsets %d to %d are neither on the log nor in the lake, which ends before them", max(from, covered), to-1))
	}
	err = lake.ReadEvents(ctx, objects, p.TopicID, p.Partition, from, to, func(meta *schemas.Meta, m schemas.Message) error {
		rec, err := r.record(p.TopicID, meta, m)
		if err != nil {
			return err
		}
		p.Lake++
		return r.add(ctx, rec)
	})
	if errors.Is(err, lake.ErrDamaged) {
		p.Missing = errors.Join(p.Missing, err)
		err = nil
	}
	return errors.Join(err, r.flush(ctx))
}

// record is a row as it was on the log, as far as a row is made of it.
func (r *rebuild) record(topicID bus.TopicID, meta *schemas.Meta, m schemas.Message) (bus.Record, error) {
	origin, ok := r.ids[meta.OriginTopicID]
	if !ok {
		id, err := hex.DecodeString(meta.OriginTopicID)
		if err != nil || len(id) != len(bus.TopicID{}) {
			return bus.Record{}, fmt.Errorf("offset %d has its origin in %q, which is no topic id", meta.Offset, meta.OriginTopicID)
		}
		origin = bus.TopicID(id)
		r.ids[meta.OriginTopicID] = origin
	}
	return bus.Record{
		Partition: bus.Partition{Topic: meta.Topic, TopicID: topicID, Partition: meta.Partition}, Offset: meta.Offset,
		Kind: m.Kind(), Value: m.MarshalAppend(make([]byte, 0, m.Size())),
		Origin: bus.Origin{Step: meta.Step, TopicID: origin, Partition: meta.OriginPartition, Offset: meta.OriginOffset, Index: meta.OriginIndex},
	}, nil
}

// fromLog inserts what the log holds now.
func (r *rebuild) fromLog(ctx context.Context, p *part, from int64) error {
	f, err := r.deps.Bus.FollowPartition(ctx, p.Topic, p.Partition)
	if err != nil {
		return err
	}
	defer f.Close()
	for !f.CaughtUp() {
		records, err := f.Next(ctx)
		if err != nil {
			return err
		}
		for i := range records {
			rec := &records[i]
			if stored, err := sinks.Stored(rec); err != nil {
				return err
			} else if !stored || rec.Offset < from {
				continue
			}
			p.Log++
			if err := r.add(ctx, *rec); err != nil {
				return err
			}
		}
	}
	return r.flush(ctx)
}

// add collects a batch as large as the sink's.
func (r *rebuild) add(ctx context.Context, rec bus.Record) error {
	r.batch = append(r.batch, rec)
	r.bytes += len(rec.Value)
	if len(r.batch) < r.cfg.MaxRecords && r.bytes < r.cfg.MaxBytes {
		return nil
	}
	return r.flush(ctx)
}

func (r *rebuild) flush(ctx context.Context) error {
	err := r.task.Process(ctx, r.batch, nil)
	if err == nil {
		r.deps.Progress(len(r.batch))
	}
	clear(r.batch)
	r.batch, r.bytes = r.batch[:0], 0
	return err
}
