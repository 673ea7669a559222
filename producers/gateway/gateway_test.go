package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/schemas"
)

const chat = `{"model":"m-1","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}],"temperature":0.5,"max_tokens":7,"stop":["."],"user":"u-1","x_unknown":{"a":[1,2]}}`

const chatAnswer = `{"id":"chatcmpl-1","object":"chat.completion","model":"m-1-0613","choices":[{"index":0,"message":{"role":"assistant","content":"A mill."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,"prompt_tokens_details":{"cached_tokens":400}}}`

func TestChat(t *testing.T) {
	var got *http.Request
	var gotBody string
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, gotBody = r, string(b)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-Id", "req-1")
		fmt.Fprint(w, chatAnswer)
	}))
	defer up.Close()
	r := newRig(t, func(c *Config) {
		upstreamAt(up.URL)(c)
		c.Models = map[string]Model{"m-1": {As: "m-1-real", Price: Price{Input: 2, CachedInput: 1, Output: 10}}}
	})
	status, header, body := r.post("/v1/chat/completions", chat, "Authorization", "Bearer theirs", "Millrace-Session", "s-1",
		"Millrace-Prompt", "greet@3", "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if status != 200 || body != chatAnswer || header.Get("X-Request-Id") != "req-1" {
		t.Fatalf("got %d %v %s", status, header, body)
	}
	if want := strings.Replace(chat, `"m-1"`, `"m-1-real"`, 1); gotBody != want {
		t.Errorf("the upstream got %s, want %s", gotBody, want)
	}
	if got.URL.Path != "/v1/chat/completions" || got.Header.Get("Authorization") != "Bearer theirs" || got.Header.Get("Millrace-Session") != "" {
		t.Errorf("the upstream got %s %v", got.URL.Path, got.Header)
	}
	id := header.Get("Millrace-Inference-Id")
	if err := r.ids.Check("acme", id); err != nil || !strings.HasPrefix(id, "mr_") {
		t.Errorf("the id is %q: %v", id, err)
	}
	e := r.event()
	type row struct {
		id, tenant, op, provider, asked, answered, response, subject, session, prompt, version, trace, span, in, out, finish, up string
		input, cached, output, max                                                                                               int64
		temperature, cost                                                                                                        float64
	}
	want := row{id, "acme", "chat", "mock", "m-1", "m-1-0613", "chatcmpl-1", "u-1", "s-1", "greet", "3", "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7",
		`[{"role":"system","parts":[{"type":"text","content":"Be brief."}]},{"role":"user","parts":[{"type":"text","content":"What is this?"},{"type":"uri","uri":"data:image/png;base64,","modality":"image"}]}]`,
		`[{"role":"assistant","parts":[{"type":"text","content":"A mill."}],"finish_reason":"stop"}]`, "stop", "mock", 1000, 400, 200, 7, 0.5, (600*2 + 400*1 + 200*10) / 1e6}
	have := row{e.EventID, e.Tenant, e.OperationName, e.ProviderName, e.RequestModel, e.ResponseModel, e.ResponseID, e.Subject, e.SessionID, e.PromptName, e.PromptVersion,
		e.TraceID, e.SpanID, e.InputMessages, e.OutputMessages, strings.Join(e.ResponseFinishReasons, ","), e.Upstream,
		e.UsageInputTokens, e.UsageCacheReadInputTokens, e.UsageOutputTokens, *e.RequestMaxTokens, *e.RequestTemperature, e.CostUSD}
	if have != want {
		t.Errorf("the event\ngot  %+v\nwant %+v", have, want)
	}
	if e.ErrorType != "" || e.Duration <= 0 || e.Attempts != 1 || e.Attributes["http.response.status_code"] != "200" {
		t.Errorf("the event has error %q, duration %v, attempts %d, attributes %v", e.ErrorType, e.Duration, e.Attempts, e.Attributes)
	}
}

