//go:build linux && amd64 && integration

package clickhouse

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// TestMain makes the test binary its own child, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildCommand {
		os.Exit(RunChild(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// libraryPath finds the engine that make deps fetched.
func libraryPath(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("MILLRACE_CHDB"); p != "" {
		return p
	}
	found, err := filepath.Glob("../../../.cache/chdb-*/libchdb.so")
	if err != nil || len(found) == 0 {
		t.Fatal("the embedded engine is not in .cache: make deps fetches it")
	}
	return found[len(found)-1]
}

func start(t testing.TB, dir string) *Server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := Start(context.Background(), Config{Dir: dir, Listen: "127.0.0.1:0", Library: libraryPath(t), Password: "secret", MaxMemory: 2 << 30}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func dialSQL(t testing.TB, s *Server, edit func(*ch.Options)) driver.Conn {
	t.Helper()
	opts, err := ch.ParseDSN(s.DSN("default"))
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(opts)
	}
	conn, err := ch.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func outside(t *testing.T, s *Server, query string, params ...string) (int, string) {
	t.Helper()
	v := url.Values{"query": {query}}
	for i := 0; i < len(params); i += 2 {
		v.Set(params[i], params[i+1])
	}
	resp, err := http.Post("http://"+s.Addr()+"/?"+v.Encode(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestClickHouseGo(t *testing.T) {
	s := start(t, t.TempDir())
	ctx := context.Background()
	for _, method := range []ch.CompressionMethod{ch.CompressionNone, ch.CompressionLZ4, ch.CompressionGZIP} {
		t.Run(method.String(), func(t *testing.T) {
			conn := dialSQL(t, s, func(o *ch.Options) { o.Compression = &ch.Compression{Method: method} })
			table := "t_" + method.String()
			must(t, conn.Exec(ctx, "CREATE TABLE "+table+" (id String, kind LowCardinality(String), at DateTime64(6,'UTC'), n Int64, x Nullable(Float64), m Map(LowCardinality(String), Float64), a Array(String)) ENGINE = ReplacingMergeTree ORDER BY id"))
			for range 2 {
				batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+table)
				must(t, err)
				for i := range 1000 {
					x := float64(i)
					must(t, batch.Append(fmt.Sprint(i), "k", time.UnixMicro(int64(i)).UTC(), int64(i), &x, map[string]float64{"a": x}, []string{"p", "q"}))
				}
				must(t, batch.Send())
			}
			var n uint64
			var m map[string]float64
			var at time.Time
			must(t, conn.QueryRow(ctx, "SELECT count(), any(m), max(at) FROM "+table+" FINAL WHERE n >= {from:Int64}", ch.Named("from", "10")).Scan(&n, &m, &at))
			if n != 990 || len(m) != 1 || at.UnixMicro() != 999 {
				t.Fatalf("got %d rows, map %v, last %v", n, m, at)
			}
			err := conn.Exec(ctx, "SELECT nonsense FROM "+table)
			if e := new(ch.HTTPError); err == nil || !asHTTP(err, &e) {
				t.Fatalf("a wrong column gave %v", err)
			}
		})
	}
}

func asHTTP(err error, _ **ch.HTTPError) bool { return strings.Contains(err.Error(), "nonsense") }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestOutside checks what strangers may not do, each of which was open at some time.
func TestOutside(t *testing.T) {
	s := start(t, t.TempDir())
	inside := dialSQL(t, s, nil)
	must(t, inside.Exec(context.Background(), "CREATE TABLE t (a Int64) ENGINE = MergeTree ORDER BY a"))
	must(t, inside.Exec(context.Background(), "INSERT INTO t VALUES (1), (2)"))
	for _, q := range []string{
		"SELECT sum(a) FROM t", "select count() from numbers(10)", "SHOW TABLES", "DESCRIBE TABLE t", "EXISTS TABLE t",
		"WITH x AS (SELECT 1 AS a) SELECT * FROM x", "SELECT * FROM t FORMAT JSON", "EXPLAIN SELECT 1",
		"SHOW TABLES LIKE '%t%' /* (it's) */", "SHOW COLUMNS FROM t WHERE field != 'it\\'s (b)'", "SHOW PROCESSLIST", "SHOW CREATE TABLE t FORMAT TSVRaw",
		"SELECT a FROM t -- so it is\n FORMAT CSV SETTINGS readonly = 1",
	} {
		if code, body := outside(t, s, q); code != 200 || body == "" {
			t.Errorf("%s: got %d %s", q, code, body)
		}
	}
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("hidden"), 0o600))
	for _, q := range []string{
		"INSERT INTO t VALUES (3)", "CREATE TABLE u (a Int64) ENGINE = Memory", "DROP TABLE t", "ALTER TABLE t DELETE WHERE 1",
		"SELECT * FROM file('" + secret + "', 'LineAsString')", "SELECT file('" + secret + "')", "SELECT upper(file('" + secret + "'))",
		"DESCRIBE TABLE file('" + secret + "', 'LineAsString')", "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
		"SELECT * FROM remote('127.0.0.1', 'default', 't')", "SELECT * FROM executable('id', 'TSV', 'a String')",
		"INSERT INTO FUNCTION file('" + secret + "') SELECT 1", "SELECT 1 INTO OUTFILE '" + secret + ".out'",
		"SELECT 1; SELECT 2", "SET readonly = 0", "SELECT 1 SETTINGS readonly = 0", "SYSTEM SHUTDOWN", "KILL QUERY WHERE 1",
		"WITH (SELECT * FROM file('" + secret + "', 'LineAsString')) AS x SELECT x", "EXPLAIN SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
		"SELECT * APPLY(file) FROM (SELECT '" + secret + "' AS a)", "SELECT COLUMNS('a') APPLY file FROM (SELECT '" + secret + "' AS a)",
		"SELECT 1 -- FORMAT JSON SETTINGS\n, file('" + secret + "')", "SELECT file('" + secret + "') FORMAT JSON -- so",
		"SELECT * FROM system.stack_trace", "SELECT 1 IN (SELECT thread_id FROM system.`stack_trace`)", "SELECT 1 IN system.stack_trace",
		"SELECT * FROM merge('system', 'stack_trace')",
		"SHOW TABLES WHERE throwIf(1, file('" + secret + "'))", "SHOW COLUMNS FROM t WHERE throwIf(1, file('" + secret + "'))",
		"SHOW TABLES FROM `a'` WHERE throwIf(1, file('" + secret + "'))",
	} {
		code, body := outside(t, s, q)
		if code == 200 || strings.Contains(body, "hidden") {
			t.Errorf("a stranger ran %q: %d %s", q, code, body)
		}
	}
	// What guard may overlook, the engine refuses by the role.
	for _, q := range []string{"INSERT INTO t SELECT 3", "SELECT * FROM file('" + secret + "', 'LineAsString')", "DROP TABLE t"} {
		code, body := outside(t, s, "SET ROLE outside; "+q, "user", User, "password", "secret")
		if code != http.StatusForbidden || !strings.Contains(body, "the grant") {
			t.Errorf("the role of strangers let %q pass: %d %s", q, code, body)
		}
	}
	if code, body := outside(t, s, "SELECT number FROM numbers(100000000) FORMAT JSON"); code == 200 || !strings.Contains(body, "Code: 396") {
		t.Errorf("a great answer that must be held whole gave %d %.300s", code, body)
	}
	if code, body := outside(t, s, "SELECT 1", "user", "default", "password", "null"); code != 200 {
		t.Errorf("the JDBC driver's password for none gave %d %s", code, body)
	}
	if code, _ := outside(t, s, "SELECT 1", "user", User, "password", "wrong"); code != http.StatusUnauthorized {
		t.Errorf("a wrong password gave %d", code)
	}
	var n int64
	must(t, inside.QueryRow(context.Background(), "SELECT sum(a) FROM t").Scan(&n))
	if n != 3 {
		t.Fatalf("the table was changed: sum %d", n)
	}
}

// TestKilled checks that what was acknowledged stays when the child is killed amid
// inserts, that the engine comes back at the same address, and that a second process on
// the same folder is refused.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	ctx := context.Background()
	conn := dialSQL(t, s, nil)
	must(t, conn.Exec(ctx, "CREATE TABLE t (a Int64) ENGINE = MergeTree ORDER BY a"))
	if _, err := Start(ctx, Config{Dir: dir, Listen: "127.0.0.1:0", Library: libraryPath(t), Password: "x", MaxMemory: 1 << 30}, slog.New(slog.NewTextHandler(io.Discard, nil))); err == nil {
		t.Fatal("a second process on the same folder was let in")
	}
	acknowledged := 0
	for i := range 60 {
		if i%20 == 10 {
			s.mu.Lock()
			_ = s.child.cmd.Process.Kill()
			s.mu.Unlock()
		}
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO t (a)")
		if err == nil {
			err = batch.Append(int64(i))
		}
		if err == nil {
			err = batch.Send()
		}
		if err == nil {
			acknowledged++
			continue
		}
		time.Sleep(200 * time.Millisecond)
	}
	var distinct uint64
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := conn.QueryRow(ctx, "SELECT uniqExact(a) FROM t").Scan(&distinct)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if acknowledged == 0 || int(distinct) < acknowledged {
		t.Fatalf("%d rows acknowledged, %d there", acknowledged, distinct)
	}
}

// TestTimezone checks that the engine has the time zone that clients are told, wherever
// the machine is.
// TestSlots checks that strangers who hold all they can get, with statements that they do
// not end and answers that they do not take, leave Millrace's own statements alone; and
// that a web page's host is not answered.
func TestSlots(t *testing.T) {
	s := start(t, t.TempDir())
	dial := func(head string) {
		t.Helper()
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := io.WriteString(c, head); err != nil {
			t.Fatal(err)
		}
	}
	for range maxOutside + maxInside {
		dial("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nSELECT 1")
		dial("GET /?query=SELECT+repeat('x',1000)+FROM+numbers(10000000)+FORMAT+TSV HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}
	conn := dialSQL(t, s, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 20 {
		var n uint8
		if err := conn.QueryRow(ctx, "SELECT 1").Scan(&n); err != nil {
			t.Fatalf("Millrace's own statement, while strangers hold %d connections: %v", 2*(maxOutside+maxInside), err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/?query=SELECT+1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page of evil.example gets %s", resp.Status)
	}
}

func TestTimezone(t *testing.T) {
	t.Setenv("TZ", "Asia/Tokyo")
	s := start(t, t.TempDir())
	if _, body := outside(t, s, "SELECT timezone(), toDateTime(0)"); body != "UTC\t1970-01-01 00:00:00\n" {
		t.Fatalf("the engine's zone and the beginning of time are %q", body)
	}
}

func TestCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	s := start(t, t.TempDir())
	auth := User + ":secret"
	run := func(args ...string) string {
		out, err := exec.Command("curl", append([]string{"-sS", "-u", auth}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("curl %v: %v %s", args, err, out)
		}
		return string(out)
	}
	base := "http://" + s.Addr() + "/"
	run(base, "--data-binary", "CREATE TABLE t (a Int64, b String) ENGINE = MergeTree ORDER BY a")
	run(base+"?query="+url.QueryEscape("INSERT INTO t FORMAT JSONEachRow"), "--data-binary", `{"a":1,"b":"x"} {"a":2,"b":"y"}`)
	run(base, "--data-binary", "INSERT INTO t FORMAT CSV\n3,z\n")
	run(base, "--data-binary", "INSERT INTO t VALUES (4, 'it''s')")
	if got := run(base, "--data-binary", "SELECT count(), sum(a), max(b) FROM t"); got != "4\t10\tz\n" {
		t.Fatalf("got %q", got)
	}
	if got := run(base+"?default_format=JSONCompact", "--data-binary", "SELECT a FROM t ORDER BY a LIMIT 1"); !strings.Contains(got, `"rows": 1`) {
		t.Fatalf("got %q", got)
	}
	for _, tail := range []string{"", ";", " -- by a tool", "\n/* by\na tool */", " SETTINGS max_threads = 1 -- by a tool"} {
		if got := run(base, "--data-binary", "SELECT 1 AS one FORMAT JSONEachRow"+tail); got != "{\"one\":1}\n" {
			t.Errorf("a format with %q behind it gave %q", tail, got)
		}
	}
	if got := run(base, "-X", "POST", "--data-binary", "\x01\x02"); !strings.Contains(got, "Code:") {
		t.Fatalf("control bytes gave %q", got)
	}
}
