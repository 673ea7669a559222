// Package state keeps what a stage knows of one input partition: its state, its marks
// and its position, which change together or not at all.
//
// A DB is one pebble store in a local folder, shared by all stages of a process. Every
// Partition has a key range of its own in it. Nothing here is synced to disk on every
// commit: the store's log keeps commits whole and in order, so that a crash of the
// machine can only bring back an earlier position together with the state that belongs
// to it, and the log's records behind that position are read again.
//
// The store cannot meet a full disk and live: where its own log cannot be written, a
// commit that is half done can be neither finished nor undone. So nothing is begun in the
// disk's reserve, and whoever wants to gets disk.ErrFull and may come again.
package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"

	"github.com/millrace-io/millrace/internal/disk"
)

// cacheBytes bounds the block cache of a DB.
const cacheBytes = 32 << 20

// memTableBytes bounds what is written before it is sorted out to a file.
const memTableBytes = 16 << 20

// DB is the local store of one process.
type DB struct {
	dir string
	fs  vfs.FS
	log pebbleLog

	mu   sync.Mutex
	open int // partitions
	// store is another one once a damaged one was given up; a Partition keeps its own.
	store atomic.Pointer[store]
}

// store is a store as it was opened.
type store struct {
	*pebble.DB
	damaged   chan struct{} // closed when damage was found
	foundOnce sync.Once
}

// Open opens or makes the store in dir. One that is damaged is moved aside, and rebuilt
// from checkpoints and the log. fs is vfs.Default outside of tests.
func Open(dir string, fs vfs.FS, log *slog.Logger) (*DB, error) {
	return open(dir, fs, pebbleLog{log: log, fatal: func(why string) { panic(why) }})
}

func open(dir string, fs vfs.FS, log pebbleLog) (*DB, error) {
	db := &DB{dir: dir, fs: fs, log: log}
	if err := db.openSound(); err != nil {
		return nil, err
	}
	return db, nil
}

// room returns disk.ErrFull where there is none.
func (db *DB) room() error {
	if err := (disk.Disk{FS: db.fs}).Room(db.dir); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// Close flushes and closes the store; every Partition must be closed before. On a full
// disk the store's log keeps what would be flushed. A damaged store is given up as it is.
func (db *DB) Close() error {
	s := db.store.Load()
	switch {
	case s.isDamaged():
		return s.giveUp()
	case errors.Is(db.room(), disk.ErrFull):
		return s.Close()
	}
	if err := s.Flush(); err != nil {
		return errors.Join(fmt.Errorf("state: flush: %w", err), s.Close())
	}
	return s.Close()
}

// Sync makes everything that was committed durable on disk; of a damaged store nothing is.
func (db *DB) Sync() error {
	db.mu.Lock() // the store is not replaced meanwhile
	defer db.mu.Unlock()
	s := db.store.Load()
	if s.isDamaged() {
		return nil
	}
	if err := db.room(); err != nil {
		return err
	}
	if err := s.LogData(nil, pebble.Sync); err != nil {
		return fmt.Errorf("state: sync: %w", err)
	}
	return nil
}

// Spaces of a partition's key range.
const (
	spacePosition = 'p'
	spaceMark     = 'm'
	spaceUser     = 's'
	spaceLast     = 'l'
	// spaceRestoring has one key while a checkpoint is being restored.
	spaceRestoring = 'r'
)

// Partition is what one stage knows of one input partition. It is used by one goroutine.
//
// What is set is seen by Get and Scan at once and becomes durable, together with the
// position, at Commit.
type Partition struct {
	db       *DB
	store    *store
	stage    string
	topicID  [16]byte
	id       int32
	prefix   []byte
	batch    *pebble.Batch
	position int64
	saved    int64  // the position of the furthest checkpoint, as far as it is known
	key      []byte // scratch
	err      error  // the first that a change met; Commit returns it
}

// Partition opens the state of a stage for one partition. Its position is 0 where
// nothing was committed. It is not opened on a full disk: the stage could do its work, and
// would not be able to commit it.
func (db *DB) Partition(stage string, topicID [16]byte, partition int32) (*Partition, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.heal(); err != nil {
		return nil, err
	}
	p := &Partition{db: db, store: db.store.Load(), stage: stage, topicID: topicID, id: partition}
	p.prefix = append(p.prefix, byte(len(stage)))
	p.prefix = append(p.prefix, stage...)
	p.prefix = append(p.prefix, topicID[:]...)
	p.prefix = binary.BigEndian.AppendUint32(p.prefix, uint32(partition))
	if err := db.room(); err != nil {
		return nil, err
	}
	err := p.reload()
	if err == nil {
		err = p.dropTorn()
	}
	if err != nil {
		return nil, errors.Join(err, p.batch.Close())
	}
	db.open++
	return p, nil
}

func (p *Partition) reload() error {
	if p.batch != nil {
		if err := p.batch.Close(); err != nil {
			return fmt.Errorf("state: drop batch: %w", err)
		}
	}
	p.batch = p.store.NewIndexedBatch()
	p.position = 0
	v, ok, err := p.get(spacePosition, nil)
	if err != nil {
		return err
	}
	if ok {
		if len(v) != 8 {
			return fmt.Errorf("state: position of %s is %d bytes, want 8: the store is damaged; delete the state folder, it is rebuilt from checkpoints and the log", p, len(v))
		}
		p.position = int64(binary.BigEndian.Uint64(v))
	}
	return nil
}

func (p *Partition) String() string {
	return fmt.Sprintf("%s/%x/%d", p.stage, p.topicID, p.id)
}

// Position is the offset of the next record to read, as it was committed.
func (p *Partition) Position() int64 { return p.position }

func (p *Partition) fullKey(space byte, key []byte) []byte {
	p.key = append(p.key[:0], p.prefix...)
	p.key = append(p.key, space)
	p.key = append(p.key, key...)
	return p.key
}

func (p *Partition) get(space byte, key []byte) ([]byte, bool, error) {
	v, closer, err := p.batch.Get(p.fullKey(space, key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("state: get from %s: %w", p, p.seen(err))
	}
	out := append([]byte(nil), v...)
	if err := closer.Close(); err != nil {
		return nil, false, fmt.Errorf("state: get from %s: %w", p, err)
	}
	return out, true, nil
}

// Get returns a copy of the value of key.
func (p *Partition) Get(key []byte) (value []byte, ok bool, err error) {
	return p.get(spaceUser, key)
}

// Set sets key to value; both are copied. Like Delete and DeleteRange it cannot fail by
// itself; should the batch refuse it, Commit returns the error.
func (p *Partition) Set(key, value []byte) { p.set(spaceUser, key, value) }

func (p *Partition) set(space byte, key, value []byte) {
	p.note(p.batch.Set(p.fullKey(space, key), value, nil))
}

func (p *Partition) note(err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("state: change %s: %w", p, err)
	}
}

// Delete removes key; none there is no error.
func (p *Partition) Delete(key []byte) {
	p.note(p.batch.Delete(p.fullKey(spaceUser, key), nil))
}

// DeleteRange removes the keys of [from, to).
func (p *Partition) DeleteRange(from, to []byte) {
	lo := append([]byte(nil), p.fullKey(spaceUser, from)...)
	p.note(p.batch.DeleteRange(lo, p.fullKey(spaceUser, to), nil))
}

// KV is a key and its value; both are valid until the next step of the scan.
type KV struct{ Key, Value []byte }

// Scan yields the keys that begin with prefix, in order, with what was set before the
// scan began. The state must not be changed while the scan runs.
func (p *Partition) Scan(prefix []byte) iter.Seq2[KV, error] {
	return p.scan(spaceUser, prefix)
}

func (p *Partition) scan(space byte, prefix []byte) iter.Seq2[KV, error] {
	return func(yield func(KV, error) bool) {
		lo := append([]byte(nil), p.fullKey(space, prefix)...)
		it, err := p.batch.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: successor(lo)})
		if err != nil {
			yield(KV{}, fmt.Errorf("state: scan %s: %w", p, p.seen(err)))
			return
		}
		skip := len(p.prefix) + 1
		for ok := it.First(); ok; ok = it.Next() {
			if !yield(KV{Key: it.Key()[skip:], Value: it.Value()}, nil) {
				_ = it.Close() // the caller stopped; an error of the scan no longer matters
				return
			}
		}
		if err := it.Close(); err != nil {
			yield(KV{}, fmt.Errorf("state: scan %s: %w", p, p.seen(err)))
		}
	}
}

