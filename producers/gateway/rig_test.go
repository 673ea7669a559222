package gateway

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/schemas"
)

// rig is a gateway on a log in memory, with a spool.
type rig struct {
	t       testing.TB
	url     string
	brokers []string
	ids     IDs
	full    atomic.Bool
	gateway *Gateway
	stop    func()
}

func newRig(t testing.TB, edit func(*Config)) *rig {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "raw.text", "inference.logs", "user.feedback"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	cl, err := client.New(cluster.ListenAddrs(), client.WithSpool(t.TempDir(), 64<<20), client.WithLog(log))
	if err != nil {
		t.Fatal(err)
	}
	redact, err := rules.New(rules.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, brokers: cluster.ListenAddrs(), ids: NewIDs([]byte("a secret of the tests, of thirty-two bytes"))}
	cfg := DefaultConfig()
	cfg.IdleTimeout, cfg.HeadTimeout = time.Minute, time.Minute
	if edit != nil {
		edit(&cfg)
	}
	r.gateway, err = New(cfg, Deps{Client: cl, Tenant: "acme", IDs: r.ids, Rules: redact, Log: log, Metrics: prometheus.NewRegistry(), Clock: time.Now,
		Room: func() error {
			if r.full.Load() {
				return client.ErrFull
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r.gateway)
	r.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.gateway.Run(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		server.Close()
		cancel()
		<-ended
		if err := cl.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

// upstreamAt is a configuration with one upstream.
func upstreamAt(url string) func(*Config) {
	return func(c *Config) { c.Upstreams = map[string]Upstream{"mock": {URL: url + "/v1", Provider: "mock"}} }
}

// post sends a body and returns the status, the answer's header and its body.
func (r *rig) post(path, body string, headers ...string) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		got = append(got, "\n(cut: "+err.Error()+")"...)
	}
	return resp.StatusCode, resp.Header, string(got)
}

// events stops the gateway and returns the events on the log, by their ids.
func (r *rig) events(n int) map[string]*schemas.Inference {
	r.t.Helper()
	r.stop()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.ConsumeTopics("inference.logs"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	all := map[string]*schemas.Inference{}
	for len(all) < n {
		fetched := cl.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			r.t.Fatalf("%d of %d events: %v", len(all), n, err)
		}
		for _, rec := range fetched.Records() {
			e := &schemas.Inference{}
			if err := e.Unmarshal(rec.Value); err != nil {
				r.t.Fatal(err)
			}
			if all[e.EventID] != nil {
				r.t.Errorf("%s is there twice", e.EventID)
			}
			all[e.EventID] = e
		}
	}
	if len(all) != n {
		r.t.Fatalf("got %d events, want %d", len(all), n)
	}
	return all
}

// event is the only event there is.
func (r *rig) event() *schemas.Inference {
	r.t.Helper()
	for _, e := range r.events(1) {
		return e
	}
	return nil
}
