// Package parquet writes the lake: Parquet files in Hive-style folders by tenant, kind
// and day of arrival.
//
// A range of a partition is claimed before it is written, exclusively; whoever finds a
// claim adopts it. All files of a range are functions of the claim and named by it, so
// any number of writers, alive or dead, make the same lake.
package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
	schemaparquet "github.com/millrace-io/millrace/schemas/parquet"
	"github.com/millrace-io/millrace/sinks"
)

// Config bounds a range.
type Config struct {
	// MaxRecords and MaxBytes close a range, MaxAge bounds how long it waits to fill.
	MaxRecords int           `yaml:"max_records"`
	MaxBytes   int           `yaml:"max_bytes"`
	MaxAge     time.Duration `yaml:"max_age"`
	// Compact says when ranges become one.
	Compact CompactConfig `yaml:"compact"`
}

// DefaultConfig makes files of a good size where there is traffic, and a file a minute
// where there is little.
func DefaultConfig() Config {
	return Config{MaxRecords: 200_000, MaxBytes: 64 << 20, MaxAge: time.Minute, Compact: DefaultCompactConfig()}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if c.MaxRecords < 1 || c.MaxBytes < 1 || c.MaxAge < time.Millisecond {
		return fmt.Errorf("parquet: max_records, max_bytes and max_age must be positive, got %d, %d, %s", c.MaxRecords, c.MaxBytes, c.MaxAge)
	}
	return nil
}

// Stage is the sink into the lake in store, whose id is lakeID, by lake.ID.
func Stage(cfg Config, store objstore.Store, lakeID string, log *slog.Logger) (bus.Stage, error) {
	if err := cfg.Validate(); err != nil {
		return bus.Stage{}, err
	}
	return bus.Stage{
		Name: "parquet", Inputs: sinks.Topics(), Store: lakeID,
		Limits: bus.Limits{MaxRecords: cfg.MaxRecords, MaxBytes: cfg.MaxBytes, Linger: cfg.MaxAge},
		Open: func(_ context.Context, p bus.Partition, _ *state.Partition) (bus.Task, error) {
			return &task{at: p, store: store, log: log, names: sinks.TopicNames{}}, nil
		},
	}, nil
}

type task struct {
	at    bus.Partition
	store objstore.Store
	log   *slog.Logger
	names sinks.TopicNames
	// goesOn is where this writer's first range begins, once it has entered the lake: what
	// lies before is in it, or is not to be.
	goesOn  int64
	entered bool
}

var _ bus.Ranger = (*task)(nil)

// Process is never called: the bus calls ProcessRange.
func (t *task) Process(context.Context, []bus.Record, *bus.Output) error {
	return errors.New("parquet: the sink writes ranges")
}

// RangeEnd implements bus.Ranger.
func (t *task) RangeEnd(ctx context.Context, first int64) (int64, error) {
	if !t.entered {
		goesOn, err := lake.Enter(ctx, t.store, t.at.TopicID, t.at.Partition, first)
		if err != nil {
			return 0, err
		}
		t.goesOn, t.entered = goesOn, true
	}
	if first < t.goesOn {
		return t.goesOn, nil
	}
	return lake.Claimed(ctx, t.store, t.at.TopicID, t.at.Partition, first)
}

// Due implements bus.Ranger: somebody waits for the lake.
func (t *task) Due(ctx context.Context, first, _ int64) bool {
	end, err := lake.Wanted(ctx, t.store, t.at.TopicID, t.at.Partition)
	if err != nil {
		t.log.Warn("requests for the lake cannot be read", "partition", t.at.String(), "error", err)
		return false
	}
	return end > first
}

// groupKey names a group without what a file's name costs to make.
type groupKey struct {
	tenant string
	kind   schemas.Kind
	day    int64 // since 1970
}

const dayMicros = 24 * 60 * 60 * 1_000_000

// group is what a range has of one tenant, kind and day.
type group struct {
	file    lake.File
	records []int32 // indexes in the range
}

