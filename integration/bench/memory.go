package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// settle is how long the system is left alone before its memory is read.
	settle       = 15 * time.Second
	memoryEvents = 1_000_000
	memoryBatch  = 2000
	memoryPosts  = 4 // requests at a time
	memoryLimit  = 20 * time.Minute
)

// benchMemory reads what millrace up holds when it has nothing to do and, where all is
// measured, after a million texts of about 1 KB.
func benchMemory(ctx context.Context, o options) ([]row, error) {
	s, err := startSystem(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	time.Sleep(settle)
	m, err := s.memory()
	if err != nil {
		return nil, err
	}
	rows := []row{
		{what: "idle: resident memory of millrace", ours: m.program, unit: "MiB"},
		{what: "of its ClickHouse, most of it mapped from the library", ours: m.engine, unit: "MiB"},
	}
	if !o.full {
		return rows, nil
	}
	ctx, cancel := context.WithTimeout(ctx, memoryLimit)
	defer cancel()
	began := time.Now()
	posting, ctx := errgroup.WithContext(ctx)
	posting.SetLimit(memoryPosts)
	texts := make([]string, 100)
	for i := range texts {
		texts[i] = prose(uint64(i), 1000)
	}
	for from := 0; from < memoryEvents; from += memoryBatch {
		posting.Go(func() error {
			var body bytes.Buffer
			for i := from; i < from+memoryBatch; i++ {
				fmt.Fprintf(&body, `{"id":"e%d","text":"%d %s"}`+"\n", i, i, texts[i%len(texts)])
			}
			return s.post(ctx, body.Bytes())
		})
	}
	if err := posting.Wait(); err != nil {
		return rows, err
	}
	acknowledged := time.Since(began).Seconds()
	waiting, stop := context.WithTimeout(context.WithoutCancel(ctx), memoryLimit)
	defer stop()
	if err := s.until(waiting, memoryEvents); err != nil {
		return rows, err
	}
	stored := time.Since(began).Seconds()
	time.Sleep(settle)
	if m, err = s.memory(); err != nil {
		return rows, err
	}
	return append(rows,
		row{what: "after a million events: resident memory of millrace", ours: m.program, unit: "MiB"},
		row{what: "at most, until then", ours: m.programPeak, unit: "MiB"},
		row{what: "of its ClickHouse", ours: m.engine, unit: "MiB"},
		row{what: "at most, until then", ours: m.enginePeak, unit: "MiB"},
		row{what: "the million posted, acknowledged: events a second", ours: memoryEvents / acknowledged, unit: "/s"},
		row{what: "posted, cleaned and queryable: events a second", ours: memoryEvents / stored, unit: "/s"}), nil
}
