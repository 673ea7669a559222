//go:build synctests

package sim

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/disk/disktest"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/processors/clean"
	"github.com/millrace-io/millrace/processors/join"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks/clickhouse"
	"github.com/millrace-io/millrace/sinks/parquet"
)

// member is a machine that runs all stages. Its local disk outlives the processes on it.
type member struct {
	w     *world
	disk  *disktest.Disk
	stale *disktest.Disk // a copy of the disk as it once was
	life  *life          // nil while nothing runs on it
}

// life is one process. Once it is dead, nothing that it does reaches anything any more: its
// goroutines work on, on what was its disk, until they find that out.
type life struct {
	w       *world
	host    *host
	disk    *disktest.Disk
	objects *disktest.Disk
	stop    context.CancelFunc
	ended   chan struct{}
}

// Times of a process. The session is short, so that little of the virtual time is waiting.
const (
	session      = 6 * time.Second
	restartPause = 500 * time.Millisecond
	syncEvery    = 5 * time.Second
	compactEvery = 10 * time.Second
)

func (m *member) start() {
	ctx, stop := context.WithCancel(context.Background())
	l := &life{w: m.w, host: m.w.newHost(memberLoss), disk: m.disk, objects: m.w.objects, stop: stop, ended: make(chan struct{})}
	m.life = l
	m.w.running.Go(func() {
		defer close(l.ended)
		for ctx.Err() == nil {
			if err := l.process(ctx); err != nil && ctx.Err() == nil {
				m.w.note("a process ended: %v", err)
			}
			pause(ctx, restartPause)
		}
	})
}

// leave stops the process in good order.
func (m *member) leave() {
	m.life.stop()
	<-m.life.ended
	m.life = nil
}

// kill ends the process at once, and leaves of its disk what a crash leaves.
func (m *member) kill(keep disktest.Keep) {
	m.life.host.die()
	m.disk = m.disk.Crash(keep, m.w.random)
	m.life.stop()
	m.life = nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// gate lets a change of what others see through once the process runs, while it lives.
func (l *life) gate(disktest.Op, string) error {
	l.host.wait()
	if l.host.isDead() {
		return errDead
	}
	return nil
}

// Insert implements clickhouse.Inserter.
func (l *life) Insert(_ context.Context, kind schemas.Kind, records []*bus.Record) error {
	if err := l.gate("", ""); err != nil {
		return err
	}
	return l.w.twin.insert(kind, records)
}

// process is what cmd/millrace does, in short: it opens everything, and runs each stage
// again where it fails.
func (l *life) process(ctx context.Context) (err error) {
	objects, err := objstore.FolderOn(&disktest.FS{FS: l.objects, Before: l.gate}, "/objects")
	if err != nil {
		return err
	}
	db, err := state.Open("/state", l.disk, bustest.Log())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	b, err := l.w.bus(l.host, db, objects)
	if err != nil {
		return err
	}
	defer b.Close()
	stages, err := l.stages(ctx, objects)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var roles sync.WaitGroup
	for _, s := range stages {
		roles.Go(func() {
			for ctx.Err() == nil {
				if err := b.Run(ctx, s); err != nil {
					l.w.note("%s ended: %v", s.Name, err)
				}
				pause(ctx, restartPause)
			}
		})
	}
	roles.Go(func() { l.compact(ctx, b, objects) })
	roles.Go(func() {
		for pause(ctx, syncEvery); ctx.Err() == nil; pause(ctx, syncEvery) {
			if err := db.Sync(); err != nil {
				l.w.fail("the state of a sound disk was not synced: %v", err)
			}
		}
	})
	roles.Wait()
	return nil
}

func (l *life) stages(ctx context.Context, objects objstore.Store) ([]bus.Stage, error) {
	lakeID, err := lake.ID(ctx, objects)
	if err != nil {
		return nil, err
	}
	var all []bus.Stage
	add := func(s bus.Stage, e error) { all, err = append(all, s), errors.Join(err, e) }
	add(clean.Stage(clean.DefaultConfig(), clean.Deps{Rules: l.w.rules, Tenant: "house", Metrics: prometheus.NewRegistry(), Clock: time.Now}))
	add(join.Stage(join.DefaultConfig()))
	add(clickhouse.Stage(clickhouse.Config{MaxRecords: 20, MaxBytes: 1 << 20, Linger: 100 * time.Millisecond}, l, "twin", bustest.Log()))
	add(parquet.Stage(parquet.Config{MaxRecords: 10, MaxBytes: 1 << 20, MaxAge: 3 * time.Second, Compact: compaction()}, objects, lakeID, bustest.Log()))
	return all, err
}

func compaction() parquet.CompactConfig {
	return parquet.CompactConfig{TargetBytes: 40 << 10, MaxAge: 20 * time.Second, Grace: 5 * time.Second}
}

func (l *life) compact(ctx context.Context, b *bus.Bus, objects objstore.Store) {
	c, err := parquet.NewCompactor(compaction(), parquet.CompactDeps{
		Objects: objects, Log: bustest.Log(), Metrics: prometheus.NewRegistry(), Clock: time.Now,
		Partitions: func() []bus.Partition { return slices.Collect(maps.Keys(b.Positions("parquet"))) }})
	if err != nil {
		l.w.fail("the compactor: %v", err)
		return
	}
	for pause(ctx, compactEvery); ctx.Err() == nil; pause(ctx, compactEvery) {
		for _, err := range c.Once(ctx) {
			l.w.note("%v", err)
		}
	}
}

// bus is a process's way to the log.
func (w *world) bus(h *host, db *state.DB, objects objstore.Store) (*bus.Bus, error) {
	b, err := bus.New(
		bus.Config{
			Brokers: w.kafka.ListenAddrs(), Client: []kgo.Opt{kgo.Dialer(h.dial)}, SessionTimeout: session,
			Topics: bus.DefaultTopicsConfig().Specs(), Secret: make([]byte, 32),
		},
		bus.Deps{State: db, Objects: objects, Log: bustest.Log(), Metrics: prometheus.NewRegistry(), Clock: time.Now})
	if err != nil {
		return nil, err
	}
	if err := b.Ensure(context.Background()); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}
