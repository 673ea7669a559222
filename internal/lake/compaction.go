package lake

import (
	"context"
	"errors"
	"path"
	"strconv"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
)

// compacted is where it is noted that the small files of a compacted range are emptied.
const compacted = "compactions/done"

// ClaimCompaction fixes that the compacted range at first ends at end, unless another has
// fixed it: then it returns that end. First is where the chain of compacted ranges ends,
// and end the end of a commit.
func ClaimCompaction(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, first, end int64) (int64, error) {
	return fix(ctx, s, at(compactionClaims, id, partition, first), first, end)
}

// ClaimedCompaction returns the end that is fixed for the compacted range at first, 0
// where none is.
func ClaimedCompaction(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, first int64) (int64, error) {
	return fixed(ctx, s, at(compactionClaims, id, partition, first), first)
}

// PutCompaction says that all files of a compacted range exist: from then on they stand
// for those of the ranges in it.
func PutCompaction(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, c Commit) error {
	return put(ctx, s, at(compactions, id, partition, c.First), c)
}

// Chain returns where the compacted ranges of a partition end, and those of them whose
// small files are not all emptied yet.
func Chain(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32) (end int64, open []Commit, err error) {
	done := map[int64]bool{}
	for info, err := range s.List(ctx, place(compacted, id, partition)) {
		if err != nil {
			return 0, nil, err
		}
		if n, err := strconv.ParseInt(path.Base(info.Key), 10, 64); err == nil {
			done[n] = true
		}
	}
	if end, err = Beginning(ctx, s, id, partition); err != nil {
		return 0, nil, err
	}
	for {
		c, ok, err := get(ctx, s, compactions, id, partition, end)
		if !ok || err != nil {
			return end, open, err
		}
		if !done[c.First] {
			open = append(open, c)
		}
		end = c.End
	}
}

// Release empties the small files that a compacted range stands for, and notes that it
// did. It may be repeated.
func Release(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, c Commit) (files int, err error) {
	kept := map[string]bool{} // a range of one keeps its files
	for _, f := range c.Files {
		kept[f.Key] = true
	}
	for small, err := range Written(ctx, s, id, partition, c.First) {
		if err != nil {
			return files, err
		}
		if small.First >= c.End {
			break
		}
		for _, f := range small.Files {
			if kept[f.Key] {
				continue
			}
			if err := Hollow(ctx, s, f); err != nil {
				return files, err
			}
			files++
		}
	}
	if err := s.Create(ctx, at(compacted, id, partition, c.First), nil); err != nil && !errors.Is(err, objstore.ErrExists) {
		return files, err
	}
	return files, nil
}
