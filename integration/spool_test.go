//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// collectorMemory is the most that a collector's process may ever hold: what requests may
// (collector.max_in_flight_bytes), twice, for the garbage of a Go program, and the program.
const collectorMemory = 400 * megabyte

// TestSpool runs a collector in a process of its own. It starts while there is no broker,
// the broker's process is killed and stays away for 20 s, and the collector is killed
// twice, once amid that. A crowd posts all the while. What was acknowledged is in both
// stores once; posted once more, to another collector, it still is.
func TestSpool(t *testing.T) {
	t.Parallel()
	const away = 20 * time.Second
	rng := chance(t)
	dir, flags, own := t.TempDir(), ports(t), ports(t)
	all := filepath.Join(dir, "all")
	config := filepath.Join(dir, "edge.yaml")
	text := fmt.Sprintf("secret: a secret of more than thirty-two characters\nobjects:\n  url: %s\nkafka:\n  brokers: [%q]\n", filepath.Join(all, "objects"), flags[3])
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startEdge := func() *millrace {
		return up(t, filepath.Join(dir, "edge"), "--roles", "collector", "--config", config, own[0], own[1])
	}
	edge := startEdge()
	posters := newCrowd(t, edge.HTTP)
	more := func(what string, n int) {
		t.Helper()
		before := posters.count()
		until(t, func() bool { return posters.count() > before+n }, func() string {
			return fmt.Sprintf("%s: %d events are acknowledged, %d were before;\n%s", what, posters.count(), before, edge.out)
		})
	}
	more("before there is a broker", 100)
	m := up(t, all, flags...)
	more("with a broker", 100)

	m.kill()
	began := time.Now()
	more("without the broker", 200)
	time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Second)))) // the kill's time is what is random
	held := resident(t, edge)
	edge.kill()
	edge = startEdge()
	more("killed and started again without the broker", 200)
	time.Sleep(time.Until(began.Add(away)))
	if status, answer := edge.get("/readyz"); status != 200 || !strings.Contains(answer, "wait for the log") {
		t.Errorf("GET /readyz: %d %s; want 200, and that events wait", status, answer)
	}
	published := spoolsOf(t, all)
	m = start(t, all, flags...)
	m.ready()
	more("with the broker back", 100)
	edge.kill()
	edge = startEdge()
	more("killed with the broker there", 100)
	posters.finish()
	until(t, func() bool { return edge.metric("millrace_spool_pending_events") == 0 }, func() string {
		return fmt.Sprintf("%v events still wait in the spool;\n%s", edge.metric("millrace_spool_pending_events"), edge.out)
	})
	posters.check(m)
	again(t, posters, m)

	held = max(held, resident(t, edge))
	t.Logf("%d events were acknowledged, %d posts failed; the collector held %d MiB at most; published while the broker was away: %s",
		posters.count(), posters.refusals, held>>20, published)
	if held > collectorMemory {
		t.Errorf("the collector held %d MiB, want %d at most", held>>20, collectorMemory/megabyte)
	}
	if !strings.Contains(published, `"events":`) || strings.Contains(published, `"events":0,`) {
		t.Errorf("while events waited the spool published %s", published)
	}
	edge.stop()
	if left := spoolsOf(t, all); !strings.Contains(left, `"events":0,`) {
		t.Errorf("a spool that is empty has published %s", left)
	}
	m.stop()
}

// again posts the first of each kind once more, to the collector of another process: each
// is a duplicate, and the rows are those that were.
func again(t *testing.T, posters *crowd, m *millrace) {
	t.Helper()
	const repeats = 50
	before, err := strconv.Atoi(m.sql("SELECT count() FROM duplicates FINAL"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range repeats {
		id := fmt.Sprintf("w0-%d", i)
		m.takes(id, "/v1/text", fmt.Sprintf(`{"id":%q,"text":"Text number %d of worker 0, long enough."}`, id, i))
	}
	m.await(fmt.Sprint(before+repeats), "SELECT count() FROM duplicates FINAL")
	posters.check(m)
}

// metric reads one number from /metrics, -1 where it is not there.
func (m *millrace) metric(name string) float64 {
	m.t.Helper()
	_, text := m.get("/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			if v, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
				return v
			}
		}
	}
	return -1
}

// resident is the most that a process has held since it began, in bytes.
func resident(t *testing.T, m *millrace) int64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			if n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64); err == nil {
				return n << 10
			}
		}
	}
	t.Fatalf("what %s holds is not known:\n%s", m.data, data)
	return 0
}

