package importer

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/millrace-io/millrace/schemas"
)

// errLongRow says that a row has more than maxRecord bytes.
var errLongRow = fmt.Errorf("the row has more than %d bytes; perhaps a quote is not closed", maxRecord)

func (f file) csv(in io.Reader, emit func(Item, error) bool) bool {
	rows := newRows(in)
	header, _, err := rows.next()
	if err != nil {
		return emit(Item{}, &BadItem{Place: f.name + ":1", Reason: fmt.Errorf("no header row: %w", err)})
	}
	header = slices.Clone(header)
	for {
		row, line, err := rows.next()
		if errors.Is(err, io.EOF) {
			return true
		}
		at := fmt.Sprintf(":%d", line)
		var wrong *csv.ParseError
		// Behind any other error there is no next row.
		last := err != nil && !errors.As(err, &wrong) && !errors.Is(err, errLongRow)
		if !emit(f.item(header, row, at, rows.feed.taken, err)) {
			return false
		}
		if last {
			return true
		}
	}
}

// item makes an event of a row of size bytes that was read with err, or a *BadItem.
func (f file) item(header, row []string, at string, size int64, err error) (Item, error) {
	if err != nil {
		return Item{}, &BadItem{f.name + at, err, size}
	}
	m, data, err := f.row(header, row)
	if err != nil {
		return Item{}, &BadItem{f.name + at, err, size}
	}
	f.complete(m, at, data)
	return Item{Event: m, Place: f.name + at, Bytes: size}, nil
}

// row makes an event of a CSV row by way of its JSON, which knows names and types.
func (f file) row(header, row []string) (schemas.Message, []byte, error) {
	object, extra := map[string]any{}, map[string]string{}
	for i, v := range row {
		if !utf8.ValidString(v) { // which JSON would mend, and nobody would know
			return nil, nil, &schemas.FieldError{Class: schemas.ClassInvalidField, Field: header[i], Problem: "is not UTF-8", Offset: -1}
		}
		if v != "" {
			object[header[i]] = v
		}
	}
	for {
		data, err := json.Marshal(object)
		if err != nil {
			return nil, nil, err
		}
		m := schemas.New(f.Kind)
		err = m.DecodeJSON(data)
		if err == nil {
			return m, data, nil
		}
		var wrong *schemas.FieldError
		if !f.ExtraToAttributes || !errors.As(err, &wrong) || wrong.Class != schemas.ClassUnknownField {
			return nil, data, err
		}
		v, ok := object[wrong.Field].(string)
		if !ok {
			return nil, data, err
		}
		delete(object, wrong.Field)
		extra[wrong.Field] = v
		object["attributes"] = extra
	}
}

// rows reads the rows of a CSV file.
type rows struct {
	csv  *csv.Reader
	feed *feed
	// over is how many lines the CSV reader counts that are none: it counts one where
	// errLongRow meets it between two lines.
	over int
}

func newRows(in io.Reader) *rows {
	feed := &feed{r: bufio.NewReaderSize(in, 64<<10)}
	r := csv.NewReader(feed)
	r.ReuseRecord = true
	return &rows{csv: r, feed: feed}
}

// next reads a row, and tells the line where it begins. Behind a *csv.ParseError or
// errLongRow it goes on with the line that follows.
func (r *rows) next() (row []string, line int, err error) {
	r.feed.taken, line = 0, r.feed.lines+1
	row, err = r.csv.Read()
	var wrong *csv.ParseError
	switch {
	case err == nil:
		line, _ = r.csv.FieldPos(0)
		line -= r.over
	case errors.As(err, &wrong):
		line = wrong.StartLine - r.over
	case errors.Is(err, errLongRow):
		if !r.feed.inLine {
			r.over++
		}
		r.feed.skip()
	}
	return row, line, err
}

// feed hands a file to the CSV reader, no more than a line at a time, so that it knows
// how far the reader has come; and no more than maxRecord bytes of a row, since the reader
// itself keeps all that follows a quote until the next.
type feed struct {
	r      *bufio.Reader
	lines  int   // that were handed out to their ends
	inLine bool  // says that the last line was not
	taken  int64 // by the row at hand
}

func (f *feed) Read(p []byte) (int, error) {
	if f.taken >= maxRecord {
		return 0, errLongRow
	}
	if _, err := f.r.Peek(1); err != nil {
		return 0, err
	}
	there, err := f.r.Peek(min(len(p), f.r.Buffered()))
	if err != nil {
		return 0, err
	}
	f.inLine = true
	if i := bytes.IndexByte(there, '\n'); i >= 0 {
		there = there[:i+1]
		f.lines++
		f.inLine = false
	}
	n := copy(p, there)
	f.taken += int64(n)
	_, err = f.r.Discard(n)
	return n, err
}

// skip passes over the rest of the line; an error will come back at the next Read.
func (f *feed) skip() {
	for f.inLine {
		piece, err := f.r.ReadSlice('\n')
		f.taken += int64(len(piece))
		if !errors.Is(err, bufio.ErrBufferFull) {
			f.lines++
			f.inLine = false
		}
	}
}
