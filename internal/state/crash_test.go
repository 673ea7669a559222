package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/millrace-io/millrace/internal/disk/disktest"
	"github.com/millrace-io/millrace/internal/objstore"
)

// reached is a position that was acknowledged: of the store in a folder once it was synced,
// or, where there is no folder, in a checkpoint.
type reached struct {
	folder   string
	position int64
}

// What a process does: commits to a position, and every so many a sync and a checkpoint.
const (
	commits        = 4
	syncEach       = 2
	checkpointEach = 3
)

// process is one process of a stage, on a disk that holds its state and the objects.
type process struct {
	on    *disktest.FS
	store *objstore.FolderStore
	db    *DB
	fatal chan string
	ack   func(reached)
}

// within runs a process's work, until it is done or the process dies of its store, which
// may say so in any of its goroutines: that one then stands still, as all of them would.
func within(on *disktest.FS, ack func(reached), work func(*process) error) error {
	p := &process{on: on, ack: ack, fatal: make(chan string, 1)}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("%w: %v", disktest.ErrDied, r)
			}
		}()
		var err error
		err = disktest.Tries(func() (err error) { p.store, err = objstore.FolderOn(on, "/objects"); return err })
		if err == nil {
			err = work(p)
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case why := <-p.fatal:
		return fmt.Errorf("%w: %s", disktest.ErrDied, why)
	}
}

func (p *process) open(folder string) (err error) {
	p.db, err = open(folder, p.on, pebbleLog{log: quiet(), fatal: func(why string) {
		select {
		case p.fatal <- why:
		default: // it is dead already
		}
		select {}
	}})
	return err
}

// session opens the state in a folder, restores it where a checkpoint is ahead, checks that
// it is that of its position, at least the given one, and works on. An error of a step is
// met as the bus does: the partition is opened again.
func (p *process) session(folder string, least int64) error {
	if err := disktest.Tries(func() error { return p.open(folder) }); err != nil {
		return err
	}
	for first, end := true, int64(0); ; first = false {
		position, err := p.stretch(folder, end)
		if position < least {
			return errors.Join(fmt.Errorf("%s is at %d, and %d was acknowledged", folder, position, least), err)
		}
		if first {
			end = position + commits
		}
		if err != nil && position >= 0 {
			continue
		}
		if e := p.db.Close(); e != nil { // it says so and ends; the next one finds what counts
			err = errors.Join(err, fmt.Errorf("%w: %w", disktest.ErrDied, e))
		}
		return err
	}
}

// errUnsound says that a state is not what it must be.
var errUnsound = errors.New("the state is not that of its position")

// stretch works from where the state is to end. It returns where it began.
func (p *process) stretch(folder string, end int64) (from int64, err error) {
	st, err := p.db.Partition("stage", [16]byte{7}, 1)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if _, damaged, err := st.Restore(context.Background(), p.store); err != nil || len(damaged) > 0 {
		return st.Position(), errors.Join(append(damaged, err)...)
	}
	from = st.Position()
	if err := sound(st); err != nil {
		return -1, err
	}
	if end == 0 {
		end = from + commits
	}
	for i := from + 1; i <= end; i++ {
		st.Set([]byte("n"), fmt.Append(nil, i))
		st.Set(fmt.Appendf(nil, "of %d", i), bytes.Repeat([]byte("x"), 3000))
		st.Delete(fmt.Appendf(nil, "of %d", i-2))
		st.SetMark([]byte("mark"), fmt.Append(nil, i))
		if err := st.Commit(i); err != nil {
			return from, err
		}
		if i%syncEach == 0 {
			if err := p.db.Sync(); err != nil {
				return from, err
			}
			p.ack(reached{folder, i})
		}
		if i%checkpointEach == 0 {
			if err := st.Checkpoint(context.Background(), p.store); err != nil {
				return from, err
			}
			p.ack(reached{"", i})
		}
	}
	return from, nil
}

// sound says whether a state is that of its position.
func sound(st *Partition) error {
	at := st.Position()
	if at == 0 {
		for kv := range st.Scan(nil) {
			return fmt.Errorf("%w: at 0 there is %s", errUnsound, kv.Key)
		}
		return nil
	}
	want := []byte(fmt.Sprint(at))
	n, _, err := st.Get([]byte("n"))
	if err != nil {
		return err
	}
	var mark []byte
	for kv, err := range st.Marks() {
		if err != nil {
			return err
		}
		mark = bytes.Clone(kv.Value)
	}
	others := 0
	for _, err := range st.Scan([]byte("of ")) {
		if err != nil {
			return err
		}
		others++
	}
	if !bytes.Equal(n, want) || !bytes.Equal(mark, want) || others != int(min(at, 2)) {
		return fmt.Errorf("%w: it is at %d, and holds %s, with the mark %s and %d others", errUnsound, at, n, mark, others)
	}
	return nil
}

// work is a process, and another one that takes over without a state of its own.
func work(on *disktest.FS, ack func(reached)) error {
	return within(on, ack, func(p *process) error {
		for _, folder := range []string{"/state", "/other"} {
			if err := p.session(folder, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// check is a process that finds the state, one that has none, and what was acknowledged.
func check(on *disktest.FS, acked []reached) error {
	return within(on, func(reached) {}, func(p *process) error {
		for _, folder := range []string{"/state", "/third"} {
			least := int64(0)
			for _, a := range acked {
				if a.folder == folder || a.folder == "" {
					least = max(least, a.position)
				}
			}
			if err := p.session(folder, least); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestEveryCrash lets the machine crash before each change that the store, a checkpoint or
// a restore makes.
func TestEveryCrash(t *testing.T) {
	// The store itself needs a file system that keeps changes of names in order.
	t.Logf("%d crashes, each in every way", disktest.EveryCrash(t, disktest.Crashes{Seed: 1, Keeps: disktest.Journaled()}, work, check))
}

// TestEveryFault lets each change fail, by a full disk and by a broken one: the process
// goes on or dies, and what was acknowledged is there.
func TestEveryFault(t *testing.T) {
	t.Logf("%d changes failed", disktest.EveryFault(t, work, check))
}
