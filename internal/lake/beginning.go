package lake

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
)

// beginnings is where it is noted at which offset the lake of a partition begins.
const beginnings = "beginnings/" + sink + "/"

type beginning struct {
	First int64 `json:"first"`
}

func beginningKey(id bus.TopicID, partition int32) string {
	return fmt.Sprintf("%s%s/%d", beginnings, id, partition)
}

// Beginning is the first offset that the lake of a partition is to hold: 0, or where its
// first writer found the log to begin.
func Beginning(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32) (int64, error) {
	first, _, err := begun(ctx, s, id, partition)
	return first, err
}

// Begins is the offset before which an exact reader finds nothing of a partition: what is
// there is not to be in the lake, or has expired.
func Begins(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32) (int64, error) {
	first, err := Beginning(ctx, s, id, partition)
	if err != nil {
		return 0, err
	}
	below, err := Expired(ctx, s, id, partition)
	return max(first, below), err
}

func begun(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32) (first int64, ok bool, err error) {
	key := beginningKey(id, partition)
	data, err := s.Get(ctx, key)
	if errors.Is(err, objstore.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	var b beginning
	if err := json.Unmarshal(data, &b); err != nil || b.First < 0 {
		return 0, false, fmt.Errorf("lake: the beginning %s cannot be read: %q", key, data)
	}
	return b.First, true, nil
}

// Enter returns where a writer goes on that stands at first: there, where that is the end
// of a range or the lake's beginning, else at the end of the range that it stands in, or
// at the beginning that lies before it. A writer enters once, before its first claim.
//
// A log that is trimmed begins behind 0, and where depends on when one looks: two writers
// of a new lake may stand at 0 and at L. Were both to claim, there would be two chains of
// ranges, which overlap. So the beginning is an object that is created exclusively before
// any claim: whoever comes second takes the first one's. A lake of an older version has
// none, but a claim at 0; nobody makes that claim any more before the beginning, so that
// it is there before the question or never.
//
// A writer that lost its state on a trimmed log stands where the log begins, which may be
// in the midst of a range. What it would claim there would be on no chain; the range is in
// the lake, or its first records are gone.
func Enter(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, first int64) (int64, error) {
	begins, err := beginAt(ctx, s, id, partition, first)
	if err != nil || first <= begins {
		return begins, err
	}
	w, _, err := begin(ctx, s, id, partition, first)
	for ok := true; err == nil && ok && w.next < first; {
		_, ok, err = w.step(ctx)
	}
	if err != nil || w.next >= first {
		return w.next, err
	}
	return 0, fmt.Errorf("lake: of partition %d of topic %s it holds offsets below %d, and its sink stands at %d: it has lost ranges; "+
		"restore them, or, where the log still has the records, delete ids/lake, and the sink begins anew with what is there", partition, id, w.next, first)
}

func beginAt(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, first int64) (int64, error) {
	b, ok, err := begun(ctx, s, id, partition)
	if err != nil || ok {
		return b, err
	}
	old, err := Claimed(ctx, s, id, partition, 0)
	if err != nil {
		return 0, err
	}
	if old > 0 {
		first = 0
	}
	data, err := json.Marshal(beginning{first})
	if err != nil {
		return 0, fmt.Errorf("lake: render a beginning: %w", err)
	}
	if err := s.Create(ctx, beginningKey(id, partition), data); err != nil && !errors.Is(err, objstore.ErrExists) {
		return 0, err
	}
	return Beginning(ctx, s, id, partition)
}

// Partition is a partition of which there is a lake.
type Partition struct {
	TopicID   bus.TopicID
	Partition int32
}

// Partitions are those of all topics that the lake was ever written of, also of topics
// that were made anew since.
func Partitions(ctx context.Context, s objstore.Store) ([]Partition, error) {
	var all []Partition
	for info, err := range s.List(ctx, beginnings) {
		if err != nil {
			return nil, err
		}
		id, idErr := hex.DecodeString(path.Base(path.Dir(info.Key)))
		n, err := strconv.ParseInt(path.Base(info.Key), 10, 32)
		if err != nil || idErr != nil || len(id) != len(bus.TopicID{}) {
			return nil, fmt.Errorf("lake: %s names no partition", info.Key)
		}
		all = append(all, Partition{bus.TopicID(id), int32(n)})
	}
	return all, nil
}
