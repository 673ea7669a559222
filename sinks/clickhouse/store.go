package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
)

// Store is the database as verify reads it.
type Store struct {
	Conn     driver.Conn
	Database string
}

// Name implements verify.Store.
func (s *Store) Name() string { return "clickhouse" }

// reachEvery is how often a waiting reader looks.
const reachEvery = 100 * time.Millisecond

// Reach implements verify.Store. A batch goes to its kinds' tables one behind the other,
// so that only a kind's own last row says that the kind is there.
func (s *Store) Reach(ctx context.Context, topic bus.Topic, partition int32, ends map[schemas.Kind]int64, origins []bus.TopicID) error {
	for kind, end := range ends {
		q := fmt.Sprintf("SELECT count() FROM %s.%s WHERE _topic = $1 AND _partition = $2 AND _offset = $3 AND _origin_topic_id IN (%s)", s.Database, kind, quoted(origins))
		for {
			var n uint64
			if err := s.Conn.QueryRow(ctx, q, topic.Name, partition, end-1).Scan(&n); err != nil {
				return fmt.Errorf("clickhouse: %w", err)
			}
			if n > 0 {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(reachEvery):
			}
		}
	}
	return nil
}

// quoted lists topic ids as SQL does.
func quoted(ids []bus.TopicID) string {
	all := make([]string, len(ids))
	for i := range ids {
		all[i] = "'" + ids[i].String() + "'"
	}
	return strings.Join(all, ", ")
}

// Offsets implements verify.Store.
func (s *Store) Offsets(ctx context.Context, topic bus.Topic, partition int32, end int64, origins []bus.TopicID) (map[schemas.Kind][]int64, error) {
	out := map[schemas.Kind][]int64{}
	for _, kind := range schemas.StoredKinds() {
		q := fmt.Sprintf("SELECT _offset FROM %s.%s WHERE _topic = $1 AND _partition = $2 AND _offset < $3 AND _origin_topic_id IN (%s) ORDER BY _offset", s.Database, kind, quoted(origins))
		rows, err := s.Conn.Query(ctx, q, topic.Name, partition, end)
		if err != nil {
			return nil, fmt.Errorf("clickhouse: %w", err)
		}
		err = func() error {
			defer rows.Close()
			for rows.Next() {
				var n int64
				if err := rows.Scan(&n); err != nil {
					return err
				}
				out[kind] = append(out[kind], n)
			}
			return rows.Err()
		}()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("clickhouse: %w", err)
		}
	}
	return out, nil
}
