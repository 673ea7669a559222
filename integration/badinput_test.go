//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// badPost is a request and all that must come of it.
type badPost struct {
	name, path, body string
	headers          []string
	status           int
	// answer is the whole body of the answer. A KSUID in it is written KSUID.
	answer string
}

const (
	asNDJSON   = "application/x-ndjson"
	nothing    = `"error":"no event could be taken"}`
	megabyte   = 1 << 20
	yearFuture = `"event_time":"3000-01-01T00:00:00Z"`
)

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s)) // a buffer takes everything
	_ = z.Close()
	return b.String()
}

func zstded(s string) string {
	z, _ := zstd.NewWriter(nil) // without options there is nothing to be wrong
	return string(z.EncodeAll([]byte(s), nil))
}

// refusedOne is the answer to a request whose only event has a fault.
func refusedOne(class, field, message string) string {
	f := ""
	if field != "" {
		f = fmt.Sprintf(`,"field":%q`, field)
	}
	m, _ := json.Marshal(message) // a string always has a JSON form
	return fmt.Sprintf(`{"accepted":0,"errors":[{"index":0,"class":%q%s,"message":%s}],%s`, class, f, m, nothing)
}

func refusedAll(message string) string {
	m, _ := json.Marshal(message) // a string always has a JSON form
	return fmt.Sprintf(`{"accepted":0,"error":%s}`, m)
}

func taken(ids ...string) string {
	b, _ := json.Marshal(ids) // strings always have a JSON form
	return fmt.Sprintf(`{"accepted":%d,"ids":%s}`, len(ids), b)
}

