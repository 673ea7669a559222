package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/cockroachdb/pebble/vfs"
)

// Batch is what one read gives: the records up to the number Through, in their order. It
// has none where all of them are damaged.
type Batch struct {
	Through uint64
	Records [][]byte
}

// span is what was read at once.
type span struct {
	through uint64
	since   time.Time
}

// Reader reads the spool from behind what was confirmed. There is one at a time, used by
// one goroutine.
type Reader struct {
	s    *Spool
	at   uint64 // the number that is read next
	seg  *segment
	file vfs.File
	walk walk
}

// Reader begins behind what was confirmed; the caller closes it.
func (s *Spool) Reader() *Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = nil
	return &Reader{s: s, at: s.confirmed + 1}
}

// Close ends r. What it read and nobody confirmed is read by the next one again.
func (r *Reader) Close() {
	if r.file != nil {
		_ = r.file.Close() // it was only read
		r.file = nil
	}
}

// Next waits for records and returns them. An error other than that of ctx, or ErrClosed,
// is the file system's: the next call tries again.
func (r *Reader) Next(ctx context.Context) (Batch, error) {
	for {
		s := r.s
		s.mu.Lock()
		end, closed, changed := s.next, s.closed, s.changed
		if r.at < end {
			seg, limit := s.holding(r.at)
			size := int64(0)
			if seg != nil {
				size = seg.size
			}
			s.mu.Unlock()
			b, since, err := r.read(seg, size, limit)
			if err != nil {
				return Batch{}, err
			}
			r.at = b.Through + 1
			s.mu.Lock()
			s.reading = append(s.reading, span{b.Through, since})
			s.mu.Unlock()
			return b, nil
		}
		s.mu.Unlock()
		if closed {
			return Batch{}, fmt.Errorf("spool: %w", ErrClosed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		}
	}
}

// holding is the segment that should hold the record number n, nil where none does, and
// the number behind the last that is to be looked for there; s.mu is held.
func (s *Spool) holding(n uint64) (*segment, uint64) {
	limit := s.next
	for i := len(s.segments) - 1; i >= 0; i-- {
		if s.segments[i].first <= n {
			return s.segments[i], limit
		}
		limit = s.segments[i].first
	}
	return nil, limit
}

// read returns the records from r.at on that lie in one batch of seg. The segment ends
// before the number limit: what follows there was not acknowledged.
func (r *Reader) read(seg *segment, size int64, limit uint64) (Batch, time.Time, error) {
	if seg == nil {
		return r.lost(nil, limit)
	}
	if r.seg != seg {
		r.Close()
		f, err := r.s.fs.Open(r.s.path(seg.name))
		if errors.Is(err, fs.ErrNotExist) {
			return r.lost(seg, limit)
		}
		if err != nil {
			return Batch{}, time.Time{}, fmt.Errorf("spool: open %s: %w", seg.name, err)
		}
		r.seg, r.file = seg, f
		r.walk = walk{file: f, nonce: &seg.nonce, at: page}
	}
	r.walk.size = size
	for {
		h, err := r.walk.next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errCut), err == nil && h.end() > limit: // none, or not acknowledged
			return r.lost(seg, limit)
		case err != nil:
			return Batch{}, time.Time{}, fmt.Errorf("spool: read %s: %w", seg.name, err)
		case h.first > r.at:
			return r.lost(seg, h.first)
		}
		if h.end() > r.at {
			return r.batch(seg, h)
		}
		r.walk.at += h.size() // all of it was confirmed
	}
}

// batch reads one whose header was found.
func (r *Reader) batch(seg *segment, h head) (Batch, time.Time, error) {
	b := make([]byte, batchHeader+int64(h.length))
	var records [][]byte
	if _, err := r.walk.read(b, r.walk.at); err != nil {
		return Batch{}, time.Time{}, fmt.Errorf("spool: read %s: %w", seg.name, err)
	}
	if _, decoded, _, err := decode(b); err == nil {
		records = decoded
	}
	out := Batch{Through: h.end() - 1}
	skip := r.at - h.first
	for i := skip; i < uint64(h.count); i++ {
		if i < uint64(len(records)) && records[i] != nil {
			out.Records = append(out.Records, records[i])
		}
	}
	if n := uint64(h.count) - skip - uint64(len(out.Records)); n > 0 {
		if err := r.s.damaged(seg, n); err != nil {
			return Batch{}, time.Time{}, err
		}
	}
	r.walk.at += h.size()
	return out, h.time, nil
}

// lost passes over the records before the number end: they are not there.
func (r *Reader) lost(seg *segment, end uint64) (Batch, time.Time, error) {
	if err := r.s.damaged(seg, end-r.at); err != nil {
		return Batch{}, time.Time{}, err
	}
	return Batch{Through: end - 1}, time.Now(), nil
}

// damaged tells of records that were acknowledged and cannot be read, and keeps their
// segment, where there is one.
func (s *Spool) damaged(seg *segment, records uint64) error {
	name := "(gone)"
	if seg != nil {
		if err := s.keepDamaged(seg); err != nil {
			return err
		}
		name = seg.name + damagedSuffix
	}
	s.mu.Lock()
	s.missing += records
	s.mu.Unlock()
	s.metrics.unreadable.Add(float64(records))
	s.log.Error("acknowledged events in the spool cannot be read; their segment is kept", "events", records, "segment", s.path(name))
	return nil
}

// Confirm tells that everything up to the number through was passed on.
func (s *Spool) Confirm(through uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if through <= s.confirmed {
		return
	}
	s.confirmed = through
	for len(s.reading) > 0 && s.reading[0].through <= through {
		s.reading = s.reading[1:]
	}
	s.announce()
	if len(s.segments) > 1 && s.segments[1].first <= through+1 {
		wake(s.tidy)
	}
}
