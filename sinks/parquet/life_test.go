package parquet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/testvar"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks"
)

// life is a lake of one partition, on which actors work at once: writers, compactors, one
// who lets rows expire, and readers; some of them were thought dead. Each of their calls
// of the object store is a turn, and a seed says whose comes next, so that everything may
// happen between any two calls of anybody, and happens again with the same seed.
type life struct {
	t       *testing.T
	seed    uint64
	rand    *rand.Rand
	objects objstore.Store
	at      bus.Partition
	log     []bus.Record
	begins  int64 // where the log does
	hours   int   // of the clock
	actors  []*actor
	scans   int
	kills   int
}

// actor is one process. Its goroutine runs only between step and the next call.
type actor struct {
	objstore.Store
	name  string
	safe  bool      // it may not be killed
	pace  int       // how many calls it makes at most in a row
	turn  chan bool // false: it is dead
	stops chan bool // true: at a call; false: at its end
	dead  bool
	err   error
}

func (a *actor) gate() error {
	if a.dead {
		return errKilled
	}
	a.stops <- true
	if a.dead = !<-a.turn; a.dead {
		return errKilled
	}
	return nil
}

// Create implements objstore.Store.
func (a *actor) Create(ctx context.Context, key string, data []byte) error {
	if err := a.gate(); err != nil {
		return err
	}
	if err := a.Store.Create(ctx, key, data); err != nil {
		return err
	}
	return a.gate() // it may die before it knows
}

// CreateFunc implements objstore.Store: anything may happen between what is read to write
// an object and its link.
func (a *actor) CreateFunc(ctx context.Context, key string, write func(io.Writer) error) error {
	var made bytes.Buffer
	if err := write(&made); err != nil {
		return err
	}
	return a.Create(ctx, key, made.Bytes())
}

// Get implements objstore.Store.
func (a *actor) Get(ctx context.Context, key string) ([]byte, error) {
	if err := a.gate(); err != nil {
		return nil, err
	}
	return a.Store.Get(ctx, key)
}

// Open implements objstore.Store.
func (a *actor) Open(ctx context.Context, key string) (objstore.Object, error) {
	if err := a.gate(); err != nil {
		return nil, err
	}
	return a.Store.Open(ctx, key)
}

// List implements objstore.Store.
func (a *actor) List(ctx context.Context, prefix string) iter.Seq2[objstore.Info, error] {
	if err := a.gate(); err != nil {
		return func(yield func(objstore.Info, error) bool) { yield(objstore.Info{}, err) }
	}
	return a.Store.List(ctx, prefix)
}

// Hold implements objstore.Store.
func (a *actor) Hold(ctx context.Context, key string, data []byte) error {
	if err := a.gate(); err != nil {
		return err
	}
	if err := a.Store.Hold(ctx, key, data); err != nil {
		return err
	}
	return a.gate()
}

// Delete implements objstore.Store.
func (a *actor) Delete(ctx context.Context, key string) error {
	if err := a.gate(); err != nil {
		return err
	}
	return a.Store.Delete(ctx, key)
}

func newLife(t *testing.T, seed uint64, records int) *life {
	objects, err := objstore.FolderOn(vfs.NewMem(), "/objects")
	if err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 4)), objects: objects,
		at: bus.Partition{Topic: bus.CleanText, TopicID: bus.TopicID{1, 2, 3}, Partition: 5}}
	if l.rand.IntN(3) == 0 {
		l.begins = 1 + l.rand.Int64N(20) // trimmed before the lake was begun
	}
	offset, hour := l.begins, 0
	for range records {
		offset += 1 + l.rand.Int64N(3)/2 // some hold nothing that is stored
		hour += l.rand.IntN(6)
		env := schemas.Envelope{Tenant: []string{"acme", "beta"}[l.rand.IntN(2)], EventID: fmt.Sprint("event-", offset), ArrivedAt: schemas.Micros(hour) * 3600_000_000}
		var m schemas.Message = &schemas.CleanText{Envelope: env, Text: strings.Repeat("text ", 1+l.rand.IntN(9))}
		if l.rand.IntN(3) == 0 {
			m = &schemas.Rejected{Envelope: env, Rule: "empty"}
		}
		l.log = append(l.log, bus.Record{Partition: l.at, Offset: offset, Kind: m.Kind(), Value: m.MarshalAppend(nil)})
	}
	return l
}

