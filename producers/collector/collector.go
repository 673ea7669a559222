// Package collector takes events over HTTP: POST /v1/text, /v1/inferences, /v1/feedback.
//
// A 202 says that the broker, or the spool on this machine's disk where there is one, has
// every event that its answer lists. Under overload it answers 429 or 503, with
// Retry-After, and nothing that was accepted is lost.
package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/config"
	"github.com/millrace-io/millrace/internal/spool"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/schemas"
)

// Config bounds what is taken.
type Config struct {
	// MaxBodyBytes bounds a request, decompressed; MaxEventBytes one event.
	MaxBodyBytes  int64 `yaml:"max_body_bytes"`
	MaxEventBytes int   `yaml:"max_event_bytes"`
	// MaxEvents bounds the events of a request.
	MaxEvents int `yaml:"max_events"`
	// MaxInFlight bounds what all requests at work hold: their bytes, unpacked, and what
	// is made of their events; beyond it the answer is 429.
	MaxInFlight int64 `yaml:"max_in_flight_bytes"`
	// AckTimeout is how long the broker, or the spool, may take before the answer is 503.
	AckTimeout time.Duration `yaml:"ack_timeout"`
	// Spool is off, on or auto: whether an event is acknowledged when it is durable on this
	// machine, so that it is taken while the brokers are away. auto is on where the brokers
	// are others' processes.
	Spool SpoolMode `yaml:"spool"`
	// SpoolMaxBytes bounds what the spool holds on the disk; beyond it the answer is 503.
	SpoolMaxBytes config.Bytes `yaml:"spool_max_bytes"`
}

// SpoolMode says when there is a spool.
type SpoolMode string

// The modes.
const (
	SpoolOff  SpoolMode = "off"
	SpoolOn   SpoolMode = "on"
	SpoolAuto SpoolMode = "auto"
)

// Spools says whether there is a spool; remote is whether the brokers are other processes.
func (c Config) Spools(remote bool) bool {
	return c.Spool == SpoolOn || c.Spool == SpoolAuto && remote
}

// DefaultConfig suits one machine.
func DefaultConfig() Config {
	return Config{MaxBodyBytes: 8 << 20, MaxEventBytes: 1 << 20, MaxEvents: 10_000, MaxInFlight: 128 << 20, AckTimeout: 10 * time.Second,
		Spool: SpoolAuto, SpoolMaxBytes: 4 << 30}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if c.MaxBodyBytes < 1 || c.MaxEventBytes < 1 || c.MaxEvents < 1 || c.AckTimeout <= 0 {
		return fmt.Errorf("collector: limits must be positive; got %+v", c)
	}
	if most := c.largestRequest(); c.MaxInFlight < most {
		return fmt.Errorf("collector: max_in_flight_bytes is %d, and one request may hold %d: raise it, or lower max_body_bytes (%d) or max_events (%d)",
			c.MaxInFlight, most, c.MaxBodyBytes, c.MaxEvents)
	}
	switch c.Spool {
	case SpoolOff, SpoolOn, SpoolAuto:
	default:
		return fmt.Errorf("collector: spool is %q: off, on and auto are known", c.Spool)
	}
	if c.SpoolMaxBytes < spool.MinBytes {
		return fmt.Errorf("collector: spool_max_bytes is %d, the least is %d", c.SpoolMaxBytes, spool.MinBytes)
	}
	return nil
}

// Fits says whether what c takes is taken by a log whose events have at most maxInput bytes.
func (c Config) Fits(maxInput int) error {
	if c.MaxEventBytes > maxInput {
		return fmt.Errorf("collector: max_event_bytes is %d, above the log's limit of %d (topics.max_input_bytes): lower it, or raise that", c.MaxEventBytes, maxInput)
	}
	if most := spool.MaxRecord(int64(c.SpoolMaxBytes)) - client.MaxLead; c.Spool != SpoolOff && c.SpoolMaxBytes >= spool.MinBytes && maxInput > most {
		return fmt.Errorf("collector: a spool of %d bytes (spool_max_bytes) takes events of %d, below the log's limit of %d (topics.max_input_bytes): let it hold more, or lower that, or set spool to off", c.SpoolMaxBytes, most, maxInput)
	}
	return nil
}

