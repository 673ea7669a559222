//go:build integration

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/testvar"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks/clickhouse"
)

// What happens to an insert on its way.
const (
	passed      = "passed"
	cutBefore   = "cut before the request"
	cutWithin   = "cut within the request"
	cutAfter    = "cut before the reply"
	replyLate   = "replied to after the retry"
	insertLate  = "delivered after the retry"
	lateFor     = 700 * time.Millisecond
	impatience  = 300 * time.Millisecond // of a client whose reply is late
	atOnce      = 8                      // partitions that insert at a time
	batchAtMost = 60
)

// cutter stands between the sink and ClickHouse and breaks inserts.
type cutter struct {
	to    *url.URL
	plain http.Handler
	late  sync.WaitGroup

	mu     sync.Mutex
	rng    *rand.Rand
	counts map[string]int
}

// fate draws what happens to an insert, and after how much of it.
func (c *cutter) fate() (string, float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fate := []string{passed, passed, passed, passed, passed, cutBefore, cutWithin, cutAfter, replyLate, insertLate}[c.rng.IntN(10)]
	c.counts[fate]++
	return fate, c.rng.Float64()
}

// ServeHTTP implements http.Handler.
func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Query().Get("query"), "INSERT") {
		c.plain.ServeHTTP(w, r)
		return
	}
	fate, share := c.fate()
	if fate == cutBefore {
		cut(w)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		cut(w)
		return
	}
	switch fate {
	case cutWithin:
		c.deliver(r, io.MultiReader(bytes.NewReader(body[:int(share*float64(len(body)))]), broken{}))
		cut(w)
	case cutAfter:
		c.deliver(r, bytes.NewReader(body))
		cut(w)
	case insertLate:
		c.late.Go(func() {
			time.Sleep(lateFor)
			c.deliver(r, bytes.NewReader(body))
		})
		cut(w)
	case replyLate:
		status, answer := c.deliver(r, bytes.NewReader(body))
		time.Sleep(lateFor)
		w.WriteHeader(status)
		_, _ = w.Write(answer) // nobody waits for it any more
	default:
		status, answer := c.deliver(r, bytes.NewReader(body))
		w.WriteHeader(status)
		_, _ = w.Write(answer) // whoever hung up tries again
	}
}

// broken is the rest of a request whose sender is gone.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the sender is gone") }

func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// deliver sends an insert on, whoever still waits for it.
func (c *cutter) deliver(r *http.Request, body io.Reader) (int, []byte) {
	to := *c.to
	to.Path, to.RawQuery = r.URL.Path, r.URL.RawQuery
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), http.MethodPost, to.String(), body)
	if err != nil {
		return http.StatusBadGateway, []byte(err.Error())
	}
	req.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return http.StatusBadGateway, []byte(err.Error())
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return http.StatusBadGateway, []byte(err.Error())
	}
	return resp.StatusCode, answer
}

func (c *cutter) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, k := range c.counts {
		n += k
	}
	return n
}

// impatient waits less long for a reply than the sink does, so that one can be late.
type impatient struct{ clickhouse.Inserter }

// Insert implements clickhouse.Inserter.
func (i impatient) Insert(ctx context.Context, kind schemas.Kind, records []*bus.Record) error {
	ctx, cancel := context.WithTimeout(ctx, impatience)
	defer cancel()
	return i.Inserter.Insert(ctx, kind, records)
}

// TestCutInserts cuts the sink's connections to ClickHouse before, within and behind the
// requests and before the replies, and delays replies and requests beyond a retry, while
// the sink is given some batches again, in other pieces. Every record must be there once.
//
// MILLRACE_PROVE_INSERTS is how many inserts are made, MILLRACE_SEED decides all of
// it but the time that each takes.
func TestCutInserts(t *testing.T) {
	t.Parallel()
	inserts, seed := int(testvar.Number(t, "MILLRACE_PROVE_INSERTS", 100)), testvar.Seed(t)
	conn, server := engine(t)
	to := &url.URL{Scheme: "http", Host: server.Addr()}
	plain := httputil.NewSingleHostReverseProxy(to)
	plain.ErrorLog = log.New(io.Discard, "", 0) // a client that gave up is no news here
	c := &cutter{to: to, plain: plain, rng: rand.New(rand.NewPCG(seed, 0)), counts: map[string]int{}}
	front := httptest.NewServer(c)
	t.Cleanup(front.Close)
	through := dial(t, strings.Replace(server.DSN("default"), server.Addr(), strings.TrimPrefix(front.URL, "http://"), 1))
	stage, err := clickhouse.Stage(clickhouse.DefaultConfig(), impatient{clickhouse.NewInserter(through, "millrace")}, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	ends, failed, again := map[int32]int64{}, 0, 0
	for partition := range int32(atOnce) {
		rng := rand.New(rand.NewPCG(seed, 1+uint64(partition)))
		wg.Go(func() {
			task, err := stage.Open(t.Context(), bus.Partition{}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			position, replays, failures := int64(0), 0, 0
			for done := false; !done; {
				end := position + 1 + rng.Int64N(batchAtMost)
				var in []bus.Record
				for o := position; o < end; o++ {
					in = append(in, record(partition, o))
				}
				switch err := task.Process(t.Context(), in, nil); {
				case err != nil: // the instance ends; the next begins at the position
					failures++
				case rng.IntN(5) == 0: // it dies before it commits
					replays++
				default:
					position = end
					done = c.total() >= inserts
				}
			}
			mu.Lock()
			defer mu.Unlock()
			ends[partition], failed, again = position, failed+failures, again+replays
		})
	}
	wg.Wait()
	c.late.Wait()
	records := 0
	for _, end := range ends {
		records += int(end)
	}
	stored := func(final string) (rows int) {
		for _, table := range []string{"clean_text", "rejected"} {
			for partition, end := range ends { // what was inserted and not committed may be there, or not
				rows += number(t, conn, fmt.Sprintf("SELECT count() FROM millrace.%s %s WHERE _partition = %d AND _offset < %d", table, final, partition, end))
			}
		}
		return rows
	}
	raw, final := stored(""), stored("FINAL")
	for _, table := range []string{"clean_text", "rejected"} {
		execute(t, conn, "OPTIMIZE TABLE millrace."+table+" FINAL")
	}
	merged := stored("")
	distinct := number(t, conn, "SELECT count() FROM (SELECT DISTINCT _partition, _offset FROM (SELECT _partition, _offset FROM millrace.clean_text UNION ALL SELECT _partition, _offset FROM millrace.rejected))")
	t.Logf("seed %d: %d inserts of %d records: %v; %d batches failed five times, %d were inserted and came again; %d rows stored, %d with FINAL, %d once merged",
		seed, c.total(), records, c.counts, failed, again, raw, final, merged)
	if final != records || merged != records || distinct < records {
		t.Errorf("seed %d: of %d records %d rows are there with FINAL and %d once merged", seed, records, final, merged)
	}
	if raw <= records {
		t.Errorf("seed %d: nothing was stored twice: the test cuts too little", seed)
	}
	for _, fate := range []string{passed, cutBefore, cutWithin, cutAfter, replyLate, insertLate} {
		if c.counts[fate] == 0 {
			t.Errorf("seed %d: no insert was %s", seed, fate)
		}
	}
}
