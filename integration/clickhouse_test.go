//go:build integration

package integration

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"database/sql"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/pierrec/lz4/v4"
)

// curl asks with curl, the statement as the body.
func curl(t *testing.T, w *world, path, query string, args ...string) string {
	t.Helper()
	return client(t, query, "curl", append(args, "-sS", "--fail-with-body", "--data-binary", "@-", "http://"+w.ClickHouse+"/"+path)...)
}

func testCurl(t *testing.T, w *world) {
	checkRows(t, "curl", w.texts, rowsByHTTP[textRow](t, w, "SELECT "+textColumns+" FROM clean_text ORDER BY event_id"))
	checkRows(t, "curl", w.calls, rowsByHTTP[callRow](t, w, "SELECT "+callColumns+" FROM inferences ORDER BY event_id"))
	const path = "?database=millrace"
	for _, c := range []struct{ path, query, want string }{
		{path, "SELECT event_id, request_temperature, request_top_p, response_finish_reasons FROM inferences", "call-1\t0.25\t\\N\t['stop']\n"},
		{path, "SELECT event_id, label FROM clean_text WHERE event_id LIKE 'http-%' ORDER BY event_id FORMAT CSVWithNames", "\"event_id\",\"label\"\n\"http-1\",\"ham\"\n\"http-2\",\"ham\"\n"},
		{path + "&param_id=it%27s", "SELECT event_id FROM clean_text WHERE event_id = {id:String}", "it\\'s\n"},
		{path + "&default_format=JSONCompactEachRow", "SELECT 1, 'a'", "[1, \"a\"]\n"},
		{"millrace", "SELECT currentDatabase(), readonly FROM (SELECT value AS readonly FROM system.settings WHERE name = 'readonly')", "millrace\t1\n"},
	} {
		if got := curl(t, w, c.path, c.query); got != c.want {
			t.Errorf("%s with %s answers %q, want %q", c.query, c.path, got, c.want)
		}
	}
	if got := client(t, "", "curl", "-sS", "--get", "--data-urlencode", "query=SELECT 6 * 7", "http://"+w.ClickHouse+"/"); got != "42\n" {
		t.Errorf("a GET answers %q", got)
	}
	if got := client(t, "", "curl", "-sS", "http://"+w.ClickHouse+"/ping"); got != "Ok.\n" {
		t.Errorf("/ping answers %q", got)
	}
	// Bodies compressed both ways. One that is not unpacked is no statement, or, worse, one
	// that holds nothing.
	file := filepath.Join(t.TempDir(), "body")
	for encoding, pack := range map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"lz4":     func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) },
	} {
		var body bytes.Buffer
		z := pack(&body)
		if _, err := io.WriteString(z, "SELECT sum(number) FROM numbers(100000)"); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, body.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := client(t, "", "curl", "-sS", "--compressed", "-H", "Content-Encoding: "+encoding, "--data-binary", "@"+file,
			"http://"+w.ClickHouse+"/?enable_http_compression=1"); got != "4999950000\n" {
			t.Errorf("a body in %s is answered with %q", encoding, got)
		}
	}
}

