package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/producers/client"
)

// Deps is what a Gateway works with.
type Deps struct {
	// Client keeps the events: one with a spool, or a call's event is durable only when the
	// brokers have it.
	Client *client.Client
	// Tenant is whose calls these are.
	Tenant string
	IDs    IDs
	// Rules redact what a model's capture says that it is to be redacted.
	Rules *rules.Rules
	// Room says why no event can be kept: a full log, spool or disk. nil where it can.
	Room    func() error
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Clock   func() time.Time
}

// Gateway is the HTTP handler.
type Gateway struct {
	cfg       Config
	deps      Deps
	upstreams map[string]*upstream
	models    map[string]route
	keys      *keys
	any       *route // for any model, where none is configured
	transport *http.Transport
	mux       *http.ServeMux
	turn      atomic.Uint64
	atWork    atomic.Int64
	held      atomic.Int64
	retries   budget
	recorder  *recorder
	metrics   *metrics
}

// route is where the calls of one model go.
type route struct {
	model Model
	pools [][]*upstream
}

type metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	retried prometheus.Counter
	spent   *prometheus.CounterVec
	gaps    prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "gateway", Name: "calls_total",
			Help: "Calls by upstream and by what became of them: ok, or the event's error_type."}, []string{"upstream", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "millrace", Subsystem: "gateway", Name: "head_seconds",
			Help: "Seconds from a call to the head of its answer, by upstream.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 9)}, []string{"upstream"}),
		retried: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "gateway", Name: "retries_total",
			Help: "Calls that were tried again."}),
		spent: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "gateway", Name: "spent_usd_total",
			Help: "US dollars that calls cost, by the name of their key."}, []string{"key"}),
		gaps: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "gateway", Name: "capture_gaps_total",
			Help: "Calls of which no event could be kept; each is in the count of an event of the operation capture_gap."}),
	}
	for _, c := range []prometheus.Collector{m.calls, m.seconds, m.retried, m.spent, m.gaps} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("gateway: %w", err)
		}
	}
	return m, nil
}

// Limits of connections to upstreams.
const (
	dialTimeout   = 5 * time.Second
	idleUpstreams = 1024 // connections kept to each
	idleFor       = 90 * time.Second
	maxHeadBytes  = 64 << 10
)

// New prepares the handler. Run keeps what it captures.
func New(cfg Config, deps Deps) (*Gateway, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Client == nil || deps.Tenant == "" || deps.Rules == nil || deps.Room == nil || deps.Log == nil || deps.Metrics == nil || deps.Clock == nil {
		return nil, errors.New("gateway: a dependency is missing")
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		cfg: cfg, deps: deps, upstreams: newUpstreams(cfg), models: map[string]route{}, metrics: m, mux: http.NewServeMux(),
		keys: newKeys(cfg, deps.Tenant), retries: budget{share: cfg.Retries.Share, left: burst},
		transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext, TLSHandshakeTimeout: dialTimeout,
			ForceAttemptHTTP2: true, MaxIdleConns: 0, MaxIdleConnsPerHost: idleUpstreams, IdleConnTimeout: idleFor,
			DisableCompression: true, MaxResponseHeaderBytes: maxHeadBytes,
		},
	}
	g.recorder = newRecorder(g, runtime.GOMAXPROCS(0))
	for name, model := range cfg.Models {
		g.models[name] = g.route(model)
	}
	if len(cfg.Models) == 0 {
		r := g.route(Model{})
		g.any = &r
	}
	for _, op := range operations {
		g.mux.HandleFunc("/v1"+op.path, func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, op) })
	}
	g.mux.HandleFunc(pathModels, g.list)
	return g, nil
}

const pathModels = "/v1/models"

// Paths are those that the gateway answers.
func Paths() []string {
	all := []string{pathModels}
	for _, op := range operations {
		all = append(all, "/v1"+op.path)
	}
	return all
}

func (g *Gateway) route(m Model) route {
	if m.Capture == "" {
		m.Capture = g.cfg.Capture
	}
	if m.WhenFull == "" {
		m.WhenFull = g.cfg.WhenFull
	}
	return route{m, g.pools(m)}
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }

// Run keeps the events of the calls until ctx ends, and then those of the calls that are in
// hand, for which it waits a while: the server must have been shut down by then.
func (g *Gateway) Run(ctx context.Context) {
	defer g.transport.CloseIdleConnections()
	g.recorder.run(ctx, func() {
		for end := time.Now().Add(drainTimeout); g.atWork.Load() > 0 && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// drainTimeout is how long Run waits for calls whose connections were closed already.
const drainTimeout = 5 * time.Second

// list is GET /v1/models: those that apps may ask for.
func (g *Gateway) list(w http.ResponseWriter, r *http.Request) {
	if g.keys.of(r.Header) == nil {
		noKey().write(w)
		return
	}
	if g.any != nil {
		g.passList(w, r)
		return
	}
	type model struct {
		ID     string `json:"id"`
		Object string `json:"object"`
		Owner  string `json:"owned_by"`
	}
	all := struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{Object: "list", Data: []model{}}
	for _, name := range slices.Sorted(maps.Keys(g.models)) {
		all.Data = append(all.Data, model{name, "model", "millrace"})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(all) // a client that is gone needs no answer
}
