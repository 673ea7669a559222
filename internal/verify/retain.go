package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
)

// Retention says how long what is settled is kept. Ages count from arrival.
type Retention struct {
	// Inputs and Outputs are for the logs. The log of model.events is kept for ever, that
	// of dead.letters has a setting of its own.
	Inputs  time.Duration `yaml:"inputs"`
	Outputs time.Duration `yaml:"outputs"`
	// ClickHouse and Lake are for rows; 0 keeps them for ever. Those of model.events stay.
	ClickHouse time.Duration `yaml:"clickhouse"`
	Lake       time.Duration `yaml:"lake"`
	// Without names roles that this deployment does not run: the log need not wait for them.
	Without []string `yaml:"without"`
}

// DefaultRetention keeps logs for a week and rows for ever.
func DefaultRetention() Retention {
	return Retention{Inputs: 7 * 24 * time.Hour, Outputs: 7 * 24 * time.Hour}
}

// leastKept is the least that may be kept: foreign readers need some time.
const leastKept = time.Hour

// Validate says what is wrong with r.
func (r Retention) Validate() error {
	if r.Inputs < leastKept || r.Outputs < leastKept {
		return fmt.Errorf("retention: inputs and outputs must be %s or more, got %s, %s", leastKept, r.Inputs, r.Outputs)
	}
	for _, age := range []time.Duration{r.ClickHouse, r.Lake} {
		if age != 0 && age < leastKept {
			return fmt.Errorf("retention: clickhouse and lake must be 0, for ever, or %s or more, got %s, %s", leastKept, r.ClickHouse, r.Lake)
		}
	}
	return nil
}

// pointShare is how many points lie within the shortest age.
const pointShare = 64

// pointEvery is the log's time between two points.
func (r Retention) pointEvery() time.Duration {
	least := min(r.Inputs, r.Outputs)
	for _, age := range []time.Duration{r.ClickHouse, r.Lake} {
		if age > 0 {
			least = min(least, age)
		}
	}
	return least / pointShare
}

// of is the age for the rows of a store.
func (r Retention) of(store string) time.Duration {
	if store == "clickhouse" {
		return r.ClickHouse
	}
	return r.Lake
}

// Expirer is a store that removes rows by age.
type Expirer interface {
	// Expire removes the rows of a partition below an offset, once it has noted with
	// NoteExpired that it does.
	Expire(ctx context.Context, topic bus.Topic, partition int32, below int64, origins []bus.TopicID) error
}

