package schemaclickhouse

import (
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/millrace-io/millrace/schemas"
)

// Columns collects rows of one kind, by column, for a batch. It is flushed to the batch
// every thousand rows or so: what it holds is then young, and little for the garbage
// collector to look at.
//
// The strings, maps and slices of an appended message belong to the buffers until
// Flush: the message may be read anew (its readers make new ones), but not be changed
// in place.
type Columns interface {
	// Append adds a row. It panics on a message of another kind.
	Append(meta *schemas.Meta, m schemas.Message)
	// Rows says how many rows were appended since the last Flush or Reset.
	Rows() int
	// Reset forgets the rows and keeps the room.
	Reset()
	// Flush moves the rows to the batch, which was prepared with Insert. Where it fails,
	// the batch is spoilt.
	Flush(b driver.Batch) error
}

// buffers is what the generated Columns have in common.
type buffers struct {
	all  []column // in the table's order
	rows int
}

// column is the buffer of one column.
type column interface {
	fill(to driver.BatchColumn) error
	reset()
}

func (b *buffers) Rows() int { return b.rows }

func (b *buffers) Reset() {
	for _, c := range b.all {
		c.reset()
	}
	b.rows = 0
}

func (b *buffers) Flush(batch driver.Batch) error {
	defer b.Reset()
	for i, c := range b.all {
		if err := c.fill(batch.Column(i)); err != nil {
			return fmt.Errorf("clickhouse: fill column %d of a batch: %w", i, err)
		}
	}
	return nil
}

// plainColumn is for the types whose slices the driver takes without reflection a row.
type plainColumn[T any] struct{ values []T }

func (c *plainColumn[T]) add(v T) { c.values = append(c.values, v) }

func (c *plainColumn[T]) fill(to driver.BatchColumn) error { return to.Append(c.values) }

func (c *plainColumn[T]) reset() {
	clear(c.values)
	c.values = c.values[:0]
}

// mapColumn is a plainColumn whose maps the driver walks by reflection.
type mapColumn[V any] struct{ plainColumn[map[string]V] }

// stringsColumn appends by row: the driver's way for a slice of slices reflects, its
// way for one []string does not.
type stringsColumn struct{ plainColumn[[]string] }

func (c *stringsColumn) fill(to driver.BatchColumn) error {
	for _, v := range c.values {
		if err := to.AppendRow(v); err != nil {
			return err
		}
	}
	return nil
}

// maxKnown bounds the values that a dictColumn remembers from batch to batch.
const maxKnown = 10_000

// dictColumn is for LowCardinality(String). The driver wants each value as an any,
// which costs an allocation; here each distinct value costs one.
type dictColumn struct {
	values []any
	known  map[string]any
	last   string
	boxed  any
}

func (c *dictColumn) add(s string) {
	if s != c.last || c.boxed == nil {
		c.last, c.boxed = s, c.box(s)
	}
	c.values = append(c.values, c.boxed)
}

func (c *dictColumn) box(s string) any {
	if v, ok := c.known[s]; ok {
		return v
	}
	if c.known == nil || len(c.known) >= maxKnown {
		c.known = make(map[string]any)
	}
	v := any(s)
	c.known[s] = v
	return v
}

func (c *dictColumn) fill(to driver.BatchColumn) error { return to.Append(c.values) }

func (c *dictColumn) reset() {
	clear(c.values)
	c.values = c.values[:0]
}

// timeColumn is for DateTime64(6).
type timeColumn struct{ plainColumn[time.Time] }

// ClickHouse keeps the years 1900 to 2299; the driver counts nanoseconds in 64 bits,
// which end in April 2262. A time outside, which a client may well send, is stored as
// the bound that it passed.
const (
	minTime schemas.Micros = -2208988800_000000
	maxTime schemas.Micros = 9223372036_854775
)

func (c *timeColumn) add(m schemas.Micros) {
	c.plainColumn.add(min(max(m, minTime), maxTime).Time())
}

// metaBuffers are part of every table.
type metaBuffers struct {
	topic           dictColumn
	partition       plainColumn[int32]
	offset          plainColumn[int64]
	step            dictColumn
	originTopicID   dictColumn
	originPartition plainColumn[int32]
	originOffset    plainColumn[int64]
	originIndex     plainColumn[int32]
	topicID         dictColumn
}

func (c *metaBuffers) addMeta(m *schemas.Meta) {
	c.topic.add(m.Topic)
	c.partition.add(m.Partition)
	c.offset.add(m.Offset)
	c.step.add(m.Step)
	c.originTopicID.add(m.OriginTopicID)
	c.originPartition.add(m.OriginPartition)
	c.originOffset.add(m.OriginOffset)
	c.originIndex.add(m.OriginIndex)
	c.topicID.add(m.TopicID)
}

// meta lists the buffers in the order of metaColumns.
func (c *metaBuffers) meta() []column {
	return []column{
		&c.topic, &c.partition, &c.offset, &c.step,
		&c.originTopicID, &c.originPartition, &c.originOffset, &c.originIndex, &c.topicID,
	}
}
