package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/spool"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/producers/gateway"
)

// The load of the gateway's measure: one chat completion of 1 KB each way. wrk posts as fast
// as it is answered; the open loop posts at its rate, however long answers take.
const (
	gatewayConnections = 64
	gatewayFor         = 10 * time.Second
	gatewayRate        = 2000 // a second
	gatewayOpenFor     = 20 * time.Second
	gatewayBytes       = 1000
)

// benchGateway compares the gateway, whose events go to the spool and the log, with a bare
// reverse proxy, and with Portkey's gateway, neither of which keeps anything. The upstream is
// the same for all, and a process of its own, as each of them is.
func benchGateway(ctx context.Context, o options) ([]row, error) {
	if _, err := exec.LookPath("wrk"); err != nil {
		return nil, fmt.Errorf("%w: install wrk (apt-get install wrk)", errSkip)
	}
	portkey := filepath.Join(o.cache, "portkey", "node_modules", "@portkey-ai", "gateway", "build", "start-server.js")
	names := []string{"gateway-millrace", "gateway-proxy"}
	if _, err := os.Stat(portkey); err == nil {
		names = append(names, "gateway-portkey")
	} else {
		fmt.Fprintln(os.Stderr, "without Portkey: npm install --prefix", filepath.Join(o.cache, "portkey"), "@portkey-ai/gateway@1.15.2 installs it")
	}
	results, err := takeTurns(ctx, o, names, func(int) (task, func(), error) {
		t, end, err := prepared(ctx, "collector-topics", task{Name: "topics", Count: 1})
		if err != nil {
			return t, end, err
		}
		mock, stop, err := startServer(ctx, "gateway-mock", "")
		if err != nil {
			end()
			return t, nil, err
		}
		t.DSN, t.Data = mock, portkey
		return t, func() { stop(); end() }, nil
	})
	if err != nil {
		return nil, err
	}
	per := func(name string, i int) (all []float64) {
		for _, r := range results[name] {
			all = append(all, r.Parts[i])
		}
		return all
	}
	rows := []row{
		compare(fmt.Sprintf("requests a second at most, %d connections; peer: a bare reverse proxy", gatewayConnections), "/s", "0.5", per("gateway-millrace", 0), per("gateway-proxy", 0)),
		compare(fmt.Sprintf("p50 at %d requests a second, open loop; peer: the proxy", gatewayRate), "ms", "", per("gateway-millrace", 1), per("gateway-proxy", 1)),
		compare("p99 of the same", "ms", "1 ms more", per("gateway-millrace", 2), per("gateway-proxy", 2)),
	}
	if len(results["gateway-portkey"]) > 0 {
		rows = append(rows, compare("requests a second at most; peer: Portkey's gateway 1.15.2", "/s", "20", per("gateway-millrace", 0), per("gateway-portkey", 0)))
	}
	return rows, nil
}

func gatewayMillrace(ctx context.Context, t task) (result, error) {
	return loadGateway(ctx, t, "gateway-server", true)
}

func gatewayProxy(ctx context.Context, t task) (result, error) {
	return loadGateway(ctx, t, "gateway-proxy-server", true)
}

// loadGateway starts a server of ours in a process of its own, and loads it.
func loadGateway(ctx context.Context, t task, server string, open bool) (result, error) {
	input, err := json.Marshal(t)
	if err != nil {
		return result{}, err
	}
	addr, stop, err := startServer(ctx, server, string(input))
	if err != nil {
		return result{}, err
	}
	defer stop()
	return load(ctx, t, "http://"+addr, nil, open)
}

// gatewayPortkey starts Portkey's, whose latency at the open loop's rate is none: it does not
// reach it.
func gatewayPortkey(ctx context.Context, t task) (result, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		return result{}, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return result{}, err
	}
	cmd := exec.CommandContext(ctx, "node", t.Data, fmt.Sprintf("--port=%d", port), "--headless")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }() // its end is all that matters
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	return load(ctx, t, base, map[string]string{"x-portkey-provider": "openai", "x-portkey-custom-host": "http://" + t.DSN + "/v1", "Authorization": "Bearer sk"}, false)
}

func gatewayBody() string {
	return fmt.Sprintf(`{"model":"mock-1","messages":[{"role":"system","content":"Answer in a sentence."},{"role":"user","content":%q}],"temperature":0.2,"max_tokens":200}`, prose(2, gatewayBytes))
}

