//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// textRow and callRow are what every client must find of clean_text and inferences: one of
// each type that the tables have. Times are RFC 3339 with microseconds, UTC.
type textRow struct {
	EventID    string            `json:"event_id"`
	EventTime  string            `json:"event_time"`
	Source     string            `json:"source"`     // LowCardinality(String)
	Text       string            `json:"text"`       // String
	Language   string            `json:"language"`   // LowCardinality(String)
	Label      string            `json:"label"`      // LowCardinality(String)
	Attributes map[string]string `json:"attributes"` // Map(LowCardinality(String), String)
	Characters int64             `json:"characters"` // Int64
	Redactions map[string]int64  `json:"redactions"` // Map(LowCardinality(String), Int64)
}

type callRow struct {
	EventID               string   `json:"event_id"`
	RequestModel          string   `json:"request_model"`
	OperationName         string   `json:"operation_name"`
	InputMessages         string   `json:"input_messages"`
	OutputMessages        string   `json:"output_messages"`
	RequestTemperature    *float64 `json:"request_temperature"` // Nullable(Float64)
	RequestTopP           *float64 `json:"request_top_p"`
	RequestStopSequences  []string `json:"request_stop_sequences"` // Array(String)
	ResponseFinishReasons []string `json:"response_finish_reasons"`
	UsageInputTokens      int64    `json:"usage_input_tokens"`
	RequestStream         bool     `json:"request_stream"` // Bool
}

// The columns of textRow and callRow, in order.
const (
	textColumns = "event_id, event_time, source, text, language, label, attributes, characters, redactions"
	callColumns = "event_id, request_model, operation_name, input_messages, output_messages, request_temperature, " +
		"request_top_p, request_stop_sequences, response_finish_reasons, usage_input_tokens, request_stream"
)

// awkward is a value that quoting, escaping and encoding get wrong.
const awkward = "it's \"so\",\ta\\b\n日本語 🙂"

// world is what was sent and what must be found of it.
type world struct {
	*millrace
	texts []textRow // by event id
	calls []callRow
	// rekeyed are the ids of records that did not lie where their key belongs.
	rekeyed []string
}

// TestForeignClients is one running millrace up that other people's clients feed and ask.
func TestForeignClients(t *testing.T) {
	t.Parallel()
	w := &world{millrace: up(t, t.TempDir())}
	w.sendHTTP(t)
	w.sendKcat(t)
	slices.SortFunc(w.texts, func(a, b textRow) int { return strings.Compare(a.EventID, b.EventID) })
	slices.Sort(w.rekeyed)
	w.await(fmt.Sprint(len(w.texts)), "SELECT count() FROM clean_text")
	w.await(strings.Join(w.rekeyed, "\n"), "SELECT event_id FROM duplicates WHERE reason = 'rekeyed' ORDER BY event_id")
	w.await(fmt.Sprint(len(w.calls)), "SELECT count() FROM inferences")
	// It asks for the lake up to here and waits for it.
	if out := w.verify(); !strings.Contains(out, "0 lost, 0 doubled") {
		t.Fatalf("verify says %s", out)
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *world)
	}{
		{"kcat", testKcat},
		{"curl", testCurl},
		{"clickhouse-go", testClickHouseGo},
		{"clickhouse-connect", testClickHouseConnect},
		{"clickhouse-jdbc", testJDBC},
		{"lake by DuckDB", testDuckDB},
		{"lake by pyarrow", testPyarrow},
		{"lake by ClickHouse", testLakeClickHouse},
		{"requests", testRequests},
		{"strangers", testStrangers},
		{"open doors", testOpen},
		{"great answers", testGreatAnswers},
		{"a client that leaves", testLeaving},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, w) })
	}
	if t.Failed() {
		return
	}
	// The clients left everything as it was.
	checkRows(t, "after all, curl", w.texts, rowsByHTTP[textRow](t, w, "SELECT "+textColumns+" FROM clean_text ORDER BY event_id"))
	w.stop()
}

