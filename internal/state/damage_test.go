package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/testvar"
)

// The state of the model is a function of the position: key k holds the last position that
// is k modulo modelKeys.
const modelKeys = 50

func modelValue(position int64) []byte {
	v := make([]byte, 300)
	binary.BigEndian.PutUint64(v, uint64(position))
	rng := rand.NewChaCha8([32]byte(binary.BigEndian.AppendUint64(make([]byte, 24), uint64(position))))
	_, _ = rng.Read(v[8:]) // it never fails
	return v
}

func modelCommit(t *testing.T, p *Partition, position int64) {
	t.Helper()
	p.Set(fmt.Appendf(nil, "%03d", position%modelKeys), modelValue(position))
	p.SetMark([]byte("m"), binary.BigEndian.AppendUint64(nil, uint64(position)))
	if err := p.Commit(position); err != nil {
		t.Fatal(err)
	}
}

// modelCheck says what of a state is not that of its position.
func modelCheck(p *Partition) error {
	want := map[string]string{}
	for at := max(1, p.Position()-modelKeys+1); at <= p.Position(); at++ {
		want[fmt.Sprintf("%03d", at%modelKeys)] = string(modelValue(at))
	}
	n := 0
	for kv, err := range p.Scan(nil) {
		if err != nil {
			return err
		}
		if n++; want[string(kv.Key)] != string(kv.Value) {
			return fmt.Errorf("key %s at position %d holds %x", kv.Key, p.Position(), kv.Value[:8])
		}
	}
	if n != len(want) {
		return fmt.Errorf("at position %d there are %d keys, want %d", p.Position(), n, len(want))
	}
	for kv, err := range p.Marks() {
		if err != nil {
			return err
		}
		if at := int64(binary.BigEndian.Uint64(kv.Value)); at != p.Position() {
			return fmt.Errorf("the mark is of %d, the position %d", at, p.Position())
		}
	}
	return nil
}

// TestDamage changes bytes of a store's files, cuts or removes one of them, at random, while
// it is closed or while it is open, and checks that whoever opens a partition of it gets a
// state that belongs to its position, of the store or of a checkpoint, and never a wrong
// one; and that a damaged store is healed without hands, and kept.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(testvar.Seed(t), 2))
	rounds := testvar.Number(t, "MILLRACE_PROVE_ROUNDS", 60)
	counts := map[string]int{}
	for round := range rounds {
		what := damageRound(t, rng)
		counts[what]++
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d rounds: %v", rounds, counts)
	if counts["healed"]+counts["healed while open"] == 0 || counts["as it was"] == 0 {
		t.Errorf("not every way of it was met: %v", counts)
	}
}

