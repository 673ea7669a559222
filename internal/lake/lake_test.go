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
