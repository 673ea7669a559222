//go:build integration

package integration

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lakeAnswer is what a reader of the lake prints.
type lakeAnswer struct {
	Texts []textRow
	Calls []callRow
	// Days are those of the folders that the texts lie in, and of their arrival.
	Days []struct {
		EventID string `json:"event_id"`
		Day     string
		Arrived string
	}
	Codecs []string
}

func (w *world) lake() string { return filepath.Join(w.data, "objects", "lake") }

func (a *lakeAnswer) check(t *testing.T, by string, w *world) {
	t.Helper()
	checkRows(t, by, w.texts, a.Texts)
	checkRows(t, by, w.calls, a.Calls)
	if len(a.Days) != len(w.texts) {
		t.Errorf("%s finds the days of %d texts, want %d", by, len(a.Days), len(w.texts))
	}
	for _, d := range a.Days {
		if d.Day == "" || d.Day != d.Arrived {
			t.Errorf("%s finds %s, which arrived on %s, in the folder of %q", by, d.EventID, d.Arrived, d.Day)
		}
	}
	if !slices.Equal(a.Codecs, []string{"ZSTD"}) {
		t.Errorf("%s finds the codecs %q", by, a.Codecs)
	}
}

func testDuckDB(t *testing.T, w *world) {
	got := answerOf[lakeAnswer](t, python(t, "lake_duckdb.py", w.lake()))
	got.check(t, "DuckDB", w)
}

func testPyarrow(t *testing.T, w *world) {
	got := answerOf[lakeAnswer](t, python(t, "lake_pyarrow.py", w.lake()))
	got.check(t, "pyarrow", w)
}

// testLakeClickHouse reads the lake with an engine of its own.
func testLakeClickHouse(t *testing.T, w *world) {
	read := func(what, kind string) string {
		// Names of folders are columns here too; ISO times come as the others' do.
		query := fmt.Sprintf("SELECT %s FROM file('%s/*/kind=%s/*/*.parquet', Parquet) WHERE kind = '%s' ORDER BY event_id "+
			"SETTINGS date_time_output_format = 'iso', output_format_json_quote_64bit_integers = 0", what, w.lake(), kind, kind)
		return python(t, "lake_clickhouse.py", library(t), t.TempDir(), query)
	}
	got := lakeAnswer{
		Texts: jsonLines[textRow](t, read(textColumns, "clean_text")),
		Calls: jsonLines[callRow](t, read(callColumns, "inferences")),
	}
	codecs := fmt.Sprintf("SELECT DISTINCT tupleElement(arrayJoin(columns), 'compression') AS codec FROM file('%s/*/*/*/*.parquet', ParquetMetadata)", w.lake())
	for _, c := range jsonLines[struct{ Codec string }](t, python(t, "lake_clickhouse.py", library(t), t.TempDir(), codecs)) {
		got.Codecs = append(got.Codecs, c.Codec)
	}
	for _, line := range strings.Split(strings.TrimSpace(read("event_id, toString(day) AS day, toString(toDate(arrived_at)) AS arrived", "clean_text")), "\n") {
		got.Days = append(got.Days, jsonLines[struct {
			EventID string `json:"event_id"`
			Day     string
			Arrived string
		}](t, line)...)
	}
	got.check(t, "ClickHouse", w)
}
