package parquet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/disk/disktest"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks"
)

// plot is a short log of one partition.
type plot struct {
	at  bus.Partition
	log []bus.Record
}

func newPlot() *plot {
	p := &plot{at: bus.Partition{Topic: bus.CleanText, TopicID: bus.TopicID{9}, Partition: 1}}
	for i := range int64(4) {
		env := schemas.Envelope{Tenant: "acme", EventID: fmt.Sprint("event-", i), ArrivedAt: 1}
		m := &schemas.CleanText{Envelope: env, Text: "a text"}
		p.log = append(p.log, bus.Record{Partition: p.at, Offset: i, Kind: m.Kind(), Value: m.MarshalAppend(nil)})
	}
	return p
}

// sink is a sink without a state: it begins at the log's start, and makes ranges of so many
// records where none are claimed. It tells how far it is.
func (p *plot) sink(ctx context.Context, s objstore.Store, records int64, reached func(int64)) error {
	t := &task{at: p.at, store: s, log: bustest.Log(), names: sinks.TopicNames{}}
	end := int64(len(p.log))
	for first := int64(0); first < end; {
		next, err := t.RangeEnd(ctx, first)
		if err != nil {
			return err
		}
		if next == 0 {
			next = min(first+records, end)
		}
		err = t.ProcessRange(ctx, first, next, p.log[first:next])
		var other *bus.RangeError
		if errors.As(err, &other) {
			continue
		}
		if err != nil {
			return err
		}
		first = next
		reached(first)
	}
	return nil
}

// compact makes one range of all but the last, and empties the small files.
func (p *plot) compact(ctx context.Context, s objstore.Store) error {
	c, err := NewCompactor(CompactConfig{TargetBytes: 1 << 20, MaxAge: time.Millisecond}, CompactDeps{
		Objects: s, Partitions: func() []bus.Partition { return []bus.Partition{p.at} }, Log: bustest.Log(),
		Metrics: prometheus.NewRegistry(), Clock: func() time.Time { return time.Now().Add(time.Hour) }})
	if err != nil {
		return err
	}
	return errors.Join(c.Once(ctx)...)
}

// reached is how far the lake was when a sink said so; what is below expired has expired.
type reached struct{ end, expired int64 }

// work is a sink, a compactor, and one who lets rows expire, who are tried again where they
// fail.
func (p *plot) work(on *disktest.FS, ack func(reached)) error {
	ctx := context.Background()
	var s *objstore.FolderStore
	for _, step := range []func() error{
		func() (err error) { s, err = objstore.FolderOn(on, "/objects"); return err },
		func() error { return lake.Want(ctx, s, p.at.TopicID, p.at.Partition, 1) },
		func() error { return p.sink(ctx, s, 1, func(end int64) { ack(reached{end: end}) }) },
		func() error { return p.compact(ctx, s) },
		func() error {
			err := lake.Expire(ctx, s, p.at.TopicID, p.at.Partition, 1)
			if err == nil {
				ack(reached{expired: 1})
			}
			return err
		},
	} {
		if err := disktest.Tries(step); err != nil {
			return err
		}
	}
	return nil
}

// check reads what the lake was said to hold, lets another sink, which cuts its ranges
// elsewhere, and another compactor go on, and reads again, also as one does who globs.
func (p *plot) check(on *disktest.FS, acked []reached) error {
	ctx := context.Background()
	s, err := objstore.FolderOn(on, "/objects")
	if err != nil {
		return err
	}
	var must reached
	for _, a := range acked {
		must = reached{max(must.end, a.end), max(must.expired, a.expired)}
	}
	if err := p.exact(ctx, s, must); err != nil {
		return fmt.Errorf("as it was left: %w", err)
	}
	if err := p.sink(ctx, s, 2, func(int64) {}); err != nil {
		return fmt.Errorf("the next sink: %w", err)
	}
	if err := errors.Join(p.compact(ctx, s), lake.Expire(ctx, s, p.at.TopicID, p.at.Partition, 1)); err != nil {
		return fmt.Errorf("the next compactor: %w", err)
	}
	if err := p.exact(ctx, s, reached{int64(len(p.log)), 1}); err != nil {
		return err
	}
	return p.globbed(ctx, s)
}

// exact reads by the manifest: every row below the end that was reached must be there once,
// unless it has expired.
func (p *plot) exact(ctx context.Context, s objstore.Store, must reached) error {
	covered, err := lake.Covered(ctx, s, p.at.TopicID, p.at.Partition)
	if err != nil || covered < must.end {
		return errors.Join(err, fmt.Errorf("the lake covers %d, and %d was acknowledged", covered, must.end))
	}
	below, err := lake.Expired(ctx, s, p.at.TopicID, p.at.Partition)
	if err != nil || below < must.expired {
		return errors.Join(err, fmt.Errorf("what is below %d has expired, and %d was acknowledged", below, must.expired))
	}
	got := map[int64]int{}
	err = lake.ReadEvents(ctx, s, p.at.TopicID, p.at.Partition, 0, covered, func(meta *schemas.Meta, m schemas.Message) error {
		got[meta.Offset]++
		if want := p.log[meta.Offset]; m.Kind() != want.Kind || m.Env().EventID != fmt.Sprint("event-", meta.Offset) {
			return fmt.Errorf("at %d there is %s %s", meta.Offset, m.Kind(), m.Env().EventID)
		}
		return nil
	})
	return errors.Join(err, once(got, below, covered))
}

// once says whether each offset of a range is there once, and no other.
func once(got map[int64]int, from, to int64) error {
	want := 0
	for i := from; i < to; i++ {
		if want++; got[i] != 1 {
			return fmt.Errorf("offset %d is there %d times: %v", i, got[i], got)
		}
	}
	if len(got) != want {
		return fmt.Errorf("there are %v, want those of %d to %d", got, from, to)
	}
	return nil
}

// globbed reads all files, as one does who knows of no manifest.
func (p *plot) globbed(ctx context.Context, s objstore.Store) error {
	got := map[int64]int{}
	for info, err := range s.List(ctx, "lake/") {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(info.Key, ".parquet") {
			return fmt.Errorf("%s is no file of a lake", info.Key)
		}
		data, err := s.Get(ctx, info.Key)
		if err != nil {
			return err
		}
		rows, err := parquetgo.Read[row](strings.NewReader(string(data)), int64(len(data)))
		if err != nil {
			return fmt.Errorf("%s: %w", info.Key, err)
		}
		for _, r := range rows {
			got[r.Offset]++
		}
	}
	return once(got, p.expiredTo(ctx, s), int64(len(p.log)))
}

// expiredTo is up to where the files of expired rows were emptied: the end of the last range
// that has expired whole.
func (p *plot) expiredTo(ctx context.Context, s objstore.Store) int64 {
	for c, err := range lake.Commits(ctx, s, p.at.TopicID, p.at.Partition) {
		if err == nil {
			return c.First
		}
	}
	return 0
}

// TestEveryCrash lets the machine crash before each change that sink and compactor make.
func TestEveryCrash(t *testing.T) {
	p := newPlot()
	t.Logf("%d crashes, each in every way", disktest.EveryCrash(t, disktest.Crashes{Seed: 1, Keeps: disktest.Any()}, p.work, p.check))
}

// TestEveryFault lets each change fail, by a full disk and by a broken one.
func TestEveryFault(t *testing.T) {
	p := newPlot()
	t.Logf("%d changes failed", disktest.EveryFault(t, p.work, p.check))
}