// badPosts are requests with every fault that the HTTP interface tells at once, and those
// that it takes and whose verdict comes later.
func badPosts() []badPost {
	const text, inferences, feedback = "/v1/text", "/v1/inferences", "/v1/feedback"
	gz, zs := []string{"Content-Encoding", "gzip"}, []string{"Content-Encoding", "zstd"}
	return []badPost{
		{"not JSON", text, `hello`, nil, 400, refusedAll("the body is not JSON: invalid character 'h' looking for beginning of value (at byte 0)")},
		{"cut short", text, `{"id":"bad","text":"abc`, nil, 400, refusedAll("the body is not JSON: unexpected end of JSON input (at byte 22)")},
		{"empty", text, ``, nil, 400, refusedAll("the body is not JSON: it is empty")},
		{"no event", text, `[]`, nil, 400, refusedAll("the body holds no event")},
		{"null", text, `null`, nil, 422, refusedOne("invalid_json", "", "invalid_json: an event is a JSON object (at byte 0)")},
		{"wrong type", text, `{"id":"bad","text":7}`, nil, 422, refusedOne("invalid_field", "text", "invalid_field: text: wants a string, got a number (at byte 19)")},
		{"wrong type of a number", inferences, `{"model":"m","usage_input_tokens":"many"}`, nil, 422, refusedOne("invalid_field", "usage_input_tokens", "invalid_field: usage_input_tokens: wants a whole number, got a string (at byte 34)")},
		{"unknown field", text, `{"id":"bad","txt":"x"}`, nil, 422, refusedOne("unknown_field", "txt", `unknown_field: txt: no such field; the nearest is "text" (at byte 12)`)},
		{"unknown field of OpenTelemetry", inferences, `{"gen_ai.request.modl":"m"}`, nil, 422, refusedOne("unknown_field", "gen_ai.request.modl", `unknown_field: gen_ai.request.modl: no such field; the nearest is "gen_ai.request.model" (at byte 1)`)},
		{"10 MB", text, `{"text":"` + strings.Repeat("x", 10_000_000) + `"}`, nil, 413, refusedAll("the body has 10000011 bytes, the limit is 8388608")},
		{"an event of 2 MB", text, `{"text":"` + strings.Repeat("x", 2*megabyte) + `"}`, nil, 422, refusedOne("too_large", "", "the event has 2097163 bytes, the limit is 1048576")},
		{"invalid UTF-8", text, "{\"text\":\"\xff\"}", nil, 422, refusedOne("invalid_json", "text", "invalid_json: text: a string is not UTF-8 (at byte 9)")},
		{"half a surrogate", text, `{"text":"\ud800"}`, nil, 422, refusedOne("invalid_json", "text", "invalid_json: text: a surrogate escape in a string without its other half (at byte 9)")},
		{"gzip bomb", text, gzipped(strings.Repeat(" ", 64*megabyte)), gz, 413, refusedAll("the body has more than 8388608 bytes, or unpacks to more than 200 times its size")},
		{"zstd bomb", text, zstded(strings.Repeat(" ", 64*megabyte)), zs, 413, refusedAll("the body has more than 8388608 bytes, or unpacks to more than 200 times its size")},
		{"not gzip", text, `{"text":"x"}`, gz, 400, refusedAll("the body is not gzip: gzip: invalid header")},
		{"half a gzip", text, gzipped(`{"text":"x"}`)[:20], gz, 400, refusedAll("the body cannot be read: unexpected EOF")},
		{"unknown encoding", text, `{"text":"x"}`, []string{"Content-Encoding", "br"}, 415, refusedAll(`the content encoding "br" is not known; gzip and zstd are`)},
		{"unknown type", text, `<x/>`, []string{"Content-Type", "text/xml"}, 415, refusedAll(`the content type "text/xml" is not known; application/json, application/x-ndjson and application/x-protobuf are`)},
		{"not Protobuf", text, "\x0a\xff\xff", []string{"Content-Type", "application/x-protobuf"}, 422, refusedOne("invalid_protobuf", "envelope", "invalid_protobuf: envelope: is longer than the message that holds it (at byte 0)")},
		{"no inference id", feedback, `{"thumb":"up"}`, nil, 422, refusedOne("missing_field", "inference_id", "missing_field: inference_id: is required")},
		{"no model", inferences, `{"id":"bad"}`, nil, 422, refusedOne("missing_field", "request_model", "missing_field: request_model: is required")},
		{"no text", text, `{"id":"bad"}`, nil, 422, refusedOne("missing_field", "text", "text or data is missing")},
		{"a long id", text, `{"id":"` + strings.Repeat("x", 129) + `","text":"x"}`, nil, 422, refusedOne("too_large", "event_id", "too_large: event_id: has 129 bytes, the limit is 128 (at byte 6)")},
		{"no time at all", text, `{"event_time":"yesterday","text":"x"}`, nil, 422, refusedOne("invalid_field", "event_time", "invalid_field: event_time: wants a time as RFC 3339, such as 2006-01-02T15:04:05Z, or a number of seconds or milliseconds since 1970 (at byte 14)")},
		{"another's tenant", text, `{"tenant":"other","text":"x"}`, nil, 422, refusedOne("invalid_field", "tenant", "the tenant is given by who sends it; leave it out")},
		{"a long key", text, `{"text":"x"}`, []string{"Idempotency-Key", strings.Repeat("k", 101)}, 400, refusedAll("the Idempotency-Key has 101 bytes, the limit is 100")},
		{"a key that is no text", text, `{"text":"x"}`, []string{"Idempotency-Key", "\xff"}, 400, refusedAll("the Idempotency-Key is not UTF-8")},

		{"missing id", text, `{"text":"nobody named this text"}`, nil, 202, taken("KSUID")},
		{"one of three is bad", text, `[{"id":"three-0","text":"good"},{"id":"three-1","text":3},{"id":"three-2","text":"good"}]`, nil, 202,
			`{"accepted":2,"ids":["three-0","three-2"],"errors":[{"index":1,"class":"invalid_field","field":"text","message":"invalid_field: text: wants a string, got a number (at byte 23)"}]}`},
		{"one line of three is bad", text, "{\"id\":\"line-0\",\"text\":\"good\"}\nhello\n\n{\"id\":\"line-2\",\"text\":\"good\"}\n", []string{"Content-Type", asNDJSON}, 202,
			`{"accepted":2,"ids":["line-0","line-2"],"errors":[{"index":1,"class":"invalid_json","message":"invalid_json: an event is a JSON object (at byte 0)"}]}`},
		{"gzip", text, gzipped(`{"id":"gzip","text":"packed"}`), gz, 202, taken("gzip")},
		{"zstd", text, zstded("{\"id\":\"zstd-0\",\"text\":\"packed\"}\n{\"id\":\"zstd-1\",\"text\":\"packed\"}"), append([]string{"Content-Type", asNDJSON}, zs...), 202, taken("zstd-0", "zstd-1")},
		{"idempotency key", text, `[{"text":"keyed"},{"text":"keyed too"}]`, []string{"Idempotency-Key", "key"}, 202, taken("key-0", "key-1")},
		{"idempotency key again", text, `[{"text":"keyed"},{"text":"keyed too"}]`, []string{"Idempotency-Key", "key"}, 202, taken("key-0", "key-1")},
		{"idempotency key, other content", text, `[{"text":"keyed"},{"text":"changed"}]`, []string{"Idempotency-Key", "key"}, 202, taken("key-0", "key-1")},
		{"year 3000", text, `{"id":"year-3000",` + yearFuture + `,"text":"from the future"}`, nil, 202, taken("year-3000")},
		{"feedback on nothing", feedback, `{"id":"waits","inference_id":"never-comes","thumb":"up"}`, nil, 202, taken("waits")},
		{"feedback without a judgement", feedback, `{"id":"says-nothing","inference_id":"never-comes"}`, nil, 202, taken("says-nothing")},
		{"a thumb that is none", feedback, `{"id":"sideways","inference_id":"never-comes","thumb":"sideways"}`, nil, 202, taken("sideways")},
	}
}

var ksuidPattern = regexp.MustCompile(`"[0-9A-Za-z]{27}"`)