func (l *life) end() int64 { return l.log[len(l.log)-1].Offset + 1 }

// begin lets an actor live until its first call.
func (l *life) begin(name string, run func(a *actor) error) {
	a := &actor{Store: l.objects, name: name, pace: []int{1, 5, 80}[l.rand.IntN(3)], turn: make(chan bool), stops: make(chan bool)}
	l.actors = append(l.actors, a)
	go func() {
		a.err = run(a)
		a.stops <- false
	}()
	l.settle(a)
}

// settle waits until an actor is at a call, or ended.
func (l *life) settle(a *actor) {
	if <-a.stops {
		return
	}
	l.actors = slices.DeleteFunc(l.actors, func(b *actor) bool { return b == a })
	early := a.err != nil && strings.Contains(a.err.Error(), "it has lost ranges") && slices.ContainsFunc(l.actors, func(b *actor) bool { return b.safe })
	if a.err != nil && !errors.Is(a.err, errKilled) && !early {
		l.t.Errorf("seed %d: %s ends with %v", l.seed, a.name, a.err)
	}
}

// write is a sink from a position on.
func (l *life) write(from int64) func(*actor) error {
	most := 1 + l.rand.Int64N(9)
	r := rand.New(rand.NewPCG(l.rand.Uint64(), 1))
	return func(a *actor) error {
		task := &task{at: l.at, store: a, log: bustest.Log(), names: sinks.TopicNames{}}
		for first := from; first < l.end(); {
			end, err := task.RangeEnd(l.t.Context(), first)
			if err != nil {
				return err
			}
			if end == 0 {
				end = min(first+1+r.Int64N(most), l.end())
			}
			err = task.ProcessRange(l.t.Context(), first, end, l.between(first, end))
			var other *bus.RangeError
			if errors.As(err, &other) {
				continue
			}
			if err != nil {
				return err
			}
			first = end
		}
		return nil
	}
}

func (l *life) between(first, end int64) []bus.Record {
	var in []bus.Record
	for _, r := range l.log {
		if r.Offset >= first && r.Offset < end {
			in = append(in, r)
		}
	}
	return in
}

// compact is a compactor with bounds of its own.
func (l *life) compact() func(*actor) error {
	cfg := CompactConfig{TargetBytes: 1 + l.rand.IntN(60_000), MaxAge: time.Hour * time.Duration(1+l.rand.IntN(20)), Grace: time.Hour * time.Duration(l.rand.IntN(4))}
	return func(a *actor) error {
		c, err := NewCompactor(cfg, CompactDeps{Objects: a, Partitions: func() []bus.Partition { return []bus.Partition{l.at} }, Log: bustest.Log(),
			Metrics: prometheus.NewRegistry(), Clock: func() time.Time { return time.Now().Add(time.Duration(l.hours) * time.Hour) }})
		if err != nil {
			return err
		}
		return errors.Join(c.Once(l.t.Context())...)
	}
}

// expire lets some of what the lake holds expire.
func (l *life) expire() func(*actor) error {
	share := l.rand.Float64() / 2
	return func(a *actor) error {
		covered, err := lake.Covered(l.t.Context(), a, l.at.TopicID, l.at.Partition)
		if err != nil {
			return err
		}
		return lake.Expire(l.t.Context(), a, l.at.TopicID, l.at.Partition, int64(float64(covered)*share))
	}
}

