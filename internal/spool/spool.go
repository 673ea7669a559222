// Package spool keeps records in a folder until somebody has passed them on: what a
// collector, or a client, has acknowledged while the log was away.
//
// Append returns nil only when its records are durable. Many callers share one fsync.
// What is appended is read in its order, through a Reader, and confirmed; a segment is
// removed when every record in it was confirmed, and never before it was read. A restart
// hands out again what was read and not confirmed, and what was confirmed in the second
// before a crash: whoever reads on the other side tells repeats by the events' ids.
//
// What a crash left of a write at the end of a segment was not acknowledged: reading
// ends before it. Nothing is ever cut off: a spool that is opened begins a new segment,
// whose header says where the one before it ends. So a record that is missing before that
// place was acknowledged and is damaged; its segment is kept under a second name, the
// error is logged and counted, and what is sound around it is read all the same.
//
// An error of a write or an fsync is final for its segment. It is neither written nor
// synced again: after a failed fsync the kernel holds the pages to be clean, and a second
// one would say that they are durable. The batch is not acknowledged, and the next goes
// to a new file, whose fsync tells of its own pages. What the segment held before was
// synced before, and lies on pages that were not written since.
package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/disk"
)

// Errors that a caller may want to tell apart.
var (
	// ErrFull says that the spool has no room: its own limit, or the disk's.
	ErrFull = errors.New("the spool is full")
	// ErrClosed says that the spool was closed.
	ErrClosed = errors.New("the spool is closed")
	// ErrInUse says that another process, or another part of this one, has the folder.
	ErrInUse = errors.New("another one works on this spool")
)

// Bounds of every spool.
const (
	// MinBytes is the least that MaxBytes may be.
	MinBytes = 16 << 20
	// maxWaiting bounds what waits for the next fsync; as much again is being written. An
	// Append beyond it waits. One record may be larger, alone.
	maxWaiting = 8 << 20
	// maxSegment is the size at which a new segment is begun, where MaxBytes does not
	// make it an eighth of that.
	maxSegment = 32 << 20
	// failPause is how long after a failed write no new segment is tried.
	failPause = time.Second
	// saveEvery is how often the position is made durable: what is confirmed meanwhile is
	// handed out again after a crash.
	saveEvery = time.Second
)

// Config says where a spool is and how large it may grow.
type Config struct {
	Dir string
	// MaxBytes bounds what its files hold.
	MaxBytes int64
}

// Deps is what a Spool works with; the zero value is that of production, without metrics.
type Deps struct {
	FS      vfs.FS
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Spool is an open spool. It is safe for concurrent use.
type Spool struct {
	cfg     Config
	fs      vfs.FS
	log     *slog.Logger
	metrics *metrics
	name    string
	segment int64 // the size at which a new one is begun
	lock    io.Closer
	work    chan struct{} // wakes the committer
	tidy    chan struct{} // wakes the keeper
	stop    chan struct{}
	done    sync.WaitGroup

	// Of the committer alone.
	active *writer
	failed time.Time // when a segment could not be written
	why    error
	// Of the keeper alone, and of Close behind it.
	position *position

	mu        sync.Mutex
	changed   chan struct{} // closed, and made anew, whenever what is below changes
	closed    bool
	waiting   *batch
	spare     []byte // the buffer of a batch that was written
	writing   int64  // bytes that are being written
	segments  []*segment
	next      uint64 // number of the record that is next made durable
	confirmed uint64 // number of the last that was confirmed
	broken    error  // why the last write failed; nil where it did not
	reading   []span // what was read and is not confirmed
	lastWrite time.Time
	taken     uint64 // records that Enqueue has taken, since Open
	settled   uint64 // those of them whose callers know what became of them
	missing   uint64 // records that could not be read, since Open
	kept      int    // damaged segments in the folder

	telling sync.Mutex
	told    *Held  // what was published last, since Open
	toldAt  uint64 // the number under which it was
}

// batch is what waits for one fsync.
type batch struct {
	b     []byte // header, frames
	salt  uint64
	since time.Time
	done  []func(error)
}

// Open opens the spool in a folder, and makes it where there is none. It needs no room on
// the disk: what is there can be read from a full one.
func Open(cfg Config, deps Deps) (_ *Spool, err error) {
	if cfg.MaxBytes < MinBytes {
		return nil, fmt.Errorf("spool: %s may hold %d bytes, the least is %d", cfg.Dir, cfg.MaxBytes, MinBytes)
	}
	if deps.FS == nil {
		deps.FS = vfs.Default
	}
	if deps.Log == nil {
		deps.Log = slog.Default()
	}
	s := &Spool{cfg: cfg, fs: deps.FS, log: deps.Log, segment: largestSegment(cfg.MaxBytes),
		work: make(chan struct{}, 1), tidy: make(chan struct{}, 1), stop: make(chan struct{}), changed: make(chan struct{})}
	defer func() {
		if err != nil && s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}
	}()
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("spool: open %s: %w", cfg.Dir, err)
	}
	s.waiting = s.newBatch()
	if s.metrics, err = newMetrics(deps.Metrics, s); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s.done.Go(s.commit)
	s.done.Go(s.keep)
	return s, nil
}

