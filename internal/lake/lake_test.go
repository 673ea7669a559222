package lake

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
)

// counting notes which commits are read.
type counting struct {
	objstore.Store
	mu   sync.Mutex
	gets map[string]int
}

// Get implements objstore.Store.
func (c *counting) Get(ctx context.Context, key string) ([]byte, error) {
	if strings.HasPrefix(key, "commits/") {
		c.mu.Lock()
		c.gets[key]++
		c.mu.Unlock()
	}
	return c.Store.Get(ctx, key)
}

// TestWait waits for a lake that has many ranges and grows: each commit must be read
// once, however long the wait.
func TestWait(t *testing.T) {
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store := &counting{Store: objects, gets: map[string]int{}}
	id := bus.TopicID{1}
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		put := func(first int64) {
			if err := PutCommit(ctx, store, id, 0, Commit{First: first, End: first + 10}); err != nil {
				t.Error(err)
			}
		}
		for first := int64(0); first < 300; first += 10 {
			put(first)
		}
		go func() {
			time.Sleep(20 * waitEvery)
			put(300)
			time.Sleep(20 * waitEvery)
			put(310)
		}()
		if err := Wait(ctx, store, id, 0, 315); err != nil {
			t.Fatal(err)
		}
		for key, n := range store.gets {
			if there := key < at("commits", id, 0, 300); there && n != 1 {
				t.Errorf("%s was read %d times while nothing but the end was waited for", key, n)
			}
		}
		if wanted, err := Wanted(ctx, store, id, 0); err != nil || wanted != 315 {
			t.Errorf("the request is for %d, %v; want 315", wanted, err)
		}
		brief, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := Wait(brief, store, id, 0, 1000); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "holds offsets below 320, 1000 were wanted") {
			t.Errorf("a wait in vain ends with %v", err)
		}
	})
}

// TestCommits walks twice over what one call of Commits returned.
func TestCommits(t *testing.T) {
	s, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Commit{{First: 0, End: 7}, {First: 7, End: 9}, {First: 11, End: 12}} {
		if err := PutCommit(t.Context(), s, bus.TopicID{}, 0, c); err != nil {
			t.Fatal(err)
		}
	}
	all := Commits(t.Context(), s, bus.TopicID{}, 0)
	for range 2 {
		var ends []int64
		for c, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, c.End)
		}
		if want := []int64{7, 9}; !slices.Equal(ends, want) {
			t.Errorf("the ranges end at %v, want %v: what lies behind a gap is not in the lake yet", ends, want)
		}
	}
}

// TestMemory asks for a lake that grows, again and again: each time costs what is new.
func TestMemory(t *testing.T) {
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store := &counting{Store: objects, gets: map[string]int{}}
	remembering := Remember(store)
	id, ctx := bus.TopicID{1}, t.Context()
	end := int64(0)
	grow := func(ranges int) {
		for range ranges {
			if err := PutCommit(ctx, store, id, 0, Commit{First: end, End: end + 10}); err != nil {
				t.Fatal(err)
			}
			end += 10
		}
	}
	cost := func(what string, most int, do func()) {
		t.Helper()
		clear(store.gets)
		do()
		n := 0
		for _, k := range store.gets {
			n += k
		}
		if n > most {
			t.Errorf("%s read %d commits, want %d or fewer", what, n, most)
		}
	}
	covered := func() {
		t.Helper()
		if got, err := Covered(ctx, remembering, id, 0); err != nil || got != end {
			t.Errorf("the lake holds offsets below %d, %v; want %d", got, err, end)
		}
	}
	read := func(from int64) {
		t.Helper()
		err := ReadKinds(ctx, remembering, id, 0, from, end, func(*struct{}) int64 { return 0 }, func(schemas.Kind, *struct{}) error { return nil })
		if err != nil {
			t.Error(err)
		}
	}
	grow(100)
	covered()
	for range 3 * places {
		last := end
		grow(2)
		cost("what is covered", 3, covered)
		cost("a read of what is new", 3, func() { read(last + 3) })
	}
	cost("a read of all", 100+2*3*places+1, func() { read(0) })
	if n := len(remembering.known[Partition{id, 0}]); n != places {
		t.Errorf("%d places are remembered, want %d", n, places)
	}
}
