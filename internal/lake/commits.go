package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
)

// What claims and commits are of: ranges as they are written, and as they are compacted.
const (
	claims           = "claims"
	commits          = "commits"
	compactionClaims = "compactions/claims"
	compactions      = "compactions/commits"
)

type claim struct {
	End int64 `json:"end"`
}

// Claim fixes that the range at first ends at end, unless another writer has fixed it:
// then it returns that end.
func Claim(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, first, end int64) (int64, error) {
	return fix(ctx, s, at(claims, id, partition, first), first, end)
}

// Claimed returns the end that is fixed for the range at first, 0 where none is.
func Claimed(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, first int64) (int64, error) {
	return fixed(ctx, s, at(claims, id, partition, first), first)
}

func fix(ctx context.Context, s objstore.Store, key string, first, end int64) (int64, error) {
	data, err := json.Marshal(claim{end})
	if err != nil {
		return 0, fmt.Errorf("lake: render a claim: %w", err)
	}
	err = s.Create(ctx, key, data)
	if errors.Is(err, objstore.ErrExists) {
		return fixed(ctx, s, key, first)
	}
	return end, err
}

func fixed(ctx context.Context, s objstore.Store, key string, first int64) (int64, error) {
	data, err := s.Get(ctx, key)
	if errors.Is(err, objstore.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var c claim
	if err := json.Unmarshal(data, &c); err != nil || c.End <= first {
		return 0, fmt.Errorf("lake: the claim %s cannot be read: %q", key, data)
	}
	return c.End, nil
}

// PutCommit says that all files of a range exist.
func PutCommit(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, c Commit) error {
	return put(ctx, s, at(commits, id, partition, c.First), c)
}

func put(ctx context.Context, s objstore.Store, key string, c Commit) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("lake: render a commit: %w", err)
	}
	if err := s.Create(ctx, key, data); err != nil && !errors.Is(err, objstore.ErrExists) {
		return err
	}
	return nil
}

// get reads a commit; ok is false where there is none.
func get(ctx context.Context, s objstore.Store, what string, id bus.TopicID, partition int32, first int64) (c Commit, ok bool, err error) {
	key := at(what, id, partition, first)
	data, err := s.Get(ctx, key)
	if errors.Is(err, objstore.ErrNotFound) {
		return Commit{}, false, nil
	}
	if err != nil {
		return Commit{}, false, err
	}
	if err := json.Unmarshal(data, &c); err != nil || c.First != first || c.End <= first {
		return Commit{}, false, fmt.Errorf("lake: the commit %s cannot be read: %q", key, data)
	}
	c.compacted = what == compactions
	for i := range c.Files {
		c.Files[i].first, c.Files[i].end = c.First, c.End
	}
	return c, true, nil
}

// walk goes from range to range. Compacted ones form one chain from the lake's beginning,
// each at the end of the one before it; behind its end come the ranges as they were
// written. So a walk costs an object a range, and one more.
type walk struct {
	store     objstore.Store
	id        bus.TopicID
	partition int32
	next      int64
	compacted bool // the chain of compacted ranges has not ended yet
}

// step is the next range; ok is false where there is none yet.
func (w *walk) step(ctx context.Context) (c Commit, ok bool, err error) {
	if w.compacted {
		c, ok, err = get(ctx, w.store, compactions, w.id, w.partition, w.next)
		w.compacted = ok && err == nil
	}
	if !ok && err == nil {
		c, ok, err = get(ctx, w.store, commits, w.id, w.partition, w.next)
	}
	if ok && err == nil {
		w.next = c.End
	}
	return c, ok, err
}

// run walks to the end and returns it.
func (w *walk) run(ctx context.Context) (int64, error) {
	for {
		if _, ok, err := w.step(ctx); !ok || err != nil {
			if m, remembers := w.store.(*Memory); remembers && err == nil {
				m.note(Partition{w.id, w.partition}, w.next)
			}
			return w.next, err
		}
	}
}

// begin is a walk from where an exact reader of a partition begins, who takes no offset
// below the second result: what has expired. One who wants no offset below from may begin
// later, where the store remembers a place.
func begin(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, from int64) (walk, int64, error) {
	w := walk{store: s, id: id, partition: partition, compacted: true}
	e, err := expired(ctx, s, id, partition)
	if err != nil {
		return w, 0, err
	}
	if w.next = e.From; e.below == 0 {
		w.next, err = Beginning(ctx, s, id, partition)
	}
	if m, ok := s.(*Memory); ok {
		w.next = m.place(Partition{id, partition}, w.next, from)
	}
	return w, e.below, err
}

// Commits yields the ranges of a partition that are in the lake, from its beginning and
// without a gap; not those of which nothing is kept any more. Of the first that it yields
// there may be rows of offsets below Expired, which do not count.
func Commits(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32) iter.Seq2[Commit, error] {
	return func(yield func(Commit, error) bool) {
		w, below, err := begin(ctx, s, id, partition, 0)
		if err != nil {
			yield(Commit{}, err)
			return
		}
		each(ctx, w, below, yield)
	}
}

// Written is Commits of the ranges as they were written, from one's beginning on: what
// they list may be emptied.
func Written(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, from int64) iter.Seq2[Commit, error] {
	return func(yield func(Commit, error) bool) {
		each(ctx, walk{store: s, id: id, partition: partition, next: from}, 0, yield)
	}
}

func each(ctx context.Context, w walk, below int64, yield func(Commit, error) bool) {
	for {
		c, ok, err := w.step(ctx)
		if err != nil {
			yield(c, err)
			return
		}
		if !ok || c.End > below && !yield(c, nil) {
			return
		}
	}
}

// Covered returns the offset up to which the lake holds a partition.
func Covered(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32) (int64, error) {
	w, _, err := begin(ctx, s, id, partition, math.MaxInt64)
	if err != nil {
		return 0, err
	}
	return w.run(ctx)
}
