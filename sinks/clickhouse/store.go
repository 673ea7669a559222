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
		q := fmt.Sprintf("SELECT count() FROM %s.%s WHERE _topic = $1 AND _partition = $2 AND _offset = $3 AND %s", s.Database, kind, own(topic, origins))
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

// own is the condition for the rows of a topic, and not of one of its name that was there
// before. A row that an older version stored names no topic id; there the origin decides,
// which takes a row for another topic's where only one of the two was made anew.
func own(topic bus.Topic, origins []bus.TopicID) string {
	return fmt.Sprintf("(_topic_id = '%s' OR _topic_id = '' AND _origin_topic_id IN (%s))", topic.ID, quoted(origins))
}

// where is the condition for the rows of a range; its arguments are the topic, the
// partition and the bounds.
func where(topic bus.Topic, partition int32, r verify.Range, origins []bus.TopicID) (string, []any) {
	q := fmt.Sprintf("_topic = $1 AND _partition = $2 AND _offset >= $3 AND _offset < $4 AND %s", own(topic, origins))
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

// Former implements verify.Store. A row that names no topic id is of an earlier topic too
// where the log has no such record; who asks knows that.
func (s *Store) Former(ctx context.Context, topic bus.Topic, _, origins []bus.TopicID, each func(schemas.Kind, bus.Origin)) (damaged, err error) {
	ids := map[string]bus.TopicID{}
	for _, id := range origins {
		ids[id.String()] = id
	}
	for _, kind := range schemas.StoredKinds() {
		q := fmt.Sprintf("SELECT _step, _origin_topic_id, _origin_partition, _origin_offset, _origin_index FROM %s.%s WHERE _topic = $1 AND _topic_id != $2 AND _origin_topic_id IN (%s)",
			s.Database, kind, quoted(origins))
		rows, err := s.Conn.Query(ctx, q, topic.Name, topic.ID.String())
		if err != nil {
			return nil, fmt.Errorf("clickhouse: %w", err)
		}
		err = func() error {
			defer rows.Close()
			for rows.Next() {
				var o bus.Origin
				var id string
				if err := rows.Scan(&o.Step, &id, &o.Partition, &o.Offset, &o.Index); err != nil {
					return err
				}
				o.TopicID = ids[id]
				each(kind, o)
			}
			return rows.Err()
		}()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("clickhouse: %w", err)
		}
	}
	return nil, nil
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
