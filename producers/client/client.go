// Package client is the Go SDK of Millrace: it writes texts, inferences and feedback to
// the input topics.
//
// A write returns at once; what became of it is told by its Result, or by Flush for all.
// Nothing is swallowed: a record that is not acknowledged has an error somewhere that the
// caller is handed. Every event has an id when the call returns, made where it had none,
// so that a caller who sends it again after an error is counted once.
//
// With a spool (WithSpool) an event is acknowledged when it is durable in a folder of this
// machine, also while the brokers are away, and is written to the log behind that.
package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/segmentio/ksuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/spool"
	"github.com/millrace-io/millrace/schemas"
)

// Topics of the inputs.
const (
	topicText      = "raw.text"
	topicInference = "inference.logs"
	topicFeedback  = "user.feedback"
)

// Errors that a caller may want to tell apart.
var (
	// ErrTooLarge says that an event is above the limit of its topic.
	ErrTooLarge = errors.New("event too large")
	// ErrClosed says that the client was closed.
	ErrClosed = errors.New("client is closed")
	// ErrFull says that the spool has no room: what it may hold is held, or the disk is full.
	ErrFull = spool.ErrFull
)

type config struct {
	tenant, source string
	maxBytes       int
	maxBuffered    int
	kafka          []kgo.Opt
	log            *slog.Logger
	spool          func(*slog.Logger) (*spool.Spool, error) // nil without one
	ownsSpool      bool
}

// Option configures a Client.
type Option func(*config)

// WithTenant is given to events that name no tenant.
func WithTenant(tenant string) Option { return func(c *config) { c.tenant = tenant } }

// WithSource is given to events that name no source.
func WithSource(source string) Option { return func(c *config) { c.source = source } }

// WithMaxBytes is the largest event in bytes, 4 MiB by default, as the topics are made.
func WithMaxBytes(n int) Option { return func(c *config) { c.maxBytes = n } }

// WithMaxBuffered bounds the events that wait for their acknowledgement, 10,000 by
// default. A write beyond it waits for room, or for its context's end.
func WithMaxBuffered(n int) Option { return func(c *config) { c.maxBuffered = n } }

// WithKafka passes options to the Kafka client: TLS, SASL.
func WithKafka(opts ...kgo.Opt) Option {
	return func(c *config) { c.kafka = append(c.kafka, opts...) }
}

// WithLog is where a client with a spool tells of what it meets behind its callers' backs;
// slog's default logger where it is not given.
func WithLog(log *slog.Logger) Option { return func(c *config) { c.log = log } }

// WithSpool makes a write acknowledged when it is durable in dir, and not only when the
// brokers have it: what they do not take yet, for however long, waits there, and what a
// client leaves the next one on the folder writes. A crash may send an event twice; by its
// id it counts once. A write for which maxBytes leave no room meets ErrFull. A folder has
// one client at a time.
func WithSpool(dir string, maxBytes int64) Option {
	return func(c *config) {
		c.ownsSpool = true
		c.spool = func(log *slog.Logger) (*spool.Spool, error) {
			return spool.Open(spool.Config{Dir: dir, MaxBytes: maxBytes}, spool.Deps{Log: log})
		}
	}
}

// OverSpool is WithSpool for a spool that the caller has opened, and closes behind the
// client: Millrace's own collector, which tells what it holds.
func OverSpool(s *spool.Spool) Option {
	return func(c *config) {
		c.ownsSpool = false
		c.spool = func(*slog.Logger) (*spool.Spool, error) { return s, nil }
	}
}

// Client writes events. It is safe for concurrent use.
type Client struct {
	cfg   config
	kafka *writer  // nil with a spool
	drain *drainer // nil without a spool

	mu     sync.Mutex
	failed error // the first since the last Flush
	closed bool
}

// Result is what became of one event.
type Result struct {
	// ID is the event's id.
	ID   string
	done chan struct{}
	err  error
	rec  *kgo.Record
}

// Wait returns when the event is acknowledged by all replicas, or by the spool where there
// is one, or with the error that it met. When ctx ends first the event may still be written; send it again under its id.
func (r *Result) Wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Position is where an acknowledged event lies. With a spool it lies nowhere yet: the
// partition and the offset are -1.
func (r *Result) Position() (topic string, partition int32, offset int64) {
	return r.rec.Topic, r.rec.Partition, r.rec.Offset
}

// New connects lazily to the brokers, host:port each.
func New(brokers []string, opts ...Option) (*Client, error) {
	cfg := config{maxBytes: 4 << 20, maxBuffered: 10_000, log: slog.Default()}
	for _, o := range opts {
		o(&cfg)
	}
	if len(brokers) == 0 {
		return nil, errors.New("client: no brokers are given")
	}
	if cfg.maxBytes < 1 || cfg.maxBuffered < 1 {
		return nil, fmt.Errorf("client: limits must be positive, got %d bytes, %d events", cfg.maxBytes, cfg.maxBuffered)
	}
	if cfg.spool != nil {
		drain, err := newDrainer(cfg, brokers)
		if err != nil {
			return nil, err
		}
		return &Client{cfg: cfg, drain: drain}, nil
	}
	w, err := newWriter(func() (*kgo.Client, error) { return newKafka(cfg, brokers) })
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, kafka: w}, nil
}

