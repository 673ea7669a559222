package parquet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks"
)

// Store is the lake as verify reads it.
type Store struct {
	Objects objstore.Store
	// Deep reads all of every row, and takes no row of a file that is not sound. Else only
	// the offsets are read: damage elsewhere in a file is not seen.
	Deep bool
}

// Name implements verify.Store.
func (s *Store) Name() string { return "parquet" }

// Reach implements verify.Store.
func (s *Store) Reach(ctx context.Context, topic bus.Topic, partition int32, ends map[schemas.Kind]int64, _ []bus.TopicID) error {
	var end int64
	for _, n := range ends {
		end = max(end, n)
	}
	return lake.Wait(ctx, s.Objects, topic.ID, partition, end)
}

// Reached implements verify.Store.
func (s *Store) Reached(ctx context.Context, topic bus.Topic, partition int32, to int64) (int64, error) {
	covered, err := lake.Covered(ctx, s.Objects, topic.ID, partition)
	return min(to, covered), err
}

// Expired implements verify.Store.
func (s *Store) Expired(ctx context.Context, at bus.Partition) (int64, error) {
	return lake.Expired(ctx, s.Objects, at.TopicID, at.Partition)
}

type offsetRow struct {
	Offset int64 `parquet:"_offset"`
}

// each calls f for the rows of a range.
func (s *Store) each(ctx context.Context, id bus.TopicID, partition int32, r verify.Range, f func(schemas.Kind, int64) error) error {
	if s.Deep {
		return lake.Check(ctx, s.Objects, id, partition, r.From, r.To, f)
	}
	return lake.ReadKinds(ctx, s.Objects, id, partition, r.From, r.To,
		func(r *offsetRow) int64 { return r.Offset },
		func(kind schemas.Kind, r *offsetRow) error { return f(kind, r.Offset) })
}

// Sums implements verify.Store.
func (s *Store) Sums(ctx context.Context, topic bus.Topic, partition int32, r verify.Range, _ []bus.TopicID) (verify.Sums, error) {
	out := verify.Sums{}
	var kind schemas.Kind // of the rows at hand, which come file by file
	var sum verify.Sum
	err := s.each(ctx, topic.ID, partition, r, func(k schemas.Kind, offset int64) error {
		if k != kind {
			out[kind] = sum
			kind, sum = k, out[k]
		}
		sum.Add(offset)
		return nil
	})
	out[kind] = sum
	delete(out, "")
	if err != nil && !errors.Is(err, lake.ErrDamaged) {
		return nil, err
	}
	return out, nil
}

// Offsets implements verify.Store.
func (s *Store) Offsets(ctx context.Context, topic bus.Topic, partition int32, r verify.Range, _ []bus.TopicID) (map[schemas.Kind][]int64, error) {
	out := map[schemas.Kind][]int64{}
	err := s.each(ctx, topic.ID, partition, r, func(kind schemas.Kind, offset int64) error {
		out[kind] = append(out[kind], offset)
		return nil
	})
	if err != nil && !errors.Is(err, lake.ErrDamaged) {
		return nil, err
	}
	for _, offsets := range out {
		slices.Sort(offsets)
	}
	return out, err
}

type originRow struct {
	Offset          int64  `parquet:"_offset"`
	Step            string `parquet:"_step,dict"`
	OriginTopicID   string `parquet:"_origin_topic_id,dict"`
	OriginPartition int32  `parquet:"_origin_partition"`
	OriginOffset    int64  `parquet:"_origin_offset"`
	OriginIndex     int32  `parquet:"_origin_index"`
}

// Former implements verify.Store.
func (s *Store) Former(ctx context.Context, _ bus.Topic, earlier, origins []bus.TopicID, each func(schemas.Kind, bus.Origin)) (damaged, err error) {
	ids := map[string]bus.TopicID{}
	for _, id := range origins {
		ids[id.String()] = id
	}
	all, err := lake.Partitions(ctx, s.Objects)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if !slices.Contains(earlier, p.TopicID) {
			continue
		}
		err := lake.ReadKinds(ctx, s.Objects, p.TopicID, p.Partition, 0, math.MaxInt64,
			func(r *originRow) int64 { return r.Offset },
			func(kind schemas.Kind, r *originRow) error {
				if id, ok := ids[r.OriginTopicID]; ok {
					each(kind, bus.Origin{Step: r.Step, TopicID: id, Partition: r.OriginPartition, Offset: r.OriginOffset, Index: r.OriginIndex})
				}
				return nil
			})
		if err != nil && !errors.Is(err, lake.ErrDamaged) {
			return nil, err
		}
		damaged = errors.Join(damaged, err)
	}
	return damaged, nil
}

// Repair implements verify.Repairer: it writes anew the files of each range that lacks
// something. One that is there and cannot be read, or is not what it was, gives its name
// to the new one; it is a function of the claim, so that the files that are sound stay.
func (s *Store) Repair(ctx context.Context, topic bus.Topic, partition int32, missing map[schemas.Kind][]int64, log iter.Seq2[bus.Record, error]) error {
	var wanted []lake.Commit
	for c, err := range lake.Commits(ctx, s.Objects, topic.ID, partition) {
		if err != nil {
			return err
		}
		for _, offsets := range missing {
			if i, _ := slices.BinarySearch(offsets, c.First); i < len(offsets) && offsets[i] < c.End {
				wanted = append(wanted, c)
				break
			}
		}
	}
	t := &task{at: bus.Partition{Topic: topic.Name, TopicID: topic.ID, Partition: partition}, store: s.Objects, names: sinks.TopicNames{}}
	var rows []bus.Record
	for r, err := range log {
		if err != nil {
			return err
		}
		for len(wanted) > 0 && r.Offset >= wanted[0].End {
			if err := t.rewrite(ctx, wanted[0], rows); err != nil {
				return err
			}
			wanted, rows = wanted[1:], nil
		}
		if len(wanted) == 0 {
			return nil
		}
		if r.Offset >= wanted[0].First {
			rows = append(rows, r)
		}
	}
	for _, c := range wanted {
		if err := t.rewrite(ctx, c, rows); err != nil {
			return err
		}
		rows = nil
	}
	return nil
}

// rewrite makes the damaged files of a range that is committed from its records.
func (t *task) rewrite(ctx context.Context, c lake.Commit, in []bus.Record) error {
	groups, err := t.groups(c.First, in)
	if err != nil {
		return err
	}
	for _, f := range c.Files {
		if sound, err := lake.Sound(ctx, t.store, f); err != nil {
			return err
		} else if sound {
			continue
		}
		i := slices.IndexFunc(groups, func(g *group) bool {
			return g.file.Kind == f.Kind && g.file.Tenant == f.Tenant && g.file.Day == f.Day && g.file.Rows == f.Rows
		})
		if i < 0 {
			return fmt.Errorf("parquet: the log no longer holds what %s had: it was trimmed", f.Key)
		}
		var b bytes.Buffer
		if err := t.write(&b, groups[i], c.First, c.End, in); err != nil {
			return err
		}
		err := t.store.Create(ctx, f.Key, b.Bytes())
		if errors.Is(err, objstore.ErrExists) {
			err = t.store.Hold(ctx, f.Key, b.Bytes())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
