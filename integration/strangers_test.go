//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ask sends a statement as a stranger does, with further parameters, names and values.
func (w *world) ask(t *testing.T, query string, params ...string) (status int, code, body string) {
	t.Helper()
	v := url.Values{"database": {"millrace"}}
	for i := 0; i+1 < len(params); i += 2 {
		v.Set(params[i], params[i+1])
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.ClickHouse+"/?"+v.Encode(), strings.NewReader(query))
	if err != nil {
		t.Fatal(err)
	}
	// Whoever waits for a closed port or a program has found a door.
	patient := http.Client{Timeout: 20 * time.Second}
	resp, err := patient.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if err := resp.Write(&b); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("X-ClickHouse-Exception-Code"), b.String()
}

// testStrangers knocks at the doors that are closed to whoever has no password.
func testStrangers(t *testing.T, w *world) {
	dir := t.TempDir()
	secret, out := filepath.Join(dir, "secret"), filepath.Join(dir, "out")
	if err := os.WriteFile(secret, []byte("hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := strings.NewReplacer("$SECRET", "'"+secret+"'", "$OUT", "'"+out+"'", "$CLOSED", "'http://127.0.0.1:1/x'")
	for _, c := range []struct {
		code   string
		status int
		query  string
	}{
		// Files, by a scalar, a table, under other names and behind comments.
		{"497", 403, "SELECT file('/etc/hostname')"},
		{"497", 403, "SELECT file($SECRET)"},
		{"497", 403, "SELECT arrayMap(x -> FILE(x), [$SECRET])"},
		{"497", 403, "WITH `file`($SECRET) AS f SELECT length(f)"},
		{"497", 403, "SELECT 1 ORDER BY file($SECRET)"},
		{"497", 403, "SELECT * APPLY(file) FROM (SELECT $SECRET AS a)"},
		{"497", 403, "SELECT COLUMNS('a') APPLY file FROM (SELECT $SECRET AS a)"},
		{"497", 403, "SELECT 1 -- FORMAT JSON SETTINGS\n, file($SECRET)"},
		{"497", 403, "SELECT file($SECRET) FORMAT JSON -- FORMAT CSV"},
		{"497", 403, "SELECT * FROM file($SECRET, 'LineAsString')"},
		{"497", 403, "SHOW TABLES WHERE throwIf(1, file($SECRET))"},
		{"497", 403, "SHOW COLUMNS FROM clean_text WHERE throwIf(1, file($SECRET))"},
		{"497", 403, "DESCRIBE TABLE file($SECRET, 'LineAsString')"},
		{"497", 403, "EXPLAIN SELECT * FROM file($SECRET, 'LineAsString')"},
		{"497", 403, "SELECT * FROM numbers(1) WHERE toString(number) IN (SELECT * FROM file($SECRET, 'LineAsString'))"},
		{"497", 403, "SELECT * FROM view(SELECT * FROM file($SECRET, 'LineAsString'))"},
		{"497", 403, "SELECT * FROM filesystem('/etc')"},
		{"60", 404, "SELECT * FROM `" + secret + "`"},
		{"497", 403, "SELECT 1 INTO OUTFILE $OUT"},
		{"497", 403, "SELECT 1 INTO OUTFILE $OUT FORMAT CSV"},
		{"497", 403, "INSERT INTO FUNCTION file($OUT, 'CSV', 'a Int8') SELECT 1"},
		// The network and other programs.
		{"497", 403, "SELECT * FROM url($CLOSED, 'LineAsString')"},
		{"497", 403, "SELECT * FROM s3($CLOSED)"},
		{"497", 403, "SELECT * FROM remote('127.0.0.1', 'millrace', 'clean_text')"},
		{"497", 403, "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')"},
		{"497", 403, "SELECT * FROM executable('id', 'TSV', 'a String')"},
		{"497", 403, "SELECT * FROM loop(url($CLOSED, 'LineAsString'))"},
		{"497", 403, "CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(FILE(PATH $SECRET FORMAT 'TSV')) LAYOUT(FLAT()) LIFETIME(0)"},
		{"497", 403, "SELECT * FROM dictionary('d')"},
		{"497", 403, "SELECT dictGetString('d', 'a', toUInt64(1))"},
		// What changes something.
		{"497", 403, "INSERT INTO clean_text (event_id) VALUES ('x')"},
		{"497", 403, "INSERT INTO clean_text (event_id) FORMAT CSV\nx\n"},
		{"497", 403, "INSERT INTO clean_text (event_id) SELECT 'x'"},
		{"497", 403, "CREATE TABLE x (a Int8) ENGINE = Memory"},
		{"497", 403, "CREATE TEMPORARY TABLE x (a Int8)"},
		{"497", 403, "CREATE FUNCTION f AS (x) -> x"},
		{"497", 403, "DROP TABLE clean_text"},
		{"497", 403, "TRUNCATE TABLE clean_text"},
		{"497", 403, "ALTER TABLE clean_text DELETE WHERE 1"},
		{"497", 403, "OPTIMIZE TABLE clean_text FINAL"},
		{"497", 403, "KILL QUERY WHERE 1"},
		{"497", 403, "SYSTEM STOP MERGES"},
		{"497", 403, "GRANT ALL ON *.* TO default"},
		{"497", 403, "SET ROLE inside"},
		// More than one statement, and what would loosen the limits.
		{"497", 403, "SELECT 1; SELECT 2"},
		{"497", 403, "SELECT 1; DROP TABLE clean_text"},
		{"497", 403, "SET readonly = 0"},
		{"164", 403, "SELECT 1 SETTINGS readonly = 0"},
		{"164", 403, "SELECT 1 SETTINGS readonly = 0 FORMAT JSON"},
		{"164", 403, "SELECT 1 FORMAT JSON SETTINGS max_execution_time = 0"},
		// What ends or holds the engine.
		{"497", 403, "SELECT * FROM system.stack_trace"},
		{"497", 403, "SELECT * FROM merge('system', 'stack')"},
		{"497", 403, "SELECT sleep(3)"},
		// What is wrong, and by whom.
		{"62", 400, "SELEKT 1"},
		{"62", 400, "\x01\x02"},
		{"47", 400, "SELECT nonsense FROM clean_text"},
		{"46", 400, "SELECT nonsense(1)"},
		{"60", 404, "SELECT * FROM nonsense"},
		{"81", 404, "SELECT * FROM nonsense.nonsense"},
	} {
		query := read.Replace(c.query)
		status, code, body := w.ask(t, query)
		if status != c.status || code != c.code || !strings.Contains(body, "Code: "+c.code+".") || strings.Contains(body, "hidden") {
			t.Errorf("%s\n answers %d, code %q, want %d, %q: %.300s", query, status, code, c.status, c.code, body)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Errorf("a stranger wrote %s", out)
	}
	// Parameters loosen nothing either, and names are checked.
	if _, _, body := w.ask(t, "SELECT getSetting('readonly'), getSetting('max_execution_time')", "readonly", "0", "max_execution_time", "0"); !strings.Contains(body, "1\t60\n") {
		t.Errorf("with the limits as parameters they are %s", body)
	}
	if status, code, _ := w.ask(t, "SELECT * FROM {t:Identifier}", "param_t", "stack_trace", "database", "system"); status != 403 || code != "497" {
		t.Errorf("a table named by a parameter answers %d, code %s", status, code)
	}
	for _, user := range []string{"millrace", "nobody"} {
		if status, code, _ := w.ask(t, "SELECT 1", "user", user, "password", "guessed"); status != 401 || code != "516" {
			t.Errorf("%s with a wrong password is answered with %d, code %s", user, status, code)
		}
	}
}

// testOpen checks that what only reads passes, with the formats and comments that tools
// put behind it.
func testOpen(t *testing.T, w *world) {
	for _, query := range []string{
		"SELECT count() FROM clean_text", "SELECT count() FROM system.tables", "SELECT * FROM information_schema.tables LIMIT 1",
		"WITH x AS (SELECT 1 AS a) SELECT * FROM x", "(SELECT 1) UNION ALL (SELECT 2)", "SELECT * FROM view(SELECT 1)",
		"SHOW TABLES", "SHOW TABLES LIKE '%text%'", "SHOW DATABASES", "SHOW CREATE TABLE clean_text", "SHOW COLUMNS FROM clean_text",
		"SHOW PROCESSLIST", "DESCRIBE TABLE clean_text", "DESC ledger", "EXISTS TABLE clean_text", "EXPLAIN SELECT * FROM ledger",
		"EXPLAIN PIPELINE SELECT count() FROM clean_text", "SELECT * EXCEPT (text) FROM clean_text", "SELECT * FROM accuracy_by_version",
	} {
		for _, tail := range []string{"", " FORMAT JSON", "\nFORMAT TSVWithNames -- by a tool", ";"} {
			status, _, body := w.ask(t, "/* by a tool */ "+query+tail)
			if status != 200 {
				t.Errorf("%s%s answers %.300s", query, tail, body)
			}
		}
	}
}

// testGreatAnswers checks that an answer which must be held whole has a limit, that one
// which need not has none, and that an error amid it does not look like its end.
func testGreatAnswers(t *testing.T, w *world) {
	for _, format := range []string{"JSON", "CSVWithNames", "RowBinaryWithNamesAndTypes"} {
		status, code, body := w.ask(t, "SELECT number FROM numbers(100000000) FORMAT "+format)
		if status == 200 || code != "396" || !strings.Contains(body, "Limit for result exceeded") {
			t.Errorf("a great answer in %s: %d, code %q, %.300s", format, status, code, body)
		}
	}
	if n := curl(t, w, "", "SELECT repeat('x', 999) FROM numbers(300000)", "-o", os.DevNull, "-w", "%{size_download}"); n != "300000000" {
		t.Errorf("a great answer that is streamed has %s bytes", n)
	}
	stdout, stderr, err := tryClient(t, "SELECT throwIf(number = 3000000) FROM numbers(10000000)", "curl", "-sS", "--fail-with-body", "--data-binary", "@-", "http://"+w.ClickHouse+"/")
	if err == nil {
		t.Errorf("an answer of %d bytes that an error ended looks whole: %s", len(stdout), stderr)
	}
}

// TestEngineEndsWithItsParent kills millrace up as a crash does, with a query at work: the
// engine's process must not outlive it, so that the next start finds the folder free.
func TestEngineEndsWithItsParent(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	m := up(t, data)
	child := engineOf(t, m)
	go func() {
		_, _ = m.trySQL("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1") // it ends with the engine
	}()
	m.await("1", "SELECT count() FROM system.processes WHERE query LIKE 'SELECT count() FROM numbers%'")
	m.kill()
	for until := time.Now().Add(patience); alive(child); time.Sleep(lookEach) {
		if time.Now().After(until) {
			t.Fatalf("the engine's process %d outlives its parent", child)
		}
	}
	again := up(t, data)
	second := engineOf(t, again)
	// An orderly stop does not wait for a query either.
	gone := make(chan error, 1)
	go func() {
		_, err := again.trySQL("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1")
		gone <- err
	}()
	again.await("1", "SELECT count() FROM system.processes WHERE query LIKE 'SELECT count() FROM numbers%'")
	again.stop()
	if err := <-gone; err == nil {
		t.Error("the endless query ended by itself")
	}
	if alive(second) {
		t.Errorf("the engine's process %d outlives an orderly stop", second)
	}
}

// engineOf finds the engine's process among the children of m.
func engineOf(t *testing.T, m *millrace) int {
	t.Helper()
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", m.cmd.Process.Pid))
	if err != nil || len(children) == 0 {
		t.Fatalf("the children of %d cannot be told: %v", m.cmd.Process.Pid, err)
	}
	for _, file := range children {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has ended
		}
		for id := range strings.FieldsSeq(string(b)) {
			var pid int
			if _, err := fmt.Sscan(id, &pid); err == nil && strings.Contains(commandLine(pid), "internal-clickhouse") {
				return pid
			}
		}
	}
	t.Fatal("millrace up has no engine's process")
	return 0
}

func commandLine(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return string(b)
}

// alive is false for a zombie, whose command line is empty: nobody may be there to reap it.
func alive(pid int) bool {
	return syscall.Kill(pid, 0) == nil && commandLine(pid) != ""
}
