//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// mockModel is an upstream of the tests: it answers as OpenAI does, and goes by the words of
// the last message where it should do something else.
func mockModel(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, status int, body string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // a client that is gone needs no answer
	}
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Model    string
			Stream   bool
			Messages []struct{ Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Messages) == 0 {
			say(w, 400, `{"error":{"message":"no messages","type":"invalid_request_error"}}`)
			return
		}
		last := in.Messages[len(in.Messages)-1].Content
		const usage = `"usage":{"prompt_tokens":11,"completion_tokens":5,"total_tokens":16}`
		switch {
		case last == "fail":
			say(w, 400, `{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}`)
		case last == "use a tool":
			say(w, 200, `{"id":"chatcmpl-3","object":"chat.completion","created":1,"model":"mock-1-real","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call-1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Utrecht\"}"}}]},"finish_reason":"tool_calls"}],`+usage+`}`)
		case in.Stream:
			w.Header().Set("Content-Type", "text/event-stream")
			for _, piece := range []string{"Good ", "day", "."} {
				fmt.Fprintf(w, "data: {\"id\":\"chatcmpl-2\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"mock-1-real\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n", piece)
				_ = http.NewResponseController(w).Flush() // a client that is gone needs no answer
				if last == "break" {
					panic(http.ErrAbortHandler)
				}
			}
			fmt.Fprint(w, "data: {\"id\":\"chatcmpl-2\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"mock-1-real\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n")
			fmt.Fprint(w, "data: [DONE]\n\n")
		default:
			say(w, 200, `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"mock-1-real","choices":[{"index":0,"message":{"role":"assistant","content":"Good day."},"finish_reason":"stop"}],`+usage+`}`)
		}
	})
	mux.HandleFunc("POST /v1/completions", func(w http.ResponseWriter, _ *http.Request) {
		say(w, 200, `{"id":"cmpl-1","object":"text_completion","created":1,"model":"mock-1-real","choices":[{"index":0,"text":" upon a time","finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":1,"completion_tokens":3,"total_tokens":4}}`)
	})
	mux.HandleFunc("POST /v1/embeddings", func(w http.ResponseWriter, _ *http.Request) {
		say(w, 200, `{"object":"list","model":"mock-1-real","data":[{"object":"embedding","index":0,"embedding":[0.5]},{"object":"embedding","index":1,"embedding":[0.25]}],"usage":{"prompt_tokens":2,"total_tokens":2}}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// withGateway is millrace up with one upstream and one model.
func withGateway(t *testing.T, upstream string) *millrace {
	t.Helper()
	file := filepath.Join(t.TempDir(), "millrace.yaml")
	if err := os.WriteFile(file, []byte(fmt.Sprintf(`gateway:
  upstreams:
    mock:
      url: %s/v1
      provider: mock
  models:
    mock-1:
      price: {input: 2, output: 10}
`, upstream)), 0o600); err != nil {
		t.Fatal(err)
	}
	return up(t, t.TempDir(), "--config", file)
}

// TestGateway is other people's SDKs, unchanged but for the base URL, and what SQL says of
// their calls.
func TestGateway(t *testing.T) {
	t.Parallel()
	m := withGateway(t, mockModel(t).URL)
	base := "http://" + m.HTTP + "/v1"
	type heard struct {
		Plain, ID, Completion, Unknown, Failed, Broken, Langchain string
		LangchainStreamed                                         string `json:"langchain_streamed"`
		Streamed, Models                                          []string
		Tool                                                      []any
		Embedding                                                 []float64
	}
	want := heard{Plain: "Good day.", Streamed: []string{"Good ", "day", "."}, Models: []string{"mock-1"}, Unknown: "model_not_found", Broken: "upstream_reset",
		Tool: []any{"weather", map[string]any{"city": "Utrecht"}}}
	check := func(name string, got heard) {
		t.Helper()
		if !strings.HasPrefix(got.ID, "mr_") {
			t.Errorf("%s: the inference id is %q", name, got.ID)
		}
		got.ID = ""
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", name, got, want)
		}
	}
	node := answerOf[heard](t, client(t, "", "node", filepath.Join("node", "openai_sdk.mjs"), filepath.Join(cache(t), "node"), base))
	check("Node", node)
	want.Embedding, want.Completion, want.Failed, want.Langchain, want.LangchainStreamed = []float64{0.25}, " upon a time", "context_length_exceeded", "Good day.", "Good day."
	py := answerOf[heard](t, python(t, "openai_sdk.py", base))
	check("Python", py)

	// Feedback on what the gateway answered, and on an id that it never gave.
	if status, answer := m.post("/v1/feedback", "application/json", []byte(`{"inference_id":"`+py.ID+`","thumb":"up"}`)); status != 202 {
		t.Errorf("feedback: %d %s", status, answer)
	}
	forged := py.ID[:len(py.ID)-2] + "AA"
	if status, answer := m.post("/v1/feedback", "application/json", []byte(`{"inference_id":"`+forged+`","thumb":"up"}`)); status != 422 || !strings.Contains(answer, "not given to this tenant") {
		t.Errorf("a forged id: %d %s", status, answer)
	}
	m.await(strings.Join([]string{
		"chat\tfalse\t\t5\tmock", "chat\tfalse\tcontext_length_exceeded\t1\tmock", "chat\tfalse\tmodel_not_found\t2\t", "chat\ttrue\t\t3\tmock",
		"chat\ttrue\tupstream_reset\t2\tmock", "embeddings\tfalse\t\t1\tmock", "text_completion\tfalse\t\t1\tmock",
	}, "\n"), "SELECT operation_name, request_stream, error_type, count(), any(upstream) FROM inferences GROUP BY ALL ORDER BY ALL")
	m.await("[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"Good day.\"}],\"finish_reason\":\"stop\"}]\tmock-1-real\t11\t5\t0.000072\tuser-1\tup",
		"SELECT output_messages, response_model, usage_input_tokens, usage_output_tokens, cost_usd, i.subject, f.thumb FROM inferences i JOIN feedback f ON f.inference_id = i.event_id FORMAT TSVRaw")
	// The views count the same calls.
	m.await("mock-1\tmock\t13\t0", "SELECT model, provider, calls, unpriced FROM cost_by_day WHERE provider != ''")
	m.await("0.000396", "SELECT round(sum(cost), 6) FROM cost_by_day")
	m.await("mock-1\tmock\t10\t3\t1\t1", "SELECT model, upstream, calls, streams, p50 > 0 AND p99 >= p50, first_p95 > 0 FROM latency_by_model_hour")
	m.await("\tmodel_not_found\t2\t1\nmock\tcontext_length_exceeded\t1\t0.0769\nmock\tupstream_reset\t2\t0.1538",
		"SELECT upstream, error_type, calls, round(share, 4) FROM errors_by_upstream ORDER BY ALL")
	m.await("15\t5\t2", "SELECT calls, errors, subjects FROM usage_by_key")
	if out := m.verify(); !strings.Contains(out, "0 lost, 0 doubled") {
		t.Errorf("verify says %s", out)
	}
	m.stop()
}