// newKafka makes a producer that gives nothing up.
func newKafka(cfg config, brokers []string, more ...kgo.Opt) (*kgo.Client, error) {
	const overhead = 64 << 10
	opts := append([]kgo.Opt{
		kgo.SeedBrokers(brokers...), kgo.ClientID("millrace-client"),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.UnknownTopicRetries(-1),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.MaxBufferedRecords(cfg.maxBuffered), kgo.ProducerBatchMaxBytes(int32(max(1<<20, cfg.maxBytes+overhead))),
	}, more...)
	cl, err := kgo.NewClient(append(opts, cfg.kafka...)...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return cl, nil
}

// MaxBytes is the largest event that c takes, in bytes of its Protobuf form.
func (c *Client) MaxBytes() int { return c.cfg.maxBytes }

// Text writes a text.
func (c *Client) Text(ctx context.Context, t *schemas.Text) (*Result, error) {
	return c.send(ctx, topicText, t, func() string { return t.EventID })
}

// Inference writes a model call.
func (c *Client) Inference(ctx context.Context, i *schemas.Inference) (*Result, error) {
	return c.send(ctx, topicInference, i, func() string { return i.EventID })
}

// Feedback writes a feedback on an inference.
func (c *Client) Feedback(ctx context.Context, f *schemas.Feedback) (*Result, error) {
	return c.send(ctx, topicFeedback, f, func() string { return f.InferenceID })
}

// Send writes an event of any input kind.
func (c *Client) Send(ctx context.Context, m schemas.Message) (*Result, error) {
	switch m := m.(type) {
	case *schemas.Text:
		return c.Text(ctx, m)
	case *schemas.Inference:
		return c.Inference(ctx, m)
	case *schemas.Feedback:
		return c.Feedback(ctx, m)
	}
	return nil, fmt.Errorf("client: %s is not an input", m.Kind())
}

func (c *Client) send(ctx context.Context, topic string, m schemas.Message, key func() string) (*Result, error) {
	env := m.Env()
	if env.EventID == "" {
		env.EventID = ksuid.New().String()
	}
	if env.Tenant == "" {
		env.Tenant = c.cfg.tenant
	}
	if env.Source == "" {
		env.Source = c.cfg.source
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	// With a spool, what leads the event there lies before it in the same piece of memory.
	var lead []byte
	if c.drain != nil {
		lead = appendLead(nil, topic, key())
	}
	value := m.MarshalAppend(lead)
	if size := len(value) - len(lead); size > c.cfg.maxBytes {
		return nil, fmt.Errorf("client: event %s has %d bytes, the limit is %d: %w", env.EventID, size, c.cfg.maxBytes, ErrTooLarge)
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("client: %w", ErrClosed)
	}
	// An id that was read with its event lies in the same piece of memory: a copy lets the
	// event go before its Result.
	r := &Result{ID: strings.Clone(env.EventID), done: make(chan struct{})}
	settle := func(err error) {
		if err != nil {
			r.err = fmt.Errorf("client: write event %s to %s: %w", r.ID, topic, err)
			c.mu.Lock()
			if c.failed == nil {
				c.failed = r.err
			}
			c.mu.Unlock()
		}
		close(r.done)
	}
	if c.drain != nil {
		r.rec = &kgo.Record{Topic: topic, Partition: -1, Offset: -1}
		if err := c.drain.spool.Enqueue(ctx, value, settle); err != nil {
			return nil, fmt.Errorf("client: write event %s to the spool: %w", r.ID, err)
		}
		return r, nil
	}
	r.rec = newRecord(topic, []byte(key()), value)
	// When ctx ends while the record waits, for room or to be sent, it is given up, and
	// its Result says so; one that was sent is waited for.
	c.kafka.produce(ctx, r.rec, settle)
	return r, nil
}

func newRecord(topic string, key, value []byte) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: key, Value: value,
		Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/x-protobuf")}}}
}

// Flush waits until everything written so far is acknowledged, and returns the first
// error since the last Flush.
func (c *Client) Flush(ctx context.Context) error {
	flush := func(ctx context.Context) error { return c.drain.spool.Flush(ctx) }
	if c.drain == nil {
		flush = c.kafka.flush
	}
	if err := flush(ctx); err != nil {
		return fmt.Errorf("client: flush: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.failed
	c.failed = nil
	return err
}

// Close flushes and closes the client. With a spool it writes to the log what it can
// before ctx ends; what is left is in the folder, for the next client there.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	err := c.Flush(ctx)
	if c.drain != nil {
		return errors.Join(err, c.drain.close(ctx))
	}
	c.kafka.close()
	return err
}
