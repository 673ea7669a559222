//go:build synctests

package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/disk/disktest"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/internal/testvar"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/sinks/parquet"
)

// gcPercent is how far the heap may grow between two collections.
const gcPercent = 800

// TestSim plays seeds: MILLRACE_SIM_SEEDS says how many, MILLRACE_SEED which is the
// first.
func TestSim(t *testing.T) {
	if *only != 0 {
		t.Logf("seed %d", *only)
		synctest.Test(t, func(t *testing.T) { play(t, *only, true) })
		return
	}
	first, seeds := testvar.Seed(t), testvar.Number(t, "MILLRACE_SIM_SEEDS", fewSeeds)
	t.Logf("seeds %d to %d", first, first+seeds-1)
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent)) // each seed leaves garbage, and little else
	total := map[string]int{}
	began := time.Now()
	for seed := first; seed < first+seeds; seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			forget()
			synctest.Test(t, func(t *testing.T) {
				for what, n := range play(t, seed, false) {
					total[what] += n
				}
			})
		})
	}
	t.Logf("%d seeds in %s", seeds, time.Since(began).Round(time.Millisecond))
	for _, what := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%7d  %s", total[what], what)
	}
}

// forget empties what parquet-go and pebble keep for the whole program: coders and buffers
// that hold channels, which are of the bubble that they were made in. So seeds are played one
// after another.
func forget() {
	parquetgo.Zstd = zstd.Codec{Level: parquetgo.Zstd.Level}
	runtime.GC() // what a pool holds survives the first
	runtime.GC()
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
	b, objects, end, err := w.observer()
	if err != nil {
		w.fail("%v", err)
		return
	}
	defer end()
	if err = w.sound(b, objects); err == nil {
		return
	}
	if stuck := w.stuck(); len(stuck) > 0 {
		w.count("group stuck in kfake")
		w.note("%v: %v", stuck, err)
		w.free()
		err = w.sound(b, objects)
	}
	if err != nil {
		w.fail("%v", err)
	}
}

// sound waits until everything is in its place, and says what is not.
func (w *world) sound(b *bus.Bus, objects objstore.Store) error {
	ctx := context.Background()
	report, err := verify.Run(ctx, verify.Config{Wait: patience}, b, []verify.Store{w.twin, &parquet.Store{Objects: objects}})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	for _, l := range report.Lines {
		if len(l.Differences) > 0 {
			err = errors.Join(err, fmt.Errorf("verify: %s/%d: %v", l.Topic, l.Partition, l.Differences))
		}
	}
	w.note("verified: %v", report.OK())
	// What join makes of the verdicts is not verify's to wait for.
	for until := time.Now().Add(patience); ; time.Sleep(time.Second) {
		e, wrong := w.expect(ctx)
		if wrong == nil {
			wrong = e.check("clickhouse", w.twin.rows())
		}
		if wrong == nil {
			var rows []row
			if rows, wrong = listed(ctx, b, objects); wrong == nil {
				wrong = e.check("the lake by its manifest", rows)
			}
		}
		if wrong == nil || time.Now().After(until) {
			if wrong == nil {
				w.counts["verdicts"], w.counts["examples"] = len(e.verdicts), len(e.examples)
			}
			return errors.Join(err, wrong)
		}
	}
}

// stuck names the groups that have a member which is no more.
//
// It is kfake's fault. A member that dies between the answer to its JoinGroup and its
// SyncGroup has no session there that could end. It keeps its partitions once the others are
// through, or keeps them waiting: the time after which a rebalance goes on without it begins
// anew with each that joins, so that two who give up and join again in turn never get
// through. In Kafka a session begins with the answer, and a rebalance ends at its time.
// Nothing is lost by it, and it ends when nobody joins for a while.
func (w *world) stuck() (names []string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.kafka.ListenAddrs()...), kgo.Dialer(w.newHost(0).dial))
	if err != nil {
		return nil
	}
	defer client.Close()
	groups, err := kadm.NewClient(client).DescribeGroups(context.Background())
	if err != nil {
		return nil
	}
	for _, g := range groups.Sorted() {
		w.note("group %s is %s with %d members", g.Group, g.State, len(g.Members))
		if g.State != "Stable" || len(g.Members) > len(w.members) {
			names = append(names, g.Group)
		}
	}
	return names
}

// free ends what stuck describes: nobody joins for longer than a rebalance may take.
func (w *world) free() {
	for _, m := range w.members {
		m.leave()
	}
	time.Sleep(time.Minute)
	for _, m := range w.members {
		m.start()
	}
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
		Clock: time.Now})
	for range 2 { // one makes the last large ranges, one empties their small files
		time.Sleep(time.Hour)
		if err == nil {
			err = errors.Join(c.Once(ctx)...)
		}
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
