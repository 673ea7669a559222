package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kgo"

	embeddedch "github.com/millrace-io/millrace/internal/embedded/clickhouse"
	"github.com/millrace-io/millrace/schemas"
	schemaclickhouse "github.com/millrace-io/millrace/schemas/clickhouse"
	"github.com/millrace-io/millrace/sinks/clickhouse"
)

// benchClickHouse compares the sink's stage with loops that consume, decode and insert
// into a table of the same columns, batches of the same size: row by row, as
// clickhouse-go's guide shows it, and with Millrace's own columns, so that only the
// loop differs.
func benchClickHouse(ctx context.Context, o options) ([]row, error) {
	engine, stopEngine, err := startEngine(ctx, o)
	if err != nil {
		return nil, err
	}
	defer stopEngine()
	t, stop, err := startSinks(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	t.DSN = engine.DSN("default")
	names := []string{"clickhouse-millrace", "clickhouse-rows", "clickhouse-columns"}
	results, err := takeTurns(ctx, o, names, func(round int) (task, func(), error) { return roundOf(t, round) })
	if err != nil {
		return nil, err
	}
	ours := rates(results[names[0]])
	return []row{
		compare("rows a CPU-second into ClickHouse; peer: clickhouse-go, row by row", "/s", "0.9", ours, rates(results[names[1]])),
		compare("the same; peer: clickhouse-go, by our columns", "/s", "", ours, rates(results[names[2]])),
	}, nil
}

// startEngine starts the embedded ClickHouse in its process.
func startEngine(ctx context.Context, o options) (*embeddedch.Server, func(), error) {
	found, err := filepath.Glob(filepath.Join(o.cache, "chdb-*", "libchdb.so"))
	if err != nil || len(found) == 0 {
		return nil, nil, fmt.Errorf("%w: there is no embedded ClickHouse in %s (make deps)", errSkip, o.cache)
	}
	dir, remove, err := scratchDir()
	if err != nil {
		return nil, nil, err
	}
	s, err := embeddedch.Start(ctx, embeddedch.Config{
		Dir: dir, Listen: "127.0.0.1:0", Library: found[len(found)-1], Password: "bench", MaxMemory: 4 << 30,
	}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		remove()
		return nil, nil, err
	}
	return s, func() { _ = s.Close(); remove() }, nil
}

// openDatabase makes a database of the turn's own, without views, so that every turn
// inserts into empty tables.
func openDatabase(ctx context.Context, t task) (driver.Conn, string, error) {
	conn, err := clickhouse.Open(t.DSN)
	if err != nil {
		return nil, "", err
	}
	database := strings.ReplaceAll(t.Name, "-", "_")
	for _, s := range []string{"CREATE DATABASE " + database, schemaclickhouse.CreateTable(database, schemas.KindCleanText)} {
		if err := conn.Exec(ctx, s); err != nil {
			return nil, "", errors.Join(err, conn.Close())
		}
	}
	return conn, database, nil
}

// closeDatabase checks what is stored and makes room.
func closeDatabase(ctx context.Context, conn driver.Conn, database string, want int) error {
	var n uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM "+database+".clean_text").Scan(&n); err != nil {
		return err
	}
	if err := stored(database, int64(n), int64(want)); err != nil {
		return err
	}
	return errors.Join(conn.Exec(ctx, "DROP DATABASE "+database+" SYNC"), conn.Close())
}

func clickhouseMillrace(ctx context.Context, t task) (result, error) {
	b, _, closeBus, err := openBus(ctx, t, sinkTopics())
	if err != nil {
		return result{}, err
	}
	defer closeBus()
	conn, database, err := openDatabase(ctx, t)
	if err != nil {
		return result{}, err
	}
	stage, err := clickhouse.Stage(clickhouse.DefaultConfig(), clickhouse.NewInserter(conn, database), "", slog.New(slog.DiscardHandler))
	if err != nil {
		return result{}, err
	}
	counted, done := untilSeen(stage, t.Count)
	watch := startWatch()
	if err := drain(ctx, b, counted, done); err != nil {
		return result{}, err
	}
	return watch.stop(t.Count), closeDatabase(ctx, conn, database, t.Count)
}

// clickhouseRows appends to clickhouse-go's batch row by row.
func clickhouseRows(ctx context.Context, t task) (result, error) {
	conn, database, err := openDatabase(ctx, t)
	if err != nil {
		return result{}, err
	}
	limits := clickhouse.DefaultConfig()
	var batch driver.Batch
	watch := startWatch()
	err = consume(ctx, t, limits.MaxRecords, limits.MaxBytes,
		func(r *kgo.Record, m *schemas.CleanText) error {
			if batch == nil {
				var err error
				if batch, err = conn.PrepareBatch(ctx, schemaclickhouse.Insert(database, schemas.KindCleanText)); err != nil {
					return err
				}
			}
			return batch.Append(
				m.Tenant, m.EventID, m.EventTime.Time(), m.Source, m.Subject, m.Purpose, m.License, m.TraceID, m.SpanID, m.SessionID,
				m.ContentHash, m.RulesVersion, m.ArrivedAt.Time(), m.Text, m.ContentType, m.Language, m.Label, m.Attributes,
				m.Characters, m.Quality, m.Redactions,
				r.Topic, r.Partition, r.Offset, "", "", r.Partition, r.Offset, int32(0))
		},
		func() error {
			err := batch.Send()
			batch = nil
			return err
		})
	if err != nil {
		return result{}, err
	}
	return watch.stop(t.Count), closeDatabase(ctx, conn, database, t.Count)
}

// clickhouseColumns fills the same columns as the sink does.
func clickhouseColumns(ctx context.Context, t task) (result, error) {
	conn, database, err := openDatabase(ctx, t)
	if err != nil {
		return result{}, err
	}
	limits := clickhouse.DefaultConfig()
	columns := schemaclickhouse.NewColumns(schemas.KindCleanText)
	var batch driver.Batch
	insert := ch.Context(ctx, ch.WithColumnNamesAndTypes(schemaclickhouse.InsertTypes(schemas.KindCleanText)))
	watch := startWatch()
	err = consume(ctx, t, limits.MaxRecords, limits.MaxBytes,
		func(r *kgo.Record, m *schemas.CleanText) error {
			if batch == nil {
				var err error
				if batch, err = conn.PrepareBatch(insert, schemaclickhouse.Insert(database, schemas.KindCleanText)); err != nil {
					return err
				}
			}
			meta := metaOf(r, "")
			columns.Append(&meta, m)
			if columns.Rows() < 1000 {
				return nil
			}
			return columns.Flush(batch)
		},
		func() error {
			err := errors.Join(columns.Flush(batch), batch.Send())
			batch = nil
			return err
		})
	if err != nil {
		return result{}, err
	}
	return watch.stop(t.Count), closeDatabase(ctx, conn, database, t.Count)
}
