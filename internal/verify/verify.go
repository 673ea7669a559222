// Package verify accounts for every record: each input has one verdict, and each record
// that Millrace wrote stands once in ClickHouse and once in the lake.
//
// It reads the logs themselves, with the same marks as every other reader, and compares
// sets of offsets, not counts or differences of offsets: logs have holes. It works on a
// system that runs: what was there when it began is accounted for, and what the stages
// and sinks have not reached yet is waited for.
//
// Run makes the account once, of all that the logs hold and of what the ledger settled
// before they were trimmed. Ledger makes it for ever, a round after another, and deletes
// of the logs and stores what is settled and old.
package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/spool"
	"github.com/millrace-io/millrace/schemas"
)

// Store is a place where what Millrace wrote is kept: ClickHouse, the lake.
//
// What an earlier topic of that name left is no part of what is asked of a topic. origins
// are the topics that are accounted for; a store that does not know the topic id of a row
// may go by them.
type Store interface {
	Name() string
	// Reach waits until the store holds, of each kind, the row before its end (exclusive),
	// which has one: a store may take a kind before another.
	Reach(ctx context.Context, topic bus.Topic, partition int32, ends map[schemas.Kind]int64, origins []bus.TopicID) error
	// Reached returns up to which offset, to at most, the store's own books say that it
	// holds a partition; to where it keeps none.
	Reached(ctx context.Context, topic bus.Topic, partition int32, to int64) (int64, error)
	// Sums sums up the rows that the store holds of a range; of what is damaged, those that
	// can be read.
	Sums(ctx context.Context, topic bus.Topic, partition int32, r Range, origins []bus.TopicID) (Sums, error)
	// Offsets returns the offsets of a range that the store holds, by kind, in order,
	// doubled ones doubled. Where some of it is damaged, it returns what it could read, and
	// an error that names the damage; where it cannot be asked at all, no offsets and an
	// error.
	Offsets(ctx context.Context, topic bus.Topic, partition int32, r Range, origins []bus.TopicID) (map[schemas.Kind][]int64, error)
	// Former calls each for the origin of every row that the store holds of earlier topics
	// of a name, where that is of one of origins; earlier are their ids. Where some of it
	// is damaged it calls each for what it could read, and says what is damaged.
	Former(ctx context.Context, topic bus.Topic, earlier, origins []bus.TopicID, each func(schemas.Kind, bus.Origin)) (damaged, err error)
	// Expired returns the offset below which rows were removed by age, 0 where none were.
	Expired(ctx context.Context, at bus.Partition) (int64, error)
}

// Config bounds a run.
type Config struct {
	// Wait is how long stages and sinks may take to reach what was there at the start
	// without any progress.
	Wait time.Duration
}

// Line accounts for one partition of one topic.
type Line struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Records that count, once each, and those written again that do not.
	Records int64 `json:"records"`
	Skipped int64 `json:"skipped"`
	// Verdicts on the records of an input; -1 for other topics.
	Verdicts int64 `json:"verdicts"`
	// Former counts those of the verdicts that only the stores have, since the topic that
	// they were written to was made anew.
	Former int64 `json:"former,omitempty"`
	// Stored is how many rows each store holds; empty for inputs.
	Stored map[string]int64 `json:"stored,omitempty"`
	// Trimmed is the offset below which the log is gone and the ledger's account stands
	// for it; Expired, by store, that below which rows were removed by age.
	Trimmed int64            `json:"trimmed,omitempty"`
	Expired map[string]int64 `json:"expired,omitempty"`
	// Differences names what is missing or too much, down to offsets.
	Differences []string `json:"differences,omitempty"`
}

// Report is the account.
type Report struct {
	Lines []Line `json:"lines"`
	// Outcomes counts the verdicts on inputs by kind.
	Outcomes map[schemas.Kind]int64 `json:"outcomes"`
	Lost     int64                  `json:"lost"`
	Doubled  int64                  `json:"doubled"`
	// Pending counts, by spool, events that were acknowledged and are not on the log yet.
	Pending map[string]uint64 `json:"pending,omitempty"`
	// Unreadable counts, by spool, events that were acknowledged and cannot be read any
	// more; they are lost.
	Unreadable map[string]uint64 `json:"unreadable,omitempty"`
	// Rebuild names the stores that lack rows from before the log's begin, or of an
	// earlier topic, which another store has.
	Rebuild []string `json:"rebuild,omitempty"`
	// Replayed counts records that stand for others on the inputs: replays of dead
	// letters, and of inputs that had lost their verdict.
	Replayed int64 `json:"replayed,omitempty"`

	absent   []absence
	unjudged []unjudged
}

// OK is true where everything is accounted for.
func (r *Report) OK() bool { return r.Lost == 0 && r.Doubled == 0 }

// trims bounds how often a ledger may trim a log under an account that is being made.
const trims = 5

