package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// brokerCap is the cap of a Kafka broker's resident set, in MiB: its heap of 384 and what
// the virtual machine holds beside it. It is the server's; it is watched, so that the
// machine's memory is accounted for.
const brokerCap = 1024

// kafkaCluster adds n real Kafka brokers that are controllers too, with replicas on all of
// them. A broker that was killed is known to be gone after two seconds.
func (d *deployment) kafkaCluster(n int) error {
	jars := filepath.Join(d.r.o.cache, "kafka", "*")
	if found, err := filepath.Glob(filepath.Join(d.r.o.cache, "kafka", "kafka_*.jar")); err != nil || len(found) == 0 {
		return errors.New("apache Kafka is not in the cache: integration/setup.sh fetches it")
	}
	at, err := d.ports("kafka", 2*n)
	if err != nil {
		return err
	}
	logging, err := d.write("log4j2.properties", "rootLogger.level=WARN\nrootLogger.appenderRefs=out\nrootLogger.appenderRef.out.ref=out\nappender.out.type=Console\nappender.out.name=out\nappender.out.layout.type=PatternLayout\nappender.out.layout.pattern=%d %p %m (%c)%n\n")
	if err != nil {
		return err
	}
	var voters, bootstrap []string
	for i := range n {
		voters = append(voters, fmt.Sprintf("%d@%s:%s", i, at[n+i], directoryID(i)))
		bootstrap = append(bootstrap, at[n+i])
	}
	for i := range n {
		name := fmt.Sprintf("kafka-%d", i)
		properties, err := d.write(name+".properties", fmt.Sprintf(serverProperties, i, at[i], at[n+i], at[i], at[n+i],
			strings.Join(bootstrap, ","), filepath.Join(d.dir, name), n, min(n, 2)))
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(d.dir, name, "meta.properties")); err != nil {
			out, err := exec.Command("java", "-cp", jars, "-Dlog4j2.configurationFile="+logging, "kafka.tools.StorageTool", "format",
				"-t", clusterID, "-c", properties, "--initial-controllers", strings.Join(voters, ",")).CombinedOutput()
			if err != nil {
				return fmt.Errorf("format the log of %s: %w\n%s", name, err, out)
			}
		}
		d.brokers = append(d.brokers, at[i])
		d.nodes = append(d.nodes, &node{
			name: name, sort: "kafka", dir: d.dir, log: filepath.Join(d.dir, name+".log"),
			argv:    []string{"java", "-Xms384m", "-Xmx384m", "-Dlog4j2.configurationFile=" + logging, "-cp", jars, "kafka.Kafka", properties},
			isReady: func(ctx context.Context, _ int) bool { return brokerAnswers(ctx, at[i], n) },
		})
	}
	return nil
}

// clusterID and the directories' ids are any: one cluster of a folder never meets another.
const clusterID = "proveproveproveproveAA"

func directoryID(i int) string { return fmt.Sprintf("proveproveproveprove%dA", i) }

const serverProperties = `process.roles=broker,controller
node.id=%d
listeners=PLAINTEXT://%s,CONTROLLER://%s
advertised.listeners=PLAINTEXT://%s,CONTROLLER://%s
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=%s
log.dirs=%s
default.replication.factor=%[8]d
offsets.topic.replication.factor=%[8]d
transaction.state.log.replication.factor=%[8]d
share.coordinator.state.topic.replication.factor=%[8]d
min.insync.replicas=%[9]d
transaction.state.log.min.isr=%[9]d
share.coordinator.state.topic.min.isr=%[9]d
offsets.topic.num.partitions=4
auto.create.topics.enable=false
unclean.leader.election.enable=false
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
`

// brokerAnswers says whether a broker lists every broker of the cluster, itself included.
func brokerAnswers(ctx context.Context, address string, brokers int) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		return false
	}
	defer client.Close()
	m, err := kadm.NewClient(client).BrokerMetadata(ctx)
	return err == nil && len(m.Brokers) == brokers
}

// clustered is a deployment on a real Kafka: its collector and its sinks, with the database,
// in one process, its stages in two more.
func (r *run) clustered(brokers int) (*deployment, error) {
	d, err := r.deployment("clustered")
	if err != nil {
		return nil, err
	}
	if err := d.kafkaCluster(brokers); err != nil {
		return nil, err
	}
	if _, err := d.millrace("sinks", "collector,"+sinkRoles, d.kafka()+embedded()); err != nil {
		return nil, err
	}
	for _, name := range []string{"stages-a", "stages-b"} {
		if _, err := d.millrace(name, stageRoles, d.network()); err != nil {
			return nil, err
		}
	}
	d.verifying = []string{"--data", filepath.Join(d.dir, "asking"), "--config", filepath.Join(d.dir, "stages-a.yaml")}
	return d, nil
}

// startKafka begins all brokers before it waits for one: none answers alone.
func (d *deployment) startKafka(ctx context.Context) error {
	var brokers []*node
	for _, n := range d.nodes {
		if n.sort == "kafka" {
			brokers = append(brokers, n)
			if err := n.start(); err != nil {
				return err
			}
		}
	}
	for _, n := range brokers {
		if err := n.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// proveKafka kills, pauses and restarts real brokers while roles are killed too.
func proveKafka(r *run) error {
	brokers := 3
	if r.o.short {
		brokers = 1
	}
	d, err := r.clustered(brokers)
	if err != nil {
		return err
	}
	l, err := openLedger(d.dir, someWorkers)
	if err != nil {
		return err
	}
	defer l.file.Close()
	return r.rounds(eachRound, func(t *trial, faults int) error {
		if err := d.startKafka(t.ctx); err != nil {
			d.halt()
			return err
		}
		return t.flow(d, l, batch, r.pace(steady), func(c *crowd) error {
			for i := range faults {
				if err := t.meanwhile(i, c, faultWithin); err != nil {
					return err
				}
				if err := t.breakKafka(d, i); err != nil {
					return err
				}
			}
			return c.moves(3 * c.batch)
		})
	})
}

// breakKafka does one of the three to a broker; every other time a role's process is
// killed meanwhile.
func (t *trial) breakKafka(d *deployment, i int) error {
	brokers := slices.DeleteFunc(slices.Clone(d.nodes), func(n *node) bool { return n.sort != "kafka" })
	roles := slices.DeleteFunc(slices.Clone(d.nodes), func(n *node) bool { return n.sort == "kafka" })
	b := brokers[t.rng.IntN(len(brokers))]
	// All three in turn, so that a short form has each of them.
	what := []string{"kill", "pause", "restart"}[i%3]
	pause := time.Duration(1+t.rng.IntN(8)) * time.Second
	t.fault(what + " a broker")
	var err error
	switch what {
	case "kill":
		err = b.signal(syscall.SIGKILL)
	case "pause":
		err = b.signal(syscall.SIGSTOP)
	case "restart":
		err = b.signal(syscall.SIGTERM)
	}
	if i%2 == 0 {
		role := roles[t.rng.IntN(len(roles))]
		err = errors.Join(err, role.signal(syscall.SIGKILL))
		t.fault("kill " + role.name)
	}
	if what == "pause" {
		err = errors.Join(err, sleep(t.ctx, pause), b.signal(syscall.SIGCONT))
	}
	if err != nil {
		return err
	}
	return b.ready(t.ctx)
}
