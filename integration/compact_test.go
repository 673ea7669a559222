//go:build integration

package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// compactConfig makes small files every 200 ms and large ones of them at every turn of the
// compactor.
const compactConfig = `
sinks:
  parquet:
    max_age: 200ms
    compact: {target_bytes: 1000000, max_age: 1ms, grace: 20s}
`

// TestCompaction lets DuckDB read the lake again and again while events flow and small
// files become large ones, by the list of files and by all that is there: by the list each
// row is there once; by all of it none is missing.
func TestCompaction(t *testing.T) {
	t.Parallel()
	m := up(t, t.TempDir(), configured(t, compactConfig)...)
	const wave = 20
	sent, before, reads := 0, 0., 0
	for until := time.Now().Add(3 * patience); m.metric("millrace_lake_emptied_files_total") <= before || reads < 6; reads++ {
		if time.Now().After(until) {
			t.Fatal("the small files are not emptied")
		}
		if reads == 0 {
			before = m.metric("millrace_lake_emptied_files_total")
		}
		for range wave {
			id := fmt.Sprintf("text-%d", sent)
			m.takes(id, "/v1/text", fmt.Sprintf(`{"id":%q,"text":"Text number %d."}`, id, sent))
			sent++
		}
		m.await(fmt.Sprint(sent), "SELECT count() FROM clean_text")
		m.lakeReads(t, sent)
	}
	if made := m.metric("millrace_lake_compacted_files_total"); made < 1 {
		t.Error("no file was made of smaller ones")
	}
	m.verify()
	files, _, _ := m.run("lake", "files", "--kind", "clean_text")
	described, _, code := m.run("lake", "files", "--kind", "clean_text", "--json")
	if n := strings.Count(files, "\n"); code != 0 || n == 0 || strings.Count(described, "\n") != n || strings.Count(described, `"tenant":"default"`) != n {
		t.Errorf("lake files lists %d files, and describes %d (%d):\n%s", n, strings.Count(described, "\n"), code, described)
	}
	if out, errs, code := m.run("lake", "files", "--kind", "clean_texts"); code != 1 || !strings.Contains(errs, "did you mean clean_text?") {
		t.Errorf("a kind that there is not: %d %s%s", code, out, errs)
	}
	m.stop()
	m.lakeReads(t, sent) // it needs no engine
}

// lakeReads reads the lake, which has come to hold all events that were sent.
func (m *millrace) lakeReads(t *testing.T, sent int) {
	t.Helper()
	all := fmt.Sprintf("read_parquet('%s/objects/lake/*/kind=clean_text/*/*.parquet', union_by_name = true)", m.data)
	for until := time.Now().Add(patience); ; time.Sleep(lookEach) {
		listed, errs, code := m.run("lake", "files", "--kind", "clean_text", "--sql")
		if code != 0 {
			if time.Now().Before(until) && strings.Contains(errs, "no such files yet") {
				continue
			}
			t.Fatalf("lake files exits with %d: %s", code, errs)
		}
		got := answerOf[[]struct{ Rows, Events int }](t, python(t, "lake_files.py", strings.TrimSpace(listed), all))
		if got[0].Rows != got[0].Events {
			t.Fatalf("by the list there are %d rows of %d events", got[0].Rows, got[0].Events)
		}
		if got[1].Events < got[0].Events {
			t.Fatalf("by the list there are %d events, by all files %d", got[0].Events, got[1].Events)
		}
		if got[0].Events == sent {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the lake holds %d events of %d", got[0].Events, sent)
		}
	}
}
