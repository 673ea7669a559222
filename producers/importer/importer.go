// Package importer writes what lies in files to the input topics: JSONL, CSV, mail
// folders, plain text, each gzipped or not. Ids are functions of the source, so that an
// import that is begun again repeats nothing; it also remembers how far it came.
package importer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
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

// grace is how long an import that is cut off waits for what was sent already.
const grace = time.Second

// run is one import on its way. All of it but wait is of one goroutine, that of the source.
type run struct {
	cfg   Config
	deps  Deps
	p     Progress
	queue []waiting
	sent  chan *client.Result // to wait
	acks  chan error          // from wait, in the order of queue; never full
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
	// Never are more than MaxInFlight and the one just sent on their way.
	r := &run{cfg: cfg, deps: deps, sent: make(chan *client.Result, cfg.MaxInFlight+1), acks: make(chan error, cfg.MaxInFlight+1)}
	// What is acknowledged when ctx ends counts, and what was sent may yet be.
	late, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, giveUp) })
	var waiter sync.WaitGroup
	waiter.Go(func() { r.wait(late) })
	defer func() {
		stop()
		giveUp()
		close(r.sent)
		waiter.Wait()
	}()
	err := r.read(ctx, source)
	return r.p, err
}

// wait waits for the events one after the other.
func (r *run) wait(ctx context.Context) {
	for result := range r.sent {
		r.acks <- result.Wait(ctx)
	}
}

func (r *run) read(ctx context.Context, source iter.Seq2[Item, error]) error {
	began, sent := time.Now(), 0
	for item, err := range source {
		if err == nil {
			var result *client.Result
			if result, err = r.deps.Client.Send(ctx, item.Event); err == nil {
				r.queue = append(r.queue, waiting{item, result})
				r.sent <- result
				sent++
			} else if ctx.Err() == nil && !errors.Is(err, client.ErrClosed) {
				err = &BadItem{item.Place, err, item.Bytes}
			}
		}
		var bad *BadItem
		switch {
		case errors.As(err, &bad) && !r.cfg.Strict:
			r.p.Bad++
			r.p.Bytes += bad.Bytes
			if r.deps.Bad != nil {
				r.deps.Bad(bad)
			}
		case err != nil:
			return errors.Join(err, r.settle(0))
		}
		if err := r.settle(r.cfg.MaxInFlight); err != nil {
			return err
		}
		if err := r.pace(ctx, began, sent); err != nil {
			return err
		}
	}
	return r.settle(0)
}

// settle waits for the oldest until at most n are left, and takes what else is
// acknowledged: a slow import, or a small one, is to know how far it came too.
func (r *run) settle(n int) error {
	for len(r.queue) > n {
		if err := r.take(<-r.acks); err != nil {
			return err
		}
	}
	for {
		select {
		case ack := <-r.acks:
			if err := r.take(ack); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// take counts the oldest.
func (r *run) take(ack error) error {
	w := r.queue[0]
	r.queue = r.queue[1:]
	if ack != nil {
		return fmt.Errorf("importer: %s: %w", w.item.Place, ack)
	}
	r.p.Events++
	r.p.Bytes += w.item.Bytes
	r.p.Last = w.item.Place
	if r.deps.Acknowledged != nil {
		topic, partition, offset := w.result.Position()
		r.deps.Acknowledged(w.item, bus.Position{Partition: bus.Partition{Topic: topic, Partition: partition}, Offset: offset})
	}
	if r.deps.Progress != nil {
		r.deps.Progress(r.p)
	}
	return nil
}

// pace waits until the next event is due, and takes what is acknowledged meanwhile.
func (r *run) pace(ctx context.Context, began time.Time, sent int) error {
	var wait time.Duration
	if r.cfg.Rate > 0 {
		wait = time.Until(began.Add(time.Duration(float64(sent) / r.cfg.Rate * float64(time.Second))))
	}
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), r.settle(0))
	}
	if wait <= 0 {
		return nil
	}
	due := time.After(wait)
	for {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), r.settle(0))
		case ack := <-r.acks:
			if err := r.take(ack); err != nil {
				return err
			}
		case <-due:
			return nil // whether ctx has ended is seen at the next event
		}
	}
}
