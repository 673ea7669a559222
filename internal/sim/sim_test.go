package sim

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/disk/disktest"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/sinks/parquet"
)

var only = flag.Uint64("seed", 0, "play this seed alone, and tell what happens")

// fewSeeds are played where nobody asks for more.
const fewSeeds = 20

// TestSim plays seeds: MILLRACE_SIM_SEEDS says how many, MILLRACE_SIM_SEED which is the
// first.
func TestSim(t *testing.T) {
	if *only != 0 {
		t.Logf("seed %d", *only)
		synctest.Test(t, func(t *testing.T) { play(t, *only, true) })
		return
	}
	number := func(name string, or uint64) uint64 {
		v := os.Getenv(name)
		if v == "" {
			return or
		}
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	first, seeds := number("MILLRACE_SIM_SEED", uint64(rand.Uint32())), number("MILLRACE_SIM_SEEDS", fewSeeds)
	t.Logf("seeds %d to %d", first, first+seeds-1)
	var mu sync.Mutex
	total := map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed < first+seeds; seed++ {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					counts := play(t, seed, false)
					mu.Lock()
					defer mu.Unlock()
					for what, n := range counts {
						total[what] += n
					}
				})
			})
		}
	})
	t.Logf("%d seeds: %v", seeds, total)
}

// world is all that there is.
type world struct {
	t       *testing.T
	seed    uint64
	tell    bool
	began   time.Time
	random  *rand.Rand // of the schedule
	rules   *rules.Rules
	network *network
	kafka   *kfake.Cluster
	objects *disktest.Disk
	twin    *twin
	book    book
	members []*member
	running sync.WaitGroup

	mu     sync.Mutex
	hosts  []*host
	calm   bool // no host loses anything any more
	counts map[string]int
}

// streams of random numbers, so that what one draws does not change what another does.
const (
	streamSchedule = iota
	streamWork
	streamProducer
	streamTwin
	streamHosts
)

func (w *world) stream(n uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, n)) }

// Losses: how likely a connection breaks at one write.
const (
	memberLoss   = 0.002
	producerLoss = 0.01
)

func (w *world) newHost(loss float64) *host {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.network.host(w.stream(streamHosts + uint64(len(w.hosts))))
	if !w.calm {
		h.lossy = loss
	}
	w.hosts = append(w.hosts, h)
	return h
}

// note tells what happens, where somebody wants to know.
func (w *world) note(format string, args ...any) {
	if w.tell {
		w.t.Logf("%8.3fs "+format, append([]any{time.Since(w.began).Seconds()}, args...)...)
	}
}

func (w *world) count(what string) {
	w.mu.Lock()
	w.counts[what]++
	w.mu.Unlock()
	w.note("%s", what)
}

func (w *world) fail(format string, args ...any) {
	w.t.Errorf("seed %d: %s\nplay it again: go test ./internal/sim -run TestSim -seed %d -v", w.seed, fmt.Sprintf(format, args...), w.seed)
}

