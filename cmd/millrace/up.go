package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/hostguard"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/processors/predict"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/producers/collector"
	"github.com/millrace-io/millrace/producers/gateway"
	"github.com/millrace-io/millrace/schemas"
)

// Limits of the HTTP server.
const (
	headerTimeout   = 10 * time.Second
	bodyTimeout     = 60 * time.Second
	maxHeaderBytes  = 64 << 10
	shutdownTimeout = 5 * time.Second
)

func upCommand() *command {
	return &command{name: "up", args: "[--roles ROLES] [FLAGS]", summary: "Run Millrace: all roles, or some.",
		help: `Without brokers and a ClickHouse of yours in the configuration it runs embedded
ones. Roles are ` + fmt.Sprint(roleNames) + `.
It prints one line when it is ready, and stops at Ctrl-C: what is in hand is finished,
what was acknowledged is kept. A second Ctrl-C ends it at once; nothing that was
acknowledged is lost by that either.`,
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			roleList := fs.String("roles", "all", "`ROLES` to run, comma separated")
			return func(ctx context.Context, env *environment, args []string) error {
				if len(args) > 0 {
					return fmt.Errorf("%q is no flag of up", args[0])
				}
				cfg, err := flags.load()
				if err != nil {
					return err
				}
				names, err := parseRoles(*roleList)
				if err != nil {
					return err
				}
				if err := cfg.split(names); err != nil {
					return err
				}
				log := newLogger(env.stderr, flags.verbose)
				ready := false
				err = up(ctx, cfg, log, names, func(a *app) error {
					ready = true
					fmt.Fprintf(env.stdout, "ready: http://%s (events, metrics), Kafka on %v, ClickHouse on %s; data in %s\n", a.address.HTTP, a.address.Brokers, a.clickhouseName(), cfg.Data)
					<-ctx.Done()
					return nil
				})
				if !ready && ctx.Err() != nil && errors.Is(err, context.Canceled) {
					// It was asked to stop and has: no error, and not silent either.
					fmt.Fprintln(env.stderr, "millrace up: stopped before it was ready")
					return nil
				}
				return err
			}
		}}
}

const welcome = `Millrace.
POST /v1/text, /v1/inferences, /v1/feedback   events: an object, an array, or NDJSON
POST /v1/predict                              the champion's answer
POST /v1/chat/completions and OpenAI's others passed on to gateway.upstreams, and logged
GET  /metrics, /healthz, /readyz, /debug/pprof/
`

func (a *app) clickhouseName() string {
	if a.conn == nil {
		return "none, which a collector does without"
	}
	if a.address.ClickHouse != "" {
		return "http://" + a.address.ClickHouse
	}
	return "the server of clickhouse.dsn"
}

// up opens the deployment, runs roles, and calls work when all is ready; it ends when
// work returns or ctx ends.
func up(ctx context.Context, cfg Config, log *slog.Logger, names []string, work func(*app) error) (err error) {
	if os.Getenv("GOMEMLIMIT") == "" && cfg.Memory > 0 {
		debug.SetMemoryLimit(int64(cfg.Memory))
	}
	a, err := openFor(ctx, cfg, log, names)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p, err := a.newParts()
	if err != nil {
		return err
	}
	a.parts = p
	roles, err := a.roles(names, p)
	if err != nil {
		return err
	}
	h := &health{down: map[string]string{}}
	handler, done, err := a.handler(names, p, h)
	if err != nil {
		return err
	}
	defer done()
	listener, err := net.Listen("tcp", cfg.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use: choose another with --listen or listen", cfg.Listen)
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", cfg.Listen, err)
	}
	a.address.HTTP = listener.Addr().String()
	if err := a.announce(); err != nil {
		return errors.Join(err, listener.Close())
	}
	return a.serve(ctx, listener, handler, roles, h, work)
}

