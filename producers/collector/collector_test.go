package collector

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace-io/millrace/producers/client"
)

func brokers(t testing.TB) []string {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "raw.text", "inference.logs", "user.feedback"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()
}

func collector(t testing.TB, at []string, edit func(*Config, *Deps)) *Collector {
	t.Helper()
	if at == nil {
		at = brokers(t)
	}
	cl, err := client.New(at)
	if err != nil {
		t.Fatal(err)
	}
	cfg, deps := DefaultConfig(), Deps{Client: cl, Tenant: "acme", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: prometheus.NewRegistry()}
	cfg.MaxBodyBytes, cfg.MaxEventBytes, cfg.AckTimeout = 2<<20, 1<<20, 5*time.Second
	if edit != nil {
		edit(&cfg, &deps)
	}
	c, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func post(c http.Handler, path, body string, headers ...string) (int, answer, http.Header) {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	var a answer
	_ = json.Unmarshal(w.Body.Bytes(), &a)
	return w.Code, a, w.Header()
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

func TestStatuses(t *testing.T) {
	c := collector(t, nil, nil)
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var streamed bytes.Buffer
	stream, err := zstd.NewWriter(&streamed, zstd.WithWindowSize(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{`{"text":"`, strings.Repeat("x", 1<<19), `"}`} {
		if _, err := io.WriteString(stream, piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		name, path, body string
		headers          []string
		status, accepted int
		want             string
	}{
		{"one", "/v1/text", `{"text":"hi"}`, nil, 202, 1, ""},
		{"array", "/v1/text", `[{"text":"a"},{"text":"b"}]`, nil, 202, 2, ""},
		{"ndjson", "/v1/inferences", "{\"model\":\"m\"}\n\n{\"gen_ai.request.model\":\"n\"}\n", []string{"Content-Type", "application/x-ndjson"}, 202, 2, ""},
		{"gzip", "/v1/text", gzipped(`{"text":"hi"}`), []string{"Content-Encoding", "gzip"}, 202, 1, ""},
		{"zstd", "/v1/text", string(z.EncodeAll([]byte(`{"text":"hi"}`), nil)), []string{"Content-Encoding", "zstd"}, 202, 1, ""},
		{"idempotency key", "/v1/text", `{"text":"hi"}`, []string{"Idempotency-Key", "k1"}, 202, 1, "k1"},
		{"key that is no text", "/v1/text", `{"text":"hi"}`, []string{"Idempotency-Key", "\xff"}, 400, 0, "UTF-8"},
		{"keys of several", "/v1/text", `[{"text":"a"},{"text":"b"}]`, []string{"Idempotency-Key", "k2"}, 202, 2, "k2-1"},
		{"some are bad", "/v1/feedback", `[{"inference_id":"i","thumb":"up"},{"thumb":"up"}]`, nil, 202, 1, "missing_field"},
		{"all are bad", "/v1/feedback", `{"thumb":"up"}`, nil, 422, 0, "inference_id"},
		{"unknown field", "/v1/text", `{"txt":"x"}`, nil, 422, 0, "unknown_field"},
		{"wrong type", "/v1/text", `{"text":7}`, nil, 422, 0, "invalid_field"},
		{"other tenant", "/v1/text", `{"text":"x","tenant":"other"}`, nil, 422, 0, "tenant"},
		{"no text", "/v1/text", `{}`, nil, 422, 0, "missing_field"},
		{"not JSON", "/v1/text", `hello`, nil, 400, 0, "not JSON: invalid character 'h' looking for beginning of value (at byte 0)"},
		{"invalid UTF-8", "/v1/text", "{\"text\":\"\xff\"}", nil, 422, 0, "invalid_json"},
		{"empty", "/v1/text", ``, nil, 400, 0, "JSON"},
		{"not gzip", "/v1/text", `{"text":"hi"}`, []string{"Content-Encoding", "gzip"}, 400, 0, "gzip"},
		{"unknown encoding", "/v1/text", `{}`, []string{"Content-Encoding", "br"}, 415, 0, "br"},
		{"unknown type", "/v1/text", `<x/>`, []string{"Content-Type", "text/xml"}, 415, 0, "text/xml"},
		{"large body", "/v1/text", strings.Repeat("x", 3<<20), nil, 413, 0, "bytes"},
		{"large event", "/v1/text", `{"text":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 422, 0, "too_large"},
		{"zstd bomb", "/v1/text", string(z.EncodeAll([]byte(strings.Repeat(" ", 64<<20)), nil)), []string{"Content-Encoding", "zstd"}, 413, 0, "unpacks"},
		{"zstd of two frames", "/v1/text", string(z.EncodeAll([]byte(`{"te`), nil)) + string(z.EncodeAll([]byte(`xt":"hi"}`), nil)), []string{"Content-Encoding", "zstd"}, 202, 1, ""},
		{"not zstd", "/v1/text", `{"text":"hi"}`, []string{"Content-Encoding", "zstd"}, 400, 0, "magic number"},
		{"half a zstd", "/v1/text", string(z.EncodeAll([]byte(`{"text":"hi"}`), nil))[:12], []string{"Content-Encoding", "zstd"}, 400, 0, "cannot be read"},
		{"zstd of nothing", "/v1/text", "", []string{"Content-Encoding", "zstd"}, 400, 0, "it is empty"},
		{"zstd with a window above the body's limit", "/v1/text", streamed.String(), []string{"Content-Encoding", "zstd"}, 202, 1, ""},
		{"array that is cut", "/v1/text", `[{"text":"a"},{"text":"b"`, nil, 400, 0, "its end is missing (at byte 25)"},
		{"array with a fault", "/v1/text", `[{"text":"a"},{"text":tru}]`, nil, 400, 0, "not JSON: invalid character '}' in literal true (expecting 'e') (at byte 25)"},
		{"bomb", "/v1/text", gzipped(strings.Repeat(" ", 64<<20)), []string{"Content-Encoding", "gzip"}, 413, 0, "unpacks"},
	} {
		status, a, _ := post(c, k.path, k.body, k.headers...)
		said, _ := json.Marshal(a)
		if status != k.status || a.Accepted != k.accepted || !strings.Contains(string(said), k.want) {
			t.Errorf("%s: got %d %s; want %d, %d accepted, %q", k.name, status, said, k.status, k.accepted, k.want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/v1/text", nil)
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET gave %d", w.Code)
	}
	if n := c.inFlight.Load(); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

// TestOverload checks that what cannot be taken is answered 429 or 503, with Retry-After.
func TestOverload(t *testing.T) {
	c := collector(t, nil, nil)
	c.inFlight.Store(c.cfg.MaxInFlight)
	status, _, h := post(c, "/v1/text", `{"text":"hi"}`)
	if status != 429 || h.Get("Retry-After") == "" {
		t.Errorf("a full collector gave %d %v", status, h)
	}
	full := collector(t, nil, func(_ *Config, d *Deps) { d.Room = func() error { return errors.New("the disk is full") } })
	if status, a, h := post(full, "/v1/text", `{"text":"hi"}`); status != 503 || h.Get("Retry-After") == "" || !strings.Contains(a.Error, "disk") {
		t.Errorf("a full disk gave %d %v", status, a)
	}
	away := collector(t, []string{"127.0.0.1:1"}, func(c *Config, _ *Deps) { c.AckTimeout = 300 * time.Millisecond })
	if status, a, h := post(away, "/v1/text", `{"text":"hi"}`); status != 503 || h.Get("Retry-After") == "" || len(a.IDs) != 0 {
		t.Errorf("a broker that is away gave %d %v", status, a)
	}
}

func FuzzHandler(f *testing.F) {
	c := collector(f, nil, nil)
	f.Add(`{"text":"hi"}`, "application/json", "")
	f.Add("{\"text\":\"hi\"}\n", "application/x-ndjson", "")
	f.Fuzz(func(t *testing.T, body, media, encoding string) {
		status, a, _ := post(c, "/v1/text", body, "Content-Type", media, "Content-Encoding", encoding)
		if status == 202 && (a.Accepted == 0 || a.Accepted != len(a.IDs)) || status >= 500 {
			t.Fatalf("%q: %d %+v", body, status, a)
		}
	})
}

func BenchmarkPost(b *testing.B) {
	c := collector(b, nil, nil)
	body := "[" + strings.Repeat(`{"text":"A sentence of a usual length, again and again."},`, 99) + `{"text":"x"}]`
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if status, a, _ := post(c, "/v1/text", body); status != 202 {
			b.Fatal(status, a)
		}
	}
}
