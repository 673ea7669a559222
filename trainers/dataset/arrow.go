package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
)

// rowsAtOnce bounds the rows of a record batch.
const rowsAtOnce = 1024

// arrowSchema is that of a dataset's file.
func arrowSchema() *arrow.Schema {
	text := arrow.BinaryTypes.String
	return arrow.NewSchema([]arrow.Field{
		{Name: "text", Type: text},
		{Name: "label", Type: text},
		{Name: "weight", Type: arrow.PrimitiveTypes.Float32},
		{Name: "split", Type: text},
		{Name: "period", Type: text},
		{Name: "id", Type: text},
		{Name: "content_hash", Type: text},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
	}, nil)
}

// counting tells Arrow's writer, which asks, how far it has come: an object is written in
// one go and never sought in.
type counting struct {
	to io.Writer
	n  int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

func (c *counting) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.New("an object is written in one go")
	}
	return c.n, nil
}

// writeArrow writes the examples in the Arrow IPC file format.
func writeArrow(w io.Writer, examples []Example) error {
	schema := arrowSchema()
	file, err := ipc.NewFileWriter(&counting{to: w}, ipc.WithSchema(schema), ipc.WithZstd())
	if err != nil {
		return err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for len(examples) > 0 {
		n := min(len(examples), rowsAtOnce)
		for i := range examples[:n] {
			appendRow(b, &examples[i])
		}
		rec := b.NewRecord()
		err := file.Write(rec)
		rec.Release()
		if err != nil {
			return err
		}
		examples = examples[n:]
	}
	return file.Close()
}

func appendRow(b *array.RecordBuilder, e *Example) {
	for i, s := range []string{0: e.Text, 1: e.Label, 3: e.side(), 4: period(e.After), 5: e.ID, 6: e.ContentHash} {
		if i != 2 {
			b.Field(i).(*array.StringBuilder).Append(s)
		}
	}
	b.Field(2).(*array.Float32Builder).Append(e.Weight)
	b.Field(7).(*array.TimestampBuilder).Append(arrow.Timestamp(e.At))
}

// readArrow reads a file of examples.
func readArrow(ctx context.Context, objects objstore.Store, key string) (out []Example, err error) {
	obj, err := objects.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer obj.Close()
	// Arrow's reader trusts the offsets that a file names; a damaged one is an error here
	// and no crash.
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("%w: %v", ErrTampered, p)
		}
	}()
	file, err := ipc.NewFileReader(io.NewSectionReader(obj, 0, obj.Size()))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	defer file.Close()
	if !file.Schema().Equal(arrowSchema()) {
		return nil, fmt.Errorf("%w: it has other columns", ErrTampered)
	}
	for i := range file.NumRecords() {
		rec, err := file.Record(i)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTampered, err)
		}
		out = appendExamples(out, rec)
	}
	return out, nil
}

// appendExamples copies the rows of rec, which is valid until the next is read.
func appendExamples(out []Example, rec arrow.Record) []Example {
	column := func(i int) *array.String { return rec.Column(i).(*array.String) }
	weight, at := rec.Column(2).(*array.Float32), rec.Column(7).(*array.Timestamp)
	for i := range int(rec.NumRows()) {
		out = append(out, Example{
			Text: strings.Clone(column(0).Value(i)), Label: strings.Clone(column(1).Value(i)), Weight: weight.Value(i),
			Test: column(3).Value(i) == sideTest, LearnOnly: column(3).Value(i) == sideLearn, After: column(4).Value(i) == period(true),
			ID: strings.Clone(column(5).Value(i)), ContentHash: strings.Clone(column(6).Value(i)), At: schemas.Micros(at.Value(i)),
		})
	}
	return out
}