// load waits until base answers, loads it with wrk, and then at a fixed rate.
func load(ctx context.Context, t task, base string, headers map[string]string, open bool) (result, error) {
	url := base + "/v1/chat/completions"
	cl := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4 * gatewayConnections}}
	defer cl.CloseIdleConnections()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = ask(ctx, cl, url, headers); err == nil {
			break
		}
	}
	if err != nil {
		return result{}, err
	}
	watch := startWatch()
	most, err := wrk(ctx, t.Dir, url, headers)
	if err != nil {
		return result{}, err
	}
	r := watch.stop(1)
	r.Parts = []float64{most, 0, 0}
	if open {
		millis, err := openLoop(ctx, cl, url)
		if err != nil {
			return result{}, err
		}
		r.Parts[1], r.Parts[2] = quantile(millis, .5), quantile(millis, .99)
	}
	return r, nil
}

func ask(ctx context.Context, cl *http.Client, url string, headers map[string]string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(gatewayBody()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := cl.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte("chatcmpl-1"))) {
		err = fmt.Errorf("%s: %s: %.200s", url, resp.Status, answer)
	}
	return err
}

// wrk is how many requests a second it gets answered.
func wrk(ctx context.Context, dir, url string, headers map[string]string) (float64, error) {
	script := filepath.Join(dir, "wrk.lua")
	text := fmt.Sprintf("wrk.method = \"POST\"\nwrk.body = %q\nwrk.headers[\"Content-Type\"] = \"application/json\"\n", gatewayBody())
	for k, v := range headers {
		text += fmt.Sprintf("wrk.headers[%q] = %q\n", k, v)
	}
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		return 0, err
	}
	out, err := exec.CommandContext(ctx, "wrk", "-t", "1", "-c", strconv.Itoa(gatewayConnections), "-d", gatewayFor.String(), "-s", script, url).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if strings.Contains(string(out), "Non-2xx") {
		return 0, fmt.Errorf("wrk was refused: %s", out)
	}
	m := regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk says %s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// openLoop asks at a fixed rate and returns how long each answer took from when its request
// was due, so that a server that stands still is not spared the requests that it holds up.
func openLoop(ctx context.Context, cl *http.Client, url string) ([]float64, error) {
	count := int(gatewayRate * gatewayOpenFor.Seconds())
	millis := make([]float64, count)
	failed := make(chan error, 1)
	var asking sync.WaitGroup
	began := time.Now()
	for i := range count {
		due := began.Add(time.Duration(i) * time.Second / gatewayRate)
		time.Sleep(time.Until(due))
		asking.Go(func() {
			if err := ask(ctx, cl, url, nil); err != nil {
				select {
				case failed <- err:
				default:
				}
			}
			millis[i] = float64(time.Since(due).Microseconds()) / 1000
		})
	}
	asking.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return millis, nil
	}
}

// serveMock is the upstream.
func serveMock() error {
	answer := []byte(fmt.Sprintf(`{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"mock-1","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":200,"completion_tokens":200,"total_tokens":400}}`, prose(3, gatewayBytes)))
	return serveUntilEnd(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a client that is gone needs no answer
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}))
}

// serveProxy is the peer: nothing but what Go's library has.
func serveProxy(input string) error {
	var t task
	if err := json.Unmarshal([]byte(input), &t); err != nil {
		return err
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: t.DSN})
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}
	return serveUntilEnd(proxy)
}

// serveGateway is the gateway with its spool, on a log.
func serveGateway(input string) (err error) {
	var t task
	if err := json.Unmarshal([]byte(input), &t); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	registry := prometheus.NewRegistry()
	s, err := spool.Open(spool.Config{Dir: filepath.Join(t.Dir, "spool-"+t.Name), MaxBytes: 4 << 30}, spool.Deps{Log: log, Metrics: registry})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	cl, err := client.New([]string{t.Broker}, client.OverSpool(s), client.WithLog(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close(context.Background())) }()
	redact, err := rules.New(rules.DefaultConfig())
	if err != nil {
		return err
	}
	cfg := gateway.DefaultConfig()
	cfg.Upstreams = map[string]gateway.Upstream{"mock": {URL: "http://" + t.DSN + "/v1", Provider: "mock"}}
	g, err := gateway.New(cfg, gateway.Deps{Client: cl, Tenant: "bench", IDs: gateway.NewIDs([]byte("bench")), Rules: redact, Room: s.Room, Log: log, Metrics: registry, Clock: time.Now})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); g.Run(ctx) }()
	err = serveUntilEnd(g)
	cancel()
	<-ended
	return err
}

// serveUntilEnd prints where it listens and serves until its standard input ends.
func serveUntilEnd(h http.Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: turnTimeout}
	go func() { _ = server.Serve(listener) }() // it ends with the process
	fmt.Println(listener.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, server.Close())
}
