package schemaparquet

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/millrace-io/millrace/schemas"
)

// ErrNewer says that a file has columns that this version does not know: what reads it to
// write it elsewhere would lose them.
var ErrNewer = errors.New("the file is of a newer version of Millrace")

// Reader reads the events of one file in its order. A file of an older version lacks
// columns; they are empty.
type Reader interface {
	// Next returns a row's identity and its event; io.EOF behind the last. The identity is
	// the reader's until Next is called again, the event is the caller's.
	Next() (*schemas.Meta, schemas.Message, error)
	// Close gives back what the reader holds; the file is the caller's.
	Close() error
}

// reader reads rows of type R; event is what a row holds.
type reader[R any] struct {
	from  *parquet.GenericReader[R]
	event func(*R) (*schemas.Meta, schemas.Message)
	rows  []R // read, of which next come
	next  int
	err   error // behind rows
	room  [rowsAtOnce]R
}

func newReader[R any](f *parquet.File, event func(*R) (*schemas.Meta, schemas.Message)) (Reader, error) {
	known := map[string]bool{}
	for _, path := range parquet.SchemaOf(new(R)).Columns() {
		known[strings.Join(path, ".")] = true
	}
	for _, path := range f.Schema().Columns() {
		if name := strings.Join(path, "."); !known[name] {
			return nil, fmt.Errorf("%w: it has a column %s", ErrNewer, name)
		}
	}
	return &reader[R]{from: parquet.NewGenericReader[R](f), event: event}, nil
}

// Next implements Reader.
func (r *reader[R]) Next() (*schemas.Meta, schemas.Message, error) {
	for r.next == len(r.rows) {
		if r.err != nil {
			return nil, nil, r.err
		}
		clear(r.room[:]) // maps would be filled on, not made anew
		n, err := r.from.Read(r.room[:])
		if err != nil && !errors.Is(err, io.EOF) {
			err = fmt.Errorf("parquet: read rows: %w", err)
		}
		r.rows, r.next, r.err = r.room[:n], 0, err
	}
	meta, m := r.event(&r.rows[r.next])
	r.next++
	return meta, m, nil
}

// Close implements Reader.
func (r *reader[R]) Close() error { return r.from.Close() }
