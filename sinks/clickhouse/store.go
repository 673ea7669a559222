package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
)

// Store is the database as verify reads it.
type Store struct {
	Conn     driver.Conn
	Database string
	// Objects is where it is noted what was removed by age.
	Objects objstore.Store
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

// Reached implements verify.Store: a database keeps no books.
func (s *Store) Reached(_ context.Context, _ bus.Topic, _ int32, to int64) (int64, error) {
	return to, nil
}

// Expired implements verify.Store.
func (s *Store) Expired(ctx context.Context, at bus.Partition) (int64, error) {
	return verify.Expired(ctx, s.Objects, s.Name(), at)
}

// where is the condition for the rows of a range; its arguments are the topic, the
// partition and the bounds.
func where(topic bus.Topic, partition int32, r verify.Range, origins []bus.TopicID) (string, []any) {
	q := fmt.Sprintf("_topic = $1 AND _partition = $2 AND _offset >= $3 AND _offset < $4 AND _origin_topic_id IN (%s)", quoted(origins))
	args := []any{topic.Name, partition, r.From, r.To}
	if r.Earliest != 0 || r.Latest != 0 {
		// The column holds what a date may be in ClickHouse: what lies outside is cut to it.
		q += " AND arrived_at BETWEEN fromUnixTimestamp64Micro($5) AND fromUnixTimestamp64Micro($6)"
		args = append(args, int64(r.Earliest), int64(r.Latest))
	}
	return q, args
}

// Sums implements verify.Store.
func (s *Store) Sums(ctx context.Context, topic bus.Topic, partition int32, r verify.Range, origins []bus.TopicID) (verify.Sums, error) {
	condition, args := where(topic, partition, r, origins)
	out := verify.Sums{}
	for _, kind := range schemas.StoredKinds() {
		var rows, hash uint64
		q := fmt.Sprintf("SELECT count(), sum(intHash64(_offset)) FROM %s.%s WHERE %s", s.Database, kind, condition)
		if err := s.Conn.QueryRow(ctx, q, args...).Scan(&rows, &hash); err != nil {
			return nil, fmt.Errorf("clickhouse: %w", err)
		}
		if rows > 0 {
			out[kind] = verify.Sum{Rows: int64(rows), Hash: hash}
		}
	}
	return out, nil
}

// Offsets implements verify.Store.
func (s *Store) Offsets(ctx context.Context, topic bus.Topic, partition int32, r verify.Range, origins []bus.TopicID) (map[schemas.Kind][]int64, error) {
	condition, args := where(topic, partition, verify.Range{From: r.From, To: r.To}, origins)
	out := map[schemas.Kind][]int64{}
	for _, kind := range schemas.StoredKinds() {
		q := fmt.Sprintf("SELECT _offset FROM %s.%s WHERE %s ORDER BY _offset", s.Database, kind, condition)
		rows, err := s.Conn.Query(ctx, q, args...)
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

// repairRows bounds what Repair inserts at once.
const repairRows = 10_000

// Repair implements verify.Repairer.
func (s *Store) Repair(ctx context.Context, topic bus.Topic, partition int32, missing map[schemas.Kind][]int64, log iter.Seq2[bus.Record, error]) error {
	to := NewInserter(s.Conn, s.Database)
	for kind, offsets := range missing {
		var rows []*bus.Record
		for r, err := range log {
			if err != nil {
				return err
			}
			if r.Offset > offsets[len(offsets)-1] {
				break
			}
			if _, found := slices.BinarySearch(offsets, r.Offset); !found || r.Kind != kind {
				continue
			}
			if rows = append(rows, &r); len(rows) == repairRows {
				if err := to.Insert(ctx, kind, rows); err != nil {
					return fmt.Errorf("clickhouse: insert into %s: %w", kind, err)
				}
				rows = nil
			}
		}
		if len(rows) == 0 {
			continue
		}
		if err := to.Insert(ctx, kind, rows); err != nil {
			return fmt.Errorf("clickhouse: insert into %s: %w", kind, err)
		}
	}
	return nil
}
