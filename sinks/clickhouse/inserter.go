package clickhouse

import (
	"context"
	"errors"
	"sync"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
	schemaclickhouse "github.com/millrace-io/millrace/schemas/clickhouse"
	"github.com/millrace-io/millrace/sinks"
)

// Inserter stores records as rows of one table.
//
// Insert returns nil only when all of them are stored. After an error any of them may be,
// now or later, since an answer can be lost: the caller inserts them again, perhaps in
// other batches, and a row's identity (its record's origin) makes one of the two. It may
// be called by several goroutines at once, and keeps nothing of the records.
type Inserter interface {
	Insert(ctx context.Context, kind schemas.Kind, records []*bus.Record) error
}

// ConnInserter inserts into the tables of a database over a connection.
type ConnInserter struct {
	conn     driver.Conn
	database string
	buffers  map[schemas.Kind]*sync.Pool // of *buffer
}

// NewInserter is the Inserter of the tables that Migrate has made.
func NewInserter(conn driver.Conn, database string) *ConnInserter {
	i := &ConnInserter{conn: conn, database: database, buffers: map[schemas.Kind]*sync.Pool{}}
	for _, kind := range schemas.StoredKinds() {
		i.buffers[kind] = &sync.Pool{New: func() any {
			return &buffer{columns: schemaclickhouse.NewColumns(kind), event: schemas.New(kind), names: sinks.TopicNames{}}
		}}
	}
	return i
}

// buffer holds the rows of one insert until they move into the driver's.
type buffer struct {
	columns schemaclickhouse.Columns
	event   schemas.Message // of the row that is appended
	names   sinks.TopicNames
}

// Insert implements Inserter.
func (i *ConnInserter) Insert(ctx context.Context, kind schemas.Kind, records []*bus.Record) error {
	ctx, cancel := context.WithTimeout(ctx, insertTimeout)
	defer cancel()
	ctx = ch.Context(ctx, ch.WithColumnNamesAndTypes(schemaclickhouse.InsertTypes(kind)))
	batch, err := i.conn.PrepareBatch(ctx, schemaclickhouse.Insert(i.database, kind))
	if err != nil {
		return err
	}
	b := i.buffers[kind].Get().(*buffer)
	err = b.fill(batch, records)
	b.columns.Reset() // of what a failure left
	i.buffers[kind].Put(b)
	if err == nil {
		err = batch.Send()
	}
	if err != nil {
		return errors.Join(err, batch.Abort())
	}
	return nil
}

// flushRows is how many rows are decoded before they move into the driver's buffers.
const flushRows = 1000

func (b *buffer) fill(batch driver.Batch, records []*bus.Record) error {
	for i, r := range records {
		if err := sinks.Decode(r, b.event); err != nil {
			return err
		}
		meta := sinks.Meta(r, b.names)
		b.columns.Append(&meta, b.event)
		if b.columns.Rows() == flushRows || i == len(records)-1 {
			if err := b.columns.Flush(batch); err != nil {
				return err
			}
		}
	}
	return nil
}
