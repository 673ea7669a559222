package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/cockroachdb/pebble"

	"github.com/millrace-io/millrace/internal/disk"
)

// ErrDamaged says that the store is not what was written to it. Nothing of it is believed:
// once all partitions are closed, the next one to be opened finds the damaged folder moved
// aside and an empty store in its place, and is restored from a checkpoint and the log.
var ErrDamaged = errors.New("the state store is damaged")

// errPanic stands for a panic of the store while it is opened or given up: some of what it
// reads it checks no other way.
var errPanic = errors.New("the store cannot make sense of its files")

// mostAside bounds the damaged folders that are kept.
const mostAside = 100

// Damaged is closed when the store is found to be damaged; whoever has partitions of it
// must close them.
func (db *DB) Damaged() <-chan struct{} { return db.store.Load().damaged }

// isDamage tells what the files of the store hold, or that one of them is missing or ends
// too early, from what the disk or its owner refuses.
func isDamage(err error) bool {
	for _, what := range []error{fs.ErrNotExist, io.EOF, io.ErrUnexpectedEOF, errManifest, errPanic} {
		if errors.Is(err, what) {
			return true
		}
	}
	return pebble.IsCorruptionError(err)
}

// isDamageAtOpen is isDamage for a store that does not open. There much of what is wrong
// comes as a text; what the system refuses has its number.
func isDamageAtOpen(err error) bool {
	var refused syscall.Errno
	return err != nil && (isDamage(err) || !errors.As(err, &refused))
}

func (s *store) isDamaged() bool {
	select {
	case <-s.damaged:
		return true
	default:
		return false
	}
}

// seen passes an error of the store on, and notes damage.
func (p *Partition) seen(err error) error { return p.db.seen(p.store, err) }

func (db *DB) seen(s *store, err error) error {
	if !isDamage(err) {
		return err
	}
	s.foundOnce.Do(func() {
		db.log.log.Error("the state store is damaged: its stages begin again from checkpoints and the log", "folder", db.dir, "error", err)
		close(s.damaged)
	})
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// openSound opens the store, and where it is damaged, an empty one in its place.
func (db *DB) openSound() error {
	s, err := db.tryOpen()
	if isDamageAtOpen(err) {
		if err := db.aside(err); err != nil {
			return err
		}
		s, err = db.tryOpen()
	}
	if err != nil {
		return fmt.Errorf("state: open %s: %w", db.dir, err)
	}
	if err := (disk.Disk{FS: db.fs}).Sync(db.fs.PathDir(db.dir)); err != nil {
		return errors.Join(fmt.Errorf("state: sync the parent of %s: %w", db.dir, err), s.Close())
	}
	db.store.Store(s)
	return nil
}

func (db *DB) tryOpen() (_ *store, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	if err := checkManifest(db.fs, db.dir); err != nil {
		return nil, err
	}
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref() // the store holds a reference of its own
	s := &store{damaged: make(chan struct{})}
	s.DB, err = pebble.Open(db.dir, &pebble.Options{
		FS:                       db.fs,
		Cache:                    cache,
		MemTableSize:             memTableBytes,
		FormatMajorVersion:       pebble.FormatNewest,
		Logger:                   db.log,
		MaxConcurrentCompactions: func() int { return 1 },
		// A compaction that cannot read its input is tried for ever, and in the end
		// nothing is written any more.
		EventListener: &pebble.EventListener{BackgroundError: func(err error) { _ = db.seen(s, err) }},
	})
	return s, err
}

// aside moves the damaged folder out of the way. It is evidence, and not deleted.
func (db *DB) aside(why error) error {
	if _, err := db.fs.Stat(db.dir); errors.Is(err, fs.ErrNotExist) {
		return nil // it is moved already, and no new one could be made
	}
	for n := 1; n <= mostAside; n++ {
		to := fmt.Sprintf("%s.damaged-%d", db.dir, n)
		if _, err := db.fs.Stat(to); err == nil {
			continue
		}
		if err := db.fs.Rename(db.dir, to); err != nil {
			return fmt.Errorf("state: move the damaged %s aside: %w", db.dir, errors.Join(err, why))
		}
		db.log.log.Error("the damaged state store is moved aside; check the disk, and delete the folder when it tells you no more", "folder", db.dir, "is", to, "error", why)
		return nil
	}
	return fmt.Errorf("state: %s is damaged, as were the %d before it: check the disk, and delete the folders %s.damaged-N: %w", db.dir, mostAside, db.dir, why)
}

// Sound puts an empty store in the place of a damaged one, once nobody uses that any more;
// while somebody does it returns ErrDamaged.
func (db *DB) Sound() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.heal()
}

// heal puts an empty store in the place of a damaged one that nobody uses any more. It is
// called with mu held.
func (db *DB) heal() error {
	s := db.store.Load()
	if !s.isDamaged() {
		return nil
	}
	if db.open > 0 {
		return fmt.Errorf("state: %w, and %d partitions of it are still in use; they are given up at once", ErrDamaged, db.open)
	}
	if err := db.aside(errors.Join(ErrDamaged, s.giveUp())); err != nil {
		return err
	}
	return db.openSound()
}

// giveUp lets the files of a damaged store go; it may not be able to write what it holds.
func (s *store) giveUp() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return s.Close()
}
