//go:build integration

package integration

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testJDBC asks as DBeaver does: what there is, then rows, a page at a time.
func testJDBC(t *testing.T, w *world) {
	out := client(t, "", "java", "-cp", filepath.Join(cache(t), "jdbc", "*"), filepath.Join("jdbc", "Query.java"), w.ClickHouse)
	got := answerOf[struct {
		Product        string
		Valid          bool
		Schemas        []string
		Tables         []string
		Columns        map[string]string
		Texts          []textRow
		Calls          []callRow
		Page           []string
		Refused, Wrong string
	}](t, out)
	if got.Product != "ClickHouse" || !got.Valid || !slices.Contains(got.Schemas, "millrace") {
		t.Errorf("the database is %q, valid: %v, with schemas %q", got.Product, got.Valid, got.Schemas)
	}
	tables := strings.Split(w.sql("SELECT name FROM system.tables WHERE database = 'millrace' ORDER BY name"), "\n")
	if slices.Sort(got.Tables); !slices.Equal(got.Tables, tables) || !slices.Contains(tables, "ledger") {
		t.Errorf("getTables finds %q, want %q", got.Tables, tables)
	}
	if n := len(got.Columns); n != 32 || got.Columns["event_time"] != "DateTime64(6, 'UTC')" || got.Columns["attributes"] != "Map(LowCardinality(String), String)" {
		t.Errorf("getColumns finds %d columns: %v", n, got.Columns)
	}
	checkRows(t, "JDBC", w.texts, got.Texts)
	checkRows(t, "JDBC", w.calls, got.Calls)
	if want := []string{w.texts[0].EventID, w.texts[1].EventID}; !slices.Equal(got.Page, want) {
		t.Errorf("a page of two rows is %q, want %q", got.Page, want)
	}
	if !strings.Contains(got.Refused, "Code: 497") {
		t.Errorf("an insert is answered with %q", got.Refused)
	}
	if !strings.Contains(got.Wrong, "Code: 47.") {
		t.Errorf("a wrong column is answered with %q", got.Wrong)
	}
}
