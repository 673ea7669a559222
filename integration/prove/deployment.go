package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The caps of a process's resident set, in MiB.
const (
	// A collector holds what it has at work (at most 128 MiB), what its client buffers,
	// and as much again until it is collected.
	collectorCap = 512
	// A process with stages and sinks holds a fetch of 32 MiB for each of ten stages, a
	// batch of up to 64 MiB for each of six partitions of the lake, and of half that for
	// the database, the embedded log's reload, and as much again until it is collected.
	millraceCap = 2048
	// The engine's is its own setting and as much for what its library weighs.
	engineCap = 2048
	// engineMemory is clickhouse.max_memory.
	engineMemory = "1GiB"
)

const secret = "the secret of a deployment that is there to be killed"

// settings lead every configuration. The loop is observed only: what predict writes to an
// input is no event of the test's own, and its count goes by every record of the inputs.
// The lake's idle tails are closed soon, so that a count need not wait for them.
const settings = `secret: "` + secret + `"
loop: observe
sinks:
  parquet:
    max_age: 2s
`

// deployment is some processes that are one Millrace.
type deployment struct {
	r     *run
	dir   string
	nodes []*node
	// posts are the addresses that take events.
	posts []string
	// brokers are Kafka's; clickhouse is where SQL is asked over HTTP; objects is the
	// folder of the lake.
	brokers    []string
	clickhouse string
	objects    string
	// verifying are the arguments by which verify finds the deployment.
	verifying []string
	// rejects says that texts of the crowd may be rejected by a rule.
	rejects bool

	sampling context.CancelFunc
	sampled  sync.WaitGroup
	mu       sync.Mutex
	rss      map[string]int
}

func (r *run) deployment(name string) (*deployment, error) {
	d := &deployment{r: r, dir: filepath.Join(r.dir, name), rss: map[string]int{}}
	d.objects = filepath.Join(d.dir, "objects")
	return d, os.MkdirAll(d.dir, 0o700)
}

// millrace adds a process with some roles. Where embedded, it has brokers and database of
// its own where the configuration names none, and others reach them there.
func (d *deployment) millrace(name, roles, config string) (*node, error) {
	at, err := d.ports(name, 3)
	if err != nil {
		return nil, err
	}
	library, err := filepath.Glob(filepath.Join(d.r.o.cache, "chdb-*", "libchdb.so"))
	if err != nil || len(library) == 0 {
		return nil, errors.New("the embedded engine is not in the cache: make deps fetches it")
	}
	if err := d.configure(name, config); err != nil {
		return nil, err
	}
	path := filepath.Join(d.dir, name+".yaml")
	data := filepath.Join(d.dir, name)
	n := &node{
		name: name, sort: "millrace", dir: d.dir, log: filepath.Join(d.dir, name+".log"),
		argv: []string{d.r.o.bin, "up", "--roles", roles, "--data", data, "--config", path, "--listen", at[0], "--kafka-listen", at[1], "--clickhouse-listen", at[2]},
		env:  []string{"MILLRACE_CLICKHOUSE_LIBRARY=" + library[len(library)-1]},
	}
	n.works = func(pid int) bool { _, ok := announced(data, pid); return ok }
	n.isReady = func(ctx context.Context, pid int) bool {
		where, ok := announced(data, pid)
		return ok && answers(ctx, where.HTTP)
	}
	d.nodes = append(d.nodes, n)
	if roles == "collector" && strings.Contains(config, "dsn:") {
		n.sort = "collector"
	}
	if strings.Contains(roles, "collector") || roles == "all" {
		d.posts = append(d.posts, at[0])
	}
	if !strings.Contains(config, "brokers:") {
		d.brokers = []string{at[1]}
	}
	if !strings.Contains(config, "dsn:") {
		n.engine = true
		d.clickhouse = at[2]
	}
	if d.verifying == nil {
		d.verifying = []string{"--data", data, "--config", path}
	}
	return n, nil
}

// configure writes the configuration that a process is started with from now on.
func (d *deployment) configure(name, config string) error {
	_, err := d.write(name+".yaml", settings+"objects:\n  url: file://"+d.objects+"\n"+config)
	return err
}

// network is the configuration of a process that reaches brokers, and the embedded
// database of another process, over the network.
func (d *deployment) network() string {
	return fmt.Sprintf("clickhouse:\n  dsn: \"http://millrace:%s@%s/default\"\n", enginePassword(), d.clickhouse) + d.kafka()
}

// kafka is the configuration of a process that reaches brokers over the network.
func (d *deployment) kafka() string {
	return "kafka:\n  brokers: [" + strings.Join(d.brokers, ", ") + "]\n"
}