// retain trims the logs and the stores of what is settled and old: inputs first, since an
// output's log must not lose the verdict on an input that is still on its own.
func (l *Ledger) retain(ctx context.Context, now time.Time) error {
	trimmed := map[place]int64{}
	for _, at := range l.account.inOrder {
		in := l.account.inputs[at]
		var err error
		if trimmed[at], err = l.trim(ctx, in.topic, at, now.Add(-l.keep.Inputs), func(point) (bool, error) { return true, nil }); err != nil {
			return err
		}
	}
	for _, at := range l.account.outOrder {
		o := l.account.outputs[at]
		if o.topic.Name == bus.ModelEvents {
			continue
		}
		_, err := l.trim(ctx, o.topic, at, now.Add(-l.keep.Outputs), func(p point) (bool, error) { return behind(p, trimmed) })
		if err == nil {
			err = l.expire(ctx, o, at, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// behind says whether every verdict below an output's point is on an input that is gone.
func behind(p point, trimmed map[place]int64) (bool, error) {
	marks, err := p.Marks.All()
	if err != nil {
		return false, err
	}
	for _, m := range marks {
		if below, ours := trimmed[place{m.TopicID, m.Partition}]; ours && m.Step == verdictStep && m.Offset >= below {
			return false, nil
		}
	}
	return true, nil
}

// trim deletes of a partition's log what is older than a time, up to a point that may be,
// and returns where the log begins.
func (l *Ledger) trim(ctx context.Context, topic bus.Topic, at place, before time.Time, may func(point) (bool, error)) (int64, error) {
	b := l.deps.Bus
	partition := bus.Partition{Topic: topic.Name, TopicID: topic.ID, Partition: at.partition}
	trim, err := b.Trimmed(ctx, partition)
	if err != nil {
		return 0, err
	}
	if l.pressed {
		if err := b.Condense(ctx, partition, l.deps.Readers[topic.Name]); err != nil {
			l.deps.Log.Warn("checkpoints stay although the log should shrink", "partition", partition.String(), "error", err)
		}
	}
	from, reader, err := b.Keeps(ctx, partition, l.deps.Readers[topic.Name])
	if err != nil {
		return 0, err
	}
	l.metrics.held.DeletePartialMatch(map[string]string{"topic": topic.Name, "partition": fmt.Sprint(at.partition)})
	l.metrics.held.WithLabelValues(topic.Name, fmt.Sprint(at.partition), strings.SplitN(reader, "@", 2)[0]).Set(float64(from))
	offsets, err := pointOffsets(ctx, b.Objects(), partition)
	if err != nil {
		return 0, err
	}
	for _, offset := range slices.Backward(offsets) {
		if offset > from {
			continue
		}
		if offset <= trim.Offset {
			break
		}
		p, err := readPoint(ctx, b.Objects(), partition, offset)
		if err != nil {
			return 0, err
		}
		ok, err := may(p)
		if err != nil {
			return 0, err
		}
		if !ok || p.Last.After(before) && !l.pressed {
			continue
		}
		account, err := json.Marshal(p)
		if err != nil {
			return 0, fmt.Errorf("ledger: render a point: %w", err)
		}
		trim = bus.Trim{Start: p.Start, Account: account}
		break
	}
	l.metrics.trimmed.WithLabelValues(topic.Name, fmt.Sprint(at.partition)).Set(float64(trim.Offset))
	if trim.Offset == 0 {
		return 0, nil
	}
	// Each time, whether it is new or not: a broker that died may have forgotten it.
	if err := b.Trim(ctx, partition, trim); err != nil {
		return 0, err
	}
	return trim.Offset, l.forget(ctx, partition, offsets, trim.Offset)
}

// expire removes the rows of an output that are too old from each store.
func (l *Ledger) expire(ctx context.Context, o *output, at place, now time.Time) error {
	objects := l.deps.Bus.Objects()
	partition := bus.Partition{Topic: o.topic.Name, TopicID: o.topic.ID, Partition: at.partition}
	for _, h := range o.stores {
		remover, can := h.store.(Expirer)
		age := l.keep.of(h.store.Name())
		if age == 0 || !can {
			continue
		}
		offsets, err := pointOffsets(ctx, objects, partition)
		if err != nil {
			return err
		}
		for _, offset := range slices.Backward(offsets) {
			if offset < h.expired || offset == h.expired && h.swept {
				break
			}
			p, err := readPoint(ctx, objects, partition, offset)
			if err != nil {
				return err
			}
			if p.Output == nil || p.Last.After(now.Add(-age)) {
				continue
			}
			// Where it was noted before, a crash may have left rows of it.
			if err := remover.Expire(ctx, o.topic, at.partition, offset, l.account.origins); err != nil {
				return fmt.Errorf("ledger: remove what is too old from %s: %w", h.store.Name(), err)
			}
			h.expired, h.expiredSums, h.swept = offset, p.Output.Sums, true
			break
		}
	}
	return nil
}

// forget removes the points below the log's begin that nobody needs any more: rows that
// are kept by age expire at one.
func (l *Ledger) forget(ctx context.Context, at bus.Partition, offsets []int64, below int64) error {
	objects := l.deps.Bus.Objects()
	least := below // of what the stores' ages still need
	for _, s := range l.deps.Stores {
		if l.keep.of(s.Name()) == 0 || slices.Contains(inputTopics, at.Topic) {
			continue
		}
		expired, err := s.Expired(ctx, at)
		if err != nil {
			return err
		}
		least = min(least, expired)
	}
	for _, offset := range offsets {
		if offset >= least {
			break
		}
		needed, err := l.expiredAt(ctx, at, offset)
		if err != nil {
			return err
		}
		if needed {
			continue
		}
		if err := objects.Delete(ctx, fmt.Sprintf("%s%020d", pointsPrefix(at), offset)); err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
	}
	return nil
}

// expiredAt says whether rows of a store were removed up to an offset: its account there
// is what the account of the others is made with, whatever the ages are set to now.
func (l *Ledger) expiredAt(ctx context.Context, at bus.Partition, offset int64) (bool, error) {
	for _, s := range l.deps.Stores {
		expired, err := s.Expired(ctx, at)
		if err != nil || expired == offset {
			return true, err
		}
	}
	return false, nil
}
