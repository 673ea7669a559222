// Package lake knows how the Parquet lake lies in the object store: which ranges of
// which log are in it, in which files, and how a reader asks for more.
//
// A range of a partition is written under a claim, which fixes its end, and counts once
// its commit exists, which lists its files. Ranges are compacted in the same way: a claim
// fixes how many of them become one, its commit takes the place of theirs, and their
// files are emptied and keep their names. What is older than is kept has a note, and is
// emptied likewise. An exact reader goes by notes and commits, as this package does; what
// only globs the files may see rows of a range that is not committed yet, rows twice while
// a range is compacted, and none missing.
package lake

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
)

// sink names the claims and commits of this lake.
const sink = "parquet"

// waitEvery is how often a waiting reader looks.
const waitEvery = 50 * time.Millisecond

func place(what string, id bus.TopicID, partition int32) string {
	return fmt.Sprintf("%s/%s/%s/%d/", what, sink, id, partition)
}

func at(what string, id bus.TopicID, partition int32, offset int64) string {
	return fmt.Sprintf("%s%020d", place(what, id, partition), offset)
}

// File is one file of a range.
type File struct {
	Key    string       `json:"key"`
	Kind   schemas.Kind `json:"kind"`
	Tenant string       `json:"tenant"`
	Day    string       `json:"day"`
	Rows   int64        `json:"rows"`
	Bytes  int64        `json:"bytes,omitempty"` // 0 in commits of older versions

	first, end int64 // of the commit that it was read from
}

// Commit says that the range [First, End) of a partition is in the lake.
type Commit struct {
	First int64 `json:"first"`
	End   int64 `json:"end"`
	// At is when, by the clock of who wrote it; zero in commits of older versions.
	At    time.Time `json:"at,omitzero"`
	Files []File    `json:"files"`

	compacted bool // it stands for several as they were written
}

// FileKey is the name of the file that holds what a range has of a tenant, kind and day.
func FileKey(tenant string, kind schemas.Kind, day, topic string, id bus.TopicID, partition int32, first int64) string {
	return fileKey(tenant, kind, day, topic, id, partition, fmt.Sprintf("%020d", first))
}

// CompactedKey is FileKey for a range that others became: no name of the one is ever a
// name of the other.
func CompactedKey(tenant string, kind schemas.Kind, day, topic string, id bus.TopicID, partition int32, first, end int64) string {
	return fileKey(tenant, kind, day, topic, id, partition, fmt.Sprintf("%020d-%020d", first, end))
}

func fileKey(tenant string, kind schemas.Kind, day, topic string, id bus.TopicID, partition int32, name string) string {
	return fmt.Sprintf("lake/tenant=%s/kind=%s/day=%s/%s-%s-%05d-%s.parquet",
		escape(tenant), kind, day, topic, id.String()[:8], partition, name)
}

// escape makes a tenant a name of a folder.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' && i > 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// ID names the lake: made where there is none, and gone with its files when the object
// store is emptied.
func ID(ctx context.Context, s objstore.Store) (string, error) {
	const key = "ids/lake"
	var made [16]byte
	if _, err := rand.Read(made[:]); err != nil {
		return "", fmt.Errorf("lake: make an id: %w", err)
	}
	if err := s.Create(ctx, key, []byte(hex.EncodeToString(made[:]))); err != nil && !errors.Is(err, objstore.ErrExists) {
		return "", err
	}
	id, err := s.Get(ctx, key)
	return string(id), err
}

// Want asks the sink to bring the lake up to end soon, without waiting for a full range.
func Want(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, end int64) error {
	if err := s.Create(ctx, at("requests", id, partition, end), nil); err != nil && !errors.Is(err, objstore.ErrExists) {
		return err
	}
	return nil
}

// Wanted returns the furthest end that somebody asked for, 0 where nobody did.
func Wanted(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32) (int64, error) {
	var end int64
	for info, err := range s.List(ctx, place("requests", id, partition)) {
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(path.Base(info.Key), 10, 64)
		if err == nil {
			end = max(end, n)
		}
	}
	return end, nil
}

// Granted removes the requests for what the lake now holds.
func Granted(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, end int64) error {
	for info, err := range s.List(ctx, place("requests", id, partition)) {
		if err != nil {
			return err
		}
		if n, err := strconv.ParseInt(path.Base(info.Key), 10, 64); err == nil && n <= end {
			if err := s.Delete(ctx, info.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// Wait asks for the lake to reach end and waits until it does.
func Wait(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, end int64) error {
	w, _, err := begin(ctx, s, id, partition, math.MaxInt64)
	if err != nil {
		return err
	}
	for asked := false; ; {
		have, err := w.run(ctx) // what was read once is not read again
		if err != nil || have >= end {
			return err
		}
		if !asked {
			if err := Want(ctx, s, id, partition, end); err != nil {
				return err
			}
			asked = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lake: partition %d of topic %s holds offsets below %d, %d were wanted: %w", partition, id, have, end, ctx.Err())
		case <-time.After(waitEvery):
		}
	}
}
