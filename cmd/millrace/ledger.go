package main

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/sinks/clickhouse"
	"github.com/millrace-io/millrace/sinks/parquet"
)

// accounted are the stores that hold what Millrace wrote.
func (a *app) accounted() []verify.Store {
	return []verify.Store{
		&clickhouse.Store{Conn: a.conn, Database: a.cfg.ClickHouse.Database, Objects: a.objects},
		&parquet.Store{Objects: lake.Remember(a.objects)},
	}
}

// ledger is the role that accounts for everything, for ever.
func (a *app) ledger(p *parts) (*verify.Ledger, error) {
	readers, err := a.readers(p)
	if err != nil {
		return nil, err
	}
	deps := verify.LedgerDeps{Bus: a.bus, Stores: a.accounted(), Readers: readers, Log: a.log, Metrics: a.metrics, Clock: time.Now}
	if a.kafka != nil {
		deps.Pressed = a.kafka.Pressed
	}
	return verify.NewLedger(a.cfg.Ledger, a.cfg.Retention, deps)
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