func (a *app) serve(ctx context.Context, listener net.Listener, handler http.Handler, roles []role, h *health, work func(*app) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{Handler: hostguard.Handler(a.address.HTTP, handler), ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, MaxHeaderBytes: maxHeaderBytes}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.supervise(ctx, roles, h) })
	g.Go(func() error { return syncState(ctx, a.state) })
	g.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve http: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if err := server.Shutdown(stop); err != nil {
			return server.Close()
		}
		return nil
	})
	g.Go(func() error {
		defer cancel()
		return work(a)
	})
	return g.Wait()
}

func (a *app) newParts() (*parts, error) {
	r, err := rules.New(a.cfg.Rules)
	if err != nil {
		return nil, err
	}
	recipe, err := newRecipe(a.cfg)
	if err != nil {
		return nil, err
	}
	models, err := predict.NewModels(a.bus, a.objects, func(data []byte) (predict.Predictor, error) { return recipe.Load(data) }, a.log, a.metrics)
	if err != nil {
		return nil, err
	}
	return &parts{rules: r, models: models, recipe: recipe}, nil
}

// handler is the HTTP interface: events and predictions where the roles say so, metrics
// and health always, profiles for this machine alone.
func (a *app) handler(names []string, p *parts, h *health) (http.Handler, func(), error) {
	mux := http.NewServeMux()
	cl, err := a.edgeClient(names)
	if err != nil {
		return nil, nil, err
	}
	ids := gateway.NewIDs(a.secret)
	stop := func() {}
	if slices.Contains(names, "gateway") {
		if stop, err = a.gateway(mux, cl, p, ids); err != nil {
			return nil, nil, err
		}
	}
	done := func() {
		stop()
		if cl == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if err := cl.Close(ctx); err != nil { // nobody was told that these were taken
			a.log.Warn("events in flight were not acknowledged", "error", err)
		}
	}
	if slices.Contains(names, "collector") {
		c, err := collector.New(a.cfg.Collector, collector.Deps{Client: cl, Tenant: a.cfg.Tenant, Room: a.room, Vouch: ids.Check, Log: a.log, Metrics: a.metrics})
		if err != nil {
			return nil, nil, err
		}
		mux.Handle("/v1/", c)
		api, err := predict.NewAPI(a.cfg.Predict, predict.APIDeps{
			Models: p.models, Rules: p.rules, Model: a.cfg.Model, Tenant: a.cfg.Tenant, Clock: time.Now, Room: a.room,
			Log: func(ctx context.Context, i *schemas.Inference) error {
				_, err := a.bus.Publish(ctx, bus.InferenceLogs, []byte(i.EventID), "", i)
				return err
			},
		})
		if err != nil {
			return nil, nil, err
		}
		mux.Handle("/v1/predict", api)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, welcome) })
	mux.Handle("/metrics", promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { a.ready(w, h) })
	for path, f := range map[string]http.HandlerFunc{"": pprof.Index, "cmdline": pprof.Cmdline, "profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace} {
		mux.Handle("/debug/pprof/"+path, loopback(f))
	}
	return mux, done, nil
}

// edgeClient is what the collector and the gateway write events with; nil where neither runs.
func (a *app) edgeClient(names []string) (*client.Client, error) {
	if !slices.Contains(names, "collector") && !slices.Contains(names, "gateway") {
		return nil, nil
	}
	return a.newClient()
}

func (a *app) ready(w http.ResponseWriter, h *health) {
	down := h.state()
	if err := a.room(); err != nil {
		down["inputs"] = err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	if len(down) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	degraded := map[string]string{}
	if problem := a.parts.models.Problem(a.cfg.Model); problem != "" {
		degraded["models"] = problem
	}
	a.edge.degraded(degraded)
	if a.book != nil {
		if problem := a.book.Problem(); problem != "" {
			degraded["ledger"] = problem
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"ready": len(down) == 0, "down": down, "degraded": degraded}) // whoever hung up needs no answer
}

// loopback lets through only whoever is on this machine.
func loopback(f http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			http.Error(w, "profiles are for this machine", http.StatusForbidden)
			return
		}
		f(w, r)
	})
}
