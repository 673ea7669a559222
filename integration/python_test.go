//go:build integration

package integration

import (
	"net"
	"slices"
	"strings"
	"testing"
)

// testClickHouseConnect asks with Python's client, with each compression of answers.
func testClickHouseConnect(t *testing.T, w *world) {
	host, port, err := net.SplitHostPort(w.ClickHouse)
	if err != nil {
		t.Fatal(err)
	}
	for _, compression := range []string{"none", "lz4", "zstd", "gzip"} {
		t.Run(compression, func(t *testing.T) {
			got := answerOf[struct {
				Texts          []textRow
				Calls          []callRow
				Types          map[string]string
				Streamed       []string
				Arrow          []textRow
				Total          int64
				Refused, Wrong string
			}](t, python(t, "query.py", host, port, compression))
			checkRows(t, "clickhouse-connect", w.texts, got.Texts)
			checkRows(t, "clickhouse-connect", w.calls, got.Calls)
			for column, want := range map[string]string{
				"event_time": "DateTime64(6, 'UTC')", "source": "LowCardinality(String)", "attributes": "Map(LowCardinality(String), String)",
				"request_top_p": "Nullable(Float64)", "response_finish_reasons": "Array(String)", "request_stream": "Bool",
			} {
				if got.Types[column] != want {
					t.Errorf("%s is %s, want %s", column, got.Types[column], want)
				}
			}
			var ids []string
			var short []textRow
			for _, r := range w.texts {
				ids = append(ids, r.EventID)
				short = append(short, textRow{EventID: r.EventID, Characters: r.Characters})
			}
			if !slices.Equal(got.Streamed, ids) {
				t.Errorf("the stream has %q, want %q", got.Streamed, ids)
			}
			checkRows(t, "Arrow", short, got.Arrow)
			if want := int64(299_999) * 150_000; got.Total != want {
				t.Errorf("the long answer sums to %d, want %d", got.Total, want)
			}
			if !strings.Contains(got.Refused, "497") {
				t.Errorf("an insert is answered with %q", got.Refused)
			}
			if !strings.Contains(got.Wrong, "code: 47") {
				t.Errorf("a wrong column is answered with %q", got.Wrong)
			}
		})
	}
}
