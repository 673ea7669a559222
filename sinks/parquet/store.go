package parquet

import (
	"context"
	"errors"
	"slices"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
)

// Store is the lake as verify reads it.
type Store struct{ Objects objstore.Store }

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

type offsetRow struct {
	Offset int64 `parquet:"_offset"`
}

// Offsets implements verify.Store.
func (s *Store) Offsets(ctx context.Context, topic bus.Topic, partition int32, end int64, _ []bus.TopicID) (map[schemas.Kind][]int64, error) {
	out := map[schemas.Kind][]int64{}
	err := lake.ReadKinds(ctx, s.Objects, topic.ID, partition, 0, end,
		func(r *offsetRow) int64 { return r.Offset },
		func(kind schemas.Kind, r *offsetRow) error { out[kind] = append(out[kind], r.Offset); return nil })
	if err != nil && !errors.Is(err, lake.ErrDamaged) {
		return nil, err
	}
	for _, offsets := range out {
		slices.Sort(offsets)
	}
	return out, err
}
