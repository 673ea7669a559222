package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/spool"
)

// Bounds of a client's way from the spool to the log.
const (
	// drainBytes bounds what is read from the spool and not acknowledged by the brokers;
	// one batch of the spool may come on top.
	drainBytes = 16 << 20
	// firstPause and lastPause bound how long it waits before it tries again: brokers that
	// come back are found soon.
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
)

// drainer writes what a spool holds to the log, in its order, and confirms what all
// replicas have. It gives nothing up: whatever it meets, it begins again with a new
// producer behind what was confirmed. What that sends twice has its id.
type drainer struct {
	spool  *spool.Spool
	owns   bool
	log    *slog.Logger
	dial   func() (*kgo.Client, error)
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	problem error
}

// MaxLead is more than a spooled event has beside its bytes: its topic and its key.
const MaxLead = 1 << 10

// leadVersion begins what is spooled: a later form begins with another byte.
const leadVersion = 1

// appendLead puts before an event what the log needs to know of it.
func appendLead(b []byte, topic, key string) []byte {
	b = append(b, leadVersion)
	b = binary.AppendUvarint(b, uint64(len(topic)))
	b = append(b, topic...)
	b = binary.AppendUvarint(b, uint64(len(key)))
	return append(b, key...)
}

// parseLead takes what was spooled apart.
func parseLead(b []byte) (topic string, key, value []byte, err error) {
	if len(b) == 0 || b[0] != leadVersion {
		return "", nil, nil, errors.New("the spool holds an event in a form that this version does not know; a later one has written it")
	}
	b = b[1:]
	cut := func() (part []byte) {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			err = errors.New("the spool holds an event that is not whole")
			return nil
		}
		part, b = b[size:size+int(n):size+int(n)], b[size+int(n):]
		return part
	}
	t := cut()
	if err == nil {
		key = cut()
	}
	return string(t), key, b, err
}

func newDrainer(cfg config, brokers []string) (*drainer, error) {
	s, err := cfg.spool(cfg.log)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if most := s.MaxRecord() - MaxLead; cfg.maxBytes > most {
		err := fmt.Errorf("client: an event may have %d bytes and the spool takes %d: let it hold more (eight times an event and a little), or take smaller events", cfg.maxBytes, most)
		if cfg.ownsSpool {
			err = errors.Join(err, s.Close())
		}
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &drainer{spool: s, owns: cfg.ownsSpool, log: cfg.log, cancel: cancel, done: make(chan struct{}),
		dial: func() (*kgo.Client, error) {
			return newKafka(cfg, brokers, kgo.MaxBufferedBytes(max(drainBytes, 2*cfg.maxBytes)), kgo.DisableClientMetrics(),
				kgo.MetadataMinAge(firstPause), kgo.RetryBackoffFn(func(try int) time.Duration { return min(firstPause<<min(try, 8), lastPause) }))
		}}
	go d.run(ctx)
	return d, nil
}

// run drains until ctx ends.
func (d *drainer) run(ctx context.Context) {
	defer close(d.done)
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		before := d.spool.Status().Confirmed
		err := d.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if d.spool.Status().Confirmed != before {
			pause = firstPause
		}
		d.fail(err)
		d.log.Warn("events in the spool are not written to the log; tried again", "in", pause, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (d *drainer) fail(err error) {
	d.mu.Lock()
	d.problem = err
	d.mu.Unlock()
}

// pass writes until something fails or ctx ends.
func (d *drainer) pass(ctx context.Context) error {
	cl, err := d.dial()
	if err != nil {
		return err
	}
	defer cl.Close()
	reader := d.spool.Reader()
	defer reader.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := &window{confirm: func(through uint64) { d.spool.Confirm(through); d.fail(nil) }}
	for {
		b, err := reader.Next(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return err
		}
		batch := w.open(b.Through, len(b.Records))
		for _, spooled := range b.Records {
			topic, key, value, err := parseLead(spooled)
			if err != nil {
				return err
			}
			cl.Produce(ctx, newRecord(topic, key, value), func(_ *kgo.Record, err error) {
				if err != nil {
					stop(fmt.Errorf("write to %s: %w", topic, err))
					return
				}
				w.acknowledged(batch)
			})
		}
	}
}

// close writes what it can before ctx ends, and ends.
func (d *drainer) close(ctx context.Context) error {
	if err := d.spool.Drained(ctx); err != nil {
		d.log.Info("events wait in the spool for the next start", "events", d.spool.Status().Events)
	}
	d.cancel()
	<-d.done
	if d.owns {
		return d.spool.Close()
	}
	return nil
}

// Spooled is how many acknowledged events wait in the spool for the log, and what the last
// try to write them met, nil where it goes on; 0 without a spool.
func (c *Client) Spooled() (events uint64, problem error) {
	if c.drain == nil {
		return 0, nil
	}
	c.drain.mu.Lock()
	defer c.drain.mu.Unlock()
	return c.drain.spool.Status().Events, c.drain.problem
}

// window knows which batches of the spool are under way. Acknowledgements come in any
// order; a batch is confirmed when it and all before it are whole.
type window struct {
	mu      sync.Mutex
	batches []*underway
	confirm func(through uint64)
}

// underway is a batch of which left records are not acknowledged.
type underway struct {
	through uint64
	left    int
}

func (w *window) open(through uint64, records int) *underway {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := &underway{through, records}
	w.batches = append(w.batches, b)
	w.advance() // one without records is whole
	return b
}

func (w *window) acknowledged(b *underway) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b.left--
	w.advance()
}

// advance confirms what is whole; w.mu is held.
func (w *window) advance() {
	done := 0
	for done < len(w.batches) && w.batches[done].left == 0 {
		done++
	}
	if done > 0 {
		w.confirm(w.batches[done-1].through)
		w.batches = w.batches[done:]
	}
}
