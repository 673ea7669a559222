package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// BenchmarkCall is a call through the gateway, its event kept, and BenchmarkProxy one through
// a bare reverse proxy: the difference is what the gateway costs.
func BenchmarkCall(b *testing.B) {
	benchCalls(b, newRig(b, upstreamAt(benchUpstream(b).URL)).gateway)
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
