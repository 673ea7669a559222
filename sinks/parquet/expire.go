package parquet

import (
	"context"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/lake"
)

// Expire implements verify.Expirer; the lake's own note is the one that verify reads.
func (s *Store) Expire(ctx context.Context, topic bus.Topic, partition int32, below int64, _ []bus.TopicID) error {
	return lake.Expire(ctx, s.Objects, topic.ID, partition, below)
}
