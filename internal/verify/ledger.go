package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
)

// LedgerConfig says how often the ledger looks, and when it complains.
type LedgerConfig struct {
	// Every is the time between two rounds.
	Every time.Duration `yaml:"every"`
	// Late is the age from which what is not accounted for is told of as an error.
	Late time.Duration `yaml:"late"`
	// Anew is how often all that the logs hold is accounted for once more: what was settled
	// is not asked for again otherwise, and could have been lost from a store since.
	Anew time.Duration `yaml:"anew"`
}

// DefaultLedgerConfig looks six times a minute.
func DefaultLedgerConfig() LedgerConfig {
	return LedgerConfig{Every: 10 * time.Second, Late: 5 * time.Minute, Anew: 24 * time.Hour}
}

// Validate says what is wrong with c.
func (c LedgerConfig) Validate() error {
	if c.Every < time.Second || c.Late < c.Every || c.Anew < c.Late {
		return fmt.Errorf("ledger: every must be 1s or more, late no less than every, and anew no less than late, got %s, %s, %s", c.Every, c.Late, c.Anew)
	}
	return nil
}

// LedgerDeps is what the ledger works with.
type LedgerDeps struct {
	Bus    *bus.Bus
	Stores []Store
	// Readers are, by topic, the names of state of the stages that read it.
	Readers map[string][]string
	// Pressed says that the log has grown so far that what is settled should go sooner
	// than its age asks; nil where it never is.
	Pressed func(context.Context) bool
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Clock   func() time.Time
}

// Ledger accounts for every event for as long as it runs, and trims logs and stores of
// what is settled and old. Any number may run on one deployment; one is enough.
type Ledger struct {
	cfg     LedgerConfig
	keep    Retention
	deps    LedgerDeps
	metrics ledgerMetrics

	account *account
	whole   bool // the account was begun where the logs begin
	// next is the number of the next snapshot, cut the one that waits until it is settled.
	next    int64
	cut     *snapshot
	saved   *snapshot // the last
	cutAt   time.Time
	keptAt  time.Time
	toldAt  time.Time
	pointAt map[place]time.Time // the log's time of the last point that was kept
	pressed bool                // as Pressed said at the round's begin
	began   time.Time           // of this process
	opened  time.Time           // of this account
	rounds  int                 // of this account, that are done
	problem atomic.Pointer[string]
}

type ledgerMetrics struct {
	unaccounted, age, trimmed, held *prometheus.GaugeVec
	differences                     *prometheus.GaugeVec
	seconds                         prometheus.Histogram
}

// What a snapshot and a round of retention are made after, at the least.
const (
	cutEvery  = time.Minute
	keepEvery = time.Minute
)

// NewLedger prepares a ledger.
func NewLedger(cfg LedgerConfig, keep Retention, deps LedgerDeps) (*Ledger, error) {
	if err := errors.Join(cfg.Validate(), keep.Validate()); err != nil {
		return nil, err
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "millrace", Name: name, Help: help}, labels)
	}
	m := ledgerMetrics{
		unaccounted: gauge("unaccounted_events", "Records of a partition that have no verdict, or are not in every store, as the ledger last saw it.", "topic", "partition"),
		age:         gauge("unaccounted_age_seconds", "Age of the oldest of them, by its arrival; 0 where there is none.", "topic", "partition"),
		differences: gauge("unaccounted_late_rows", "Rows that a store has too little or too much, of records that are older than ledger.late.", "store"),
		trimmed:     gauge("log_trimmed_offset", "Offset below which a partition's log was deleted.", "topic", "partition"),
		held:        gauge("log_held_offset", "Offset from which on a partition's log is kept, for the reader that is furthest behind.", "topic", "partition", "reader"),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "millrace", Name: "ledger_round_seconds",
			Help: "Seconds of a round of the ledger.", Buckets: prometheus.ExponentialBuckets(0.01, 4, 8)}),
	}
	for _, c := range []prometheus.Collector{m.unaccounted, m.age, m.differences, m.trimmed, m.held, m.seconds} {
		if err := deps.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
	}
	return &Ledger{cfg: cfg, keep: keep, deps: deps, metrics: m, began: deps.Clock()}, nil
}

