// Package importer writes what lies in files to the input topics: JSONL, CSV, mail
// folders, plain text, each gzipped or not. Ids are functions of the source, so that an
// import that is begun again repeats nothing; it also remembers how far it came.
package importer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/schemas"
)

// Item is one event of a source.
type Item struct {
	Event schemas.Message
	// Place says where it stands, for messages and for resuming: "file:line".
	Place string
	// Bytes of the source that it took.
	Bytes int64
}

// BadItem is what a source yields as an error for a record that is no event: it is
// counted and listed, and the import goes on, unless it is strict.
type BadItem struct {
	Place  string
	Reason error
	Bytes  int64
}

func (b *BadItem) Error() string { return b.Place + ": " + b.Reason.Error() }
func (b *BadItem) Unwrap() error { return b.Reason }

// Config is what may be chosen.
type Config struct {
	// MaxInFlight bounds the events that wait for their acknowledgement.
	MaxInFlight int
	// Rate bounds the events a second; 0 is no bound.
	Rate float64
	// Strict stops at the first bad record.
	Strict bool
}

// DefaultConfig imports as fast as the log takes it.
func DefaultConfig() Config { return Config{MaxInFlight: 1000} }

// Progress is how far an import came; all of it is acknowledged.
type Progress struct {
	Events, Bad int64
	Bytes       int64
	// Last is the place of the last event.
	Last string
}

// Deps is what an import works with.
type Deps struct {
	Client *client.Client
	// Progress is called after each acknowledgement, in order.
	Progress func(Progress)
	// Bad is called for each bad record.
	Bad func(*BadItem)
	// Acknowledged is called for each event in order, with where it landed; may be nil.
	Acknowledged func(Item, bus.Position)
}

// waiting is an event whose acknowledgement is waited for.
type waiting struct {
	item   Item
	result *client.Result
}

// Run writes every item of source, in order, and returns when all are acknowledged. On
// an error what was acknowledged is told in the Progress; the rest may be imported again.
func Run(ctx context.Context, cfg Config, deps Deps, source iter.Seq2[Item, error]) (Progress, error) {
	if cfg.MaxInFlight < 1 || cfg.Rate < 0 {
		return Progress{}, fmt.Errorf("importer: max in flight must be positive and the rate not negative, got %d, %g", cfg.MaxInFlight, cfg.Rate)
	}
	var p Progress
	var queue []waiting
	// settle waits for the oldest until at most n are left.
	settle := func(n int) error {
		for len(queue) > n {
			w := queue[0]
			queue = queue[1:]
			if err := w.result.Wait(ctx); err != nil {
				return fmt.Errorf("importer: %s: %w", w.item.Place, err)
			}
			p.Events++
			p.Bytes += w.item.Bytes
			p.Last = w.item.Place
			if deps.Acknowledged != nil {
				topic, partition, offset := w.result.Position()
				deps.Acknowledged(w.item, bus.Position{Partition: bus.Partition{Topic: topic, Partition: partition}, Offset: offset})
			}
			if deps.Progress != nil {
				deps.Progress(p)
			}
		}
		return nil
	}
	began, sent := time.Now(), 0
	for item, err := range source {
		if err == nil {
			var r *client.Result
			if r, err = deps.Client.Send(ctx, item.Event); err == nil {
				queue = append(queue, waiting{item, r})
				sent++
			} else if ctx.Err() == nil && !errors.Is(err, client.ErrClosed) {
				err = &BadItem{item.Place, err, item.Bytes}
			}
		}
		var bad *BadItem
		switch {
		case errors.As(err, &bad) && !cfg.Strict:
			p.Bad++
			p.Bytes += bad.Bytes
			if deps.Bad != nil {
				deps.Bad(bad)
			}
			continue
		case err != nil:
			return p, errors.Join(err, settle(0))
		}
		if err := settle(cfg.MaxInFlight); err != nil {
			return p, err
		}
		if err := pace(ctx, cfg.Rate, began, sent); err != nil {
			return p, errors.Join(err, settle(0))
		}
	}
	return p, settle(0)
}

func pace(ctx context.Context, rate float64, began time.Time, sent int) error {
	if rate == 0 {
		return ctx.Err()
	}
	wait := time.Until(began.Add(time.Duration(float64(sent) / rate * float64(time.Second))))
	if wait <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}