// successor is the smallest key above every key that begins with prefix.
func successor(prefix []byte) []byte {
	s := append([]byte(nil), prefix...)
	for i := len(s) - 1; i >= 0; i-- {
		if s[i]++; s[i] != 0 {
			return s[:i+1]
		}
	}
	return nil
}

// SetMark and Marks keep a reader's marks; the bus calls them, a Task never does.
func (p *Partition) SetMark(key, value []byte) { p.set(spaceMark, key, value) }

// Marks yields the marks as they were committed.
func (p *Partition) Marks() iter.Seq2[KV, error] { return p.scan(spaceMark, nil) }

// SetLast and Last keep, in the bus's own form, which record lay before the position; the
// bus calls them, a Task never does.
func (p *Partition) SetLast(value []byte) { p.set(spaceLast, nil, value) }

// Last returns what SetLast was given for the position at hand.
func (p *Partition) Last() (value []byte, ok bool, err error) { return p.get(spaceLast, nil) }

// Commit makes what was set and the position one atomic change.
func (p *Partition) Commit(position int64) error {
	if position < p.position {
		return fmt.Errorf("state: commit %s: position %d is below %d", p, position, p.position)
	}
	var v [8]byte
	binary.BigEndian.PutUint64(v[:], uint64(position))
	p.set(spacePosition, nil, v[:])
	if p.err != nil {
		return p.err
	}
	if p.store.isDamaged() {
		return fmt.Errorf("state: commit %s: %w", p, ErrDamaged)
	}
	if err := p.db.room(); err != nil {
		return err
	}
	if err := p.batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("state: commit %s: %w", p, p.seen(err))
	}
	p.batch.Reset()
	p.position = position
	return nil
}

// Discard forgets what was set since the last Commit.
func (p *Partition) Discard() {
	p.batch.Reset()
	p.err = nil
}

// Close forgets what was set since the last Commit and gives up the partition.
func (p *Partition) Close() error {
	p.db.mu.Lock()
	defer p.db.mu.Unlock()
	p.db.open--
	return p.batch.Close()
}

// pebbleLog passes the store's own messages on at debug level.
type pebbleLog struct {
	log *slog.Logger
	// fatal ends the process.
	fatal func(why string)
}

func (l pebbleLog) Infof(format string, args ...any) {
	l.log.Debug("state store", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.log.Error("state store", "message", fmt.Sprintf(format, args...))
}

// Fatalf is called where the store cannot go on (a failed write of its log); going on
// would break the promise that a commit is whole.
func (l pebbleLog) Fatalf(format string, args ...any) {
	l.fatal("state store: " + fmt.Sprintf(format, args...))
}
