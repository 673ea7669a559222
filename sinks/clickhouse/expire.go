package clickhouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
)

// goneEvery is how often it is looked whether rows are gone.
const goneEvery = 200 * time.Millisecond

// Expire removes the rows of a partition of a topic whose offsets lie below one, and
// returns when they are gone. It costs a look at four columns where there are none. It may
// be repeated, and be cut: the server goes on with what it was told. What an earlier topic
// of the name left there is older still, and goes too where its origin is of origins.
//
// A mutation writes the parts anew that hold such rows, so that they really are gone; a
// lightweight DELETE would hide them until parts merge by chance. It is not waited for in
// the statement: of a large table it takes longer than any connection waits.
func Expire(ctx context.Context, conn driver.Conn, database string, topic bus.Topic, partition int32, below int64, origins []bus.TopicID) error {
	condition := fmt.Sprintf("_topic = '%s' AND _partition = %d AND _offset < %d AND (_topic_id = '%s' OR _origin_topic_id IN (%s))",
		topic.Name, partition, below, topic.ID, quoted(origins))
	for _, kind := range schemas.StoredKinds() {
		told := false
		for {
			there, err := anyRow(ctx, conn, database, kind, condition)
			if err != nil {
				return fmt.Errorf("clickhouse: look for what is too old in %s.%s: %w", database, kind, err)
			}
			if !there {
				break
			}
			if !told {
				if err := conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s.%s DELETE WHERE %s", database, kind, condition)); err != nil {
					return fmt.Errorf("clickhouse: remove what is too old from %s.%s: %w", database, kind, err)
				}
				told = true
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("clickhouse: wait until what is too old is gone from %s.%s: %w", database, kind, ctx.Err())
			case <-time.After(goneEvery):
			}
		}
	}
	return nil
}

// anyRow says whether a table has a row, merged or not, of which a condition holds.
func anyRow(ctx context.Context, conn driver.Conn, database string, kind schemas.Kind, condition string) (bool, error) {
	var one uint8
	err := conn.QueryRow(ctx, fmt.Sprintf("SELECT 1 FROM %s.%s WHERE %s LIMIT 1 SETTINGS final = 0", database, kind, condition)).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Expire implements verify.Expirer.
func (s *Store) Expire(ctx context.Context, topic bus.Topic, partition int32, below int64, origins []bus.TopicID) error {
	at := bus.Partition{Topic: topic.Name, TopicID: topic.ID, Partition: partition}
	if err := verify.NoteExpired(ctx, s.Objects, s.Name(), at, below); err != nil {
		return err
	}
	return Expire(ctx, s.Conn, s.Database, topic, partition, below, origins)
}
