package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/state"
)

// Bounds of a worker.
const (
	// queuedBytes is what may wait for one partition before its fetching is paused.
	queuedBytes = 16 << 20
	// dueEvery is how often a Ranger is asked whether its range is wanted.
	dueEvery = 100 * time.Millisecond
	// checkpointEvery is the age at which a partition's state goes to the object store.
	checkpointEvery = time.Minute
	// checkpointShare bounds the part of a worker's time that checkpoints take: the whole
	// state is written each time, and it may be large. The next comes no sooner than so
	// many times what the last one took.
	checkpointShare = 20
	// stopTimeout is what a batch in hand has to finish when the stage stops.
	stopTimeout = 15 * time.Second
)

// worker runs the Task of one partition: it collects a batch, processes it, waits until
// what it wrote is acknowledged, and commits state, marks and position as one.
type worker struct {
	bus   *Bus
	stage Stage
	at    Partition
	in    intake
	st    *state.Partition
	marks *marks
	task  Task
	out   *Output

	// position is the next offset to read, as committed; read by the group's side.
	position atomic.Int64
	end      atomic.Int64 // the log's end, as the last fetch saw it
	paused   atomic.Bool
	hinted   atomic.Int64 // the position that the group was told last
	// pauseFetch and resumeFetch stop the partition's fetching and let it go on.
	pauseFetch, resumeFetch func()

	mu      sync.Mutex
	queue   []*kgo.Record
	queued  int
	arrived chan struct{} // holds a token while the queue may have grown
	next    int64         // the offset behind what was queued last
	before  *last         // what must lie before the position, until it was seen there
	stop    chan struct{}
	done    chan struct{}
	err     error // of run, once done is closed

	buf      []*kgo.Record // taken from the queue, not processed yet
	bufBytes int
	bufSince time.Time
	// fit records at the front of buf, of fitBytes, were found to fit into a batch: a
	// large one that fills slowly is not counted from its start each time.
	fit, fitBytes  int
	records        []Record
	checkpointed   time.Time
	checkpointTook time.Duration

	read     prometheus.Counter
	lag, age prometheus.Gauge
}

// openWorker loads the furthest of the local state and the checkpoints and opens the
// task there. A new Output is a new stretch of origins.
func (b *Bus) openWorker(ctx context.Context, stage Stage, topic Topic, partition int32, producer *kgo.Client) (*worker, error) {
	at := Partition{Topic: topic.Name, TopicID: topic.ID, Partition: partition}
	st, err := b.state.Partition(stage.stateName(), topic.ID, partition)
	if err != nil {
		return nil, err
	}
	restored, damaged, err := st.Restore(ctx, b.objects)
	for _, err := range damaged {
		b.log.Warn("a checkpoint cannot be read; an older one serves", "stage", stage.Name, "partition", at.String(), "error", err)
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if restored {
		b.log.Info("state restored from a checkpoint", "stage", stage.Name, "partition", at.String(), "position", st.Position())
	}
	if err := b.begin(ctx, stage, at, st); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	m, err := loadMarks(st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	before, err := b.resume(ctx, at, st)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bus: stage %s on %s: %w", stage.Name, at, err), st.Close())
	}
	task, err := stage.Open(ctx, at, st)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bus: open stage %s on %s: %w", stage.Name, at, err), st.Close())
	}
	n := strconv.Itoa(int(partition))
	w := &worker{
		bus: b, stage: stage, at: at, in: b.newIntake(stage.Name, topic, partition, m), st: st, marks: m, task: task,
		out:  newOutput(b, stage.Name, producer),
		next: st.Position(), before: before,
		arrived: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		checkpointed: b.clock(),
		read:         b.metrics.read.WithLabelValues(stage.Name, topic.Name),
		lag:          b.metrics.lag.WithLabelValues(stage.Name, topic.Name, n),
		age:          b.metrics.age.WithLabelValues(stage.Name, topic.Name, n),
	}
	w.position.Store(st.Position())
	return w, nil
}

// offer queues fetched records and says whether fetching should pause.
func (w *worker) offer(records []*kgo.Record, end int64) (full bool) {
	w.mu.Lock()
	w.queue = append(w.queue, records...)
	for _, r := range records {
		w.queued += len(r.Key) + len(r.Value)
	}
	full = w.queued > queuedBytes
	w.mu.Unlock()
	w.end.Store(end)
	w.nudge()
	return full
}

