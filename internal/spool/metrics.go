package spool

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	registry             prometheus.Registerer
	all                  []prometheus.Collector
	fsync                prometheus.Histogram
	unreadable, failures prometheus.Counter
}

// newMetrics registers a spool's metrics; r may be nil.
func newMetrics(r prometheus.Registerer, s *Spool) (*metrics, error) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "millrace", Subsystem: "spool", Name: name, Help: help}
	}
	gauge := func(name, help string, f func(Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts(name, help)), func() float64 { return f(s.Status()) })
	}
	m := &metrics{
		registry: r,
		fsync: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "millrace", Subsystem: "spool", Name: "fsync_seconds",
			Help: "Seconds of an fsync, which many requests share.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)}),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts(opts("unreadable_events_total", "Acknowledged events that are damaged on the disk."))),
		failures:   prometheus.NewCounter(prometheus.CounterOpts(opts("write_failures_total", "Writes or fsyncs that failed; each ends its segment."))),
	}
	m.all = []prometheus.Collector{
		m.fsync, m.unreadable, m.failures,
		gauge("pending_events", "Acknowledged events that wait for the log.", func(t Status) float64 { return float64(t.Events) }),
		gauge("pending_bytes", "Bytes that the spool holds on the disk.", func(t Status) float64 { return float64(t.Bytes) }),
		gauge("oldest_seconds", "Age of the oldest event that waits for the log.", func(t Status) float64 { return t.Oldest.Seconds() }),
		gauge("quarantined_segments", "Damaged segments that are kept in the spool's folder.", func(t Status) float64 { return float64(t.Quarantined) }),
	}
	if r == nil {
		return m, nil
	}
	for i, c := range m.all {
		if err := r.Register(c); err != nil {
			m.all = m.all[:i]
			m.close()
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) close() {
	if m.registry == nil {
		return
	}
	for _, c := range m.all {
		m.registry.Unregister(c)
	}
}

// Status is what a spool holds.
type Status struct {
	// Events were acknowledged and not confirmed; Bytes is what the files hold; Confirmed
	// is the number of the last record that was.
	Events    uint64
	Bytes     int64
	Confirmed uint64
	// Oldest is how long the oldest of them has waited.
	Oldest time.Duration
	// Unreadable counts acknowledged events that were found damaged since the spool was
	// opened, Quarantined the segments that are kept for that.
	Unreadable  uint64
	Quarantined int
	// Failure is why nothing can be written; nil where it can.
	Failure error
}

// Status says what the spool holds now.
func (s *Spool) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := Status{Events: s.next - 1 - s.confirmed, Confirmed: s.confirmed, Unreadable: s.missing, Quarantined: s.kept, Failure: s.broken}
	for _, g := range s.segments {
		t.Bytes += g.size
	}
	if t.Events > 0 {
		since := s.lastWrite
		if len(s.reading) > 0 {
			since = s.reading[0].since
		}
		if !since.IsZero() {
			t.Oldest = max(0, time.Since(since))
		}
	}
	return t
}

// String says it for people.
func (t Status) String() string {
	return fmt.Sprintf("%d events wait for the log, the oldest for %s", t.Events, t.Oldest.Round(time.Second))
}
