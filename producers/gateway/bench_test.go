package gateway

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/producers/client"
)

// BenchmarkCall is a call through the gateway, its event kept, and BenchmarkProxy one through
// a bare reverse proxy: the difference is what the gateway costs.
func BenchmarkCall(b *testing.B) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "inference.logs"))
	if err != nil {
		b.Fatal(err)
	}
	defer cluster.Close()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	cl, err := client.New(cluster.ListenAddrs(), client.WithSpool(b.TempDir(), 4<<30), client.WithLog(log))
	if err != nil {
		b.Fatal(err)
	}
	redact, err := rules.New(rules.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	up := benchUpstream(b)
	cfg := DefaultConfig()
	upstreamAt(up.URL)(&cfg)
	g, err := New(cfg, Deps{Client: cl, Tenant: "acme", IDs: NewIDs(nil), Rules: redact, Log: log, Metrics: prometheus.NewRegistry(), Clock: time.Now, Room: func() error { return nil }})
	if err != nil {
		b.Fatal(err)
	}
	go g.Run(b.Context())
	benchCalls(b, g)
}

func BenchmarkProxy(b *testing.B) {
	to, err := url.Parse(benchUpstream(b).URL)
	if err != nil {
		b.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}
	benchCalls(b, proxy)
}

func benchUpstream(b *testing.B) *httptest.Server {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, chatAnswer)
	}))
	b.Cleanup(up.Close)
	return up
}

func benchCalls(b *testing.B, h http.Handler) {
	body := `{"model":"m","temperature":0.2,"messages":[{"role":"user","content":"` + strings.Repeat("a word and ", 90) + `"}]}`
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}