// hold stops the partition's fetching until the worker has taken what waits.
//
// The order matters, since the worker may take everything at any point of it. Were the
// flag set first, a worker that saw it would resume before the pause, clear the flag,
// and nobody would ever resume the pause that follows. As it is, the worker either sees
// the flag behind the pause, or is nudged to look again.
func (w *worker) hold() {
	w.pauseFetch()
	w.paused.Store(true)
	w.nudge()
}

func (w *worker) resume() {
	w.paused.Store(false)
	w.resumeFetch()
}

// nudge makes the worker look at its queue.
func (w *worker) nudge() {
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}

// take moves the queue to the buffer.
func (w *worker) take() {
	w.mu.Lock()
	if len(w.queue) > 0 && len(w.buf) == 0 {
		w.bufSince = w.bus.clock()
	}
	w.buf = append(w.buf, w.queue...)
	w.bufBytes += w.queued
	clear(w.queue)
	w.queue, w.queued = w.queue[:0], 0
	w.mu.Unlock()
	if w.paused.Load() && w.bufBytes <= max(queuedBytes, w.stage.Limits.MaxBytes) {
		w.resume()
	}
}

// run works until stop is closed or a step fails. The state is closed when it returns.
func (w *worker) run() {
	defer close(w.done)
	if c, ok := w.task.(Closer); ok {
		defer c.Close()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // the batch in hand is finished after a stop, within a deadline
		select {
		case <-w.stop:
			timer := time.AfterFunc(stopTimeout, cancel)
			defer timer.Stop()
			<-w.done
		case <-w.done:
		}
	}()
	w.err = w.loop(ctx)
	if w.err == nil {
		w.err = w.checkpoint(ctx, true)
	}
	if err := w.st.Close(); err != nil && w.err == nil {
		w.err = err
	}
}

func (w *worker) loop(ctx context.Context) error {
	ranger, _ := w.task.(Ranger)
	for {
		n, end, err := w.collect(ctx, ranger)
		if err != nil || n == 0 {
			return err
		}
		if ranger != nil {
			err = w.stepRange(ctx, ranger, end)
		} else {
			err = w.step(ctx, n)
		}
		if err != nil {
			return err
		}
		if err := w.checkpoint(ctx, false); err != nil {
			return err
		}
	}
}

// collect waits until a batch is full, old enough or wanted, and returns how many
// records of the buffer it takes and where its range ends; 0 records: stop.
func (w *worker) collect(ctx context.Context, ranger Ranger) (n int, end int64, err error) {
	select {
	case <-w.stop: // whatever waits: the next owner reads it
		return 0, 0, nil
	default:
	}
	var fixed int64
	if ranger != nil {
		if fixed, err = w.rangeEnd(ctx, ranger); err != nil {
			return 0, 0, fmt.Errorf("bus: stage %s on %s: %w", w.stage.Name, w.at, err)
		}
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		w.take()
		if n, end = w.ready(ctx, ranger, fixed); n > 0 {
			return n, end, nil
		}
		if fixed > 0 && w.paused.Load() {
			w.resume() // another's claim may be larger than what is held otherwise
		}
		wait := time.Hour
		switch {
		case len(w.buf) == 0:
			// What is idle is checkpointed, too: until it is, its input cannot be trimmed,
			// and a log that is full brings no batch after which it would be.
			if err := w.checkpoint(ctx, false); err != nil {
				return 0, 0, err
			}
			if w.st.Position() != w.st.Checkpointed() {
				wait = w.checkpointDue().Sub(w.bus.clock())
			}
		case ranger != nil:
			wait = dueEvery
		default:
			wait = w.stage.Limits.Linger - w.bus.clock().Sub(w.bufSince)
		}
		timer.Reset(max(wait, time.Millisecond))
		select {
		case <-w.stop:
			return 0, 0, nil
		case <-w.arrived:
		case <-timer.C:
		}
	}
}

// rangeEnd is the end that a claim fixes for the range at hand, or 0.
//
// Whoever claimed a range had read it. Where the log ends before the claim's end, it has
// lost records that others have taken, and may put others in their place: were they
// waited for, the range would be filled with what it never was.
func (w *worker) rangeEnd(ctx context.Context, ranger Ranger) (int64, error) {
	first := w.st.Position()
	fixed, err := ranger.RangeEnd(ctx, first)
	if err != nil || fixed == 0 {
		return 0, err
	}
	ends, err := w.bus.Ends(ctx, w.at.Topic)
	if err != nil {
		return 0, err
	}
	if end := ends[w.at.Partition]; fixed > end {
		return 0, fmt.Errorf("the range at %d is claimed to end at %d, and the log ends at %d: it has lost records that were read; restore it", first, fixed, end)
	}
	return fixed, nil
}