// ProcessRange implements bus.Ranger.
//
// The records are sorted out first and the files written one after another: a writer
// holds two megabytes before its first row, and a claim fixes the range, so a range of
// many tenants that was too large for the memory once would be so after every start.
func (t *task) ProcessRange(ctx context.Context, first, end int64, in []bus.Record) error {
	if end <= t.goesOn {
		return nil
	}
	fixed, err := lake.Claim(ctx, t.store, t.at.TopicID, t.at.Partition, first, end)
	if err != nil {
		return err
	}
	if fixed != end {
		return &bus.RangeError{First: first, End: fixed}
	}
	groups, err := t.groups(first, in)
	if err != nil {
		return err
	}
	commit := lake.Commit{First: first, End: end}
	for _, g := range groups {
		err := t.store.CreateFunc(ctx, g.file.Key, func(w io.Writer) error {
			to := &counter{to: w}
			defer func() { g.file.Bytes = to.bytes }()
			return t.write(to, g, first, end, in)
		})
		if errors.Is(err, objstore.ErrExists) {
			g.file.Bytes, err = size(ctx, t.store, g.file.Key)
		}
		if err != nil {
			return err
		}
		commit.Files = append(commit.Files, g.file)
	}
	commit.At = time.Now()
	slices.SortFunc(commit.Files, func(a, b lake.File) int { return strings.Compare(a.Key, b.Key) })
	if err := lake.PutCommit(ctx, t.store, t.at.TopicID, t.at.Partition, commit); err != nil {
		return err
	}
	return lake.Granted(ctx, t.store, t.at.TopicID, t.at.Partition, end)
}

// counter counts what is written.
type counter struct {
	to    io.Writer
	bytes int64
}

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.bytes += int64(n)
	return n, err
}

// size is that of an object, whoever made it.
func size(ctx context.Context, s objstore.Store, key string) (int64, error) {
	o, err := s.Open(ctx, key)
	if err != nil {
		return 0, err
	}
	return o.Size(), o.Close()
}

// groups sorts the records of a range out, without decoding them.
func (t *task) groups(first int64, in []bus.Record) ([]*group, error) {
	var all []*group // in the order in which they come
	known := map[groupKey]*group{}
	for i := range in {
		r := &in[i]
		if stored, err := sinks.Stored(r); err != nil {
			return nil, err
		} else if !stored {
			continue
		}
		tenant, arrived, err := sinks.Peek(r)
		if err != nil {
			return nil, err
		}
		days := int64(arrived) / dayMicros
		if arrived < 0 && int64(arrived)%dayMicros != 0 {
			days-- // division rounds towards zero, days begin at midnight
		}
		g := known[groupKey{string(tenant), r.Kind, days}]
		if g == nil {
			day := arrived.Time().Format(time.DateOnly)
			name := lake.FileKey(string(tenant), r.Kind, day, t.at.Topic, t.at.TopicID, t.at.Partition, first)
			g = &group{file: lake.File{Key: name, Kind: r.Kind, Tenant: string(tenant), Day: day}}
			known[groupKey{g.file.Tenant, r.Kind, days}] = g
			all = append(all, g)
		}
		g.records = append(g.records, int32(i))
		g.file.Rows++
	}
	return all, nil
}

// write makes the file of a group.
func (t *task) write(w io.Writer, g *group, first, end int64, in []bus.Record) error {
	to := schemaparquet.NewWriter(w, g.file.Kind,
		parquetgo.KeyValueMetadata("millrace.topic_id", t.at.TopicID.String()),
		parquetgo.KeyValueMetadata("millrace.partition", fmt.Sprint(t.at.Partition)),
		parquetgo.KeyValueMetadata("millrace.range", fmt.Sprintf("%d-%d", first, end)))
	m := schemas.New(g.file.Kind)
	for _, i := range g.records {
		r := &in[i]
		if err := sinks.Decode(r, m); err != nil {
			return err
		}
		meta := sinks.Meta(r, t.names)
		if err := to.Write(&meta, m); err != nil {
			return err
		}
	}
	return to.Close()
}