// Deps is what a Collector works with.
type Deps struct {
	Client *client.Client
	// Tenant is whose events these are; an event may not name another.
	Tenant string
	// Vouch says what is wrong with an inference id that a feedback names, nil where nothing
	// is; any is taken where it is nil.
	Vouch func(tenant, inferenceID string) error
	// Room says why nothing new may be taken: a full log, spool or disk. nil where it may.
	Room    func() error
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Collector is the HTTP handler.
type Collector struct {
	cfg      Config
	deps     Deps
	inFlight atomic.Int64
	events   *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	mux      *http.ServeMux
}

// New prepares the handler.
func New(cfg Config, deps Deps) (*Collector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Client == nil || deps.Tenant == "" {
		return nil, errors.New("collector: a client and a tenant are needed")
	}
	if err := cfg.Fits(deps.Client.MaxBytes()); err != nil {
		return nil, err
	}
	c := &Collector{
		cfg: cfg, deps: deps, mux: http.NewServeMux(),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "collector", Name: "events_total",
			Help: "Events by kind and outcome."}, []string{"kind", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "millrace", Subsystem: "collector", Name: "request_seconds",
			Help: "Seconds of a request, by status.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8)}, []string{"status"}),
	}
	for _, m := range []prometheus.Collector{c.events, c.seconds} {
		if err := deps.Metrics.Register(m); err != nil {
			return nil, fmt.Errorf("collector: %w", err)
		}
	}
	for path, kind := range map[string]schemas.Kind{"/v1/text": schemas.KindText, "/v1/inferences": schemas.KindInference, "/v1/feedback": schemas.KindFeedback} {
		c.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, kind) })
	}
	return c, nil
}

// ServeHTTP implements http.Handler.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// answer is the body of every answer.
type answer struct {
	Accepted int      `json:"accepted"`
	IDs      []string `json:"ids,omitempty"`
	// Errors are the first maxListed of them; MoreErrors counts the others.
	Errors     []eventError `json:"errors,omitempty"`
	MoreErrors int          `json:"more_errors,omitempty"`
	Error      string       `json:"error,omitempty"`
}

// eventError says what is wrong with one event of a request.
type eventError struct {
	Index   int    `json:"index"`
	Class   string `json:"class"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// refusal is an answer to a whole request.
type refusal struct {
	status  int
	message string
}

func (e *refusal) Error() string { return e.message }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request, kind schemas.Kind) {
	began := time.Now()
	status, body := c.handle(w, r, kind)
	if status >= http.StatusBadRequest {
		drain(r)
	}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
	c.seconds.WithLabelValues(fmt.Sprint(status)).Observe(time.Since(began).Seconds())
}

// drainBytes is how much of a refused body is read and dropped.
const drainBytes = 64 << 20

// drain reads what is left of a refused body. Most clients send all of a body before they
// look for an answer; a connection that is closed meanwhile is all that they would see. A
// client that waits to be told to go on has nothing under way.
func drain(r *http.Request) {
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, drainBytes) // a client that is gone needs no answer
	}
}

func (c *Collector) handle(w http.ResponseWriter, r *http.Request, kind schemas.Kind) (int, answer) {
	room := &room{c: c}
	defer room.leave()
	events, bad, err := c.read(w, r, kind, room)
	if err != nil {
		var e *refusal
		if !errors.As(err, &e) {
			e = &refusal{http.StatusBadRequest, err.Error()}
		}
		c.events.WithLabelValues(string(kind), "refused").Inc()
		return e.status, answer{Error: e.message}
	}
	ids, err := c.write(r.Context(), events, &bad)
	c.events.WithLabelValues(string(kind), "malformed").Add(float64(bad.all))
	if err != nil {
		c.deps.Log.Warn("events are not acknowledged", "kind", kind, "events", len(events), "error", err)
		c.events.WithLabelValues(string(kind), "unacknowledged").Add(float64(len(events)))
		return http.StatusServiceUnavailable, answer{Error: unacknowledged(err)}
	}
	c.events.WithLabelValues(string(kind), "accepted").Add(float64(len(ids)))
	switch {
	case len(ids) > 0:
		return http.StatusAccepted, bad.answer(answer{Accepted: len(ids), IDs: ids})
	case bad.tooLarge == bad.all:
		return http.StatusRequestEntityTooLarge, bad.answer(answer{Error: "no event could be taken"})
	}
	return http.StatusUnprocessableEntity, bad.answer(answer{Error: "no event could be taken"})
}

// unacknowledged says why events were not taken, without what is this machine's alone.
func unacknowledged(err error) string {
	const mend = "; send it again, under the same ids"
	switch {
	case errors.Is(err, client.ErrFull):
		return "the spool, or its disk, is full" + mend
	case errors.Is(err, context.DeadlineExceeded):
		return "the log did not acknowledge in time" + mend
	}
	return "the events could not be kept" + mend
}

// write hands events to the log and waits until it has them all. What the log will never
// take goes to bad.
func (c *Collector) write(ctx context.Context, events []event, bad *faults) ([]string, error) {
	// The client may hang up; what it sent is then still written, or not, as a whole.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.AckTimeout)
	defer cancel()
	results := make([]*client.Result, 0, len(events))
	for i, e := range events {
		r, err := c.deps.Client.Send(ctx, e.message)
		events[i].message = nil // its bytes are the client's now, and are not held twice
		if wrong := lasting(err); wrong != nil {
			bad.add(e.index, wrong)
			if errors.Is(err, client.ErrTooLarge) {
				bad.tooLarge++
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	ids := make([]string, len(results))
	for i, r := range results {
		if err := r.Wait(ctx); err != nil {
			return nil, err
		}
		ids[i] = r.ID
	}
	return ids, nil
}
