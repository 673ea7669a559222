package main

import (
	"context"
	"errors"
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
	const members, aRound = 3, 600
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
		return t.flow(d, l, batch, r.pace(sparse), func(c *crowd) error {
			m := membership{t: t, crew: crew, leaving: map[*node]chan error{}}
			tick := time.NewTicker(changeEvery)
			defer tick.Stop()
			for range seconds / int(changeEvery.Seconds()) {
				if err := m.change(); err != nil {
					return err
				}
				select {
				case <-t.ctx.Done():
					return t.ctx.Err()
				case <-tick.C:
				}
			}
			return errors.Join(m.assemble(), c.failure())
		})
	})
}

// membership is who of a crew runs. One that was asked to leave takes its time, in which
// others come and go.
type membership struct {
	t       *trial
	crew    []*node
	leaving map[*node]chan error // those that do not run; it has a value when they have left
}

// change lets one join or leave; the last that runs stays.
func (m *membership) change() error {
	var joining, running []*node
	for _, n := range m.crew {
		switch left := m.leaving[n]; {
		case left == nil:
			running = append(running, n)
		case len(left) > 0:
			joining = append(joining, n)
		}
	}
	able := joining
	if len(running) > 1 {
		able = append(able, running...)
	}
	if len(able) == 0 {
		return nil // all others are on their way out
	}
	n := able[m.t.rng.IntN(len(able))]
	if left := m.leaving[n]; left != nil {
		delete(m.leaving, n)
		m.t.fault("join")
		return errors.Join(<-left, n.start())
	}
	how, what := syscall.SIGTERM, "leave"
	if m.t.rng.IntN(2) == 0 {
		how, what = syscall.SIGKILL, "kill"
	}
	m.t.fault(what)
	left := make(chan error, 1)
	m.leaving[n] = left
	go func() { left <- n.end(how) }()
	return nil
}

// assemble waits for those that leave, and lets all run.
func (m *membership) assemble() error {
	var err error
	for n, left := range m.leaving {
		err = errors.Join(err, <-left, n.start())
	}
	return err
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
		return t.flow(d, l, batch, r.pace(steady), func(c *crowd) error {
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
		return t.flow(d, l, batch, r.pace(steady), func(c *crowd) error {
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
