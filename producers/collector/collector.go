// Package collector takes events over HTTP: POST /v1/text, /v1/inferences, /v1/feedback.
//
// A 202 says that the broker has every event that its answer lists. Under overload it
// answers 429 or 503, with Retry-After, and nothing that was accepted is lost.
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

	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/schemas"
)

// Config bounds what is taken.
type Config struct {
	// MaxBodyBytes bounds a request, decompressed; MaxEventBytes one event.
	MaxBodyBytes  int64 `yaml:"max_body_bytes"`
	MaxEventBytes int   `yaml:"max_event_bytes"`
	// MaxInFlight bounds the bytes of all requests at work; beyond it the answer is 429.
	MaxInFlight int64 `yaml:"max_in_flight_bytes"`
	// AckTimeout is how long the broker may take before the answer is 503.
	AckTimeout time.Duration `yaml:"ack_timeout"`
}

// DefaultConfig suits one machine.
func DefaultConfig() Config {
	return Config{MaxBodyBytes: 8 << 20, MaxEventBytes: 1 << 20, MaxInFlight: 128 << 20, AckTimeout: 10 * time.Second}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if c.MaxBodyBytes < 1 || c.MaxEventBytes < 1 || c.MaxInFlight < c.MaxBodyBytes || c.AckTimeout <= 0 {
		return fmt.Errorf("collector: limits must be positive and max_in_flight_bytes at least max_body_bytes; got %+v", c)
	}
	return nil
}

// Deps is what a Collector works with.
type Deps struct {
	Client *client.Client
	// Tenant is whose events these are; an event may not name another.
	Tenant string
	// Room says why nothing new may be taken: a full log or disk. nil where it may.
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
	Accepted int          `json:"accepted"`
	IDs      []string     `json:"ids,omitempty"`
	Errors   []eventError `json:"errors,omitempty"`
	Error    string       `json:"error,omitempty"`
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
	events, bad, release, err := c.read(w, r, kind)
	defer release()
	if err != nil {
		var e *refusal
		if !errors.As(err, &e) {
			e = &refusal{http.StatusBadRequest, err.Error()}
		}
		c.events.WithLabelValues(string(kind), "refused").Inc()
		return e.status, answer{Error: e.message}
	}
	c.events.WithLabelValues(string(kind), "malformed").Add(float64(len(bad)))
	if len(events) == 0 {
		return http.StatusUnprocessableEntity, answer{Errors: bad, Error: "no event could be taken"}
	}
	ids, err := c.write(r.Context(), events)
	if err != nil {
		c.deps.Log.Warn("events are not acknowledged", "kind", kind, "events", len(events), "error", err)
		c.events.WithLabelValues(string(kind), "unacknowledged").Add(float64(len(events)))
		return http.StatusServiceUnavailable, answer{Error: "the log did not acknowledge in time; send it again, under the same ids"}
	}
	c.events.WithLabelValues(string(kind), "accepted").Add(float64(len(ids)))
	return http.StatusAccepted, answer{Accepted: len(ids), IDs: ids, Errors: bad}
}

// write hands events to the log and waits until it has them all.
func (c *Collector) write(ctx context.Context, events []schemas.Message) ([]string, error) {
	// The client may hang up; what it sent is then still written, or not, as a whole.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.AckTimeout)
	defer cancel()
	results := make([]*client.Result, len(events))
	for i, m := range events {
		r, err := c.deps.Client.Send(ctx, m)
		if err != nil {
			return nil, err
		}
		results[i] = r
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
