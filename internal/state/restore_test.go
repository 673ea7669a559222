package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/millrace-io/millrace/internal/disk"
	"github.com/millrace-io/millrace/internal/objstore"
)

const valueBytes = 64 << 10

// large makes a state of so many bytes at a position, and its checkpoint.
func large(t *testing.T, store objstore.Store, size int, position int64) {
	t.Helper()
	db, err := Open(t.TempDir(), vfs.Default, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p := partition(t, db, "clean")
	defer p.Close()
	random := rand.NewChaCha8([32]byte{})
	value := make([]byte, valueBytes)
	for i := 0; i < size; i += valueBytes {
		_, _ = random.Read(value[:valueBytes/4]) // it never fails
		p.Set(fmt.Appendf(nil, "key%020d", i), value)
		if err := p.Commit(position); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Checkpoint(t.Context(), store); err != nil {
		t.Fatal(err)
	}
}

func objects(t *testing.T) objstore.Store {
	t.Helper()
	s, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLargeRestore restores a state that is larger than what it may take of the memory.
func TestLargeRestore(t *testing.T) {
	const size, bound = 224 << 20, 176 << 20
	store := objects(t)
	large(t, store, size, 10)
	db, err := Open(t.TempDir(), vfs.Default, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p := partition(t, db, "clean")
	defer p.Close()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := heap(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				most = max(most, heap())
			}
		}
	}()
	restored, damaged, err := p.Restore(t.Context(), store)
	close(stop)
	<-done
	if err != nil || !restored || len(damaged) > 0 {
		t.Fatalf("restored %v, damaged %v, %v", restored, damaged, err)
	}
	if most > before+bound {
		t.Errorf("%d MiB were in use to restore a state of %d MiB, want at most %d", (most-before)>>20, size>>20, bound>>20)
	}
	n := 0
	for _, err := range p.Scan(nil) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if want := size / valueBytes; n != want || p.Position() != 10 {
		t.Errorf("restored %d keys at position %d, want %d at 10", n, p.Position(), want)
	}
}

// breaking is a store whose objects cannot be read beyond their middle, once the first of
// them was read whole.
type breaking struct {
	objstore.Store
	opened int
}

var errBroken = errors.New("the disk broke")

// Open implements objstore.Store.
func (b *breaking) Open(ctx context.Context, key string) (objstore.Object, error) {
	o, err := b.Store.Open(ctx, key)
	if b.opened++; b.opened == 1 || err != nil {
		return o, err
	}
	return brokenObject{o}, nil
}

type brokenObject struct{ objstore.Object }

// ReadAt implements io.ReaderAt.
func (o brokenObject) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > o.Size()/2 {
		return 0, errBroken
	}
	return o.Object.ReadAt(p, off)
}

// TestTornRestore cuts a restore short when half of the state is written: what was begun
// must not be taken for a state, neither then nor by a process that comes later, and the
// next restore must be whole.
func TestTornRestore(t *testing.T) {
	store := objects(t)
	large(t, store, 24<<20, 10)
	fs := vfs.NewMem()
	db := opened(t, fs)
	p := partition(t, db, "clean")
	p.Set([]byte("of before"), []byte("x"))
	p.SetMark([]byte("of before"), []byte("x"))
	if err := p.Commit(3); err != nil {
		t.Fatal(err)
	}
	other, err := db.Partition("clean", [16]byte{1, 0xff, 0xff}, 4)
	if err != nil {
		t.Fatal(err)
	}
	other.Set([]byte("k"), []byte("of another partition"))
	if err := errors.Join(other.Commit(7), other.Close()); err != nil {
		t.Fatal(err)
	}
	restored, damaged, err := p.Restore(t.Context(), &breaking{Store: store})
	if !errors.Is(err, errBroken) || restored || len(damaged) > 0 {
		t.Fatalf("restored %v, damaged %v, %v; want the error of the store", restored, damaged, err)
	}
	if err := errors.Join(p.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}

	db = opened(t, fs)
	defer db.Close()
	torn, err := db.store.Load().NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ok := torn.First(); ok; ok = torn.Next() {
		n++
	}
	if err := torn.Close(); err != nil || n < 100 {
		t.Fatalf("the store has %d keys, %v: the restore was not cut in its midst", n, err)
	}
	p = partition(t, db, "clean")
	defer p.Close()
	if got := dump(t, p, ""); got != "" || p.Position() != 0 {
		t.Fatalf("behind a torn restore there are %d bytes of state at position %d, want none at 0", len(got), p.Position())
	}
	for kv := range p.Marks() {
		t.Errorf("the mark %q is left", kv.Key)
	}
	if restored, damaged, err := p.Restore(t.Context(), store); err != nil || !restored || len(damaged) > 0 {
		t.Fatalf("restored %v, damaged %v, %v", restored, damaged, err)
	}
	n = 0
	for range p.Scan(nil) {
		n++
	}
	if want := (24 << 20) / valueBytes; n != want || p.Position() != 10 {
		t.Errorf("restored %d keys at position %d, want %d at 10", n, p.Position(), want)
	}
	if other, err = db.Partition("clean", [16]byte{1, 0xff, 0xff}, 4); err != nil || dump(t, other, "") != "k=of another partition " || other.Position() != 7 {
		t.Errorf("another partition has %q at %d, %v", dump(t, other, ""), other.Position(), err)
	}
	_ = other.Close()
}

// TestDamagedCheckpoint checks that the local state survives a checkpoint that is ahead
// of it and cannot be read.
func TestDamagedCheckpoint(t *testing.T) {
	store := objects(t)
	db := opened(t, vfs.NewMem())
	defer db.Close()
	p := partition(t, db, "clean")
	defer p.Close()
	p.Set([]byte("a"), []byte("1"))
	if err := errors.Join(p.Commit(5), p.Checkpoint(t.Context(), store)); err != nil {
		t.Fatal(err)
	}
	keys, err := p.checkpoints(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := store.Get(t.Context(), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	cut := bytes.Clone(whole[:len(whole)-3])
	for position, data := range map[int64][]byte{60: whole, 70: cut, 80: nil} { // of another position, cut, empty
		if err := store.Create(t.Context(), fmt.Sprintf("%s%020d", p.checkpointPrefix(), position), data); err != nil {
			t.Fatal(err)
		}
	}
	restored, damaged, err := p.Restore(t.Context(), store)
	if err != nil || restored || len(damaged) != 3 {
		t.Errorf("restored %v, damaged %v, %v; want three damaged and no error", restored, damaged, err)
	}
	if got := dump(t, p, ""); got != "a=1 " || p.Position() != 5 {
		t.Errorf("the local state is %q at %d", got, p.Position())
	}
}

// roomless is a file system with so many bytes free.
type roomless struct {
	vfs.FS
	free atomic.Uint64
}

// GetDiskUsage implements vfs.FS.
func (f *roomless) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free.Load()}, nil
}

// TestFullDisk checks that nothing is begun on a disk that is full, that what was begun
// before is not lost, and that it goes on when there is room.
func TestFullDisk(t *testing.T) {
	fs := &roomless{FS: vfs.NewMem()}
	fs.free.Store(1 << 40)
	db, err := Open("/state", fs, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	p := partition(t, db, "clean")
	p.Set([]byte("a"), []byte("1"))
	if err := p.Commit(1); err != nil {
		t.Fatal(err)
	}
	fs.free.Store(disk.Reserve)
	p.Set([]byte("a"), []byte("2"))
	_, openErr := db.Partition("clean", [16]byte{}, 0)
	for what, err := range map[string]error{"commit": p.Commit(2), "open": openErr, "sync": db.Sync()} {
		if !errors.Is(err, disk.ErrFull) {
			t.Errorf("%s on a full disk: %v", what, err)
		}
	}
	if err := errors.Join(p.Close(), db.Close()); err != nil {
		t.Fatalf("close on a full disk: %v", err)
	}
	fs.free.Store(disk.Reserve + 1)
	if db, err = Open("/state", fs, quiet()); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p = partition(t, db, "clean")
	defer p.Close()
	if got := dump(t, p, ""); got != "a=1 " || p.Position() != 1 {
		t.Errorf("the state is %q at %d, want what was committed", got, p.Position())
	}
	p.Set([]byte("a"), []byte("3"))
	if err := errors.Join(p.Commit(2), db.Sync()); err != nil {
		t.Error(err)
	}
}

// TestCondense keeps the furthest checkpoint alone where it is sound, and all where not.
func TestCondense(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	folder := t.TempDir()
	store, err := objstore.Folder(folder)
	if err != nil {
		t.Fatal(err)
	}
	db, err := Open("/state", vfs.NewMem(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := db.Partition("stage", [16]byte{1}, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for position := range int64(3) {
		p.Set([]byte("key"), []byte{byte(position)})
		if err := errors.Join(p.Commit(position+1), p.Checkpoint(ctx, store)); err != nil {
			t.Fatal(err)
		}
	}
	oldest := func() int64 {
		t.Helper()
		n, err := OldestCheckpoint(ctx, store, "stage", [16]byte{1}, 2)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	last := filepath.Join(folder, "checkpoints", "stage", fmt.Sprintf("%x", [16]byte{1}), "2", fmt.Sprintf("%020d", 3))
	sound, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(last, sound[:len(sound)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Condense(ctx, store, "stage", [16]byte{1}, 2); err == nil || oldest() != 1 {
		t.Errorf("with a torn checkpoint: %v, the oldest is at %d, want 1", err, oldest())
	}
	if err := os.WriteFile(last, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Condense(ctx, store, "stage", [16]byte{1}, 2); err != nil || oldest() != 3 {
		t.Errorf("%v, the oldest is at %d, want 3", err, oldest())
	}
}