// text adds a text to the world and returns it as it is posted.
func (w *world) text(id, text, clean string, redactions map[string]int64, attributes map[string]string) string {
	if attributes == nil {
		attributes = map[string]string{}
	}
	if redactions == nil {
		redactions = map[string]int64{}
	}
	at := fmt.Sprintf("2026-01-02T03:04:05.%06dZ", 100000+len(w.texts))
	row := textRow{
		EventID: id, EventTime: at, Source: "mail", Text: clean, Language: "en", Label: "ham",
		Attributes: attributes, Characters: int64(utf8.RuneCountInString(clean)), Redactions: redactions,
	}
	w.texts = append(w.texts, row)
	b, err := json.Marshal(map[string]any{
		"id": id, "text": text, "timestamp": at, "service.name": "mail", "language": "en", "label": "ham", "attributes": attributes,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// sendHTTP posts texts, and inferences under OpenTelemetry's names.
func (w *world) sendHTTP(t *testing.T) {
	t.Helper()
	const plain = "Grüße aus Köln: a naïve façade, 日本語 and a 🙂 for good measure."
	bodies := []string{
		w.text("http-1", "Write to ada@example.org or bob@example.org about the seventh meeting.",
			"Write to <EMAIL> or <EMAIL> about the seventh meeting.", map[string]int64{"email": 2}, map[string]string{"a": "1", awkward: awkward}),
		w.text("http-2", plain, plain, nil, nil),
		w.text("it's", "An id with a quote is as good an id as any other one is.", "An id with a quote is as good an id as any other one is.", nil, nil),
	}
	if status, answer := w.post("/v1/text", "application/x-ndjson", []byte(strings.Join(bodies, "\n"))); status != 202 {
		t.Fatalf("POST /v1/text: %d %s", status, answer)
	}
	messages := `[{"role":"user","parts":[{"type":"text","content":"What is the answer to the great question?"}]}]`
	call := `{"id":"call-1","gen_ai.operation.name":"chat","gen_ai.request.model":"m-1","gen_ai.input.messages":` + messages + `,
		"gen_ai.output.messages":"It is forty-two, as it always was.","gen_ai.request.temperature":0.25,"gen_ai.request.stream":true,
		"gen_ai.request.stop_sequences":["END","it's"],"gen_ai.response.finish_reasons":["stop"],"gen_ai.usage.input_tokens":11}`
	if status, answer := w.post("/v1/inferences", "application/json", []byte(call)); status != 202 {
		t.Fatalf("POST /v1/inferences: %d %s", status, answer)
	}
	warm := 0.25
	w.calls = []callRow{{
		EventID: "call-1", OperationName: "chat", RequestModel: "m-1", InputMessages: messages,
		OutputMessages: "It is forty-two, as it always was.", RequestTemperature: &warm, RequestStream: true,
		RequestStopSequences: []string{"END", "it's"}, ResponseFinishReasons: []string{"stop"}, UsageInputTokens: 11,
	}}
}

// rowsByHTTP asks over plain HTTP, in JSON with ISO times.
func rowsByHTTP[R any](t *testing.T, w *world, query string) []R {
	t.Helper()
	return jsonLines[R](t, curl(t, w, "?database=millrace&date_time_output_format=iso&output_format_json_quote_64bit_integers=0", query+" FORMAT JSONEachRow"))
}

func jsonLines[R any](t *testing.T, text string) []R {
	t.Helper()
	var out []R
	for dec := json.NewDecoder(strings.NewReader(text)); dec.More(); {
		var row R
		if err := dec.Decode(&row); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		out = append(out, row)
	}
	return out
}

// checkRows compares what a client found with the world, row by row.
func checkRows[R any](t *testing.T, by string, want, got []R) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s finds %d rows, want %d: %+v", by, len(got), len(want), got)
		return
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%s finds row %d\n %+v, want\n %+v", by, i, got[i], want[i])
		}
	}
}

// client runs another program and returns its standard output.
func client(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	out, errs, err := tryClient(t, stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", filepath.Base(name), args, err, errs, out)
	}
	return out
}

func tryClient(t *testing.T, stdin, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%v: sh integration/setup.sh .cache installs the clients", err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// python runs one of the scripts in python/ in the environment that setup.sh makes.
func python(t *testing.T, script string, args ...string) string {
	t.Helper()
	return client(t, "", filepath.Join(cache(t), "venv", "bin", "python"), append([]string{filepath.Join("python", script)}, args...)...)
}

// answerOf reads the one JSON object that a client printed.
func answerOf[A any](t *testing.T, text string) A {
	t.Helper()
	var a A
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return a
}
