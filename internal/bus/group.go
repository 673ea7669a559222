package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/state"
)

// pollRecords bounds what one poll hands out.
const pollRecords = 20_000

// hintEvery is how often positions that moved are committed to the group, where they
// serve tools that show lag; nothing is resumed from them.
const hintEvery = time.Second

// lastHint bounds the hint that is given when a partition goes away.
const lastHint = 2 * time.Second

// sessionTimeout is the default of Config.SessionTimeout.
const sessionTimeout = 8 * time.Second

// group is one member of a stage's consumer group, with a worker for each partition that
// it was assigned.
type group struct {
	bus      *Bus
	stage    Stage
	consumer *kgo.Client
	producer *kgo.Client
	failed   chan error // holds the first failure

	mu      sync.Mutex
	workers map[outputPartition]*worker
	closed  bool // no worker begins any more
}

// Run works as a member of the stage's group until ctx ends, which is no error, or until
// something fails. After an error it may be called again: it resumes from what was
// committed, in a new stretch of origins.
func (b *Bus) Run(ctx context.Context, stage Stage) error {
	if err := stage.validate(); err != nil {
		return err
	}
	for _, name := range stage.Inputs {
		if _, err := b.Topic(name); err != nil {
			return err
		}
	}
	// Not only when watch looks next: one that is begun again at once would go on until then.
	if err := b.changed(ctx); err != nil {
		return err
	}
	if err := b.state.Sound(); err != nil {
		return fmt.Errorf("bus: stage %s: %w", stage.Name, err)
	}
	g := &group{bus: b, stage: stage, failed: make(chan error, 1), workers: map[outputPartition]*worker{}}
	var err error
	if g.producer, err = kgo.NewClient(append(b.producing(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	defer g.producer.Close()
	opts := append(b.common(), consuming()...)
	opts = append(opts,
		kgo.ConsumerGroup(b.cfg.Group+"-"+stage.Name),
		kgo.ConsumeTopics(stage.Inputs...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(b.cfg.SessionTimeout),
		kgo.HeartbeatInterval(b.cfg.SessionTimeout/4),
		kgo.RebalanceTimeout(2*stopTimeout),
		kgo.BlockRebalanceOnPoll(),
		kgo.AdjustFetchOffsetsFn(g.positions),
		kgo.OnPartitionsAssigned(g.assigned),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { g.release(lost) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { g.release(lost) }),
	)
	if g.consumer, err = kgo.NewClient(opts...); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	err = g.run(ctx)
	if err != nil {
		b.metrics.failures.WithLabelValues(stage.Name).Inc()
	}
	return err
}

func (g *group) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if err := g.bus.watch(ctx); err != nil {
			g.fail(err)
		}
	}()
	polled := make(chan error, 1)
	go func() { polled <- g.poll(ctx) }()
	hint := time.NewTicker(hintEvery)
	defer hint.Stop()
	damaged := g.bus.state.Damaged()
	var err error
	for waiting := true; waiting; {
		select {
		case <-hint.C:
			g.mu.Lock()
			all := maps.Clone(g.workers)
			g.mu.Unlock()
			g.hint(ctx, all, g.consumer.CommitOffsets)
		case err = <-g.failed:
			waiting = false
		case <-damaged:
			err, waiting = fmt.Errorf("bus: stage %s: %w", g.stage.Name, state.ErrDamaged), false
		case err = <-polled:
			waiting = false
			polled <- nil
		}
	}
	cancel()
	err = errors.Join(err, <-polled, g.releaseAll())
	g.consumer.AllowRebalance()
	g.consumer.CloseAllowingRebalance()
	return err
}

func (g *group) fail(err error) {
	select {
	case g.failed <- err:
	default: // the first failure is the one that is told
	}
}

// poll hands fetched records to their workers until ctx ends.
func (g *group) poll(ctx context.Context) error {
	for {
		fetches := g.consumer.PollRecords(ctx, pollRecords)
		if fetches.IsClientClosed() || ctx.Err() != nil {
			return nil //nolint:nilerr // being told to stop is no error
		}
		var err error
		fetches.EachPartition(func(p kgo.FetchTopicPartition) { err = errors.Join(err, g.deliver(p)) })
		g.consumer.AllowRebalance()
		if err != nil {
			return err
		}
	}
}

// deliver hands what was fetched of a partition to its worker.
func (g *group) deliver(p kgo.FetchTopicPartition) error {
	g.mu.Lock()
	w := g.workers[outputPartition{p.Topic, p.Partition}]
	g.mu.Unlock()
	if w == nil && (p.Topic != "" || p.Err == nil || errors.Is(p.Err, context.Canceled)) {
		return nil // revoked meanwhile; whoever has it now reads it
	}
	if w == nil {
		return fmt.Errorf("bus: stage %s: %w", g.stage.Name, p.Err) // of the group itself
	}
	if err := w.deliver(p.Records, p.HighWatermark); err != nil {
		return err
	}
	var large *kgo.ErrDecompressTooLarge
	switch {
	case p.Err == nil || errors.Is(p.Err, context.Canceled):
		return nil
	case w.in.input && errors.As(p.Err, &large):
		g.bus.log.Error("a batch unpacks to more than is taken; its records are dead", "topic", p.Topic, "partition", p.Partition,
			"from", large.Offset, "to", large.NextOffset, "limit", maxBatchBytes)
		if err := w.deliver(standIns(large), max(p.HighWatermark, large.NextOffset)); err != nil {
			return err
		}
		g.consumer.SetOffsets(behind(large))
		return nil
	}
	return fmt.Errorf("bus: stage %s: fetch %s/%d: %w", g.stage.Name, p.Topic, p.Partition, outOfRange(p.Err, p.Topic))
}

// behind is the place behind a batch that cannot be unpacked.
func behind(e *kgo.ErrDecompressTooLarge) map[string]map[int32]kgo.EpochOffset {
	return map[string]map[int32]kgo.EpochOffset{e.Topic: {e.Partition: {Epoch: e.Epoch, Offset: e.NextOffset}}}
}

// assigned opens a worker for each new partition, before its first fetch.
func (g *group) assigned(ctx context.Context, _ *kgo.Client, added map[string][]int32) {
	for topic, partitions := range added {
		for _, n := range partitions {
			t, err := g.bus.Topic(topic)
			if err != nil {
				g.fail(err)
				return
			}
			w, err := g.bus.openWorker(ctx, g.stage, t, n, g.producer)
			if err != nil {
				g.fail(err)
				return
			}
			at := map[string][]int32{topic: {n}}
			w.pauseFetch = func() { g.consumer.PauseFetchPartitions(at) }
			w.resumeFetch = func() { g.consumer.ResumeFetchPartitions(at) }
			g.begin(outputPartition{topic, n}, w)
		}
	}
}

func (g *group) begin(at outputPartition, w *worker) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		_ = w.st.Close() // nothing was set in it
		return
	}
	g.workers[at] = w
	g.bus.reading.Store(stagePartition{g.stage.Name, w.at}, w)
	go func() {
		w.run()
		if w.err != nil {
			g.fail(w.err)
		}
	}()
}

