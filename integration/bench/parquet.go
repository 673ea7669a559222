package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
	schemaparquet "github.com/millrace-io/millrace/schemas/parquet"
	"github.com/millrace-io/millrace/sinks/parquet"
)

// benchParquet compares the sink's stage with a loop that consumes, decodes and writes
// the same rows with parquet-go, zstd, into files of the same size that it syncs.
func benchParquet(ctx context.Context, o options) ([]row, error) {
	t, stop, err := startSinks(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	names := []string{"parquet-millrace", "parquet-bare"}
	results, err := takeTurns(ctx, o, names, func(round int) (task, func(), error) { return roundOf(t, round) })
	if err != nil {
		return nil, err
	}
	return []row{compare("rows a CPU-second into Parquet; peer: parquet-go's GenericWriter", "/s", "0.9",
		rates(results[names[0]]), rates(results[names[1]]))}, nil
}

func parquetMillrace(ctx context.Context, t task) (result, error) {
	b, objects, closeBus, err := openBus(ctx, t, sinkTopics())
	if err != nil {
		return result{}, err
	}
	defer closeBus()
	topic, err := b.Topic(bus.CleanText)
	if err != nil {
		return result{}, err
	}
	ends, err := b.Ends(ctx, bus.CleanText)
	if err != nil {
		return result{}, err
	}
	cfg := parquet.DefaultConfig()
	cfg.MaxAge = 3 * time.Second // the last ranges are not full; they need not wait a minute
	stage, err := parquet.Stage(cfg, objects, "", slog.New(slog.DiscardHandler))
	if err != nil {
		return result{}, err
	}
	counted, done := untilSeen(stage, t.Count)
	watch := startWatch()
	if err := drain(ctx, b, counted, done); err != nil {
		return result{}, err
	}
	measured := watch.stop(t.Count)
	store := parquet.Store{Objects: objects}
	var rows int
	for partition, end := range ends { // it reads the files
		offsets, err := store.Offsets(ctx, topic, partition, verify.Range{To: end}, nil)
		if err != nil {
			return result{}, err
		}
		rows += len(offsets[schemas.KindCleanText])
	}
	return measured, stored("the lake", int64(rows), int64(t.Count))
}

func parquetBare(ctx context.Context, t task) (result, error) {
	dir := filepath.Join(t.Dir, t.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return result{}, err
	}
	limits := parquet.DefaultConfig()
	var file *os.File
	var writer *parquetgo.GenericWriter[schemaparquet.CleanTextRow]
	var rows []schemaparquet.CleanTextRow
	files := 0
	write := func() error {
		_, err := writer.Write(rows)
		rows = rows[:0]
		return err
	}
	watch := startWatch()
	err := consume(ctx, t, limits.MaxRecords, limits.MaxBytes,
		func(r *kgo.Record, m *schemas.CleanText) error {
			if writer == nil {
				var err error
				if file, err = os.Create(filepath.Join(dir, fmt.Sprintf("%05d.parquet", files))); err != nil {
					return err
				}
				files++
				writer = parquetgo.NewGenericWriter[schemaparquet.CleanTextRow](file, parquetgo.Compression(&zstd.Codec{}), parquetgo.MaxRowsPerRowGroup(100_000))
			}
			rows = append(rows, cleanTextRow(m, metaOf(r, "")))
			if len(rows) == 1000 {
				return write()
			}
			return nil
		},
		func() error {
			if err := write(); err != nil {
				return err
			}
			if err := writer.Close(); err != nil {
				return err
			}
			writer = nil
			if err := file.Sync(); err != nil {
				return err
			}
			return file.Close()
		})
	if err != nil {
		return result{}, err
	}
	return watch.stop(t.Count), nil
}

func cleanTextRow(m *schemas.CleanText, meta schemas.Meta) schemaparquet.CleanTextRow {
	return schemaparquet.CleanTextRow{
		Tenant: m.Tenant, EventID: m.EventID, EventTime: m.EventTime, Source: m.Source, Subject: m.Subject,
		Purpose: m.Purpose, License: m.License, TraceID: m.TraceID, SpanID: m.SpanID, SessionID: m.SessionID,
		ContentHash: m.ContentHash, RulesVersion: m.RulesVersion, ArrivedAt: m.ArrivedAt, Text: m.Text,
		ContentType: m.ContentType, Language: m.Language, Label: m.Label, Attributes: m.Attributes,
		Characters: m.Characters, Quality: m.Quality, Redactions: m.Redactions, Meta: meta,
	}
}