// prepare takes the folder and finds out what it holds.
func (s *Spool) prepare() error {
	// Events hold what users wrote: nobody else on this machine may read them.
	if err := s.fs.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return err
	}
	if err := syncDir(s.fs, s.fs.PathDir(s.cfg.Dir)); err != nil {
		return err
	}
	lock, err := s.fs.Lock(s.path("lock"))
	if err != nil {
		var no syscall.Errno
		if errors.As(err, &no) && no != syscall.EAGAIN && no != syscall.EACCES {
			return fmt.Errorf("lock it: %w", err)
		}
		return fmt.Errorf("%w: %w", ErrInUse, err)
	}
	s.lock = lock
	if s.name, err = s.identity(); err != nil {
		return err
	}
	if s.position, err = s.openPosition(); err != nil {
		return err
	}
	s.confirmed = s.position.saved
	return s.findSegments()
}

func (s *Spool) path(name string) string { return s.fs.PathJoin(s.cfg.Dir, name) }

// syncDir makes the names in a folder durable.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Name is the spool's own: it is the same however often the spool is opened.
func (s *Spool) Name() string { return s.name }

func (s *Spool) newBatch() *batch {
	b := s.spare
	s.spare = nil
	if b == nil {
		b = make([]byte, 0, 64<<10)
	}
	return &batch{b: append(b[:0], make([]byte, batchHeader)...), salt: rand.Uint64()}
}

// Append writes records, and returns nil when they are durable. When ctx ends before, or
// an error is returned, some of them may still be: they are to be appended again, under
// the ids that they have.
func (s *Spool) Append(ctx context.Context, records ...[]byte) error {
	answers := make(chan error, len(records))
	for _, r := range records {
		if err := s.Enqueue(ctx, r, func(err error) { answers <- err }); err != nil {
			return err
		}
	}
	for range records {
		select {
		case err := <-answers:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Enqueue takes a record, and calls done, with nil when it is durable. It waits while too
// much waits for the disk; where it returns an error, done is not called. The record is
// the caller's again when it returns. done must not block.
func (s *Spool) Enqueue(ctx context.Context, record []byte, done func(error)) error {
	size := int64(frameHeader + len(record))
	if len(record) > s.MaxRecord() {
		return fmt.Errorf("spool: a record has %d bytes, the limit is %d, as large as a segment may be", len(record), s.MaxRecord())
	}
	for {
		s.mu.Lock()
		if err := s.takes(size); err != nil {
			s.mu.Unlock()
			return err
		}
		w := s.waiting
		if len(w.done) == 0 || int64(len(w.b))+size <= maxWaiting {
			if len(w.done) == 0 {
				w.since = time.Now()
			}
			w.b = appendFrame(w.b, w.salt, uint32(len(w.done)), record)
			w.done = append(w.done, done)
			s.taken++
			s.mu.Unlock()
			wake(s.work)
			return nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// MaxRecord is the largest record that is taken.
func (s *Spool) MaxRecord() int { return int(s.segment - frameHeader) }

// MaxRecord is the largest record that a spool takes which may hold maxBytes.
func MaxRecord(maxBytes int64) int { return int(largestSegment(maxBytes) - frameHeader) }

// largestSegment leaves room for several, so that confirmed ones can go while others are
// written.
func largestSegment(maxBytes int64) int64 { return min(maxSegment, maxBytes/8) }

// Flush waits until everybody who was taken so far knows what became of it.
func (s *Spool) Flush(ctx context.Context) error {
	s.mu.Lock()
	want := s.taken
	s.mu.Unlock()
	return s.await(ctx, func() bool { return s.settled >= want })
}

// Drained waits until everything that is durable was confirmed.
func (s *Spool) Drained(ctx context.Context) error {
	return s.await(ctx, func() bool { return s.confirmed+1 >= s.next })
}

// await waits until ok, which is called with s.mu held.
func (s *Spool) await(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		if ok() {
			s.mu.Unlock()
			return nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// takes says why size more bytes cannot be taken; s.mu is held.
func (s *Spool) takes(size int64) error {
	if s.closed {
		return fmt.Errorf("spool: %w", ErrClosed)
	}
	held := s.writing + pages(int64(len(s.waiting.b))+size)
	for _, g := range s.segments {
		held += g.size
	}
	// A segment may have to be begun for it.
	if held+page > s.cfg.MaxBytes {
		return fmt.Errorf("%w: %s holds the %d MiB that it may", ErrFull, s.cfg.Dir, s.cfg.MaxBytes>>20)
	}
	return nil
}

// Room says why nothing new is taken at the moment: ErrFull, or what the last write met.
// nil where it is taken.
func (s *Spool) Room() error {
	s.mu.Lock()
	err := s.takes(0)
	if err == nil && s.broken != nil && time.Since(s.lastWrite) < failPause {
		err = s.broken
	}
	s.mu.Unlock()
	if err == nil {
		err = s.diskRoom()
	}
	return err
}

// diskRoom leaves the disk's reserve to those that would die without it.
func (s *Spool) diskRoom() error {
	err := disk.Disk{FS: s.fs}.Room(s.cfg.Dir)
	if errors.Is(err, disk.ErrFull) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// wake lets whoever waits for c go on; one that is awake looks again.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// announce tells all who wait that something changed; s.mu is held.
func (s *Spool) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Close writes what waits and closes the spool; what is not confirmed is there when it is
// opened again. Readers must be closed before.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.announce()
	s.mu.Unlock()
	close(s.stop)
	s.done.Wait()
	err := s.tidyUp()
	if s.active != nil {
		err = errors.Join(err, s.active.file.Close())
	}
	err = errors.Join(err, s.position.close(), s.lock.Close())
	s.metrics.close()
	if err != nil {
		return fmt.Errorf("spool: close %s: %w", s.cfg.Dir, err)
	}
	return nil
}