func damageRound(t *testing.T, rng *rand.Rand) (what string) {
	dir, store := filepath.Join(t.TempDir(), "state"), objects(t)
	db, err := Open(dir, vfs.Default, quiet())
	if err != nil {
		t.Fatal(err)
	}
	p := partition(t, db, "clean")
	last := int64(50 + rng.IntN(300))
	checkpoint, flush := rng.Int64N(last), rng.Int64N(last)
	for at := int64(1); at <= last; at++ {
		modelCommit(t, p, at)
		if at == checkpoint {
			if err := p.Checkpoint(t.Context(), store); err != nil {
				t.Fatal(err)
			}
		}
		if at == flush {
			if err := db.store.Load().Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	open := rng.IntN(3) == 0
	if open {
		err = db.store.Load().Flush()
	} else if err = p.Close(); err == nil && rng.IntN(2) == 0 {
		err = db.Close()
	} else if err == nil {
		err = db.store.Load().Close() // as after a kill: its log is not flushed
	}
	if err != nil {
		t.Fatal(err)
	}
	hurt := hurt(t, rng, dir, open)
	healed := "healed"
	if open {
		healed = "healed while open"
		err := modelCheck(p) // what is in memory is sound
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%s, while it is open: %v", hurt, err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	} else if db, err = Open(dir, vfs.Default, quiet()); err != nil {
		t.Errorf("%s: the store does not open: %v", hurt, err)
		return ""
	}
	for try := 0; ; try++ {
		again := resumeModel(t.Context(), t, db, store)
		if again == nil {
			break
		}
		if !errors.Is(again, ErrDamaged) || try == 3 {
			t.Errorf("%s: %v", hurt, again)
			break
		}
	}
	if err := db.Close(); err != nil {
		t.Errorf("%s: close: %v", hurt, err)
	}
	if _, err := os.Stat(dir + ".damaged-1"); err == nil {
		return healed
	}
	return "as it was"
}

// resumeModel opens the partition as a stage does, checks its state and goes on with it.
func resumeModel(ctx context.Context, t *testing.T, db *DB, store objstore.Store) (err error) {
	p, err := db.Partition("clean", [16]byte{1, 0xff, 0xff}, 3)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if _, _, err := p.Restore(ctx, store); err != nil {
		return err
	}
	if err := modelCheck(p); err != nil {
		return err
	}
	for at := p.Position() + 1; at < 400; at++ {
		p.Set(fmt.Appendf(nil, "%03d", at%modelKeys), modelValue(at))
		p.SetMark([]byte("m"), binary.BigEndian.AppendUint64(nil, uint64(at)))
		if err := p.Commit(at); err != nil {
			return err
		}
	}
	return modelCheck(p)
}

// hurt changes one file of a store, and says what it did. From under a store that is open
// it removes none: the process ends then, and the next one heals.
func hurt(t *testing.T, rng *rand.Rand, dir string, open bool) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		if info, err := e.Info(); err == nil && info.Size() > 0 && (strings.HasSuffix(e.Name(), ".sst") || rng.IntN(2) == 0) {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return "nothing"
	}
	name := names[rng.IntN(len(names))]
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch rng.IntN(5) {
	case 0:
		n := rng.IntN(len(data))
		data = data[:n]
		name = fmt.Sprintf("%s cut to %d bytes", name, n)
	case 1:
		if strings.HasSuffix(name, ".log") || open {
			break // without a log it is an earlier state, if there is one log
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return name + " removed"
	default:
		n, at := 1+rng.IntN(8), rng.IntN(len(data))
		for i := at; i < min(at+n, len(data)); i++ {
			data[i] ^= byte(1 + rng.IntN(255))
		}
		name = fmt.Sprintf("%s with %d bytes changed at %d of %d", name, n, at, len(data))
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestSoundAfterCrash crashes the machine at random points, and checks that a store that
// only lost what was not synced is not taken for a damaged one.
func TestSoundAfterCrash(t *testing.T) {
	rng := rand.New(rand.NewPCG(testvar.Seed(t), 3))
	for round := range 40 {
		fs := vfs.NewStrictMem()
		for life := range 3 {
			db := opened(t, fs)
			p := partition(t, db, "clean")
			if err := modelCheck(p); err != nil {
				t.Fatalf("round %d, life %d: %v", round, life, err)
			}
			if entries, err := fs.List("/"); err != nil || len(entries) != 1 {
				t.Fatalf("round %d, life %d: there are %v, %v; want the store alone", round, life, entries, err)
			}
			for n := range 1 + rng.IntN(200) {
				modelCommit(t, p, p.Position()+1)
				switch rng.IntN(40) {
				case 0:
					if err := db.store.Load().Flush(); err != nil {
						t.Fatal(err)
					}
				case 1:
					if err := db.Sync(); err != nil {
						t.Fatal(err)
					}
				}
				if n == 0 && rng.IntN(8) == 0 {
					break
				}
			}
			fs.SetIgnoreSyncs(true)
			if err := errors.Join(p.Close(), db.store.Load().Close()); err != nil {
				t.Fatal(err)
			}
			fs.ResetToSyncedState()
			fs.SetIgnoreSyncs(false)
		}
	}
}