// Run makes the account of everything that is on the log now.
func Run(ctx context.Context, cfg Config, b *bus.Bus, stores []Store) (r *Report, err error) {
	for range trims {
		if r, err = run(ctx, cfg, b, stores); !errors.Is(err, bus.ErrTrimmed) {
			break
		}
	}
	return r, err
}

func run(ctx context.Context, cfg Config, b *bus.Bus, stores []Store) (_ *Report, err error) {
	a, err := openAccount(ctx, b, stores, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	for _, name := range inputTopics {
		if err := a.read(ctx, name, 0, func() bool { return true }); err != nil {
			return nil, err
		}
	}
	for _, name := range outputTopics {
		if err := a.read(ctx, name, 0, func() bool { return true }); err != nil {
			return nil, err
		}
		if err := a.lookBack(ctx, name); err != nil { // they are not waited for
			return nil, err
		}
		if err := a.read(ctx, name, cfg.Wait, func() bool { return a.openOn(name) <= 0 }); err != nil {
			return nil, err
		}
	}
	for _, at := range a.outOrder {
		if err := a.compare(ctx, a.outputs[at], cfg.Wait); err != nil {
			return nil, err
		}
	}
	r := a.report()
	return r, r.addSpools(ctx, b)
}

// addSpools tells of what collectors have acknowledged and the logs have not yet.
func (r *Report) addSpools(ctx context.Context, b *bus.Bus) error {
	spools, err := spool.Pending(ctx, b.Objects())
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	r.Pending, r.Unreadable = map[string]uint64{}, map[string]uint64{}
	for name, held := range spools {
		if held.Events > 0 {
			r.Pending[name] = held.Events
		}
		if held.Unreadable > 0 {
			r.Unreadable[name] = held.Unreadable
			r.Lost += int64(held.Unreadable)
		}
	}
	return nil
}

// compare holds an output against each store, once the store has had time to reach it.
func (a *account) compare(ctx context.Context, o *output, wait time.Duration) error {
	for _, h := range o.stores {
		if err := o.checkBase(ctx, h, a.origins); err != nil {
			return err
		}
		reach, cancel := context.WithTimeout(ctx, wait)
		err := h.store.Reach(reach, o.topic, o.partition, o.ends(), a.origins)
		cancel()
		if err != nil && ctx.Err() != nil {
			return err
		} // what it has not reached by now shows below, down to offsets
		agree, err := o.settle(ctx, h, o.next, false, a.origins)
		if err != nil {
			return fmt.Errorf("verify: %s: %s/%d: %w", h.store.Name(), o.topic.Name, o.partition, err)
		}
		if !agree {
			if err := o.compare(ctx, h, a.origins); err != nil {
				return err
			}
		}
		if err := a.beyond(ctx, o, h); err != nil {
			return err
		}
	}
	return nil
}

// rebuild notes stores that lack rows which no log has.
func (r *Report) rebuild(names ...string) {
	for _, name := range names {
		if !slices.Contains(r.Rebuild, name) {
			r.Rebuild = append(r.Rebuild, name)
		}
	}
}

// report renders the account.
func (a *account) report() *Report {
	r := &Report{Outcomes: a.outcomes()}
	for _, at := range a.inOrder {
		in := a.inputs[at]
		records, verdicts, _ := in.count()
		l := Line{Topic: in.topic.Name, Partition: in.partition, Records: records, Skipped: in.skipped, Verdicts: verdicts, Former: in.formers(), Trimmed: in.from, Differences: in.differences}
		r.Doubled += in.doubled
		r.Lost += in.lost
		r.rebuild(in.rebuild...)
		r.Replayed += in.replayed
		if missing := in.unjudged(); len(missing) > 0 {
			r.Lost += int64(len(missing))
			l.Differences = append(l.Differences, fmt.Sprintf("%d records have no verdict: offsets %s", len(missing), ranges(missing)))
			if in.doubtful == "" {
				r.unjudged = append(r.unjudged, unjudged{in.topic, in.partition, missing})
			} else {
				l.Differences = append(l.Differences, in.doubtful)
			}
		}
		r.Lines = append(r.Lines, l)
	}
	for _, at := range a.outOrder {
		o := a.outputs[at]
		l := Line{Topic: o.topic.Name, Partition: o.partition, Records: o.now.Sums.rows(), Skipped: o.now.Skipped, Verdicts: -1, Trimmed: o.from, Stored: map[string]int64{}}
		for _, h := range o.stores {
			r.Lost += h.lost
			r.Doubled += h.doubled
			l.Stored[h.store.Name()] = h.rows
			l.Differences = append(l.Differences, h.differences...)
			if h.below {
				r.rebuild(h.store.Name())
			}
			if len(h.missing) > 0 {
				r.absent = append(r.absent, absence{h.store, o.topic, o.partition, h.missing})
			}
			if h.expired > 0 {
				if l.Expired == nil {
					l.Expired = map[string]int64{}
				}
				l.Expired[h.store.Name()] = h.expired
			}
		}
		r.Lines = append(r.Lines, l)
	}
	return r
}
