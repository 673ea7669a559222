package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/millrace-io/millrace/internal/spool"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/producers/collector"
)

// edge is what a collector with a spool has beside its client. Its methods do nothing
// where there is none.
type edge struct {
	spool  *spool.Spool
	client *client.Client
	// away says that this process has started without asking the log for anything; topics
	// is closed when it has answered.
	away   bool
	topics chan struct{}

	mu      sync.Mutex
	problem error // of the log, until it has answered
}

const (
	// backlogAfter is how long an event waits in the spool before /readyz tells.
	backlogAfter = 10 * time.Second
	// tellTimeout bounds the last word to the objects on what the spool holds.
	tellTimeout = 5 * time.Second
)

// spools says whether a process with these roles has a spool: a collector where its
// configuration says so, and a gateway that has somewhere to pass calls on to, since its
// answers do not wait for the brokers.
func (c Config) spools(names []string) bool {
	return slices.Contains(names, "collector") && c.Collector.Spools(len(c.Kafka.Brokers) > 0) ||
		slices.Contains(names, "gateway") && len(c.Gateway.Upstreams) > 0 && c.Collector.Spool != collector.SpoolOff
}

// openFor opens a deployment for a process with these roles. One that is an edge with a spool
// and nothing else needs neither the brokers nor ClickHouse to take events: it starts without
// them, and asks for the topics until somebody answers.
func openFor(ctx context.Context, cfg Config, log *slog.Logger, names []string) (*app, error) {
	if !cfg.spools(names) {
		return open(ctx, cfg, log)
	}
	a, err := prepare(cfg, log)
	if err != nil {
		return nil, err
	}
	inside := slices.ContainsFunc(names, func(n string) bool { return n != "collector" && n != "gateway" })
	alone := len(cfg.Kafka.Brokers) > 0 && !inside
	if alone {
		err = a.connectLog()
	} else {
		err = a.start(ctx)
	}
	if err == nil {
		err = a.openSpool(alone)
	}
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *app) openSpool(away bool) error {
	s, err := spool.Open(spool.Config{Dir: filepath.Join(a.cfg.Data, "spool"), MaxBytes: int64(a.cfg.Collector.SpoolMaxBytes)},
		spool.Deps{Log: a.log, Metrics: a.metrics})
	if err != nil {
		return err
	}
	a.closers = append(a.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), tellTimeout)
		defer cancel()
		if err := s.Tell(ctx, a.objects); err != nil {
			a.log.Warn("what the spool holds was not told", "error", err)
		}
		return s.Close()
	})
	a.edge = &edge{spool: s, away: away, topics: make(chan struct{})}
	if away {
		a.edge.problem = errors.New("the brokers have not answered yet")
	}
	return nil
}

// newClient makes the collector's and the gateway's.
func (a *app) newClient() (*client.Client, error) {
	opts := []client.Option{client.WithTenant(a.cfg.Tenant), client.WithMaxBytes(a.cfg.Topics.MaxInputBytes), client.WithLog(a.log)}
	if a.edge == nil {
		return client.New(a.address.Brokers, opts...)
	}
	c, err := client.New(a.address.Brokers, append(opts, client.OverSpool(a.edge.spool))...)
	a.edge.client = c
	return c, err
}

// roles are what a spool adds to a process. They go on through any failure by themselves:
// while they fail events are taken all the same, so the process is not down.
func (e *edge) roles(a *app) []role {
	if e == nil {
		return nil
	}
	all := []role{{"spool", func(ctx context.Context) error {
		again(ctx, func() error {
			err := e.spool.Publish(ctx, a.objects)
			if err != nil {
				a.log.Warn("what the spool holds is not told", "error", err)
			}
			return err
		})
		return nil
	}}}
	if !e.away {
		return all
	}
	return append(all, role{"topics", func(ctx context.Context) error {
		again(ctx, func() error {
			err := a.bus.Ensure(ctx)
			if err != nil && ctx.Err() == nil {
				a.log.Warn("the log does not answer, or is not as it should be; events wait in the spool", "error", err)
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			e.problem = err
			return err
		})
		if ctx.Err() == nil {
			close(e.topics)
			<-ctx.Done()
		}
		return nil
	}})
}

// again runs f until it succeeds or ctx ends.
func again(ctx context.Context, f func() error) {
	for pause := firstRestart; f() != nil && ctx.Err() == nil; pause = min(2*pause, maxRestart) {
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// joined lets run begin when the topics are known.
func (e *edge) joined(run func(context.Context) error) func(context.Context) error {
	if e == nil || !e.away {
		return run
	}
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-e.topics:
		}
		return run(ctx)
	}
}

// degraded says what works and not as it should.
func (e *edge) degraded(to map[string]string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	problem := e.problem
	e.mu.Unlock()
	if problem != nil {
		to["log"] = problem.Error()
	}
	t := e.spool.Status()
	switch {
	case t.Oldest > backlogAfter && t.Events > 0:
		to["spool"] = t.String()
		if _, problem := e.client.Spooled(); problem != nil {
			to["spool"] += ": " + problem.Error()
		}
	case t.Quarantined > 0:
		to["spool"] = fmt.Sprintf("%d damaged segments are kept in its folder; %d acknowledged events in them could not be read since the start", t.Quarantined, t.Unreadable)
	}
}
