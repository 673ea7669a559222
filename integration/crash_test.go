//go:build integration

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/millrace-io/millrace/internal/testvar"
)

// crowd posts events from several workers at once, each again and again under its id
// until it is acknowledged, and keeps its own book of what was: the ledger that the
// stores are compared with. It knows nothing of Millrace but its HTTP interface.
type crowd struct {
	t       *testing.T
	address string
	stop    context.CancelFunc
	workers sync.WaitGroup

	mu sync.Mutex
	// acknowledged are the ids by table.
	acknowledged map[string][]string
	// refusals counts the answers that were no 202, connections that broke included.
	refusals int
	// full is the last answer 503 and its Retry-After.
	full, retryAfter string
}

var crowdClient = &http.Client{Timeout: 20 * time.Second}

func newCrowd(t *testing.T, address string) *crowd {
	const workers = 4
	ctx, cancel := context.WithCancel(t.Context())
	c := &crowd{t: t, address: address, stop: cancel, acknowledged: map[string][]string{}}
	for w := range workers {
		c.workers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("w%d-%d", w, n)
				c.send(ctx, "clean_text", "/v1/text", id, fmt.Sprintf(`{"id":%q,"text":"Text number %d of worker %d, long enough."}`, id, n, w))
				c.send(ctx, "inferences", "/v1/inferences", id, fmt.Sprintf(`{"id":%q,"model":"m","input":"Question %d?","output":"Answer %d."}`, id, n, n))
				c.send(ctx, "feedback", "/v1/feedback", id+"-f", fmt.Sprintf(`{"id":%q,"inference_id":%q,"thumb":"up"}`, id+"-f", id))
			}
		})
	}
	t.Cleanup(c.finish)
	return c
}

// send posts an event until it is acknowledged, even after the stop: what was sent may be
// on the log, and the ledger knows every id that may be there.
func (c *crowd) send(ctx context.Context, table, path, id, body string) {
	if ctx.Err() != nil {
		return
	}
	for end := time.Now().Add(2 * patience); time.Now().Before(end); {
		status, answer, retry, err := c.once(path, body)
		c.mu.Lock()
		if err == nil && status == http.StatusAccepted && answer == taken(id)+"\n" {
			c.acknowledged[table] = append(c.acknowledged[table], id)
			c.mu.Unlock()
			return
		}
		c.refusals++
		if status == http.StatusServiceUnavailable {
			c.full, c.retryAfter = answer, retry
		}
		c.mu.Unlock()
		if err == nil && status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests {
			c.t.Errorf("POST %s %s: %d %s", path, body, status, answer)
			return
		}
		time.Sleep(lookEach) // a client's pause before it tries again
	}
	c.t.Errorf("POST %s %s was not acknowledged in %s", path, body, 2*patience)
}

func (c *crowd) once(path, body string) (status int, answer, retry string, err error) {
	resp, err := crowdClient.Post("http://"+c.address+path, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, "", "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Header.Get("Retry-After"), err
}

func (c *crowd) finish() {
	c.stop()
	c.workers.Wait()
}

func (c *crowd) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, ids := range c.acknowledged {
		n += len(ids)
	}
	return n
}

// check compares the ledger with both stores, row by row, by two readers that share no
// code with Millrace: SQL over plain HTTP, without FINAL, and the Parquet files.
func (c *crowd) check(m *millrace) {
	c.t.Helper()
	m.verify() // it also asks the lake to hold everything
	for table, want := range c.acknowledged {
		want = slices.Sorted(slices.Values(want))
		// An insert that was repeated may lie there twice until it merges away; it is then
		// the same row, with the same identity. Two rows of one id would have two.
		query := "SELECT event_id FROM (SELECT DISTINCT event_id, _origin_topic_id, _origin_partition, _origin_offset, _origin_index FROM " + table + ") ORDER BY event_id"
		compareIDs(c.t, "ClickHouse", table, want, strings.Split(m.sql("%s", query), "\n"))
		if n := m.sql("SELECT count() FROM %s FINAL", table); n != strconv.Itoa(len(want)) {
			c.t.Errorf("ClickHouse has %s rows of %s, FINAL, want %d", n, table, len(want))
		}
		compareIDs(c.t, "the lake", table, want, slices.Sorted(slices.Values(lakeIDs(c.t, m.data, table))))
	}
}

func compareIDs(t testing.TB, store, table string, want, got []string) {
	t.Helper()
	if slices.Equal(want, got) {
		return
	}
	count := map[string]int{}
	for _, id := range want {
		count[id]--
	}
	for _, id := range got {
		count[id]++
	}
	var lost, tooMuch []string
	for id, n := range count {
		switch {
		case n < 0:
			lost = append(lost, id)
		case n > 0:
			tooMuch = append(tooMuch, id)
		}
	}
	slices.Sort(lost)
	slices.Sort(tooMuch)
	t.Errorf("%s has %d rows of %s, %d were acknowledged; lost: %.10q, too much: %.10q", store, len(got), table, len(want), lost, tooMuch)
}