// read is an exact reader. Whatever happens meanwhile, it has every row that the lake held
// when it began and that has not expired when it ends, no row twice, and none that had
// expired before.
func (l *life) read() func(*actor) error {
	events, remembers, share := l.rand.IntN(2) == 0, l.rand.IntN(2) == 0, max(0, l.rand.Float64()*2-1)
	return func(a *actor) error {
		ctx, id, n := l.t.Context(), l.at.TopicID, l.at.Partition
		s := objstore.Store(a)
		if remembers { // what it saw the first time may be compacted and expired the second
			s = lake.Remember(a)
			if _, err := lake.Covered(ctx, s, id, n); err != nil {
				return err
			}
		}
		before, err := lake.Expired(ctx, s, id, n)
		if err != nil {
			return err
		}
		covered, err := lake.Covered(ctx, s, id, n)
		if err != nil {
			return err
		}
		from := int64(share * float64(covered))
		got := map[int64]int{}
		if events {
			err = lake.ReadEvents(ctx, s, id, n, from, l.end(), func(meta *schemas.Meta, m schemas.Message) error {
				if want := fmt.Sprint("event-", meta.Offset); m.Env().EventID != want {
					return fmt.Errorf("offset %d is %s", meta.Offset, m.Env().EventID)
				}
				got[meta.Offset]++
				return nil
			})
		} else {
			err = lake.ReadKinds(ctx, s, id, n, from, l.end(), func(r *offsetRow) int64 { return r.Offset },
				func(_ schemas.Kind, r *offsetRow) error { got[r.Offset]++; return nil })
		}
		if err != nil {
			return err
		}
		after, err := lake.Expired(ctx, a, id, n)
		if err != nil {
			return err
		}
		l.scans++
		return l.same(got, max(before, from), max(after, from), covered)
	}
}

// same compares what was read with the log.
func (l *life) same(got map[int64]int, before, after, covered int64) error {
	var wrong []error
	for _, r := range l.log {
		n := got[r.Offset]
		delete(got, r.Offset)
		switch {
		case n > 1:
			wrong = append(wrong, fmt.Errorf("offset %d is there %d times", r.Offset, n))
		case n == 1 && r.Offset < before:
			wrong = append(wrong, fmt.Errorf("offset %d had expired, below %d, and is there", r.Offset, before))
		case n == 0 && r.Offset >= after && r.Offset < covered:
			wrong = append(wrong, fmt.Errorf("offset %d is missing; the lake held [.., %d), and %d had not expired", r.Offset, covered, after))
		}
	}
	for offset := range got {
		wrong = append(wrong, fmt.Errorf("offset %d was never on the log", offset))
	}
	return errors.Join(wrong...)
}

// play lets everybody live for some turns.
func (l *life) play(turns int) {
	roles := []func(){
		func() { l.begin("a writer", l.write(l.begins)) },
		l.beginBefore,
		func() { l.begin("a compactor", l.compact()) },
		func() { l.begin("a compactor", l.compact()) },
		func() { l.begin("an expirer", l.expire()) },
		func() { l.begin("a reader", l.read()) },
		func() { l.begin("a reader", l.read()) },
	}
	for range turns {
		switch n := l.rand.IntN(100); {
		case n < 5 && len(l.actors) < 8:
			roles[l.rand.IntN(len(roles))]()
		case n < 7:
			l.hours += l.rand.IntN(3)
		case n < 8 && len(l.actors) > 0:
			l.kill(l.actors[l.rand.IntN(len(l.actors))])
		case len(l.actors) > 0:
			a := l.actors[l.rand.IntN(len(l.actors))]
			for range 1 + l.rand.IntN(a.pace) {
				a.turn <- true
				if l.settle(a); !slices.Contains(l.actors, a) {
					break
				}
			}
		}
		if l.t.Failed() {
			break
		}
	}
}

// beginBefore lets a writer live that began before the log was trimmed. Had it been the
// first, and died, the log would not have been trimmed: so it does not.
func (l *life) beginBefore() {
	if !slices.ContainsFunc(l.actors, func(a *actor) bool { return a.safe }) {
		l.begin("a writer of a log that was not trimmed", l.write(0))
		if n := len(l.actors) - 1; n >= 0 && strings.HasSuffix(l.actors[n].name, "not trimmed") {
			l.actors[n].safe = true
		}
	}
}

func (l *life) kill(a *actor) {
	if a.safe {
		return
	}
	a.turn <- false
	l.settle(a)
	l.kills++
}

// alone lets an actor live to its end.
func (l *life) alone(name string, run func(*actor) error) {
	l.begin(name, run)
	for len(l.actors) > 0 {
		a := l.actors[0]
		a.turn <- true
		l.settle(a)
	}
}