// Run accounts until ctx ends, which is no error, or something fails; it may then be
// called again, and goes on from its last snapshot.
func (l *Ledger) Run(ctx context.Context) error {
	saved, next, damaged, err := load(ctx, l.deps.Bus.Objects())
	for _, err := range damaged {
		l.deps.Log.Warn("an account cannot be read; an older one serves", "error", err)
	}
	if err != nil {
		return err
	}
	l.next = next
	if err := l.open(ctx, saved); err != nil {
		return err
	}
	defer func() { _ = l.account.close() }() // it was only read
	tick := time.NewTicker(l.cfg.Every)
	defer tick.Stop()
	for {
		err := l.round(ctx)
		doubtful := errors.Is(err, errDoubtful)
		if doubtful {
			l.deps.Log.Warn("records are late; the account is made once more, from where the logs begin", "after", l.cfg.Late)
		}
		if doubtful || err == nil && l.deps.Clock().Sub(l.opened) >= l.cfg.Anew {
			_ = l.account.close() // it was only read
			if err := l.open(ctx, nil); err != nil {
				return err
			}
			continue
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // being told to stop is no error
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// errDoubtful says that something is late by an account that goes on from a snapshot:
// before that is told, the logs are asked.
var errDoubtful = errors.New("the account is doubtful")

// open begins the account where a snapshot says, or where the logs begin.
func (l *Ledger) open(ctx context.Context, saved *snapshot) error {
	a, err := openAccount(ctx, l.deps.Bus, l.deps.Stores, saved)
	if err != nil {
		return err
	}
	l.account, l.whole = a, saved == nil
	l.cut, l.saved, l.pointAt = nil, saved, map[place]time.Time{}
	l.cutAt, l.keptAt, l.rounds, l.opened = time.Time{}, time.Time{}, 0, l.deps.Clock()
	return nil
}

// round takes in what is new on the logs and settles what the stores have.
func (l *Ledger) round(ctx context.Context) error {
	began := l.deps.Clock()
	l.pressed = l.deps.Pressed != nil && l.deps.Pressed(ctx)
	for _, topics := range [][]string{inputTopics, outputTopics} {
		for _, name := range topics { // inputs first: a verdict is read behind its record
			if err := l.account.read(ctx, name, 0, func() bool { return true }); err != nil {
				return err
			}
			if err := l.account.lookBack(ctx, name); err != nil {
				return err
			}
		}
	}
	if err := l.settle(ctx); err != nil {
		return err
	}
	if err := l.snapshot(ctx); err != nil {
		return err
	}
	// An account that was just opened has read what it has not asked the stores for yet.
	if l.rounds++; l.rounds > 1 {
		l.measure()
		if err := l.complain(ctx); err != nil {
			return err
		}
	}
	if now := l.deps.Clock(); now.Sub(l.keptAt) >= keepEvery || l.pressed {
		l.keptAt = now
		if err := l.retain(ctx, now); err != nil {
			return err
		}
	}
	l.metrics.seconds.Observe(l.deps.Clock().Sub(began).Seconds())
	return nil
}

// settle asks the stores for what was read a round ago: what was read just now may be on
// its way.
func (l *Ledger) settle(ctx context.Context) error {
	for _, at := range l.account.outOrder {
		o := l.account.outputs[at]
		for _, h := range o.stores {
			to, err := h.store.Reached(ctx, o.topic, o.partition, o.ready)
			if err != nil {
				return fmt.Errorf("ledger: %s: %w", h.store.Name(), err)
			}
			if _, err := o.settle(ctx, h, to, true, l.account.origins); err != nil {
				return fmt.Errorf("ledger: %s: %w", h.store.Name(), err)
			}
		}
		o.release()
		o.ready = o.next
	}
	for _, at := range l.account.inOrder {
		l.account.inputs[at].advance()
	}
	return nil
}

// snapshot saves the account of a moment once all that was read by then is settled.
func (l *Ledger) snapshot(ctx context.Context) error {
	if l.cut != nil && l.account.settled(l.cut) {
		var err error
		if l.next, err = save(ctx, l.deps.Bus.Objects(), l.next, l.cut); err != nil {
			return err
		}
		if err := l.points(ctx, l.cut); err != nil {
			return err
		}
		l.cut, l.saved = nil, l.cut
	}
	if now := l.deps.Clock(); l.cut == nil && now.Sub(l.cutAt) >= min(cutEvery, 3*l.cfg.Every) {
		l.cutAt = now
		cut := l.account.snapshot()
		if cut.same(l.saved) {
			return nil
		}
		l.cut = cut
		for at, in := range l.account.inputs {
			s := l.cut.Inputs[at.String()]
			in.candidates = append(in.candidates, candidate{Start: s.Start, last: in.last, skipped: in.skipped})
		}
	}
	return nil
}

// points keeps the places of a snapshot that was settled, and those of inputs that are.
func (l *Ledger) points(ctx context.Context, s *snapshot) error {
	for _, at := range l.account.outOrder {
		o, saved := l.account.outputs[at], s.Outputs[at.String()]
		p := point{Start: saved.Start, Last: saved.Last, Output: &saved.Account}
		if err := l.point(ctx, at, o.topic, p); err != nil {
			return err
		}
	}
	for _, at := range l.account.inOrder {
		in := l.account.inputs[at]
		for _, p := range in.points {
			if err := l.point(ctx, at, in.topic, p); err != nil {
				return err
			}
		}
		in.points = nil
	}
	return nil
}

// point keeps a point where it is far enough behind the last.
func (l *Ledger) point(ctx context.Context, at place, topic bus.Topic, p point) error {
	if p.Offset == 0 || p.Last.IsZero() || p.Last.Sub(l.pointAt[at]) < l.keep.pointEvery() && !l.pressed {
		return nil
	}
	l.pointAt[at] = p.Last
	return putPoint(ctx, l.deps.Bus.Objects(), bus.Partition{Topic: topic.Name, TopicID: topic.ID, Partition: at.partition}, p)
}

// waits returns how many records of a partition are not accounted for, and the arrival of
// the oldest.
func (in *input) waits() (n int64, since time.Time) {
	for _, c := range in.known() {
		if c != hole && c&stored == 0 {
			n++
		}
	}
	if n > 0 && len(in.times) > 0 {
		since = in.times[0].At
	}
	return n, since
}

func (o *output) waits() (n int64, since time.Time) {
	if len(o.pending) > 0 {
		since = o.pending[0].arrived.Time()
	}
	return int64(len(o.pending)), since
}

// Problem says that something is late, for whoever asks how Millrace does; empty where
// nothing is.
func (l *Ledger) Problem() string {
	if p := l.problem.Load(); p != nil {
		return *p
	}
	return ""
}

// measure tells the metrics what is not accounted for.
func (l *Ledger) measure() {
	now := l.deps.Clock()
	var late int64
	var oldest time.Time
	set := func(topic string, partition int32, n int64, since time.Time) {
		if l.late(since, now) {
			late += n
			if oldest.IsZero() || since.Before(oldest) {
				oldest = since
			}
		}
		p := fmt.Sprint(partition)
		l.metrics.unaccounted.WithLabelValues(topic, p).Set(float64(n))
		age := 0.0
		if n > 0 && !since.IsZero() {
			age = max(0, now.Sub(since).Seconds())
		}
		l.metrics.age.WithLabelValues(topic, p).Set(age)
	}
	for _, in := range l.account.inputs {
		n, since := in.waits()
		set(in.topic.Name, in.partition, n, since)
	}
	for _, o := range l.account.outputs {
		n, since := o.waits()
		set(o.topic.Name, o.partition, n, since)
	}
	problem := ""
	if late > 0 && l.whole {
		problem = fmt.Sprintf("%d records are not accounted for, some since %s; millrace verify says which", late, oldest.UTC().Format(time.RFC3339))
	}
	l.problem.Store(&problem)
}

// late says whether what has waited since then should be there. What came while this
// process did not run has its time from when it does: who stores it did not run either, as
// like as not.
func (l *Ledger) late(since, now time.Time) bool {
	if since.IsZero() {
		return false
	}
	if since.Before(l.began) {
		since = l.began
	}
	return now.Sub(since) > l.cfg.Late
}

// complain names what is late, down to offsets, now and then.
func (l *Ledger) complain(ctx context.Context) error {
	now := l.deps.Clock()
	late := func(since time.Time) bool { return l.late(since, now) }
	rows := map[string]int64{}
	for _, s := range l.deps.Stores {
		rows[s.Name()] = 0
	}
	some := false
	for _, o := range l.account.outputs {
		_, since := o.waits()
		some = some || late(since)
	}
	if !some {
		l.tell(rows)
	}
	if now.Sub(l.toldAt) < l.cfg.Late {
		return nil
	}
	for _, at := range l.account.inOrder {
		in := l.account.inputs[at]
		if _, since := in.waits(); late(since) {
			if !l.whole {
				return errDoubtful
			}
			l.toldAt = now
			missing := in.unjudged()
			l.deps.Log.Error("inputs are not accounted for", "partition", fmt.Sprintf("%s/%d", in.topic.Name, in.partition),
				"since", since, "without_verdict", len(missing), "offsets", ranges(missing))
		}
		for _, said := range in.differences {
			l.deps.Log.Error("an input has two verdicts", "partition", fmt.Sprintf("%s/%d", in.topic.Name, in.partition), "what", said)
		}
		in.differences = nil
	}
	for _, at := range l.account.outOrder {
		o := l.account.outputs[at]
		if _, since := o.waits(); !late(since) {
			continue
		}
		if !l.whole {
			return errDoubtful
		}
		l.toldAt = now
		for _, h := range o.stores {
			d, err := o.differ(ctx, h, o.ready, l.account.origins)
			if err != nil {
				return err
			}
			rows[h.store.Name()] += d.lost + d.doubled
			for _, said := range d.said {
				l.deps.Log.Error("a store differs from the log; millrace verify --repair writes what is missing", "partition", fmt.Sprintf("%s/%d", o.topic.Name, o.partition), "what", said)
			}
		}
	}
	l.tell(rows)
	return nil
}

// tell puts how many rows of each store differ into the metrics.
func (l *Ledger) tell(rows map[string]int64) {
	for name, n := range rows {
		l.metrics.differences.WithLabelValues(name).Set(float64(n))
	}
}
