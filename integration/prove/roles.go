package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// crew is a deployment with the engines and the collector in one process, and members
// that all have the same roles.
func (r *run) crew(name string, members int, roles string) (*deployment, []*node, error) {
	d, err := r.deployment(name)
	if err != nil {
		return nil, nil, err
	}
	if _, err := d.millrace("engines", "collector", embedded()); err != nil {
		return nil, nil, err
	}
	config := d.network() + fmt.Sprintf("  session_timeout: %s\n", sessionTimeout)
	for i := range members {
		if _, err := d.millrace(fmt.Sprintf("member-%d", i), roles, config); err != nil {
			return nil, nil, err
		}
	}
	return d, d.nodes[1:], nil
}

const (
	// changeEvery is how often a member comes or goes.
	changeEvery = 2 * time.Second
	// sessionTimeout is how long a member that is silent keeps its partitions: the least
	// that brokers take.
	sessionTimeout = 6 * time.Second
)

// proveMembers lets members join and leave: one that runs is asked to end, or killed; one
// that does not is started. One at least runs.
func proveMembers(r *run) error {
	const members, aRound = 3, 60
	d, crew, err := r.crew("crew", members, stageRoles+","+sinkRoles)
	if err != nil {
		return err
	}
	l, err := openLedger(d.dir, someWorkers)
	if err != nil {
		return err
	}
	defer l.file.Close()
	return r.rounds(aRound, func(t *trial, seconds int) error {
		return t.flow(d, l, batch, r.pace(), func(c *crowd) error {
			running := map[*node]bool{}
			for _, n := range crew {
				running[n] = true
			}
			for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end); {
				if err := t.change(crew[t.rng.IntN(len(crew))], running); err != nil {
					return err
				}
				if err := sleep(t.ctx, changeEvery); err != nil {
					return err
				}
			}
			for _, n := range crew {
				if err := n.start(); err != nil {
					return err
				}
			}
			return c.failure()
		})
	})
}

func (t *trial) change(n *node, running map[*node]bool) error {
	if !running[n] {
		t.fault("join")
		running[n] = true
		return n.start()
	}
	if len(running) == 1 {
		return nil
	}
	delete(running, n)
	if t.rng.IntN(2) == 0 {
		t.fault("kill")
		return n.end(syscall.SIGKILL)
	}
	t.fault("leave")
	return n.end(syscall.SIGTERM)
}

// proveZombie pauses one of two members until the other has taken its partitions over and
// stored what came meanwhile, then lets it go on with what it had in hand.
func proveZombie(r *run) error {
	const aRound = 5
	d, crew, err := r.crew("pair", 2, stageRoles+","+sinkRoles)
	if err != nil {
		return err
	}
	l, err := openLedger(d.dir, someWorkers)
	if err != nil {
		return err
	}
	defer l.file.Close()
	return r.rounds(aRound, func(t *trial, pauses int) error {
		return t.flow(d, l, batch, r.pace(), func(c *crowd) error {
			for range pauses {
				if err := c.moves(3 * c.batch); err != nil {
					return err
				}
				if err := t.zombie(d, l, crew[t.rng.IntN(len(crew))]); err != nil {
					return err
				}
			}
			return c.moves(3 * c.batch)
		})
	})
}

func (t *trial) zombie(d *deployment, l *ledger, n *node) error {
	if err := sleep(t.ctx, time.Duration(t.rng.Int64N(int64(time.Second)))); err != nil {
		return err
	}
	if err := n.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	t.fault("pause")
	err := sleep(t.ctx, sessionTimeout+time.Duration(t.rng.Int64N(int64(sessionTimeout/2))))
	if err == nil {
		// The other has taken over once all is stored that was acknowledged until now.
		want := l.acknowledged() / kinds
		err = await(t.ctx, func() bool { return d.texts(t.ctx) >= want }, func() string {
			return fmt.Sprintf("while %s is paused, %d texts are stored of %d", n.name, d.texts(t.ctx), want)
		})
	}
	if e := n.signal(syscall.SIGCONT); err == nil {
		err = e
	}
	return err
}

// texts counts those in ClickHouse; -1 where it does not answer.
func (d *deployment) texts(ctx context.Context) int {
	return d.number(ctx, "SELECT uniqExact(event_id) FROM clean_text")
}

// proveRules kills the process again and again and starts it with other rules each time:
// what it had judged and not committed is judged anew, and the first verdict counts.
func proveRules(r *run) error {
	d, err := r.whole("")
	if err != nil {
		return err
	}
	d.rejects = true
	l, err := openLedger(d.dir, someWorkers)
	if err != nil {
		return err
	}
	defer l.file.Close()
	return r.rounds(eachRound, func(t *trial, kills int) error {
		return t.flow(d, l, batch, r.pace(), func(c *crowd) error {
			for i := range kills {
				if err := t.meanwhile(i, c, faultWithin); err != nil {
					return err
				}
				// The texts have between 60 and 250 characters: each limit refuses others.
				most := 60 + t.rng.IntN(200)
				config := fmt.Sprintf("rules:\n  max_characters: %d\n  min_letters: %.2f\nclean:\n  id_window: %dh\n", most, t.rng.Float64()/2, 100+i)
				if err := d.configure("millrace", embedded()+config); err != nil {
					return err
				}
				if err := d.nodes[0].signal(syscall.SIGKILL); err != nil {
					return err
				}
				t.fault("kill, other rules")
			}
			return c.moves(3 * c.batch)
		})
	})
}