// TestBadPosts checks every fault over HTTP: its status, the whole answer, and, of what
// is taken, the verdict.
func TestBadPosts(t *testing.T) {
	t.Parallel()
	m := up(t, t.TempDir())
	for _, c := range badPosts() {
		contentType := "application/json"
		if len(c.headers) > 0 && c.headers[0] == "Content-Type" {
			contentType = c.headers[1]
		}
		status, answer := m.post(c.path, contentType, []byte(c.body), c.headers...)
		answer = ksuidPattern.ReplaceAllString(strings.TrimSuffix(answer, "\n"), `"KSUID"`)
		if status != c.status || answer != c.answer {
			t.Errorf("%s: got %d %s\nwant %d %s", c.name, status, answer, c.status, c.answer)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+m.HTTP+"/v1/text", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if status, answer := answered(t, req); status != 405 || answer != refusedAll("POST events here")+"\n" {
			t.Errorf("%s: got %d %s", method, status, answer)
		}
	}
	// Verdicts: all of the events that were taken, and no other.
	m.await("18", "SELECT (SELECT count() FROM clean_text) + (SELECT count() FROM feedback) + (SELECT count() FROM rejected) + (SELECT count() FROM duplicates) + (SELECT count() FROM dead_letters)")
	for _, q := range []struct{ query, want string }{
		{"SELECT event_id FROM clean_text WHERE length(event_id) != 27 ORDER BY event_id", "gzip\nkey-0\nkey-1\nline-0\nline-2\nthree-0\nthree-2\nzstd-0\nzstd-1"},
		{"SELECT text FROM clean_text WHERE length(event_id) = 27", "nobody named this text"},
		{"SELECT event_id, reason FROM duplicates ORDER BY event_id", "key-0\trepeated\nkey-0\trepeated\nkey-1\trepeated"},
		{"SELECT event_id, reason FROM dead_letters", "key-1\tid_conflict"},
		{"SELECT event_id, rule, detail FROM rejected ORDER BY event_id", "says-nothing\tno_judgement\tthe feedback has no thumb, rating, label, correction, preferred_over or comment\n" +
			"sideways\tunknown_thumb\tthe thumb is neither up nor down\n" +
			"year-3000\tevent_time_future\tevent_time 3000-01-01T00:00:00Z is further ahead of its arrival than 8760h0m0s"},
		{"SELECT event_id, inference_id, thumb FROM feedback", "waits\tnever-comes\tup"},
		{"SELECT count() FROM training_examples", "0"},
	} {
		if got := m.sql("%s", q.query); got != q.want {
			t.Errorf("%s\nanswers %q\nwant    %q", q.query, got, q.want)
		}
	}
	m.verify()
	m.stop()
}

// TestTooMuchAtWork opens slow requests until one does not fit beside those that are at
// work: it is answered 429, with when to come again. The slow ones are taken when their
// bodies come, and what was sent away when it comes again.
func TestTooMuchAtWork(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "millrace.yaml")
	const config = "collector:\n  max_body_bytes: 1024\n  max_events: 1\n  max_in_flight_bytes: 9437184\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	m := up(t, t.TempDir(), "--config", file)
	body := func(n int) string { return fmt.Sprintf(`{"id":"slow-%03d","text":"slow"}`, n) }
	type slow struct {
		net.Conn
		in *bufio.Reader
	}
	var waiting []slow
	for full := false; !full; {
		conn, err := net.Dial("tcp", m.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// The server asks for a body once it has given it room.
		fmt.Fprintf(conn, "POST /v1/text HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", len(body(0)))
		c := slow{conn, bufio.NewReader(conn)}
		line, err := c.in.ReadString('\n')
		switch {
		case err == nil && strings.HasPrefix(line, "HTTP/1.1 100 "):
			waiting = append(waiting, c)
		case err == nil && strings.HasPrefix(line, "HTTP/1.1 429 ") && len(waiting) > 0:
			full = true
			rest, err := io.ReadAll(c.in)
			if want := refusedAll("too much is at work; send it again in a moment"); err != nil || !strings.Contains(string(rest), "Retry-After: 1\r\n") || !strings.Contains(string(rest), want) {
				t.Errorf("beside %d slow requests: 429 with %s, %v; want Retry-After: 1 and %s", len(waiting), rest, err, want)
			}
		default:
			t.Fatalf("beside %d slow requests: %q, %v", len(waiting), line, err)
		}
		if len(waiting) > 1000 {
			t.Fatal("1000 slow requests are at work, and there is still room")
		}
	}
	// The first may not find room for its body and what is made of it; the room that it
	// held is then there for the others.
	var away []int
	for n, c := range waiting {
		fmt.Fprint(c, body(n))
		rest, err := io.ReadAll(c.in)
		switch {
		case err == nil && strings.Contains(string(rest), "HTTP/1.1 202 "):
		case err == nil && strings.Contains(string(rest), "HTTP/1.1 429 ") && len(away) < 2:
			away = append(away, n)
		default:
			t.Fatalf("slow request %d, with %d sent away before it: %v %s", n, len(away), err, rest)
		}
	}
	for _, n := range away {
		m.takes(fmt.Sprintf("slow-%03d", n), "/v1/text", body(n))
	}
	m.takes("again", "/v1/text", `{"id":"again","text":"once there is room"}`)
	m.await(fmt.Sprint(len(waiting)+1), "SELECT count() FROM clean_text")
	m.verify()
	m.stop()
}
