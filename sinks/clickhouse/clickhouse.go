// Package clickhouse stores every record in ClickHouse: a table a kind.
//
// Tables are ReplacingMergeTrees whose sort key and partition are functions of the
// record and end in its identity, so that an insert that is doubled, or comes late from
// a writer that was thought dead, merges away. Nothing is read back, and no insert is
// deduplicated by tokens. Millrace's own connections read with final = 1, and so do its
// views.
package clickhouse

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks"
)

// Config bounds an insert.
type Config struct {
	// MaxRecords and MaxBytes close a batch, Linger is how long it waits for more: most
	// of the time from an event to its row.
	MaxRecords int           `yaml:"max_records"`
	MaxBytes   int           `yaml:"max_bytes"`
	Linger     time.Duration `yaml:"linger"`
}

// DefaultConfig keeps events queryable within a second.
func DefaultConfig() Config {
	return Config{MaxRecords: 50_000, MaxBytes: 32 << 20, Linger: 200 * time.Millisecond}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if c.MaxRecords < 1 || c.MaxBytes < 1 || c.Linger < 0 {
		return fmt.Errorf("clickhouse: max_records and max_bytes must be positive and linger not negative, got %d, %d, %s", c.MaxRecords, c.MaxBytes, c.Linger)
	}
	return nil
}

// Bounds of an insert that fails for reasons of the infrastructure.
const (
	insertTries   = 5
	insertTimeout = time.Minute
	firstPause    = 200 * time.Millisecond
)

// Open connects the sink. The DSN is clickhouse-go's: http://… or clickhouse://….
func Open(dsn string) (driver.Conn, error) {
	return open(dsn, ch.Settings{
		"async_insert": 0, "insert_deduplicate": 0, "final": 1,
		// Of a replayed archive, one batch has as many months as the archive. The limit of
		// 100 keeps people from tables by the hour; here it would stop the sink for ever.
		"max_partitions_per_insert_block": 0,
	})
}

// OpenReader connects one who asks the embedded engine as everybody does: that role reads
// only, with final = 1, and may set nothing.
func OpenReader(dsn string) (driver.Conn, error) { return open(dsn, nil) }

// OpenReading connects one who asks under a role that may write, and does not.
func OpenReading(dsn string) (driver.Conn, error) {
	return open(dsn, ch.Settings{"readonly": 2, "final": 1})
}

func open(dsn string, settings ch.Settings) (driver.Conn, error) {
	opts, err := ch.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("clickhouse.dsn: %w", err)
	}
	if opts.Settings == nil {
		opts.Settings = ch.Settings{}
	}
	maps.Copy(opts.Settings, settings)
	opts.ReadTimeout = insertTimeout
	opts.MaxOpenConns, opts.MaxIdleConns = 16, 8
	conn, err := ch.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	return conn, nil
}

// Stage is the sink into a database; storeID is the database's, by StoreID.
func Stage(cfg Config, into Inserter, storeID string, log *slog.Logger) (bus.Stage, error) {
	if err := cfg.Validate(); err != nil {
		return bus.Stage{}, err
	}
	return bus.Stage{
		Name: "clickhouse", Inputs: sinks.Topics(), Store: storeID,
		Limits: bus.Limits{MaxRecords: cfg.MaxRecords, MaxBytes: cfg.MaxBytes, Linger: cfg.Linger},
		Open: func(context.Context, bus.Partition, *state.Partition) (bus.Task, error) {
			return &task{into: into, log: log, byKind: map[schemas.Kind]*rows{}}, nil
		},
	}, nil
}

type task struct {
	into   Inserter
	log    *slog.Logger
	byKind map[schemas.Kind]*rows
}

// rows are what goes to one table of a batch.
type rows struct {
	kind    schemas.Kind
	records []*bus.Record
}

// Process implements bus.Task.
func (t *task) Process(ctx context.Context, in []bus.Record, _ *bus.Output) error {
	var order []*rows // in which the kinds come
	defer func() {
		for _, x := range order {
			clear(x.records)
			x.records = x.records[:0]
		}
	}()
	for i := range in {
		r := &in[i]
		stored, err := sinks.Stored(r)
		if err != nil {
			return err
		}
		if !stored {
			continue
		}
		x := t.byKind[r.Kind]
		if x == nil {
			x = &rows{kind: r.Kind}
			t.byKind[r.Kind] = x
		}
		if len(x.records) == 0 {
			order = append(order, x)
		}
		x.records = append(x.records, r)
	}
	for _, x := range order {
		if err := insert(ctx, t.into, x.kind, x.records, t.log); err != nil {
			return err
		}
	}
	return nil
}

// insert tries until the rows are in: doing it twice stores them once.
func insert(ctx context.Context, into Inserter, kind schemas.Kind, records []*bus.Record, log *slog.Logger) error {
	var err error
	for try, pause := 0, firstPause; try < insertTries; try, pause = try+1, 2*pause {
		if err = into.Insert(ctx, kind, records); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			break
		}
		log.Warn("an insert failed; it is tried again", "table", kind, "rows", len(records), "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return fmt.Errorf("clickhouse: insert %d rows into %s: %w", len(records), kind, err)
}