// streaming answers with pieces, one each time that next is sent to.
func streaming(next <-chan string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		for {
			select {
			case p, ok := <-next:
				if !ok {
					return
				}
				if p == "reset" {
					panic(http.ErrAbortHandler)
				}
				_, _ = io.WriteString(w, p)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

func delta(s string) string {
	b, _ := json.Marshal(s)
	return `data: {"id":"c-1","model":"m-real","choices":[{"index":0,"delta":{"content":` + string(b) + `}}]}` + "\n\n"
}

func TestStream(t *testing.T) {
	next := make(chan string)
	up := httptest.NewServer(streaming(next))
	defer up.Close()
	r := newRig(t, upstreamAt(up.URL))
	resp, err := http.Post(r.url+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	pieces := []string{": hello\n\n", delta("Good "), delta("morning\nto you"),
		`data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t-1","function":{"name":"look","arguments":"{\"at\":"}}]}}]}` + "\n\n",
		`data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":"tool_calls"}]}` + "\r\n\r\n",
		`data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}` + "\n\n", "data: [DONE]\n\n"}
	for _, p := range pieces {
		next <- p
		// Each piece is there before the next is sent: nothing is held back.
		got := make([]byte, len(p))
		if _, err := io.ReadFull(in, got); err != nil || string(got) != p {
			t.Fatalf("got %q, %v; want %q", got, err, p)
		}
	}
	close(next)
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("behind the end: %q, %v", rest, err)
	}
	e := r.event()
	if want := `[{"role":"assistant","parts":[{"type":"text","content":"Good morning\nto you"},{"type":"tool_call","id":"t-1","name":"look","arguments":{"at":1}}],"finish_reason":"tool_calls"}]`; e.OutputMessages != want {
		t.Errorf("got  %s\nwant %s", e.OutputMessages, want)
	}
	if e.UsageInputTokens != 3 || e.UsageOutputTokens != 4 || e.ErrorType != "" || !e.RequestStream || e.TimeToFirstChunk <= 0 || e.ResponseModel != "m-real" {
		t.Errorf("the event is %+v", e)
	}
}

// TestBroken has one row for each way in which a stream, or a call, ends before its end.
func TestBroken(t *testing.T) {
	for _, c := range []struct {
		name     string
		upstream http.HandlerFunc
		status   int
		says     string // within the body
		event    string // the error_type
	}{
		{"the upstream resets amid its stream", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, delta("Half a"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, 200, `"code":"upstream_reset"`, "upstream_reset"},
		{"it stalls amid its stream", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, delta("Half a"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, 200, `"code":"upstream_timeout"`, "upstream_timeout"},
		{"it ends its stream without saying so", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, delta("Half a"))
		}, 200, "Half a", "upstream_incomplete"},
		{"it never answers", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }, 504, `"code":"upstream_timeout"`, "upstream_timeout"},
		{"it breaks off before it answers", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, `"code":"upstream_reset"`, "upstream_reset"},
		{"it answers HTML", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(500)
			fmt.Fprint(w, "<html>secret stack</html>")
		}, 502, `"code":"upstream_invalid"`, "upstream_invalid"},
		{"it answers an error in OpenAI's form", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}`)
		}, 400, `too long`, "context_length_exceeded"},
		{"it answers 429, and there is no other", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
			fmt.Fprint(w, `{"error":{"message":"slow down"}}`)
		}, 429, `slow down`, "upstream_error"},
		{"its JSON is none", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"id":`)
		}, 200, `{"id":`, "upstream_invalid"},
		{"its stream is none", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {\"id\n\ndata: [DONE]\n\n")
		}, 200, `data: {"id`, "upstream_invalid"},
		{"a piece of ten megabytes", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, delta(strings.Repeat("x", 10<<20))+delta("end")+"data: [DONE]\n\n")
		}, 200, `"content":"end"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			up := httptest.NewServer(c.upstream)
			defer up.Close()
			r := newRig(t, func(cfg *Config) {
				upstreamAt(up.URL)(cfg)
				if c.event == "upstream_timeout" {
					cfg.IdleTimeout, cfg.HeadTimeout = 300*time.Millisecond, 300*time.Millisecond
				}
			})
			status, _, body := r.post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"Hi"}]}`)
			if status != c.status || !strings.Contains(body, c.says) {
				t.Errorf("got %d %.300s; want %d with %s", status, body, c.status, c.says)
			}
			if e := r.event(); e.ErrorType != c.event || e.RequestModel != "m" {
				t.Errorf("the event says %q of %q, want %q", e.ErrorType, e.RequestModel, c.event)
			}
		})
	}
}