// lakeIDs are the event ids of every row of a kind in every Parquet file of the lake, as
// any reader finds them: by the folders' names.
func lakeIDs(t testing.TB, data, kind string) []string {
	t.Helper()
	var ids []string
	err := filepath.WalkDir(filepath.Join(data, "objects", "lake"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/kind="+kind+"/") || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		type row struct {
			EventID string `parquet:"event_id"`
		}
		rows, err := parquet.ReadFile[row](path)
		for _, r := range rows {
			ids = append(ids, r.EventID)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("read the lake: %v", err)
	}
	return ids
}

// ports are three that are free now, as flags: a millrace that was killed comes back
// where it was, as it does for whoever never names a port.
func ports(t *testing.T) []string {
	t.Helper()
	var flags []string
	for _, name := range []string{"--listen", "--kafka-listen", "--clickhouse-listen"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		flags = append(flags, name, l.Addr().String())
	}
	return flags
}

// chance is what a test decides by where it is to be at random; its seed is printed, and
// taken from MILLRACE_SEED where that is set.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(testvar.Seed(t), 0))
}

// TestKilled kills millrace again and again at random, in its start-up too, while a
// crowd posts. What was acknowledged is there once, in both stores, and nothing else.
func TestKilled(t *testing.T) {
	t.Parallel()
	const kills = 8
	rng := chance(t)
	data, flags := t.TempDir(), ports(t)
	m := up(t, data, flags...)
	posters := newCrowd(t, m.HTTP)
	inStart := 0
	for n := range kills {
		// Half of them once it has taken something, half wherever it is: in its start-up too.
		if n%2 == 0 {
			before := posters.count()
			until(t, func() bool { m.lives(); return posters.count() > before+50 }, func() string {
				return fmt.Sprintf("kill %d: %d events are acknowledged, %d were before;\n%s", n, posters.count(), before, m.out)
			})
		}
		select {
		case err := <-m.done:
			t.Fatalf("kill %d: it ended by itself: %v\n%s", n, err, m.out)
		case <-time.After(time.Duration(rng.Int64N(int64(2 * time.Second)))): // the kill's time is what is random
		}
		if !strings.Contains(m.out.String(), "ready: ") {
			inStart++
		}
		m.kill()
		m = start(t, data, flags...)
	}
	m.ready()
	before := posters.count()
	until(t, func() bool { return posters.count() > before+50 }, func() string { return "after the last kill nothing is acknowledged" })
	posters.finish()
	posters.check(m)
	t.Logf("%d events were acknowledged, %d posts failed, %d kills, %d before it was ready", posters.count(), posters.refusals, kills, inStart)
	if posters.refusals == 0 {
		t.Error("no post failed: nothing was killed in its midst")
	}
	m.stop()
}

// lives fails the test where millrace has ended by itself.
func (m *millrace) lives() {
	m.t.Helper()
	select {
	case err := <-m.done:
		m.t.Fatalf("it ended by itself: %v\n%s", err, m.out)
	default:
	}
}

// child is the process of the embedded ClickHouse.
func (m *millrace) child() (int, bool) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue // it ended meanwhile
		}
		// pid (name) state parent …; the name may hold anything but ends with the last ).
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil && len(f) > 1 && f[0] != "Z" && f[1] == strconv.Itoa(m.cmd.Process.Pid) {
			return pid, true
		}
	}
	return 0, false
}

// TestEngineKilled kills only the embedded ClickHouse, thrice, while a crowd posts: events
// are acknowledged all the while, and the parent brings it back by itself.
func TestEngineKilled(t *testing.T) {
	t.Parallel()
	m := up(t, t.TempDir())
	posters := newCrowd(t, m.HTTP)
	for range 3 {
		before := posters.count()
		until(t, func() bool { return posters.count() > before+50 }, func() string { return "nothing is acknowledged" })
		pid, ok := m.child()
		if !ok {
			t.Fatal("millrace has no child: the embedded ClickHouse is to be one")
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, func() bool { now, ok := m.child(); return ok && now != pid }, func() string { return "the embedded ClickHouse is not started again" })
		m.await("1", "SELECT 1")
	}
	posters.finish()
	posters.check(m)
	if posters.refusals > 0 {
		t.Errorf("%d posts failed; none should while only ClickHouse is away", posters.refusals)
	}
	if n := strings.Count(m.out.String(), "the embedded ClickHouse died; it is started again"); n != 3 {
		t.Errorf("the log tells of %d deaths, want 3", n)
	}
	m.stop()
}

