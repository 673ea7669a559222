package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// settle waits until both stores hold what they must, by the test's own count, as long as
// they come nearer to it; then it asks verify. What is wrong in the end is in the result.
func (t *trial) settle(d *deployment, l *ledger) error {
	if err := d.ready(t.ctx); err != nil {
		return err
	}
	if l != nil {
		t.result.Acknowledged = l.acknowledged()
	}
	clickhouse, err := t.until(d, l, "ClickHouse", func(a *account) error { return d.countClickHouse(t.ctx, a) })
	if err != nil {
		return err
	}
	lake, err := t.until(d, l, "Parquet", d.countLake)
	if err != nil {
		return err
	}
	t.result.Deployment, t.result.Records = filepath.Base(d.dir), lake.expected
	t.result.VerdictsClickHouse, t.result.VerdictsParquet = clickhouse.verdicts, lake.verdicts
	if l == nil {
		t.result.Acknowledged = lake.expected // by the broker
	}
	t.result.ClickHouse, t.result.Parquet = clickhouse.rows, lake.rows
	for _, a := range []*account{clickhouse, lake} {
		t.result.Lost += a.lost()
		t.result.Doubled += a.doubled
		t.result.Torn += a.torn
		t.result.Differences = append(t.result.Differences, a.differences...)
	}
	if n := clickhouse.disagree(lake); n > 0 {
		t.result.Torn += n
		t.result.Differences = append(t.result.Differences, fmt.Sprintf("%d texts are clean in one store and rejected in the other", n))
	}
	d.memory(t)
	if err := d.selfEnded(t); err != nil {
		return err
	}
	return t.verify(d)
}

// until counts again and again, until nothing is wrong or the count has stood still for as
// long as patience lasts. What is doubled may be so for a moment where small files are
// being merged; what is lost may be under way.
func (t *trial) until(d *deployment, l *ledger, store string, count func(*account) error) (*account, error) {
	most := -1
	for end := time.Now().Add(patience); ; {
		// The inputs grow while clean writes records again whose key was not their id.
		ends, err := d.ends(t.ctx)
		a := newAccount(store, l, ends, d.rejects)
		if err == nil {
			err = count(a)
		}
		if err == nil {
			missing := (&account{events: a.events, records: a.records}).lost()
			if missing+a.doubled+a.torn == 0 || time.Now().After(end) {
				return a, nil
			}
			if now := a.rows + a.verdicts; now > most {
				most, end = now, time.Now().Add(patience)
			}
		}
		if err != nil && time.Now().After(end) {
			return nil, err
		}
		// A count of a million rows is work for those who are counted, too.
		if err := sleep(t.ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

// verify asks millrace verify, which must find nothing.
func (t *trial) verify(d *deployment) error {
	began := time.Now()
	out, code, err := d.command(t.ctx, "verify")
	if err != nil {
		return err
	}
	t.result.Verify = code
	t.result.Counts["verify_ms"] = int(time.Since(began).Milliseconds())
	if code != 0 {
		t.result.Differences = append(t.result.Differences, "verify: "+lastLines(out, 12))
	}
	return nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// flow lets a crowd post to a deployment while break goes on, and settles.
func (t *trial) flow(d *deployment, l *ledger, batch int, pause time.Duration, breaking func(*crowd) error) error {
	if err := d.start(t.ctx); err != nil {
		return err
	}
	defer d.halt()
	c := l.start(t.ctx, d.posts, batch, pause)
	err := breaking(c)
	if ready := d.ready(t.ctx); err == nil {
		err = ready
	}
	if finished := c.finish(t); err == nil {
		err = finished
	}
	if err == nil {
		err = t.settle(d, l)
	}
	if err != nil {
		return err
	}
	return d.stop()
}

// meanwhile waits until something was acknowledged since the last fault, or not: half of the
// faults come while events flow for certain, half wherever the processes are, in their
// start too.
func (t *trial) meanwhile(n int, c *crowd, most time.Duration) error {
	if err := c.failure(); err != nil {
		return err
	}
	if n%2 == 0 {
		if err := c.moves(3 * c.batch); err != nil {
			return fmt.Errorf("fault %d: %w", n, err)
		}
	}
	return sleep(t.ctx, time.Duration(t.rng.Int64N(int64(most))))
}