// testClickHouseGo asks over HTTP with each compression, and by database/sql.
func testClickHouseGo(t *testing.T, w *world) {
	ctx := t.Context()
	for _, method := range []ch.CompressionMethod{ch.CompressionNone, ch.CompressionLZ4, ch.CompressionGZIP, ch.CompressionZSTD} {
		t.Run(method.String(), func(t *testing.T) {
			conn, err := ch.Open(&ch.Options{
				Protocol: ch.HTTP, Addr: []string{w.ClickHouse}, Auth: ch.Auth{Database: "millrace"}, Compression: &ch.Compression{Method: method},
				Settings: ch.Settings{"max_execution_time": 30, "max_memory_usage": 1 << 30}, // as Grafana does; ours hold
			})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.Ping(ctx); err != nil {
				t.Fatal(err)
			}
			rows, err := conn.Query(ctx, "SELECT "+textColumns+" FROM clean_text WHERE event_id != {not:String} ORDER BY event_id", ch.Named("not", "it's nobody"))
			if err != nil {
				t.Fatal(err)
			}
			var texts []textRow
			for rows.Next() {
				var r textRow
				var at time.Time
				if err := rows.Scan(&r.EventID, &at, &r.Source, &r.Text, &r.Language, &r.Label, &r.Attributes, &r.Characters, &r.Redactions); err != nil {
					t.Fatal(err)
				}
				r.EventTime = at.UTC().Format("2006-01-02T15:04:05.000000Z")
				texts = append(texts, r)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			checkRows(t, "clickhouse-go", w.texts, texts)
			var c callRow
			if err := conn.QueryRow(ctx, "SELECT "+callColumns+" FROM inferences").Scan(&c.EventID, &c.RequestModel, &c.OperationName, &c.InputMessages, &c.OutputMessages,
				&c.RequestTemperature, &c.RequestTopP, &c.RequestStopSequences, &c.ResponseFinishReasons, &c.UsageInputTokens, &c.RequestStream); err != nil {
				t.Fatal(err)
			}
			checkRows(t, "clickhouse-go", w.calls, []callRow{c})
			batch, err := conn.PrepareBatch(ctx, "INSERT INTO clean_text (event_id)")
			if err == nil {
				if err = batch.Append("x"); err == nil {
					err = batch.Send()
				}
			}
			if err == nil || !strings.Contains(err.Error(), "497") {
				t.Errorf("a stranger's batch ended with %v", err)
			}
		})
	}
	db, err := sql.Open("clickhouse", "http://"+w.ClickHouse+"/millrace")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count() FROM clean_text WHERE event_id IN (?, ?)", "it's", "http-1").Scan(&n); err != nil || n != 2 {
		t.Errorf("database/sql finds %d rows, want 2 (%v)", n, err)
	}
}

// testRequests checks that no request's settings reach into another's, and that what is
// acknowledged is on disk.
func testRequests(t *testing.T, w *world) {
	for range 3 {
		if got := curl(t, w, "?database=system&session_timezone=Asia/Tokyo", "SELECT currentDatabase(), timezone()"); got != "system\tAsia/Tokyo\n" {
			t.Errorf("a request has %q", got)
		}
		if got := curl(t, w, "", "SELECT currentDatabase(), timezone()"); got != "default\tUTC\n" {
			t.Errorf("the request behind it has %q", got)
		}
	}
	for _, name := range []string{"fsync_after_insert", "fsync_part_directory"} {
		if got := w.sql("SELECT value FROM system.merge_tree_settings WHERE name = '%s'", name); got != "1" {
			t.Errorf("%s is %s", name, got)
		}
	}
}

// testLeaving checks that a query ends when its client goes: before the first row of an
// answer that is streamed, or of one that is held whole, and amid an answer.
func testLeaving(t *testing.T, w *world) {
	for _, query := range []string{
		"SELECT count() /* a client that leaves */ FROM numbers(1000000000000) WHERE sipHash64(number) = 1",
		"SELECT count() /* a client that leaves */ FROM numbers(1000000000000) WHERE sipHash64(number) = 1 FORMAT JSON",
		"SELECT number /* a client that leaves */ FROM numbers(1000000000000)",
	} {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.ClickHouse+"/", strings.NewReader(query))
		if err != nil {
			t.Fatal(err)
		}
		begun, gone := make(chan struct{}), make(chan error, 1)
		go func() {
			resp, err := http.DefaultClient.Do(req)
			if err == nil { // some rows, then no more
				_, err = io.CopyN(io.Discard, resp.Body, 1000)
				close(begun)
				<-ctx.Done()
				resp.Body.Close()
			}
			gone <- err
		}()
		const running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT % /* a client%' AND query NOT LIKE '%processes%'"
		w.await("1", running)
		amid := strings.HasPrefix(query, "SELECT number")
		if amid {
			select {
			case <-begun:
			case <-time.After(patience):
				t.Fatalf("%s has no first row", query)
			}
		}
		leave()
		if err := <-gone; (err == nil) != amid {
			t.Errorf("%s ended with %v", query, err)
		}
		w.await("0", running)
	}
}
