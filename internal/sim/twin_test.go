//go:build synctests

package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
)

// row is what the checks know of a stored record, whichever store has it. No two rows of a
// store may have one identity.
type row struct {
	kind                  schemas.Kind
	eventID               string
	inferenceID, feedback string // of training examples
	topic                 string
	partition             int32
	offset                int64
	identity
}

// identity is where a record comes from.
type identity struct {
	step      string
	topicID   string
	partition int32
	offset    int64
	index     int32
}

// twin is a ClickHouse in memory: tables whose rows replace those of the same sort key, and
// which sort after identity, as the real ones do. An insert may be refused, be done and not
// be answered, or be done later, behind a retry.
type twin struct {
	mu      sync.Mutex
	random  *rand.Rand
	fails   float64
	tables  map[schemas.Kind]map[sortKey]row
	late    sync.WaitGroup
	inserts int
	faults  map[string]int
}

// sortKey is what of a row ClickHouse partitions and sorts by: rows of two keys never merge.
type sortKey struct {
	month   string
	tenant  string
	arrived schemas.Micros
	identity
}

func newTwin(random *rand.Rand) *twin {
	return &twin{random: random, tables: map[schemas.Kind]map[sortKey]row{}, faults: map[string]int{}}
}

// longestDelay bounds how late an insert is.
const longestDelay = 20 * time.Second

var (
	errRefused  = errors.New("the insert was refused (played)")
	errNoAnswer = errors.New("the answer was lost (played)")
)

// insert does an insert, or plays what may come of it.
func (w *twin) insert(kind schemas.Kind, records []*bus.Record) error {
	rows, err := rowsOf(kind, records)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inserts++
	if w.random.Float64() >= w.fails {
		w.merge(kind, rows)
		return nil
	}
	switch w.random.IntN(3) {
	case 0:
		w.faults["refused"]++
		return errRefused
	case 1:
		w.faults["answer lost"]++
		w.merge(kind, rows)
		return errNoAnswer
	default:
		w.faults["late"]++
		delay := time.Duration(w.random.Int64N(int64(longestDelay)))
		w.late.Go(func() {
			time.Sleep(delay)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.merge(kind, rows)
		})
		return errNoAnswer
	}
}

func (w *twin) merge(kind schemas.Kind, rows map[sortKey]row) {
	if w.tables[kind] == nil {
		w.tables[kind] = map[sortKey]row{}
	}
	for k, r := range rows {
		w.tables[kind][k] = r
	}
}

func (w *twin) setFails(p float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fails = p
}

func rowsOf(kind schemas.Kind, records []*bus.Record) (map[sortKey]row, error) {
	rows := map[sortKey]row{}
	for _, r := range records {
		m := schemas.New(kind)
		if m == nil || r.Kind != kind {
			return nil, fmt.Errorf("a record of kind %q is for table %q", r.Kind, kind)
		}
		if err := m.Unmarshal(r.Value); err != nil {
			return nil, err
		}
		env := m.Env()
		o := identity{r.Origin.Step, r.Origin.TopicID.String(), r.Origin.Partition, r.Origin.Offset, r.Origin.Index}
		x := row{kind: kind, eventID: env.EventID, topic: r.Topic, partition: r.Partition.Partition, offset: r.Offset, identity: o}
		if e, ok := m.(*schemas.TrainingExample); ok {
			x.inferenceID, x.feedback = e.InferenceID, e.FeedbackID
		}
		rows[sortKey{env.ArrivedAt.Time().Format("200601"), env.Tenant, env.ArrivedAt, o}] = x
	}
	return rows, nil
}

// rows are those of all tables.
func (w *twin) rows() []row {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []row
	for _, table := range w.tables {
		for _, r := range table {
			all = append(all, r)
		}
	}
	return all
}

// Name implements verify.Store.
func (w *twin) Name() string { return "clickhouse" }

// Reach implements verify.Store.
func (w *twin) Reach(ctx context.Context, topic bus.Topic, partition int32, ends map[schemas.Kind]int64, _ []bus.TopicID) error {
	for kind, end := range ends {
		for !slices.ContainsFunc(w.rows(), func(r row) bool {
			return r.kind == kind && r.topic == topic.Name && r.partition == partition && r.offset == end-1
		}) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return nil
}

// Former implements verify.Store: no topic is made anew here.
func (w *twin) Former(context.Context, bus.Topic, []bus.TopicID, []bus.TopicID, func(schemas.Kind, bus.Origin)) (damaged, err error) {
	return nil, nil
}

// Reached implements verify.Store.
func (w *twin) Reached(_ context.Context, _ bus.Topic, _ int32, to int64) (int64, error) {
	return to, nil
}

// Expired implements verify.Store.
func (w *twin) Expired(context.Context, bus.Partition) (int64, error) { return 0, nil }

// Sums implements verify.Store.
func (w *twin) Sums(ctx context.Context, topic bus.Topic, partition int32, r verify.Range, origins []bus.TopicID) (verify.Sums, error) {
	offsets, err := w.Offsets(ctx, topic, partition, r, origins)
	sums := verify.Sums{}
	for kind, all := range offsets {
		var s verify.Sum
		for _, o := range all {
			s.Add(o)
		}
		sums[kind] = s
	}
	return sums, err
}

// Offsets implements verify.Store.
func (w *twin) Offsets(_ context.Context, topic bus.Topic, partition int32, within verify.Range, _ []bus.TopicID) (map[schemas.Kind][]int64, error) {
	all := map[schemas.Kind][]int64{}
	for _, r := range w.rows() {
		if r.topic == topic.Name && r.partition == partition && r.offset >= within.From && r.offset < within.To {
			all[r.kind] = append(all[r.kind], r.offset)
		}
	}
	for _, offsets := range all {
		slices.Sort(offsets)
	}
	return all, nil
}
