// Package lake knows how the Parquet lake lies in the object store: which ranges of
// which log are in it, in which files, and how a reader asks for more.
//
// A range of a partition is written under a claim, which fixes its end, and counts once
// its commit exists, which lists its files. An exact reader goes by the commits; what
// only globs the files may see some of a range that is not committed yet.
package lake

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

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
}

// Commit says that the range [First, End) of a partition is in the lake.
type Commit struct {
	First int64  `json:"first"`
	End   int64  `json:"end"`
	Files []File `json:"files"`
}

// FileKey is the name of the file that holds what a range has of a tenant, kind and day.
func FileKey(tenant string, kind schemas.Kind, day, topic string, id bus.TopicID, partition int32, first int64) string {
	return fmt.Sprintf("lake/tenant=%s/kind=%s/day=%s/%s-%s-%05d-%020d.parquet",
		escape(tenant), kind, day, topic, id.String()[:8], partition, first)
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

type claim struct {
	End int64 `json:"end"`
}

// Claim fixes that the range at first ends at end, unless another writer has fixed it:
// then it returns that end.
func Claim(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, first, end int64) (int64, error) {
	data, err := json.Marshal(claim{end})
	if err != nil {
		return 0, fmt.Errorf("lake: render a claim: %w", err)
	}
	err = s.Create(ctx, at("claims", id, partition, first), data)
	if errors.Is(err, objstore.ErrExists) {
		return Claimed(ctx, s, id, partition, first)
	}
	return end, err
}

// Claimed returns the end that is fixed for the range at first, 0 where none is.
func Claimed(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, first int64) (int64, error) {
	data, err := s.Get(ctx, at("claims", id, partition, first))
	if errors.Is(err, objstore.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var c claim
	if err := json.Unmarshal(data, &c); err != nil || c.End <= first {
		return 0, fmt.Errorf("lake: the claim %s cannot be read: %q", at("claims", id, partition, first), data)
	}
	return c.End, nil
}

// PutCommit says that all files of a range exist.
func PutCommit(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, c Commit) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("lake: render a commit: %w", err)
	}
	if err := s.Create(ctx, at("commits", id, partition, c.First), data); err != nil && !errors.Is(err, objstore.ErrExists) {
		return err
	}
	return nil
}

// Commits yields the ranges of a partition that are in the lake, from the log's start
// and without a gap.
func Commits(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32) iter.Seq2[Commit, error] {
	return commitsFrom(ctx, s, id, partition, 0)
}

// commitsFrom is Commits from where one begins on: 0, or another's end.
func commitsFrom(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, next int64) iter.Seq2[Commit, error] {
	return func(yield func(Commit, error) bool) {
		next := next // of this walk
		for {
			data, err := s.Get(ctx, at("commits", id, partition, next))
			if errors.Is(err, objstore.ErrNotFound) {
				return
			}
			var c Commit
			if err == nil {
				err = json.Unmarshal(data, &c)
			}
			if err == nil && c.End <= next {
				err = fmt.Errorf("lake: the commit at %d of partition %d ends at %d", next, partition, c.End)
			}
			if !yield(c, err) || err != nil {
				return
			}
			next = c.End
		}
	}
}

// Covered returns the offset up to which the lake holds a partition.
func Covered(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32) (int64, error) {
	return coveredFrom(ctx, s, id, partition, 0)
}

// coveredFrom is Covered for one who knows that it is end or beyond.
func coveredFrom(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, end int64) (int64, error) {
	for c, err := range commitsFrom(ctx, s, id, partition, end) {
		if err != nil {
			return 0, err
		}
		end = c.End
	}
	return end, nil
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
	var have int64
	for asked := false; ; {
		var err error
		have, err = coveredFrom(ctx, s, id, partition, have) // what was read once is not read again
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

// ErrDamaged says that a file is gone, cannot be read, or is not what its commit says.
var ErrDamaged = errors.New("the lake is damaged")

// Read calls each for every row of kind that the lake holds of offsets [from, to) of a
// partition, in order. R is the kind's row in schemas/parquet, or any struct of some of
// its columns; offset finds the row's offset in it. Damaged files do not keep it from the
// others; it returns ErrDamaged, with all their names, once it has read those.
func Read[R any](ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, kind schemas.Kind, from, to int64, offset func(*R) int64, each func(*R) error) error {
	return read(ctx, s, id, partition, func(k schemas.Kind) bool { return k == kind }, from, to, offset,
		func(_ schemas.Kind, r *R) error { return each(r) })
}

// ReadKinds is Read for all kinds at once: those of a range come one after another.
func ReadKinds[R any](ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, from, to int64, offset func(*R) int64, each func(schemas.Kind, *R) error) error {
	return read(ctx, s, id, partition, func(schemas.Kind) bool { return true }, from, to, offset, each)
}

func read[R any](ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, wanted func(schemas.Kind) bool, from, to int64, offset func(*R) int64, each func(schemas.Kind, *R) error) error {
	var damaged error
	for c, err := range Commits(ctx, s, id, partition) {
		if err != nil {
			return err
		}
		if c.End <= from {
			continue
		}
		if c.First >= to {
			break
		}
		for _, f := range c.Files {
			if !wanted(f.Kind) {
				continue
			}
			err := readFile(ctx, s, f, func(r *R) error {
				if o := offset(r); o < from || o >= to {
					return nil
				}
				return each(f.Kind, r)
			})
			if errors.Is(err, ErrDamaged) {
				damaged = errors.Join(damaged, err)
				continue
			}
			if err != nil {
				return err
			}
		}
	}
	return damaged
}

// Sound says whether a file is there, can be read, and has the rows that its commit says.
func Sound(ctx context.Context, s objstore.Store, f File) bool {
	type row struct {
		Offset int64 `parquet:"_offset"`
	}
	return readFile(ctx, s, f, func(*row) error { return nil }) == nil
}

// rowsAtOnce bounds the rows that a reader holds.
const rowsAtOnce = 256

func readFile[R any](ctx context.Context, s objstore.Store, f File, each func(*R) error) error {
	obj, err := s.Open(ctx, f.Key)
	if errors.Is(err, objstore.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return err
	}
	defer obj.Close()
	file, err := parquet.OpenFile(obj, obj.Size())
	if err != nil {
		return fmt.Errorf("%w: open %s: %w", ErrDamaged, f.Key, err)
	}
	r := parquet.NewGenericReader[R](file)
	defer func() { _ = r.Close() }() // it was only read
	var rows int64
	buf := make([]R, rowsAtOnce)
	for {
		clear(buf)
		n, err := r.Read(buf)
		for i := range n {
			if err := each(&buf[i]); err != nil {
				return err
			}
		}
		rows += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: read %s: %w", ErrDamaged, f.Key, err)
		}
	}
	if rows != f.Rows {
		return fmt.Errorf("%w: %s has %d rows, its commit says %d: it was changed", ErrDamaged, f.Key, rows, f.Rows)
	}
	return nil
}
