package clean

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
)

type metrics struct {
	verdicts     *prometheus.CounterVec
	share, alert *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "millrace", Subsystem: "clean", Name: name, Help: help}, []string{"topic", "partition"})
	}
	m := &metrics{
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "millrace", Subsystem: "clean", Name: "verdicts_total",
			Help: "Verdicts by topic and outcome; rule is set where a rule refused or the record is dead.",
		}, []string{"topic", "outcome", "rule"}),
		share: gauge("dead_share", "Share of the last 1,000 records of an input partition that are dead."),
		alert: gauge("dead_alert", "1 where more than 1 % of the last 1,000 records of an input partition are dead."),
	}
	if err := errors.Join(r.Register(m.verdicts), r.Register(m.share), r.Register(m.alert)); err != nil {
		return nil, fmt.Errorf("clean: %w", err)
	}
	return m, nil
}

// show sets what is known of a partition.
func (m *metrics) show(at bus.Partition, dead *share) {
	share, _ := dead.of(0)
	alert := 0.
	if share > alertShare {
		alert = 1
	}
	partition := strconv.Itoa(int(at.Partition))
	m.share.WithLabelValues(at.Topic, partition).Set(share)
	m.alert.WithLabelValues(at.Topic, partition).Set(alert)
}

// forget removes what is known of a partition that another process may have now.
func (m *metrics) forget(at bus.Partition) {
	partition := strconv.Itoa(int(at.Partition))
	m.share.DeleteLabelValues(at.Topic, partition)
	m.alert.DeleteLabelValues(at.Topic, partition)
}