// TestBadRequests are those that no upstream sees.
func TestBadRequests(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("the upstream was asked") }))
	defer up.Close()
	r := newRig(t, func(c *Config) {
		upstreamAt(up.URL)(c)
		c.MaxBodyBytes = 1 << 20
		c.Models = map[string]Model{"known": {}}
	})
	rows := []struct {
		body   string
		status int
		code   string
	}{
		{``, 400, "invalid_request"}, {`[]`, 400, "invalid_request"}, {`{"model":`, 400, "invalid_request"}, {`{"messages":[]}`, 400, "invalid_request"},
		{`{"model":7}`, 400, "invalid_request"}, {`{"model":"known"} {}`, 400, "invalid_request"}, {`{"model":"known","model":"other"}`, 400, "invalid_request"},
		{`{"model":"unknown"}`, 404, "model_not_found"}, {`{"model":"known","x":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "body_too_large"},
	}
	for _, row := range rows {
		status, _, body := r.post("/v1/chat/completions", row.body)
		var e struct {
			Error struct{ Message, Type, Code string }
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil || status != row.status || e.Error.Code != row.code || e.Error.Message == "" || e.Error.Type == "" {
			t.Errorf("%.60s: got %d %s, want %d %s", row.body, status, body, row.status, row.code)
		}
	}
	n := map[string]int{}
	for _, e := range r.events(len(rows)) {
		n[e.ErrorType]++
	}
	if n["invalid_request"] != 7 || n["model_not_found"] != 1 || n["body_too_large"] != 1 {
		t.Errorf("the events are %v", n)
	}
}

// TestHangUp: the client goes amid a stream; the upstream is told, and the event holds what
// came.
func TestHangUp(t *testing.T) {
	next, gone := make(chan string), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		streaming(next)(w, r)
	}))
	defer up.Close()
	r := newRig(t, upstreamAt(up.URL))
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"model":"m","stream":true,"messages":[]}`
	fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	next <- delta("Half an answer")
	if _, err := bufio.NewReader(conn).ReadString('}'); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Fatal("the upstream works on for a client that is gone")
	}
	if e := r.event(); e.ErrorType != "client_closed" || !strings.Contains(e.OutputMessages, "Half an answer") {
		t.Errorf("the event says %q, %s", e.ErrorType, e.OutputMessages)
	}
}

// TestFailover: a pool of which one cannot be reached, one is busy, and one answers.
func TestFailover(t *testing.T) {
	var asked atomic.Int64
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); w.WriteHeader(503) }))
	defer busy.Close()
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, chatAnswer)
	}))
	defer good.Close()
	r := newRig(t, func(c *Config) {
		c.Upstreams = map[string]Upstream{"gone": {URL: "http://127.0.0.1:1/v1"}, "busy": {URL: busy.URL}, "good": {URL: good.URL}}
		c.Models = map[string]Model{"m": {Pools: [][]string{{"gone", "busy"}, {"good"}}}}
		c.Retries.Share = 1
	})
	const calls = 40
	for range calls {
		if status, _, body := r.post("/v1/chat/completions", `{"model":"m"}`); status != 200 || body != chatAnswer {
			t.Fatalf("got %d %s", status, body)
		}
	}
	if n := asked.Load(); n > calls/2 {
		t.Errorf("the busy upstream was asked %d times of %d: it was never left alone", n, calls)
	}
	for _, e := range r.events(calls) {
		if e.Upstream != "good" || e.ErrorType != "" {
			t.Errorf("the event says %q of %s", e.ErrorType, e.Upstream)
		}
	}
}

// TestAllBusy: where every upstream is busy, the last one's own answer goes back.
func TestAllBusy(t *testing.T) {
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(429)
		fmt.Fprint(w, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`)
	}))
	defer busy.Close()
	r := newRig(t, func(c *Config) {
		c.Upstreams = map[string]Upstream{"one": {URL: busy.URL}, "two": {URL: busy.URL}}
	})
	status, header, body := r.post("/v1/chat/completions", `{"model":"m"}`)
	if status != 429 || header.Get("Retry-After") != "7" || !strings.Contains(body, "slow down") {
		t.Errorf("got %d %v %s", status, header, body)
	}
	if e := r.event(); e.Attempts != 2 || e.ErrorType != "rate_limit_exceeded" {
		t.Errorf("the event says %q after %d attempts", e.ErrorType, e.Attempts)
	}
	for name, u := range r.gateway.upstreams {
		if n := u.atWork.Load(); n != 0 {
			t.Errorf("%d calls are still at work at %s", n, name)
		}
	}
}

// TestWhenFull: with no room for events a model that fails closed answers 503, and one that
// fails open answers, and is counted.
func TestWhenFull(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, chatAnswer)
	}))
	defer up.Close()
	r := newRig(t, func(c *Config) {
		upstreamAt(up.URL)(c)
		c.Models = map[string]Model{"open": {}, "closed": {WhenFull: FailClosed}}
	})
	r.full.Store(true)
	if status, header, body := r.post("/v1/chat/completions", `{"model":"closed"}`); status != 503 || header.Get("Retry-After") == "" || !strings.Contains(body, "capture_full") {
		t.Errorf("got %d %v %s", status, header, body)
	}
	if status, _, _ := r.post("/v1/chat/completions", `{"model":"open"}`); status != 200 {
		t.Errorf("got %d", status)
	}
	r.full.Store(false)
	r.gateway.recorder.miss(&keeping{event: &schemas.Inference{Envelope: schemas.Envelope{Tenant: "acme"}, RequestModel: "open"}}, client.ErrFull)
	for _, e := range r.events(3) {
		switch {
		case e.OperationName == operationGap && e.CaptureGap == 1 && e.RequestModel == "open":
		case e.RequestModel == "closed" && e.ErrorType == "capture_full":
		case e.RequestModel == "open" && e.ErrorType == "":
		default:
			t.Errorf("an event is %+v", e)
		}
	}
}
