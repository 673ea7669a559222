package state

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/millrace-io/millrace/internal/objstore"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func opened(t *testing.T, fs vfs.FS) *DB {
	t.Helper()
	db, err := Open("/state", fs, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func partition(t *testing.T, db *DB, stage string) *Partition {
	t.Helper()
	p, err := db.Partition(stage, [16]byte{1, 0xff, 0xff}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func dump(t *testing.T, p *Partition, prefix string) string {
	t.Helper()
	var b bytes.Buffer
	for kv, err := range p.Scan([]byte(prefix)) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s=%s ", kv.Key, kv.Value)
	}
	return b.String()
}

// TestCommitIsOneChange checks that state, marks and position come back together after
// a crash that loses what was not synced, and that nothing uncommitted does.
func TestCommitIsOneChange(t *testing.T) {
	fs := vfs.NewStrictMem()
	db := opened(t, fs)
	p := partition(t, db, "join")
	p.Set([]byte("a"), []byte("1"))
	p.Set([]byte("b"), []byte("1"))
	p.SetMark([]byte("m"), []byte("7"))
	if err := p.Commit(10); err != nil {
		t.Fatal(err)
	}
	if err := db.Sync(); err != nil {
		t.Fatal(err)
	}
	p.Set([]byte("a"), []byte("2"))
	p.DeleteRange([]byte("b"), []byte("c"))
	if err := p.Commit(20); err != nil {
		t.Fatal(err)
	}
	p.Set([]byte("c"), []byte("uncommitted"))
	if got, want := dump(t, p, ""), "a=2 c=uncommitted "; got != want {
		t.Fatalf("before the crash: got %q, want %q", got, want)
	}
	fs.SetIgnoreSyncs(true)
	_ = p.Close()
	_ = db.Close()
	fs.ResetToSyncedState()
	fs.SetIgnoreSyncs(false)

	db = opened(t, fs)
	defer db.Close()
	p = partition(t, db, "join")
	defer p.Close()
	got := fmt.Sprintf("%d %s", p.Position(), dump(t, p, ""))
	if got != "10 a=1 b=1 " && got != "20 a=2 " {
		t.Fatalf("after the crash: got %q, want the whole of position 10 or of position 20", got)
	}
}

func TestPartitionsAreApart(t *testing.T) {
	db := opened(t, vfs.NewMem())
	defer db.Close()
	p, q := partition(t, db, "a"), partition(t, db, "ab")
	defer p.Close()
	defer q.Close()
	p.Set([]byte("k"), []byte("p"))
	q.Set([]byte("k"), []byte("q"))
	for _, x := range []*Partition{p, q} {
		if err := x.Commit(1); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Commit(0); err == nil {
		t.Fatal("a position that goes back was taken")
	}
	p.Discard()
	if got := dump(t, p, "") + dump(t, q, ""); got != "k=p k=q " {
		t.Fatalf("got %q", got)
	}
}

// TestCheckpoint checks that a member without local state resumes from the furthest
// checkpoint, that a damaged one falls back to the one before, and that three are kept.
func TestCheckpoint(t *testing.T) {
	ctx := context.Background()
	store, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	db := opened(t, vfs.NewMem())
	defer db.Close()
	p := partition(t, db, "clean")
	defer p.Close()
	for i := int64(1); i <= 5; i++ {
		p.Set([]byte("n"), fmt.Append(nil, i))
		p.Set(fmt.Appendf(nil, "key%d", i), bytes.Repeat([]byte{byte(i)}, 100_000))
		p.SetMark([]byte("m"), fmt.Append(nil, i))
		if err := p.Commit(i * 10); err != nil {
			t.Fatal(err)
		}
		if err := p.Checkpoint(ctx, store); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := p.checkpoints(ctx, store)
	if err != nil || len(keys) != checkpointsKept {
		t.Fatalf("kept %v, %v; want %d", keys, err, checkpointsKept)
	}
	// A damaged copy that claims to be the furthest.
	data, err := store.Get(ctx, keys[2])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := store.Create(ctx, fmt.Sprintf("%s%020d", p.checkpointPrefix(), 60), data); err != nil {
		t.Fatal(err)
	}
	other := opened(t, vfs.NewMem())
	defer other.Close()
	q := partition(t, other, "clean")
	defer q.Close()
	restored, damaged, err := q.Restore(ctx, store)
	if err != nil || !restored || len(damaged) != 1 {
		t.Fatalf("restored %v, damaged %v, err %v", restored, damaged, err)
	}
	if got, want := dump(t, q, ""), dump(t, p, ""); got != want || q.Position() != 50 {
		t.Fatalf("restored %d bytes of state at %d, want %d at 50", len(got), q.Position(), len(want))
	}
	if restored, _, err = q.Restore(ctx, store); restored || err != nil {
		t.Fatalf("restored again over a state as far: %v, %v", restored, err)
	}
}
