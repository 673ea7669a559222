package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	schemaparquet "github.com/millrace-io/millrace/schemas/parquet"
)

// expiry notes that offsets below one do not count any more.
type expiry struct {
	below int64
	// From is the end of a compacted range, or the lake's beginning, at or before below: a
	// walk may begin there. Since is From of the note before, or the beginning: what lies
	// between the two is emptied.
	From  int64 `json:"from"`
	Since int64 `json:"since"`
}

const expiries = "expired"

// noteReads is how often notes are read that a further one removes meanwhile.
const noteReads = 10

// Expired returns the offset below which nothing of a partition counts any more.
func Expired(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32) (int64, error) {
	e, err := expired(ctx, s, id, partition)
	return e.below, err
}

// expired is the furthest note, zero where there is none.
func expired(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32) (e expiry, err error) {
	for range noteReads {
		below := int64(0)
		for info, err := range s.List(ctx, place(expiries, id, partition)) {
			if err != nil {
				return expiry{}, err
			}
			n, err := strconv.ParseInt(path.Base(info.Key), 10, 64)
			if err != nil {
				return expiry{}, fmt.Errorf("lake: %s is no note of what has expired", info.Key)
			}
			below = max(below, n)
		}
		if below == 0 {
			return expiry{}, nil
		}
		data, err := s.Get(ctx, at(expiries, id, partition, below))
		if errors.Is(err, objstore.ErrNotFound) {
			continue // there is a further one now
		}
		if err != nil {
			return expiry{}, err
		}
		e = expiry{below: below}
		if err := json.Unmarshal(data, &e); err != nil || e.From > below || e.Since > e.From {
			return expiry{}, fmt.Errorf("lake: the note %s cannot be read: %q", at(expiries, id, partition, below), data)
		}
		return e, nil
	}
	return expiry{}, fmt.Errorf("lake: the notes in %s are listed, and not there", place(expiries, id, partition))
}

// Expire removes the rows of offsets below one: first it notes so, from when on no exact
// reader takes them, then it empties the files of all ranges that lie wholly below. Rows
// below it in the range that reaches beyond stay in their file until that lies below.
//
// It may be repeated, and be cut at any point: the next call, with any offset, goes on.
func Expire(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, below int64) error {
	e, err := expired(ctx, s, id, partition)
	if err != nil {
		return err
	}
	if e.below > 0 {
		if err := empty(ctx, s, id, partition, e); err != nil {
			return err
		}
	}
	if below <= e.below {
		return nil
	}
	if e, err = note(ctx, s, id, partition, e, below); err != nil {
		return err
	}
	if err := empty(ctx, s, id, partition, e); err != nil {
		return err
	}
	return forget(ctx, s, id, partition, e.below)
}

// note writes that what lies below an offset does not count any more; what last says is
// done.
func note(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, last expiry, below int64) (expiry, error) {
	w := walk{store: s, id: id, partition: partition, next: last.From, compacted: true}
	var err error
	if last.below == 0 {
		w.next, err = Beginning(ctx, s, id, partition)
	}
	if err != nil || w.next > below { // the lake begins behind it
		return last, err
	}
	e := expiry{Since: w.next}
	for err == nil && w.compacted && w.next <= below {
		e.From = w.next
		_, _, err = w.step(ctx)
	}
	if err != nil {
		return last, err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return e, fmt.Errorf("lake: render a note: %w", err)
	}
	err = s.Create(ctx, at(expiries, id, partition, below), data)
	if err == nil || errors.Is(err, objstore.ErrExists) {
		return expired(ctx, s, id, partition)
	}
	return e, err
}

// empty empties the files of the ranges that a note puts an end to.
func empty(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, e expiry) error {
	w := walk{store: s, id: id, partition: partition, next: e.Since, compacted: true}
	for {
		c, ok, err := w.step(ctx)
		if err != nil || !ok || c.End > e.below {
			return err
		}
		for _, f := range c.Files {
			if err := Hollow(ctx, s, f); err != nil {
				return err
			}
		}
	}
}

// forget removes the notes before one: it says what they say.
func forget(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, below int64) error {
	for info, err := range s.List(ctx, place(expiries, id, partition)) {
		if err != nil {
			return err
		}
		if n, err := strconv.ParseInt(path.Base(info.Key), 10, 64); err == nil && n < below {
			if err := s.Delete(ctx, info.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// Hollow puts a file of no rows in place of one, so that its name stays taken: a writer
// that was thought dead may still come to make it, and must find it made.
func Hollow(ctx context.Context, s objstore.Store, f File) error {
	var none bytes.Buffer
	if err := schemaparquet.NewWriter(&none, f.Kind).Close(); err != nil {
		return err
	}
	if there, err := s.Open(ctx, f.Key); err == nil {
		size := there.Size()
		if err := there.Close(); err != nil {
			return err
		}
		if size == int64(none.Len()) {
			if data, err := s.Get(ctx, f.Key); err != nil || bytes.Equal(data, none.Bytes()) {
				return err
			}
		}
	}
	err := s.Hold(ctx, f.Key, none.Bytes())
	if errors.Is(err, objstore.ErrNotFound) {
		return nil // it is damaged, and readers say so
	}
	return err
}
