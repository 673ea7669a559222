package main

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	embeddedkafka "github.com/millrace-io/millrace/internal/embedded/kafka"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/sinks/clickhouse"
	"github.com/millrace-io/millrace/sinks/parquet"
)

// accounted are the stores that hold what Millrace wrote; deep has the lake read all of
// every row.
func (a *app) accounted(deep bool) []verify.Store {
	return []verify.Store{
		&clickhouse.Store{Conn: a.conn, Database: a.cfg.ClickHouse.Database, Objects: a.objects},
		&parquet.Store{Objects: lake.Remember(a.objects), Deep: deep},
	}
}

// ledger is the role that accounts for everything, for ever.
func (a *app) ledger(p *parts) (*verify.Ledger, error) {
	readers, err := a.readers(p)
	if err != nil {
		return nil, err
	}
	deps := verify.LedgerDeps{Bus: a.bus, Stores: a.accounted(false), Readers: readers, Log: a.log, Metrics: a.metrics, Clock: time.Now}
	deps.Pressed = a.pressed()
	return verify.NewLedger(a.cfg.Ledger, a.cfg.Retention, deps)
}

// pressed says whether an embedded broker's log nears its limit: this process's, or one of
// another. A Kafka's is nobody's business but its owner's.
func (a *app) pressed() func(context.Context) bool {
	if a.kafka != nil {
		return func(context.Context) bool { return a.kafka.Pressed() }
	}
	known, embedded := false, false
	return func(ctx context.Context) (yes bool) {
		var err error
		if !known {
			embedded, err = embeddedkafka.Embedded(ctx, a.bus.Client())
			known = err == nil
		}
		if embedded && err == nil {
			yes, err = embeddedkafka.PressedAt(ctx, a.bus.Client())
		}
		if err != nil && ctx.Err() == nil {
			a.log.Warn("whether the log nears its limit is not known", "error", err)
		}
		return yes
	}
}

// readers are, by topic, the stages that read it in any process of the deployment: what
// they may have to read again is not deleted.
func (a *app) readers(p *parts) (map[string][]string, error) {
	nowhere := *a // a stage is made to ask its name; its metrics are another's
	nowhere.metrics = prometheus.NewRegistry()
	readers := map[string][]string{}
	for _, role := range roleNames {
		if slices.Contains(a.cfg.Retention.Without, role) {
			continue
		}
		stages, err := nowhere.stages(role, p)
		if err != nil {
			return nil, err
		}
		for _, s := range stages {
			for _, topic := range s.Inputs {
				readers[topic] = append(readers[topic], s.StateName())
			}
		}
	}
	for _, names := range readers {
		slices.Sort(names)
	}
	return readers, nil
}
