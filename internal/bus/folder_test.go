package bus

import (
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/internal/testvar"
)

// TestStateFolder takes a member's local state away, puts an old copy in its place, and
// damages it, and checks that the member goes on from the checkpoint as if nothing had
// been: the log before it is deleted, so that nothing else can serve.
func TestStateFolder(t *testing.T) {
	rng := rand.New(rand.NewPCG(testvar.Seed(t), 5))
	for what, hurt := range map[string]func(t *testing.T, now, old *vfs.MemFS) *vfs.MemFS{
		"deleted": func(*testing.T, *vfs.MemFS, *vfs.MemFS) *vfs.MemFS { return vfs.NewMem() },
		"stale":   func(_ *testing.T, _, old *vfs.MemFS) *vfs.MemFS { return old },
		"damaged": func(t *testing.T, now, _ *vfs.MemFS) *vfs.MemFS {
			// In the midst, so that a stage that reads little does not meet it.
			flip(t, now, ".sst", func(size int) int { return size / 2 })
			return now
		},
		"its manifest damaged": func(t *testing.T, now, _ *vfs.MemFS) *vfs.MemFS {
			flip(t, now, "MANIFEST-", rng.IntN)
			return now
		},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t, chainTopics(2)...)
			fs, old := vfs.NewMem(), vfs.NewMem()
			inputs := map[int32][][]byte{}
			life := func(n int) {
				b, end := r.process(fs)
				defer end()
				if err := b.Ensure(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.produce("a", 2, n, 400)
				for i := n; i < n+400; i++ {
					inputs[int32(i%2)] = append(inputs[int32(i%2)], number(i))
				}
				// A stage that has nothing to do holds its state too, and must give it up.
				stop := keeps(t, b, sinkStage("idle", "c", &sync.Map{}))
				defer stop()
				await(t, "the idle stage has its partition", func() bool { return len(b.Positions("idle")) == 1 })
				r.drain(b, reading(chainStage()))
			}
			life(0)
			if _, err := vfs.Clone(fs, old, "/state", "/state"); err != nil {
				t.Fatal(err)
			}
			life(400)
			for n := range int32(2) {
				if err := r.cluster.DeleteRecords("a", n, 399); err != nil {
					t.Fatal(err)
				}
			}
			fs = hurt(t, fs, old)
			life(800)
			r.checkChain(r.member(vfs.NewMem()), "b", sums(inputs))
		})
	}
}

// reading is a stage that reads all of its state when it begins.
func reading(s Stage) Stage {
	open := s.Open
	s.Open = func(ctx context.Context, at Partition, st *state.Partition) (Task, error) {
		for _, err := range st.Scan(nil) {
			if err != nil {
				return nil, err
			}
		}
		return open(ctx, at, st)
	}
	return s
}

// flip changes a byte in every file of a state whose name has a part.
func flip(t *testing.T, fs *vfs.MemFS, part string, at func(size int) int) {
	t.Helper()
	names, err := fs.List("/state")
	if err != nil {
		t.Fatal(err)
	}
	flipped := 0
	for _, name := range names {
		if !strings.Contains(name, part) || strings.Contains(name, "marker") {
			continue
		}
		path := "/state/" + name
		f, err := fs.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(f)
		_ = f.Close()
		if err != nil || len(data) == 0 {
			t.Fatalf("%s has %d bytes, %v", name, len(data), err)
		}
		data[at(len(data))] ^= 0xff
		w, err := fs.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		flipped++
	}
	if flipped == 0 {
		t.Fatalf("there is no %s among %v", part, names)
	}
}
