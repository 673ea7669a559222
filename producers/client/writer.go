package client

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// writer writes to the log without a spool. A Kafka client that met an error takes no
// more: one that a broker once refused a producer id stays refused, also when the broker
// would grant it by now. What it still holds it settles, and is closed.
type writer struct {
	connect func() (*kgo.Client, error)

	mu  sync.Mutex
	all []*connection // the last takes what comes; the others settle what they hold
}

type connection struct {
	client *kgo.Client
	held   int // records that are not settled; under the writer's lock
	over   bool
}

func newWriter(connect func() (*kgo.Client, error)) (*writer, error) {
	cl, err := connect()
	if err != nil {
		return nil, err
	}
	return &writer{connect: connect, all: []*connection{{client: cl}}}, nil
}

// produce hands a record on; done is called with what came of it.
func (w *writer) produce(ctx context.Context, r *kgo.Record, done func(error)) {
	c, err := w.take()
	if err != nil {
		done(err)
		return
	}
	c.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
		w.settled(c, err)
		done(err)
	})
}

// take returns the connection of the moment, for one record.
func (w *writer) take() (*connection, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.all[len(w.all)-1]
	if c.over {
		cl, err := w.connect()
		if err != nil {
			return nil, err
		}
		if c.held == 0 {
			w.drop(c)
		}
		c = &connection{client: cl}
		w.all = append(w.all, c)
	}
	c.held++
	return c, nil
}

func (w *writer) settled(c *connection, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.held--
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		c.over = true
	}
	if c.over && c.held == 0 && c != w.all[len(w.all)-1] {
		w.drop(c)
	}
}

// drop closes a connection that holds nothing.
func (w *writer) drop(c *connection) {
	w.all = slices.DeleteFunc(w.all, func(other *connection) bool { return other == c })
	go c.client.Close() // not from within its own promise
}

// flush waits until everything that was handed on is settled.
func (w *writer) flush(ctx context.Context) error {
	w.mu.Lock()
	all := slices.Clone(w.all)
	w.mu.Unlock()
	for _, c := range all {
		if err := c.client.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.all {
		c.client.Close()
	}
}
