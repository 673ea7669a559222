package main

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

// The overloaded collector: what it may have at work, and what one post of batch events
// is counted as there. So many clients that each has a post under way, and sends it again
// as soon as it is refused, offer ten times what it takes.
const (
	overloadRoom    = 10 << 20
	overloadBatch   = 100
	overloadHeld    = overloadBatch*(2<<10) + 64<<10
	overloadClients = 10 * overloadRoom / overloadHeld
	// Its spool is full soon, so that a time without the broker meets that too.
	overloadConfig = "collector:\n  max_body_bytes: 65536\n  max_event_bytes: 65536\n  max_events: 100\n  max_in_flight_bytes: 10485760\n  ack_timeout: 5s\n  spool_max_bytes: 16MiB\n"
	// overloadTopics is of both processes: what a spool so small takes.
	overloadTopics = "topics:\n  max_input_bytes: 1048576\n"
	// overloadWith is how long the broker is there, before it goes away and behind that:
	// at full speed, what is acknowledged in seconds is counted in minutes.
	overloadWith = 2 * time.Second
)

// proveOverload posts ten times what a collector takes, takes the broker away for a part of
// the time, and kills the collector: it answers 202, 429 and 503 and nothing else, and
// what it acknowledged is delivered.
func proveOverload(r *run) error {
	const aRound = 120
	d, err := r.deployment("overload")
	if err != nil {
		return err
	}
	broker, err := d.millrace("broker", stageRoles+","+sinkRoles, embedded()+overloadTopics)
	if err != nil {
		return err
	}
	collector, err := d.millrace("collector", "collector", d.network()+overloadConfig+overloadTopics)
	if err != nil {
		return err
	}
	l, err := openLedger(d.dir, overloadClients)
	if err != nil {
		return err
	}
	defer l.file.Close()
	return r.rounds(aRound, func(t *trial, seconds int) error {
		away := time.Duration(seconds)*time.Second - 2*overloadWith
		return t.flow(d, l, overloadBatch, 0, func(c *crowd) error {
			phases := []func() error{
				func() error { return sleep(t.ctx, overloadWith) },
				func() error { t.fault("broker away"); return broker.end(syscall.SIGKILL) },
				func() error { return sleep(t.ctx, away/2) },
				func() error { return t.kill(collector) },
				func() error { return sleep(t.ctx, away/2) },
				broker.start,
				func() error { return broker.ready(t.ctx) },
				func() error { return t.kill(collector) },
				func() error { return sleep(t.ctx, overloadWith) },
			}
			for _, phase := range phases {
				if err := phase(); err != nil {
					return err
				}
				if err := c.failure(); err != nil {
					return err
				}
			}
			if c.refused.Load() == 0 {
				return fmt.Errorf("no post of %d clients was refused: that is no overload", overloadClients)
			}
			t.result.Counts["spooled_bytes"] = folderBytes(filepath.Join(d.dir, "collector", "spool"))
			return nil
		})
	})
}

func (t *trial) kill(n *node) error {
	t.fault("kill " + n.name)
	return n.signal(syscall.SIGKILL)
}

// proveRecovery measures how long it takes, after a kill -9 with so many events behind, until
// all of them can be asked for, and how long verify takes on them.
func proveRecovery(r *run) error {
	d, err := r.whole("")
	if err != nil {
		return err
	}
	l, err := openLedger(d.dir, someWorkers)
	if err != nil {
		return err
	}
	defer l.file.Close()
	return r.each(1, func(t *trial) error {
		if err := t.fill(d, l, r.size()); err != nil {
			return err
		}
		d.posts, d.nodes, d.verifying = nil, nil, nil
		n, err := d.millrace("millrace", "all", embedded())
		if err != nil {
			return err
		}
		began := time.Now()
		if err := d.start(t.ctx); err != nil {
			return err
		}
		defer d.halt()
		t.result.Counts["ready_ms"] = int(time.Since(began).Milliseconds())
		if err := sleep(t.ctx, time.Second); err != nil {
			return err
		}
		if err := n.signal(syscall.SIGKILL); err != nil {
			return err
		}
		t.fault("kill millrace")
		began = time.Now()
		if err := t.stored(d, l); err != nil {
			return err
		}
		t.result.Counts["recovery_ms"] = int(time.Since(began).Milliseconds())
		if err := t.settle(d, l); err != nil {
			return err
		}
		return d.stop()
	})
}

// fill posts events to a deployment of which no stage and no sink runs.
func (t *trial) fill(d *deployment, l *ledger, events int) error {
	d.posts, d.nodes, d.verifying = nil, nil, nil
	if _, err := d.millrace("millrace", "collector", embedded()); err != nil {
		return err
	}
	if err := d.start(t.ctx); err != nil {
		return err
	}
	defer d.halt()
	const batch = 500
	c := l.start(t.ctx, d.posts, batch, 0)
	for l.acknowledged() < events && c.failure() == nil {
		if err := sleep(t.ctx, lookEach); err != nil {
			return err
		}
	}
	if err := c.finish(t); err != nil {
		return err
	}
	return d.stop()
}

// stored waits until all can be asked for in ClickHouse, as long as there is more of it.
func (t *trial) stored(d *deployment, l *ledger) error {
	want, most := l.acknowledged()/kinds, -1
	for end := time.Now().Add(patience); ; {
		var least int
		for i, table := range []string{"clean_text", "inferences", "feedback", "training_examples"} {
			if n := d.rows(t.ctx, table); i == 0 || n < least {
				least = n
			}
		}
		switch {
		case least >= want:
			return nil
		case least > most:
			most, end = least, time.Now().Add(patience)
		case time.Now().After(end):
			return fmt.Errorf("%d of %d are stored, for %s", least, want, patience)
		}
		if err := sleep(t.ctx, lookEach); err != nil {
			return err
		}
	}
}

// rows counts those of a table, merged; -1 where ClickHouse does not answer.
func (d *deployment) rows(ctx context.Context, table string) int {
	return d.number(ctx, "SELECT count() FROM "+table+" FINAL")
}
