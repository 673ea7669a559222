package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/lake"
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
	base := t.Dir
	results, err := takeTurns(ctx, o, names, func(round int) (task, func(), error) {
		t := t
		// Claims are by topic and offset: a round has an object store of its own.
		t.Dir = filepath.Join(base, fmt.Sprint("round-", round))
		return t, func() { _ = os.RemoveAll(t.Dir) }, os.MkdirAll(t.Dir, 0o755)
	})
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
	for partition, end := range ends { // the last range need not wait for its age
		if err := lake.Want(ctx, objects, topic.ID, partition, end); err != nil {
			return result{}, err
		}
	}
	stage, err := parquet.Stage(parquet.DefaultConfig(), objects, slog.New(slog.DiscardHandler))
	if err != nil {
		return result{}, err
	}
	counted, done := untilSeen(stage, t.Count)
	watch := startWatch()
	if err := drain(ctx, b, counted, done); err != nil {
		return result{}, err
	}
	measured := watch.stop(t.Count)
	var rows, files int64
	for partition := range ends {
		for c, err := range lake.Commits(ctx, objects, topic.ID, partition) {
			if err != nil {
				return result{}, err
			}
			for _, f := range c.Files {
				rows, files = rows+f.Rows, files+1
			}
		}
	}
	fmt.Fprintln(os.Stderr, "millrace:", files, "files")
	return measured, stored("the lake", rows, int64(t.Count))
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
	measured := watch.stop(t.Count)
	fmt.Fprintln(os.Stderr, "bare:", files, "files")
	return measured, nil
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