// positions makes every partition begin where its state is, never at what the group
// committed.
func (g *group) positions(_ context.Context, fetched map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for topic, partitions := range fetched {
		for n := range partitions {
			w := g.workers[outputPartition{topic, n}]
			if w == nil {
				return nil, fmt.Errorf("bus: stage %s has no state for %s/%d", g.stage.Name, topic, n)
			}
			// What was fetched and not processed yet is not fetched again: a worker that
			// was just opened has nothing, and one that runs on is not asked.
			partitions[n] = kgo.NewOffset().At(w.fetchFrom())
		}
	}
	return fetched, nil
}

// release stops the workers of partitions that go away; each finishes its batch and
// checkpoints, so that the next owner resumes there.
func (g *group) release(lost map[string][]int32) {
	stopped := map[outputPartition]*worker{}
	g.mu.Lock()
	for topic, partitions := range lost {
		for _, n := range partitions {
			key := outputPartition{topic, n}
			if w := g.workers[key]; w != nil {
				delete(g.workers, key)
				g.bus.reading.CompareAndDelete(stagePartition{g.stage.Name, w.at}, w)
				close(w.stop)
				stopped[key] = w
			}
		}
	}
	g.mu.Unlock()
	for _, w := range stopped {
		<-w.done
		w.resumeFetch() // the client keeps a pause, also for whoever has the partition next
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastHint)
	defer cancel()
	g.hint(ctx, stopped, g.consumer.CommitOffsetsSync)
}

func (g *group) releaseAll() error {
	g.mu.Lock()
	g.closed = true
	all := map[string][]int32{}
	for key := range g.workers {
		all[key.topic] = append(all[key.topic], key.partition)
	}
	g.mu.Unlock()
	g.release(all)
	select {
	case err := <-g.failed:
		return err
	default:
		return nil
	}
}

// hint tells the group by commit where workers are that have moved. One that is lost
// costs nothing, and is given again.
func (g *group) hint(ctx context.Context, workers map[outputPartition]*worker, commit func(context.Context, map[string]map[int32]kgo.EpochOffset, func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error))) {
	hints := map[string]map[int32]kgo.EpochOffset{}
	moved := map[*worker]int64{}
	for key, w := range workers {
		at := w.position.Load()
		if at == w.hinted.Load() {
			continue
		}
		moved[w] = at
		if hints[key.topic] == nil {
			hints[key.topic] = map[int32]kgo.EpochOffset{}
		}
		hints[key.topic][key.partition] = kgo.EpochOffset{Epoch: -1, Offset: at}
	}
	if len(hints) == 0 {
		return
	}
	commit(ctx, hints, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
		if err == nil {
			for w, at := range moved {
				w.hinted.Store(at)
			}
		}
	})
}
