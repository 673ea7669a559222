package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/disk"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/processors/clean"
	"github.com/millrace-io/millrace/processors/drift"
	"github.com/millrace-io/millrace/processors/join"
	"github.com/millrace-io/millrace/processors/predict"
	"github.com/millrace-io/millrace/sinks/clickhouse"
	"github.com/millrace-io/millrace/sinks/parquet"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/policy"
	"github.com/millrace-io/millrace/trainers/registry"
	"github.com/millrace-io/millrace/trainers/rollout"
)

// The roles of a process, as --roles names them.
var roleNames = []string{"collector", "gateway", "clean", "predict", "join", "drift", "policy", "registry", "rollout", "trainer", "clickhouse", "parquet", "ledger"}

// role is one thing that runs until its context ends.
type role struct {
	name string
	run  func(context.Context) error
}

// parts are what roles share.
type parts struct {
	rules  *rules.Rules
	models *predict.Models
	recipe trainers.Recipe
}

func parseRoles(list string) ([]string, error) {
	if list == "" || list == "all" {
		return roleNames, nil
	}
	names := strings.Split(list, ",")
	for i, n := range names {
		names[i] = strings.TrimSpace(n)
		if !slices.Contains(roleNames, names[i]) {
			return nil, fmt.Errorf("there is no role %q: known are %s", n, strings.Join(roleNames, ", "))
		}
	}
	return names, nil
}

// split says what a deployment lacks whose roles run in several processes: they hand
// partitions over by the objects, and vouch to each other by the secret.
func (c Config) split(names []string) error {
	if len(names) == len(roleNames) || len(c.Kafka.Brokers) == 0 {
		return nil
	}
	if c.Objects.URL == "" || c.Secret == "" {
		return errors.New("roles that run in several processes share objects.url, a folder that all of them reach, and secret, 32 characters or more: set both")
	}
	return nil
}

// roles builds what the names ask for; the collector and the gateway are part of the HTTP
// server.
func (a *app) roles(names []string, p *parts) ([]role, error) {
	var all []role
	for _, name := range names {
		stages, err := a.stages(name, p)
		if err != nil {
			return nil, err
		}
		for _, s := range stages {
			all = append(all, role{s.Name, func(ctx context.Context) error { return a.bus.Run(ctx, s) }})
		}
		switch name {
		case "trainer":
			r, err := a.trainer(p)
			if err != nil {
				return nil, err
			}
			all = append(all, role{name, r.Run})
		case "parquet":
			c, err := a.compactor()
			if err != nil {
				return nil, err
			}
			all = append(all, role{"compactor", c.Run})
		}
		if name == "ledger" {
			l, err := a.ledger(p)
			if err != nil {
				return nil, err
			}
			a.book = l
			all = append(all, role{name, l.Run})
		}
	}
	if slices.Contains(names, "predict") || slices.Contains(names, "collector") {
		all = append(all, role{"models", a.edge.joined(p.models.Run)})
	}
	return append(all, a.edge.roles(a)...), nil
}

// compactor works on the partitions that the sink into the lake has here.
func (a *app) compactor() (*parquet.Compactor, error) {
	return parquet.NewCompactor(a.cfg.Sinks.Parquet.Compact, parquet.CompactDeps{
		Objects: a.objects, Log: a.log, Metrics: a.metrics, Clock: time.Now,
		Partitions: func() []bus.Partition { return slices.Collect(maps.Keys(a.bus.Positions("parquet"))) },
	})
}

// stages of one role.
func (a *app) stages(name string, p *parts) ([]bus.Stage, error) {
	one := func(s bus.Stage, err error) ([]bus.Stage, error) { return []bus.Stage{s}, err }
	cfg := a.cfg
	switch name {
	case "clean":
		return one(clean.Stage(cfg.Clean, clean.Deps{Rules: p.rules, Tenant: cfg.Tenant, Objects: a.objects, Metrics: a.metrics, Clock: time.Now}))
	case "predict":
		return one(predict.Stage(cfg.Predict, p.models, cfg.Model))
	case "join":
		return one(join.Stage(cfg.Join))
	case "drift":
		return drift.Stages(cfg.Drift, cfg.Model)
	case "policy":
		return one(policy.Stage(cfg.Policy, policy.Deps{Log: a.log, Metrics: a.metrics}))
	case "registry":
		return one(registry.Stage(registry.Deps{Log: a.log, Metrics: a.metrics}))
	case "rollout":
		return one(rollout.Stage(rollout.Config{Loop: cfg.Loop}, rollout.Deps{Log: a.log, Metrics: a.metrics}))
	case "clickhouse":
		return one(clickhouse.Stage(cfg.Sinks.ClickHouse, clickhouse.NewInserter(a.conn, cfg.ClickHouse.Database), a.stores.ClickHouse, a.log))
	case "parquet":
		return one(parquet.Stage(cfg.Sinks.Parquet, a.objects, a.stores.Lake, a.log))
	}
	return nil, nil // the collector, the gateway, the trainer and the ledger are no stages
}

// Pauses before a role that failed begins again.
const (
	firstRestart = 200 * time.Millisecond
	maxRestart   = 15 * time.Second
	soundAfter   = time.Minute
)

// health is what /readyz says.
type health struct {
	mu   sync.Mutex
	down map[string]string // role -> its error
}

func (h *health) set(role string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		delete(h.down, role)
		return
	}
	h.down[role] = err.Error()
}

func (h *health) state() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]string{}
	for k, v := range h.down {
		out[k] = v
	}
	return out
}

// supervise runs roles until ctx ends. One that fails begins again, from what was
// committed; the others go on.
func (a *app) supervise(ctx context.Context, roles []role, h *health) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, r := range roles {
		g.Go(func() error {
			for pause := firstRestart; ; pause = min(2*pause, maxRestart) {
				began := time.Now()
				err := r.run(ctx)
				if ctx.Err() != nil {
					if err != nil && !errors.Is(err, context.Canceled) {
						a.log.Warn("a role ended badly", "role", r.name, "error", err)
					}
					return nil
				}
				if err == nil {
					err = errors.New("it ended by itself")
				}
				if time.Since(began) > soundAfter {
					pause = firstRestart
				}
				h.set(r.name, err)
				a.log.Error("a role failed; it begins again", "role", r.name, "in", pause, "error", err)
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(pause):
				}
				h.set(r.name, nil)
			}
		})
	}
	return g.Wait()
}

// syncEvery is how often local state is made durable: what is lost with the machine is
// read again from the log.
const syncEvery = 5 * time.Second

func syncState(ctx context.Context, db *state.DB) error {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			// On a full disk there is nothing new to sync, and the roles tell.
			if err := db.Sync(); err != nil && !errors.Is(err, disk.ErrFull) {
				return err
			}
		}
	}
}
