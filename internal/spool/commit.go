package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cockroachdb/pebble/vfs"
)

// writer is the segment that is written to.
type writer struct {
	*segment
	file vfs.File
}

// commit writes batches until the spool is closed and nothing waits.
func (s *Spool) commit() {
	for {
		s.mu.Lock()
		b := s.waiting
		if len(b.done) == 0 {
			closed := s.closed
			s.mu.Unlock()
			if closed {
				return
			}
			select {
			case <-s.work:
			case <-s.stop:
			}
			continue
		}
		s.writing = pages(int64(len(b.b)))
		s.waiting = s.newBatch()
		s.announce() // there is room again
		s.mu.Unlock()
		s.settle(b, s.write(b))
	}
}

// settle tells everybody what became of a batch.
func (s *Spool) settle(b *batch, err error) {
	s.mu.Lock()
	s.writing, s.broken, s.lastWrite = 0, err, time.Now()
	if err == nil {
		s.active.size += pages(int64(len(b.b)))
		s.next += uint64(len(b.done))
	}
	if cap(b.b) <= maxWaiting {
		s.spare = b.b[:0]
	}
	s.announce()
	s.mu.Unlock()
	for _, done := range b.done {
		done(err)
	}
	s.mu.Lock()
	s.settled += uint64(len(b.done))
	s.announce()
	s.mu.Unlock()
}

// write makes a batch durable.
func (s *Spool) write(b *batch) error {
	if err := s.diskRoom(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if s.active != nil && s.active.size >= s.segment {
		// All of it is durable: how it closes changes nothing.
		_ = s.active.file.Close()
		s.active = nil
	}
	if s.active == nil {
		if time.Since(s.failed) < failPause {
			return s.why
		}
		if err := s.begin(); err != nil {
			return s.fail(fmt.Errorf("spool: begin a segment in %s: %w", s.cfg.Dir, err))
		}
	}
	h := head{nonce: s.active.nonce, first: s.next, time: b.since, salt: b.salt, count: uint32(len(b.done)), length: uint32(len(b.b) - batchHeader)}
	h.put(b.b)
	b.b = append(b.b, make([]byte, h.size()-int64(len(b.b)))...)
	_, err := s.active.file.Write(b.b)
	if err == nil {
		began := time.Now()
		err = s.active.file.Sync()
		s.metrics.fsync.Observe(time.Since(began).Seconds())
	}
	if err != nil {
		return s.fail(fmt.Errorf("spool: write %s: %w", s.active.name, err))
	}
	return nil
}

// fail leaves the active segment for good: see the package's comment.
func (s *Spool) fail(err error) error {
	if s.active != nil {
		_ = s.active.file.Close() // it has failed already
		s.active = nil
	}
	s.failed, s.why = time.Now(), err
	s.metrics.failures.Inc()
	s.log.Error("the spool cannot be written: nothing is acknowledged until a new segment can", "dir", s.cfg.Dir, "error", err)
	return err
}

// begin makes a new segment. Its name is durable before anything in it is acknowledged,
// and so is where the one before it ends.
func (s *Spool) begin() (err error) {
	s.mu.Lock()
	var last *segment
	if len(s.segments) > 0 {
		last = s.segments[len(s.segments)-1]
	}
	s.mu.Unlock()
	if last != nil && !last.synced {
		// A process that was killed left it: what was read from the kernel's memory is to be
		// on the disk before a header says that it is.
		if err := s.syncFile(last.name); err != nil {
			return err
		}
		last.synced = true
	}
	g := &segment{name: segmentName(s.next), first: s.next, nonce: rand.Uint64() | 1, size: page, synced: true}
	// A segment of the same name holds nothing that was acknowledged: it would begin with
	// this number.
	file, err := s.fs.Create(s.path(g.name))
	if err != nil {
		return err
	}
	_, err = file.Write(segmentHead(g.first, g.nonce))
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = syncDir(s.fs, s.cfg.Dir)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	s.mu.Lock()
	if last != nil && last.first == g.first {
		s.segments = s.segments[:len(s.segments)-1]
	}
	s.segments = append(s.segments, g)
	s.mu.Unlock()
	s.active = &writer{g, file}
	return nil
}

func (s *Spool) syncFile(name string) error {
	f, err := s.fs.OpenReadWrite(s.path(name))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
