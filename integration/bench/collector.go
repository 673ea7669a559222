package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/spool"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/producers/collector"
)

// The load of the collector's measure: one text of 1 KB a request, and as many
// connections as post one after the other.
const (
	collectorConnections = 64
	collectorRequests    = 60_000
	collectorBytes       = 1000
	collectorWarmUp      = 2000
)

// benchCollector compares requests that are acknowledged by the spool, after an fsync,
// with requests that the broker acknowledges, which keeps its log in memory. Collector,
// broker and clients are processes of their own.
func benchCollector(ctx context.Context, o options) ([]row, error) {
	results, err := takeTurns(ctx, o, []string{"collector-spool", "collector-broker"}, func(int) (task, func(), error) {
		return prepared(ctx, "collector-topics", task{Name: "topics", Count: collectorRequests})
	})
	if err != nil {
		return nil, err
	}
	per := func(name string, of func(result) float64) (all []float64) {
		for _, r := range results[name] {
			all = append(all, of(r))
		}
		return all
	}
	side := func(of func(result) float64) (spool, broker []float64) {
		return per("collector-spool", of), per("collector-broker", of)
	}
	rates, brokerRates := side(func(r result) float64 { return float64(r.Count) / r.Wall })
	p99, brokerP99 := side(func(r result) float64 { return r.Part })
	what := fmt.Sprintf("requests a second with the spool, peer without: one text of 1 KB each, %d connections", collectorConnections)
	return []row{compare(what, "/s", "", rates, brokerRates), compare("p99 of an answer", "ms", "", p99, brokerP99)}, nil
}

// collectorTopics makes the topics.
func collectorTopics(ctx context.Context, t task) (result, error) {
	watch := startWatch()
	_, _, closeBus, err := openBus(ctx, t, bus.DefaultTopicsConfig().Specs())
	if err == nil {
		closeBus()
	}
	return watch.stop(t.Count), err
}

func collectorSpool(ctx context.Context, t task) (result, error) {
	return postAll(ctx, t, "collector-spool")
}

func collectorBroker(ctx context.Context, t task) (result, error) {
	return postAll(ctx, t, "collector-broker")
}

// postAll starts a collector in a process of its own and posts to it.
func postAll(ctx context.Context, t task, server string) (result, error) {
	input, err := json.Marshal(t)
	if err != nil {
		return result{}, err
	}
	addr, stop, err := startServer(ctx, server+"-server", string(input))
	if err != nil {
		return result{}, err
	}
	defer stop()
	text := prose(1, collectorBytes)
	transport := &http.Transport{MaxIdleConnsPerHost: collectorConnections}
	defer transport.CloseIdleConnections()
	cl := &http.Client{Transport: transport}
	if _, err := postMany(ctx, cl, addr, "warm", text, collectorWarmUp); err != nil {
		return result{}, err
	}
	watch := startWatch()
	millis, err := postMany(ctx, cl, addr, t.Name, text, t.Count)
	r := watch.stop(t.Count)
	r.Part = quantile(millis, .99)
	return r, err
}

// postMany posts count texts and returns how long each answer took.
func postMany(ctx context.Context, cl *http.Client, addr, name, text string, count int) ([]float64, error) {
	millis := make([]float64, count)
	var next atomic.Int64
	var posting sync.WaitGroup
	failed := make(chan error, collectorConnections)
	for range collectorConnections {
		posting.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				began := time.Now()
				if err := postOne(ctx, cl, addr, fmt.Sprintf(`{"id":"%s-%d","text":"%d %s"}`, name, i, i, text)); err != nil {
					failed <- err
					return
				}
				millis[i] = float64(time.Since(began).Microseconds()) / 1000
			}
		})
	}
	posting.Wait()
	close(failed)
	return millis, <-failed
}

func postOne(ctx context.Context, cl *http.Client, addr, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/v1/text", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := cl.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("POST /v1/text: %s: %.200s", resp.Status, answer)
	}
	return err
}

// serveCollector is the collector's process: it prints where it listens and serves until
// its standard input ends.
func serveCollector(input string, spooled bool) (err error) {
	var t task
	if err := json.Unmarshal([]byte(input), &t); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	registry := prometheus.NewRegistry()
	var opts []client.Option
	if spooled {
		s, err := spool.Open(spool.Config{Dir: filepath.Join(t.Dir, "spool-"+t.Name), MaxBytes: int64(collector.DefaultConfig().SpoolMaxBytes)}, spool.Deps{Log: log, Metrics: registry})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		opts = append(opts, client.OverSpool(s))
	}
	cl, err := client.New([]string{t.Broker}, append(opts, client.WithLog(log))...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close(context.Background())) }()
	c, err := collector.New(collector.DefaultConfig(), collector.Deps{Client: cl, Tenant: "bench", Log: log, Metrics: registry})
	if err != nil {
		return err
	}
	return serveUntilEnd(c)
}