// TestEngineLeftBehind kills millrace while its embedded ClickHouse cannot end at once,
// and starts it again on the same ports: it waits for what is left of the one before.
func TestEngineLeftBehind(t *testing.T) {
	t.Parallel()
	data, flags := t.TempDir(), ports(t)
	m := up(t, data, flags...)
	m.takes("before", "/v1/text", `{"id":"before","text":"before the crash"}`)
	left, ok := m.child()
	if !ok {
		t.Fatal("millrace has no child: the embedded ClickHouse is to be one")
	}
	if err := syscall.Kill(left, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(left, syscall.SIGKILL) }) // it has ended, unless the test failed
	m.kill()
	m = start(t, data, flags...)
	until(t, func() bool {
		m.lives()
		pid, ok := m.child()
		return ok && hasOpen(pid, filepath.Join(data, "clickhouse", "lock"))
	}, func() string {
		return fmt.Sprintf("the next engine does not wait for the one that is left:\n%s", m.out)
	})
	if err := syscall.Kill(left, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	m.ready()
	m.await("before", "SELECT event_id FROM clean_text")
	m.verify()
	m.stop()
}

// hasOpen says whether a process has a file open.
func hasOpen(pid int, path string) bool {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return slices.ContainsFunc(links, func(link string) bool {
		target, err := os.Readlink(link)
		return err == nil && target == path
	})
}

// TestDemoKilled kills the demo in the middle of its replay, with a champion that answers
// and runs under way, and starts millrace up on its folder: it goes on with what is there.
func TestDemoKilled(t *testing.T) {
	t.Parallel()
	corpus, err := filepath.Glob(filepath.Join(cache(t), "spam-assassin*"))
	if err != nil || len(corpus) == 0 {
		t.Skipf("the demo's mails are not in .cache: make deps fetches them (%v)", err)
	}
	rng, data := chance(t), filepath.Join(t.TempDir(), "demo")
	m := launch(t, data, append([]string{"demo", "--corpus", corpus[0], "--data", data}, ports(t)...)...)
	until(t, func() bool { return m.found() == nil }, func() string { return fmt.Sprintf("the demo has not begun: %v\n%s", m.found(), m.out) })
	answers := 50 + rng.IntN(500)
	until(t, func() bool {
		n, err := m.trySQL("SELECT count() FROM inferences")
		got, _ := strconv.Atoi(n) // no table yet is no answer yet
		return err == nil && got >= answers
	}, func() string { return fmt.Sprintf("the demo has not %d answers:\n%s", answers, m.out) })
	const counts = "SELECT (SELECT uniqExact(event_id) FROM clean_text), (SELECT uniqExact(event_id) FROM inferences), (SELECT uniqExact(event_id) FROM feedback), (SELECT uniqExact(event_id) FROM model_versions)"
	before := m.sql(counts)
	m.kill()

	m = up(t, data)
	t.Logf("killed after %d answers; texts, answers, feedback, versions: %s", answers, before)
	status, answer := 0, ""
	until(t, func() bool {
		status, answer = m.post("/v1/predict", "application/json", []byte(`{"text":"Win a prize now, click here."}`))
		return status == http.StatusOK
	}, func() string { return fmt.Sprintf("the champion does not answer: %d %s", status, answer) })
	m.takes("after", "/v1/text", `{"id":"after","text":"a mail that came after the crash"}`)
	m.await("1", "SELECT uniqExact(event_id) FROM clean_text WHERE event_id = 'after'")
	m.verify()
	// Nothing that was there has gone, and nothing is there twice.
	was, is := strings.Split(before, "\t"), strings.Split(m.sql(counts), "\t")
	for i := range was {
		w, _ := strconv.Atoi(was[i]) // SQL counted it
		if n, err := strconv.Atoi(is[i]); err != nil || n < w {
			t.Errorf("texts, answers, feedback, versions were %s before the kill and are %s", was, is)
			break
		}
	}
	for _, table := range []string{"clean_text", "inferences", "feedback"} {
		if n := m.sql("SELECT count() - uniqExact(event_id) FROM %s FINAL", table); n != "0" {
			t.Errorf("%s rows of %s are there twice", n, table)
		}
	}
	m.stop()
}

// launch begins the program with any arguments, as start does with millrace up.
func launch(t *testing.T, data string, args ...string) *millrace {
	t.Helper()
	m := &millrace{t: t, data: data, out: &output{}, done: make(chan error, 1)}
	m.cmd = exec.Command(program(t), args...)
	m.cmd.Dir = t.TempDir()
	m.cmd.Stdout, m.cmd.Stderr = m.out, m.out
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	m.cmd.Env = append(os.Environ(), "MILLRACE_CLICKHOUSE_LIBRARY="+library(t))
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { m.done <- m.cmd.Wait() }()
	t.Cleanup(func() { _ = m.cmd.Process.Kill() })
	return m
}

// found reads where a program that says nothing of it listens.
func (m *millrace) found() error {
	data, err := os.ReadFile(filepath.Join(m.data, "run.json"))
	if err != nil {
		return err
	}
	var at struct {
		HTTP, ClickHouse string
		Brokers          []string
	}
	if err := json.Unmarshal(data, &at); err != nil {
		return err
	}
	m.HTTP, m.Kafka, m.ClickHouse = at.HTTP, at.Brokers[0], at.ClickHouse
	return nil
}