// spoolsOf is what spools have published in the objects of a data folder.
func spoolsOf(t *testing.T, data string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(data, "objects", "spools", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range found {
		b, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) { // a newer one may have taken its place
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// TestSpoolFull lets a collector's spool fill while there is no broker: it answers 503
// with Retry-After and nothing else, and takes events again when the broker has come.
func TestSpoolFull(t *testing.T) {
	t.Parallel()
	dir, flags := t.TempDir(), ports(t)
	all := filepath.Join(dir, "all")
	config := filepath.Join(dir, "edge.yaml")
	text := fmt.Sprintf("secret: a secret of more than thirty-two characters\nobjects:\n  url: %s\nkafka:\n  brokers: [%q]\ncollector:\n  spool_max_bytes: 48MiB\n", filepath.Join(all, "objects"), flags[3])
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	edge := up(t, filepath.Join(dir, "edge"), "--roles", "collector", "--config", config)
	long := strings.Repeat("a long text ", 1000)
	taken, full := 0, 0
	for n := 0; full < 10; n++ {
		var body strings.Builder
		for i := range 50 {
			fmt.Fprintf(&body, `{"id":"e%d-%d","text":"%d %d %s"}`+"\n", n, i, n, i, long)
		}
		switch status, answer := edge.post("/v1/text", "application/x-ndjson", []byte(body.String())); status {
		case 202:
			taken++
			if full > 0 {
				t.Errorf("a full spool takes request %d", n)
			}
		case 503:
			full++
			if !strings.Contains(answer, "full") {
				t.Errorf("a full spool answers %s", answer)
			}
		default:
			t.Fatalf("request %d: %d %s", n, status, answer)
		}
	}
	m := up(t, all, flags...)
	until(t, func() bool {
		status, _ := edge.post("/v1/text", "application/json", []byte(`{"id":"after","text":"after it was full"}`))
		return status == 202
	}, func() string { return fmt.Sprintf("with the broker there it takes nothing:\n%s", edge.out) })
	m.await("1", "SELECT uniqExact(event_id) FROM clean_text WHERE event_id = 'after'")
	for n := range taken {
		m.await("50", fmt.Sprintf("SELECT uniqExact(event_id) FROM clean_text WHERE event_id LIKE 'e%d-%%'", n))
	}
	m.verify()
	if err := edge.signal(syscall.SIGTERM); err != nil {
		t.Errorf("the collector ended with %v", err)
	}
	m.stop()
	t.Logf("%d requests of 50 texts were taken before the spool was full", taken)
}

// TestSpoolFullDisk fills the disk under a collector's spool while there is no broker, to
// the last byte: it refuses with 503 and goes on by itself when there is room. The log
// takes what was acknowledged while the disk is full.
func TestSpoolFullDisk(t *testing.T) {
	t.Parallel()
	d := newDisk(t, 300*megabyte)
	dir, flags := t.TempDir(), ports(t)
	all := filepath.Join(dir, "all")
	config := filepath.Join(dir, "edge.yaml")
	text := fmt.Sprintf("secret: a secret of more than thirty-two characters\nobjects:\n  url: %s\nkafka:\n  brokers: [%q]\n", filepath.Join(all, "objects"), flags[3])
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	edge := up(t, filepath.Join(d.folder, "edge"), "--roles", "collector", "--config", config)
	posters := newCrowd(t, edge.HTTP)
	moves := func(when string) {
		t.Helper()
		before := posters.count()
		until(t, func() bool { return posters.count() > before+50 }, func() string {
			return fmt.Sprintf("%s: %d events are acknowledged, %d were before; the last refusal was %s\n%s", when, posters.count(), before, posters.full, edge.out)
		})
	}
	moves("before the disk is full")
	d.fill(0)
	until(t, func() bool {
		posters.mu.Lock()
		defer posters.mu.Unlock()
		return strings.Contains(posters.full, "make room") && posters.retryAfter == "1"
	}, func() string { return fmt.Sprintf("the last 503 is %q\n%s", posters.full, edge.out) })
	refused := posters.count()
	m := up(t, all, flags...)
	until(t, func() bool { return edge.metric("millrace_spool_pending_events") == 0 }, func() string {
		return fmt.Sprintf("on a full disk %v events wait though there is a broker;\n%s", edge.metric("millrace_spool_pending_events"), edge.out)
	})
	if n := posters.count(); n != refused {
		t.Errorf("%d events were acknowledged on a full disk", n-refused)
	}
	d.empty()
	moves("with room again")
	posters.finish()
	until(t, func() bool { return edge.metric("millrace_spool_pending_events") == 0 }, func() string { return "the spool is not drained" })
	posters.check(m)
	edge.stop()
	m.stop()
}