// embedded is the configuration of the engines.
func embedded() string { return "clickhouse:\n  max_memory: " + engineMemory + "\n" }

// enginePassword is that of Millrace's own role in an embedded ClickHouse.
func enginePassword() string {
	sum := sha256.Sum256([]byte(secret))
	mac := hmac.New(sha256.New, sum[:])
	mac.Write([]byte("clickhouse"))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

func (d *deployment) write(name, text string) (string, error) {
	path := filepath.Join(d.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// Ports are taken below those that the kernel gives to outgoing connections, so that a
// process that was killed finds its own free when it comes back.
const firstPort, lastPort = 12_000, 32_000

// ports are n addresses that are the named node's for as long as the row's data lasts.
func (d *deployment) ports(name string, n int) ([]string, error) {
	path := filepath.Join(d.dir, name+".ports")
	if data, err := os.ReadFile(path); err == nil {
		if at := strings.Fields(string(data)); len(at) == n {
			return at, nil
		}
	}
	var at []string
	// Where to look first tells runs that share a machine apart.
	for port := firstPort + int(time.Now().UnixNano()/1000)%(lastPort-firstPort-1000); len(at) < n; port++ {
		if port == lastPort {
			return nil, errors.New("no free ports are left")
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // held until all are found, so that none is found twice
		at = append(at, l.Addr().String())
	}
	return at, os.WriteFile(path, []byte(strings.Join(at, "\n")), 0o600)
}

// start begins all processes, in order, and waits until each answers.
func (d *deployment) start(ctx context.Context) error {
	sampling, cancel := context.WithCancel(context.Background())
	d.sampling = cancel
	d.sampled.Go(func() { d.sample(sampling) })
	for _, n := range d.nodes {
		if err := n.start(); err != nil {
			return err
		}
		if err := n.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until all processes answer.
func (d *deployment) ready(ctx context.Context) error {
	for _, n := range d.nodes {
		if err := n.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all processes in order, those that reach the others first.
func (d *deployment) stop() error {
	var err error
	for i := len(d.nodes) - 1; i >= 0; i-- {
		err = errors.Join(err, d.nodes[i].end(syscall.SIGTERM))
	}
	d.halt()
	return err
}

// halt ends what is left, at once.
func (d *deployment) halt() {
	for _, n := range d.nodes {
		_ = n.end(syscall.SIGKILL) // nothing is asked of a process that is killed
	}
	if d.sampling != nil {
		d.sampling()
		d.sampled.Wait()
		d.sampling = nil
	}
}

// sampleEach is how often memory is looked at: each time at the kernel's own mark of the
// highest, so that a peak between two looks is seen.
const sampleEach = 100 * time.Millisecond

func (d *deployment) sample(ctx context.Context) {
	for sleep(ctx, sampleEach) == nil {
		for _, n := range d.nodes {
			n.look()
			own, engine := peak(n.pid()), 0
			if n.engine {
				if child := n.child(); child > 0 {
					engine = peak(child)
				}
			}
			d.mu.Lock()
			d.rss[n.sort] = max(d.rss[n.sort], own)
			if engine > 0 {
				d.rss["engine"] = max(d.rss["engine"], engine)
			}
			d.mu.Unlock()
		}
	}
}

// memory puts the peaks since the start, and their caps, into the result.
func (d *deployment) memory(t *trial) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.result.MaxRSS, t.result.CapRSS = map[string]int{}, map[string]int{}
	for sort, cap := range map[string]int{"millrace": millraceCap, "collector": collectorCap, "engine": engineCap, "kafka": brokerCap} {
		if most := d.rss[sort]; most > 0 {
			t.result.MaxRSS[sort], t.result.CapRSS[sort] = most, cap
		}
	}
}

// selfEnded counts the processes that ended without being told to: in their start, as they
// may where what they need is away, and at work, as none may.
func (d *deployment) selfEnded(t *trial) error {
	starting, working := 0, 0
	for _, n := range d.nodes {
		s, w := n.selfEnded()
		starting, working = starting+s, working+w
	}
	t.result.Counts["ended_in_their_start"] = starting
	if working > 0 {
		return fmt.Errorf("processes that worked ended by themselves %s; their output is in %s", plural(working, "time"), d.dir)
	}
	return nil
}

// command runs a command of the program on the deployment.
func (d *deployment) command(ctx context.Context, args ...string) (out string, code int, err error) {
	cmd := exec.CommandContext(ctx, d.r.o.bin, append(args, d.verifying...)...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), d.nodes[0].env...)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("millrace %s: %w", strings.Join(args, " "), err)
	}
	return string(b), cmd.ProcessState.ExitCode(), nil
}