// play plays a seed and returns what it was made of.
func play(t *testing.T, seed uint64, tell bool) map[string]int {
	w := &world{t: t, seed: seed, tell: tell, began: time.Now(), network: &network{listeners: map[string]*listener{}}, objects: disktest.New(),
		book: book{posts: map[string]*post{}}, counts: map[string]int{}}
	w.random = w.stream(streamSchedule)
	w.twin = newTwin(w.stream(streamTwin))
	var err error
	if w.rules, err = rules.New(rules.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	w.kafka, err = kfake.NewCluster(kfake.NumBrokers(2), kfake.ListenFn(w.network.listen), kfake.GroupMinSessionTimeout(session))
	if err != nil {
		t.Fatal(err)
	}
	defer w.kafka.Close()
	w.members = make([]*member, 1+w.random.IntN(3))
	for i := range w.members {
		w.members[i] = &member{w: w, disk: disktest.New()}
		w.members[i].start()
	}
	posts := workload(w.stream(streamWork))
	w.counts["posts"] = len(posts)
	var producers sync.WaitGroup
	producers.Go(func() {
		pause(context.Background(), time.Second) // the topics are being made
		w.produce(w.stream(streamProducer), posts)
	})
	w.trouble()
	producers.Wait()
	w.settle()
	w.account()
	for _, m := range w.members {
		m.leave()
	}
	w.running.Wait()
	w.last()
	for what, n := range w.twin.faults {
		w.counts["insert "+what] += n
	}
	return w.counts
}

// settle ends all trouble: what runs from now on must bring everything to its place.
func (w *world) settle() {
	w.note("calm")
	w.mu.Lock()
	w.calm = true
	for _, h := range w.hosts {
		h.setLossy(0)
	}
	w.mu.Unlock()
	w.twin.setFails(0)
	for _, m := range w.members {
		if m.life == nil {
			m.start()
		}
	}
	w.twin.late.Wait()
}

// observer is a process that only looks.
func (w *world) observer() (*bus.Bus, objstore.Store, func(), error) {
	objects, err := objstore.FolderOn(w.objects, "/objects")
	if err != nil {
		return nil, nil, nil, err
	}
	db, err := state.Open("/state", disktest.New(), bustest.Log())
	if err != nil {
		return nil, nil, nil, err
	}
	b, err := w.bus(w.newHost(0), db, objects)
	if err != nil {
		return nil, nil, nil, errors.Join(err, db.Close())
	}
	return b, objects, func() { b.Close(); _ = db.Close() }, nil
}

// patience is how long everything may take to come to its place once nothing goes wrong.
const patience = 3 * time.Minute

// account asks verify, and holds both stores against what the producers know.
func (w *world) account() {
	ctx := context.Background()
	b, objects, end, err := w.observer()
	if err != nil {
		w.fail("%v", err)
		return
	}
	defer end()
	report, err := verify.Run(ctx, verify.Config{Wait: patience}, b, []verify.Store{w.twin, &parquet.Store{Objects: objects}})
	if err != nil {
		w.fail("verify: %v", err)
	} else if !report.OK() {
		for _, l := range report.Lines {
			if len(l.Differences) > 0 {
				w.fail("verify: %s/%d: %v", l.Topic, l.Partition, l.Differences)
			}
		}
	}
	w.note("verified")
	e, err := w.expect(ctx)
	if err != nil {
		w.fail("%v", err)
		return
	}
	if err := e.check("clickhouse", w.twin.rows()); err != nil {
		w.fail("%v", err)
	}
	rows, err := listed(ctx, b, objects)
	if err == nil {
		err = e.check("the lake by its manifest", rows)
	}
	if err != nil {
		w.fail("%v", err)
	}
	w.counts["verdicts"], w.counts["examples"] = len(e.verdicts), len(e.examples)
}

// last reads all files of the lake, once a last compactor has emptied those that others
// stand for.
func (w *world) last() {
	ctx := context.Background()
	b, objects, end, err := w.observer()
	if err != nil {
		w.fail("%v", err)
		return
	}
	defer end()
	var all []bus.Partition
	for _, name := range []string{bus.CleanText, bus.Interactions, bus.TrainingExamples} {
		topic, err := b.Topic(name)
		if err != nil {
			w.fail("%v", err)
			return
		}
		for n := range topic.Partitions {
			all = append(all, bus.Partition{Topic: name, TopicID: topic.ID, Partition: n})
		}
	}
	c, err := parquet.NewCompactor(compaction(), parquet.CompactDeps{
		Objects: objects, Log: bustest.Log(), Metrics: prometheus.NewRegistry(), Partitions: func() []bus.Partition { return all },
		Clock: func() time.Time { return time.Now().Add(time.Hour) }})
	if err == nil {
		err = errors.Join(c.Once(ctx)...)
	}
	var rows []row
	if err == nil {
		rows, err = globbed(ctx, objects)
	}
	var e *expected
	if err == nil {
		e, err = w.expect(ctx)
	}
	if err == nil {
		err = e.check("the lake by its files", rows)
	}
	if err != nil {
		w.fail("%v", err)
	}
}