func (w *worker) ready(ctx context.Context, ranger Ranger, fixed int64) (n int, end int64) {
	if len(w.buf) == 0 {
		return 0, 0
	}
	limits := w.stage.Limits
	last := w.buf[len(w.buf)-1].Offset
	if fixed > 0 {
		if last < fixed-1 {
			return 0, 0
		}
		for n < len(w.buf) && w.buf[n].Offset < fixed {
			n++
		}
		return max(n, 1), fixed
	}
	for w.fit < min(len(w.buf), limits.MaxRecords) && w.fitBytes < limits.MaxBytes {
		w.fitBytes += len(w.buf[w.fit].Key) + len(w.buf[w.fit].Value)
		w.fit++
	}
	n = w.fit
	end = w.buf[n-1].Offset + 1
	switch {
	case n < len(w.buf) || n == limits.MaxRecords || w.bufBytes >= limits.MaxBytes,
		w.bus.clock().Sub(w.bufSince) >= limits.Linger,
		ranger != nil && ranger.Due(ctx, w.st.Position(), end):
		return n, end
	}
	return 0, 0
}

// admit fills w.records with what counts of the first n of the buffer.
func (w *worker) admit(n int) {
	w.records = w.records[:0]
	for _, r := range w.buf[:n] {
		if rec, counts := w.in.take(r); counts {
			w.records = append(w.records, rec)
		}
	}
}

func (w *worker) step(ctx context.Context, n int) error {
	began := w.bus.clock()
	w.admit(n)
	if len(w.records) > 0 {
		if err := w.task.Process(ctx, w.records, w.out); err != nil {
			return fmt.Errorf("bus: stage %s on %s: %w", w.stage.Name, w.at, err)
		}
	}
	if err := w.out.flush(ctx); err != nil {
		return err
	}
	if w.bus.afterFlush != nil {
		if err := w.bus.afterFlush(); err != nil {
			return err
		}
	}
	return w.commit(n, w.buf[n-1].Offset+1, began)
}

func (w *worker) stepRange(ctx context.Context, ranger Ranger, end int64) error {
	began := w.bus.clock()
	n := 0
	for n < len(w.buf) && w.buf[n].Offset < end {
		n++
	}
	w.admit(n)
	err := ranger.ProcessRange(ctx, w.st.Position(), end, w.records)
	var other *RangeError
	if errors.As(err, &other) {
		// Another writer claimed the range; collect asks for its end and comes back.
		w.marks.discard()
		w.st.Discard()
		return nil
	}
	if err != nil {
		return fmt.Errorf("bus: stage %s on %s: %w", w.stage.Name, w.at, err)
	}
	return w.commit(n, end, began)
}

func (w *worker) commit(n int, position int64, began time.Time) error {
	w.marks.save(w.st)
	if n > 0 {
		w.st.SetLast(lastOf(w.buf[n-1]).append(nil))
	}
	if err := w.st.Commit(position); err != nil {
		return err
	}
	now := w.bus.clock()
	w.position.Store(position)
	w.read.Add(float64(len(w.records)))
	w.bus.metrics.batches.WithLabelValues(w.stage.Name).Inc()
	w.bus.metrics.seconds.WithLabelValues(w.stage.Name).Observe(now.Sub(began).Seconds())
	w.lag.Set(float64(max(0, w.end.Load()-position)))
	if n > 0 {
		w.age.Set(now.Sub(w.buf[n-1].Timestamp).Seconds())
	}
	for _, r := range w.buf[:n] {
		w.bufBytes -= len(r.Key) + len(r.Value)
	}
	rest := copy(w.buf, w.buf[n:])
	clear(w.buf[rest:])
	w.buf, w.bufSince = w.buf[:rest], now
	w.fit, w.fitBytes = 0, 0
	return nil
}

func (w *worker) checkpointDue() time.Time {
	return w.checkpointed.Add(max(w.bus.checkpointEvery, checkpointShare*w.checkpointTook))
}

// checkpoint puts the state into the object store when it is due, or now.
func (w *worker) checkpoint(ctx context.Context, now bool) error {
	began := w.bus.clock()
	if w.st.Position() == w.st.Checkpointed() || !now && began.Before(w.checkpointDue()) {
		return nil
	}
	if err := w.st.Checkpoint(ctx, w.bus.objects); err != nil {
		return err
	}
	w.checkpointed = w.bus.clock()
	w.checkpointTook = w.checkpointed.Sub(began)
	w.bus.metrics.checkpoints.WithLabelValues(w.stage.Name).Inc()
	return nil
}
