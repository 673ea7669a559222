// Package schemaparquet knows the Parquet form of the stored kinds: one struct a row,
// and writers of files.
package schemaparquet

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/millrace-io/millrace/schemas"
)

const (
	// rowsAtOnce bounds the rows that wait to be handed to the column writers together.
	rowsAtOnce = 64
	// rowsInGroup bounds a row group: the unit that a reader skips, or reads in parallel.
	rowsInGroup = 100_000
)

// Writer writes one file of one kind.
//
// The strings, maps and slices of a written message belong to the writer until Close:
// the message may be read anew, but not be changed in place.
type Writer interface {
	// Write adds a row. It panics on a message of another kind.
	Write(meta *schemas.Meta, m schemas.Message) error
	// Rows is how many were added.
	Rows() int64
	// EndGroup writes what waits as a row group: until then it is in memory, compressed.
	// Else one ends after 100,000 rows.
	EndGroup() error
	// Close writes what waits and the footer. It does not close the io.Writer.
	Close() error
}

// writer writes rows of type R; set makes a row of a message.
type writer[R any] struct {
	to   *parquet.GenericWriter[R]
	set  func(row *R, meta *schemas.Meta, m schemas.Message)
	wait []R
	rows int64
}

func newWriter[R any](w io.Writer, set func(*R, *schemas.Meta, schemas.Message), options []parquet.WriterOption) Writer {
	all := append([]parquet.WriterOption{
		parquet.Compression(&zstd.Codec{}),
		parquet.MaxRowsPerRowGroup(rowsInGroup),
		parquet.CreatedBy("millrace", "", ""),
	}, options...)
	return &writer[R]{
		to:   parquet.NewGenericWriter[R](w, all...),
		set:  set,
		wait: make([]R, 0, rowsAtOnce),
	}
}

func (w *writer[R]) Write(meta *schemas.Meta, m schemas.Message) error {
	w.wait = w.wait[:len(w.wait)+1]
	w.set(&w.wait[len(w.wait)-1], meta, m)
	w.rows++
	if len(w.wait) == cap(w.wait) {
		return w.flush()
	}
	return nil
}

func (w *writer[R]) Rows() int64 { return w.rows }

func (w *writer[R]) flush() error {
	_, err := w.to.Write(w.wait)
	clear(w.wait)
	w.wait = w.wait[:0]
	if err != nil {
		return fmt.Errorf("parquet: write rows: %w", err)
	}
	return nil
}

func (w *writer[R]) EndGroup() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.to.Flush(); err != nil {
		return fmt.Errorf("parquet: write a row group: %w", err)
	}
	return nil
}

func (w *writer[R]) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.to.Close(); err != nil {
		return fmt.Errorf("parquet: write the footer: %w", err)
	}
	return nil
}