// finish does what is left to do, by one of each.
func (l *life) finish() {
	for len(l.actors) > 0 {
		if a := l.actors[0]; a.safe {
			a.turn <- true
			l.settle(a)
		} else {
			l.kill(a)
		}
	}
	l.alone("the last writer", l.write(l.begins))
	l.alone("the last expirer", func(a *actor) error { return lake.Expire(l.t.Context(), a, l.at.TopicID, l.at.Partition, 1) })
	for range 2 { // what the first has compacted has a grace until the second
		l.hours += 1000
		l.alone("the last compactor", l.compact())
	}
	l.alone("the last expirer", func(a *actor) error { return lake.Expire(l.t.Context(), a, l.at.TopicID, l.at.Partition, 1) })
	l.alone("the last reader", l.read())
}

// check reads all files, as one does who knows nothing of commits: once everything is
// compacted and emptied, each row that has not expired is there once.
func (l *life) check() {
	ctx := l.t.Context()
	covered, err := lake.Covered(ctx, l.objects, l.at.TopicID, l.at.Partition)
	if err != nil || covered != l.end() {
		l.t.Errorf("seed %d: the lake holds offsets below %d, %v; want %d", l.seed, covered, err, l.end())
	}
	below, err := lake.Expired(ctx, l.objects, l.at.TopicID, l.at.Partition)
	if err != nil {
		l.t.Fatal(err)
	}
	got, files, emptied := map[int64]int{}, 0, 0
	for info, err := range l.objects.List(ctx, "lake/") {
		if err != nil {
			l.t.Fatal(err)
		}
		files++
		rows := readFile(l.t, l.objects, info.Key)
		if len(rows) == 0 {
			emptied++
		}
		for _, r := range rows {
			got[r.Offset]++
		}
	}
	first := int64(-1) // of the range that reaches beyond what has expired
	for c, err := range lake.Commits(ctx, l.objects, l.at.TopicID, l.at.Partition) {
		if err != nil {
			l.t.Fatal(err)
		}
		if first < 0 {
			first = c.First
		}
	}
	begins, err := lake.Beginning(ctx, l.objects, l.at.TopicID, l.at.Partition)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.same(got, min(first, below), max(below, begins), l.end()); err != nil {
		l.t.Errorf("seed %d: of %d files, %d of them emptied: %v", l.seed, files, emptied, err)
	}
}

// TestLife plays random lives of a lake; MILLRACE_LIVES says how many, MILLRACE_SEED which
// is the first.
func TestLife(t *testing.T) {
	some := uint64(10)
	if testvar.Raced {
		some = 2
	}
	lives, first := testvar.Number(t, "MILLRACE_LIVES", some), testvar.Seed(t)
	scans, kills := 0, 0
	for seed := first; seed < first+lives && !t.Failed(); seed++ {
		l := newLife(t, seed, 40)
		l.play(1000)
		l.finish()
		if !t.Failed() {
			l.check()
		}
		scans, kills = scans+l.scans, kills+l.kills
	}
	t.Logf("seeds %d to %d: %d scans, %d kills, %d goroutines left", first, first+lives-1, scans, kills, runtime.NumGoroutine())
}

// TestCompactorKilled kills a compactor at each of its calls in turn, which compacts and
// empties at once: an exact reader must miss nothing, and the next one finish the work.
func TestCompactorKilled(t *testing.T) {
	const seed = 7
	for calls, ended := 1, false; !ended && !t.Failed(); calls++ {
		l := newLife(t, seed, 8)
		l.alone("a writer", l.write(l.begins))
		l.hours += 1000
		l.begin("a compactor", func(a *actor) error {
			c, err := NewCompactor(CompactConfig{TargetBytes: 20_000, MaxAge: time.Hour}, CompactDeps{Objects: a, Partitions: func() []bus.Partition { return []bus.Partition{l.at} },
				Log: bustest.Log(), Metrics: prometheus.NewRegistry(), Clock: func() time.Time { return time.Now().Add(time.Duration(l.hours) * time.Hour) }})
			if err != nil {
				return err
			}
			return errors.Join(c.Once(t.Context())...)
		})
		for n := 1; n < calls && len(l.actors) > 0; n++ {
			l.actors[0].turn <- true
			l.settle(l.actors[0])
		}
		if ended = len(l.actors) == 0; !ended {
			l.kill(l.actors[0])
		}
		l.alone("a reader", l.read())
		l.finish()
		l.check()
		if ended {
			t.Logf("the compactor made %d calls", calls-1)
		}
	}
}
