package bus

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	read, repeated, gaps, forged, foreign *prometheus.CounterVec
	written, batches, failures            *prometheus.CounterVec
	seconds                               *prometheus.HistogramVec
	lag, age                              *prometheus.GaugeVec
	checkpoints                           *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "bus", Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "millrace", Subsystem: "bus", Name: name, Help: help}, labels)
		r.MustRegister(g)
		return g
	}
	m := &metrics{
		read:        counter("records_read_total", "Records given to a stage.", "stage", "topic"),
		repeated:    counter("records_repeated_total", "Records that a mark dropped: written again after a crash.", "stage", "topic"),
		gaps:        counter("records_behind_gap_total", "Records skipped since their writer failed before them and sends both again.", "stage", "topic"),
		forged:      counter("origins_forged_total", "Origin headers on input topics without the deployment's MAC; they do not count.", "stage", "topic"),
		foreign:     counter("records_foreign_total", "Records on Millrace's own topics that no stage of it wrote; they do not count.", "stage", "topic"),
		written:     counter("records_written_total", "Records that a stage wrote.", "stage", "topic"),
		batches:     counter("batches_total", "Batches that a stage committed.", "stage"),
		failures:    counter("failures_total", "Instances of a stage that ended with an error.", "stage"),
		checkpoints: counter("checkpoints_total", "Checkpoints put into the object store.", "stage"),
		lag:         gauge("lag_records", "Records between a stage's position and the end of its input.", "stage", "topic", "partition"),
		age:         gauge("lag_seconds", "Age of the last record that a stage committed, when it did.", "stage", "topic", "partition"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "millrace", Subsystem: "bus", Name: "batch_seconds",
			Help: "Seconds from the first call of Process to the commit.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}, []string{"stage"}),
	}
	r.MustRegister(m.seconds)
	return m
}
