package collector

import (
	"context"
	"net/http"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/spool"
	"github.com/millrace-io/millrace/producers/client"
)

// spooled is a collector without brokers over a spool that may hold maxBytes.
func spooled(t testing.TB, maxBytes int64, edit func(*Config)) *Collector {
	t.Helper()
	s, err := spool.Open(spool.Config{Dir: t.TempDir(), MaxBytes: maxBytes}, spool.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	cl, err := client.New([]string{"127.0.0.1:1"}, client.WithMaxBytes(1<<20), client.OverSpool(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := cl.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return collector(t, []string{"127.0.0.1:1"}, func(c *Config, d *Deps) {
		d.Client, d.Room, d.Metrics = cl, s.Room, prometheus.NewRegistry()
		if edit != nil {
			edit(c)
		}
	})
}

// live is what the last collection of garbage found in use.
func live() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestSpoolOverload lets many clients post as fast as they can while the brokers are away,
// until the spool is full and beyond: every answer is 202, 429 or 503, the latter two with
// Retry-After, what is held does not grow, and what was acknowledged is in the spool.
func TestSpoolOverload(t *testing.T) {
	s := spooled(t, 64<<20, func(c *Config) { c.MaxInFlight = c.largestRequest() })
	body := "[" + strings.Repeat(`{"text":"`+strings.Repeat("x", 1000)+`"},`, 199) + `{"text":"x"}]`
	const clients, posts = 32, 30
	var mu sync.Mutex
	var peak uint64
	counts := map[int]int{}
	var g sync.WaitGroup
	for range clients {
		g.Go(func() {
			for range posts {
				status, a, h := post(s, "/v1/text", body)
				mu.Lock()
				counts[status]++
				peak = max(peak, live())
				mu.Unlock()
				switch {
				case status == http.StatusAccepted && a.Accepted == 200:
				case (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && h.Get("Retry-After") != "":
				default:
					t.Errorf("%d %+v %v", status, a, h)
				}
			}
		})
	}
	g.Wait()
	if counts[http.StatusAccepted] == 0 || counts[http.StatusServiceUnavailable] == 0 {
		t.Errorf("answers by status: %v; want some that were taken, and a full spool", counts)
	}
	waiting, _ := s.deps.Client.Spooled()
	if least := uint64(200 * counts[http.StatusAccepted]); waiting < least {
		t.Errorf("%d events wait in the spool, %d were acknowledged", waiting, least)
	}
	if n := s.inFlight.Load(); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
	// The collector's own bound, what waits for the disk and what the client has read from
	// it; twice, since what is made amid a collection counts as live in it.
	if most := uint64(2 * (s.cfg.MaxInFlight + 40<<20)); peak > most {
		t.Errorf("the heap had %d MiB, want %d at most", peak>>20, most>>20)
	}
	t.Logf("answers by status: %v, heap %d MiB at most", counts, peak>>20)
}
