package main

import (
	"fmt"
	"syscall"
	"time"
)

const (
	// eachRound is how many faults a round has, before it is counted.
	eachRound = 10
	// faultWithin is the time within which a fault comes at random: long enough for a
	// process to be anywhere between its start and full work.
	faultWithin = 2 * time.Second
	// batch is how many events of each kind a post has.
	batch = 20
)

// rounds does size faults in rounds of at most so many each.
func (r *run) rounds(most int, round func(t *trial, faults int) error) error {
	size := r.size()
	return r.each((size+most-1)/most, func(t *trial) error { return round(t, min(most, size-t.round*most)) })
}

// victim is something that can be killed.
type victim struct {
	name string
	kill func() error
}

// victims are the processes of a deployment, and the embedded ClickHouse of those that
// have one.
func (d *deployment) victims(nodes []*node) []victim {
	var all []victim
	for _, n := range nodes {
		all = append(all, victim{n.name, func() error { return n.signal(syscall.SIGKILL) }})
		if n.engine {
			all = append(all, victim{"engine of " + n.name, func() error {
				child := n.child()
				if child == 0 {
					return nil // it is between two lives
				}
				if err := syscall.Kill(child, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
					return fmt.Errorf("kill the engine of %s: %w", n.name, err)
				}
				return nil
			}})
		}
	}
	return all
}

// smallLog makes the embedded log press so early that it is trimmed, of all that is
// accounted for, while events flow and processes are killed.
const smallLog = "kafka:\n  max_log_bytes: 64MiB\nledger:\n  every: 1s\n"

// whole is a deployment of one process that is all of it.
func (r *run) whole(config string) (*deployment, error) {
	d, err := r.deployment("whole")
	if err != nil {
		return nil, err
	}
	_, err = d.millrace("millrace", "all", embedded()+config)
	return d, err
}

const (
	stageRoles = "clean,join,predict,drift,registry,policy,rollout"
	sinkRoles  = "trainer,clickhouse,parquet,ledger"
)

// parts is a deployment of four processes, as in production: one with the brokers and the
// database, three that reach them over the network.
func (r *run) parts() (*deployment, error) {
	d, err := r.deployment("parts")
	if err != nil {
		return nil, err
	}
	if _, err := d.millrace("engines", "drift", embedded()+smallLog); err != nil {
		return nil, err
	}
	for _, p := range []struct{ name, roles string }{{"collector", "collector"}, {"stages", stageRoles}, {"sinks", sinkRoles}} {
		if _, err := d.millrace(p.name, p.roles, d.network()); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// killing kills victims at random, n times, while a crowd posts.
func (t *trial) killing(d *deployment, l *ledger, n int, pause time.Duration, victims []victim) error {
	return t.flow(d, l, batch, pause, func(c *crowd) error {
		for i := range n {
			if err := t.meanwhile(i, c, faultWithin); err != nil {
				return err
			}
			v := victims[t.rng.IntN(len(victims))]
			if err := v.kill(); err != nil {
				return err
			}
			t.fault("kill " + v.name)
		}
		return c.moves(3 * c.batch)
	})
}

// proveKills kills any process at random times: in every other round of a deployment that
// is one process, else of one that is four.
func proveKills(r *run) error {
	whole, err := r.whole(smallLog)
	if err != nil {
		return err
	}
	parts, err := r.parts()
	if err != nil {
		return err
	}
	return r.rounds(eachRound, func(t *trial, faults int) error {
		d := []*deployment{whole, parts}[t.round%2]
		l, err := openLedger(d.dir, someWorkers)
		if err != nil {
			return err
		}
		defer l.file.Close()
		return t.killing(d, l, faults, r.pace(crowded), d.victims(d.nodes))
	})
}

// pace is the pause between two batches of a worker: short, and in the long form what suits
// its length.
func (r *run) pace(long time.Duration) time.Duration {
	if r.o.short {
		return 100 * time.Millisecond
	}
	return long
}

const (
	// crowded brings the million events that the long form of kills has.
	crowded = 20 * time.Millisecond
	// steady brings as many as can be counted again and again, behind each round.
	steady = 300 * time.Millisecond
	// sparse does so over an hour.
	sparse = time.Second
)

// proveBroker kills only the process of the embedded broker, under a collector of another
// process.
func proveBroker(r *run) error {
	d, err := r.deployment("broker")
	if err != nil {
		return err
	}
	broker, err := d.millrace("broker", stageRoles+","+sinkRoles, embedded())
	if err != nil {
		return err
	}
	if _, err := d.millrace("collector", "collector", d.network()); err != nil {
		return err
	}
	l, err := openLedger(d.dir, someWorkers)
	if err != nil {
		return err
	}
	defer l.file.Close()
	kill := victim{"broker", func() error { return broker.signal(syscall.SIGKILL) }}
	return r.rounds(eachRound, func(t *trial, faults int) error {
		return t.killing(d, l, faults, r.pace(steady), []victim{kill})
	})
}
