package verify

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
)

// Range is a stretch of offsets, [From, To), of which the rows' arrivals lie between
// Earliest and Latest where these are set: a store may look nowhere else.
type Range struct {
	From, To         int64
	Earliest, Latest schemas.Micros
}

// entry is a record of an output that is not in every store yet.
type entry struct {
	offset  int64
	arrived schemas.Micros
	origin  int64  // the offset of the record that it is the verdict on
	in      *input // whose verdict it is; nil for other records
	kind    uint8  // its place in schemas.StoredKinds
}

// output accounts for one partition of a topic that Millrace wrote: which of its records
// each store holds.
type output struct {
	topic     bus.Topic
	partition int32
	kinds     []schemas.Kind
	// base is what is below the account's begin; it is in every store, or was.
	base OutputAccount
	from int64
	// now is what was read so far, up to next.
	now     OutputAccount
	next    int64
	last    time.Time // the timestamp of the last record
	pending []entry   // in order, from the least that is settled
	stores  []*held
	// ready bounds what a store is asked for: it was read a round ago or earlier.
	ready int64
	// tried is how many entries waited when it was last tried to settle some.
	tried int
}

// OutputAccount sums up the records of an output below a place.
type OutputAccount struct {
	Skipped int64 `json:"skipped"`
	Sums    Sums  `json:"sums"`
}

func (a OutputAccount) clone() OutputAccount {
	out := OutputAccount{Skipped: a.Skipped, Sums: Sums{}}
	for k, s := range a.Sums {
		out.Sums[k] = s
	}
	return out
}

// held is what one store holds of an output.
type held struct {
	store   Store
	settled int64 // all below is as it must be
	rows    int64
	// expired is below where rows were removed by age, and the account there.
	expired     int64
	expiredSums Sums
	swept       bool // in this run, up to expired
	differences []string
	lost        int64
	doubled     int64
	missing     map[schemas.Kind][]int64
	below       bool // it lacks rows of below the account's begin
}

func newOutput(topic bus.Topic, partition int32, from int64, base OutputAccount, stores []Store) *output {
	o := &output{topic: topic, partition: partition, kinds: schemas.StoredKinds(), from: from, base: base.clone(), now: base.clone(), next: from, ready: from}
	for _, s := range stores {
		o.stores = append(o.stores, &held{store: s, settled: from})
	}
	return o
}

// read notes a record that has a row; in is the input that it is a verdict on, if any.
func (o *output) read(r *bus.Record, in *input) error {
	_, arrived, err := schemas.Peek(r.Value)
	if err != nil {
		return fmt.Errorf("verify: %s at offset %d cannot be decoded: %w", r.Partition, r.Offset, err)
	}
	kind := slices.Index(o.kinds, r.Kind)
	if kind < 0 {
		return fmt.Errorf("verify: %s at offset %d is of kind %q, which this version of Millrace does not know", r.Partition, r.Offset, r.Kind)
	}
	o.now.Sums.add(r.Kind, r.Offset)
	o.pending = append(o.pending, entry{offset: r.Offset, arrived: arrived, origin: r.Origin.Offset, in: in, kind: uint8(kind)})
	return nil
}

// between returns the entries of [from, to).
func (o *output) between(from, to int64) []entry {
	i := sort.Search(len(o.pending), func(i int) bool { return o.pending[i].offset >= from })
	j := sort.Search(len(o.pending), func(i int) bool { return o.pending[i].offset >= to })
	return o.pending[i:j]
}

// settle compares a store with the log from where it was settled up to an offset, and
// says whether they agree. Where near is set the store is asked only for rows that
// arrived when the log's did: it need not look through all that it has, and rows that it
// has too much elsewhere are left to an account of everything.
func (o *output) settle(ctx context.Context, h *held, to int64, near bool, origins []bus.TopicID) (bool, error) {
	from := max(h.settled, h.expired)
	if to <= from {
		h.settled = max(h.settled, to)
		return true, nil
	}
	want := Sums{}
	span := Range{From: from, To: to}
	entries := o.between(from, to)
	for i, e := range entries {
		want.add(o.kinds[e.kind], e.offset)
		if i == 0 {
			span.Earliest, span.Latest = e.arrived, e.arrived
		}
		span.Earliest, span.Latest = min(span.Earliest, e.arrived), max(span.Latest, e.arrived)
	}
	if near && len(entries) == 0 {
		h.settled = to
		return true, nil
	}
	if !near {
		span.Earliest, span.Latest = 0, 0
	}
	got, err := h.store.Sums(ctx, o.topic, o.partition, span, origins)
	if err != nil || !want.equal(got) {
		return false, err
	}
	h.settled = to
	h.rows += want.rows()
	return true, nil
}

// release drops what every store has settled: its verdicts are stored.
func (o *output) release() {
	least := o.settled()
	n := 0
	for n < len(o.pending) && o.pending[n].offset < least {
		if e := &o.pending[n]; e.in != nil {
			e.in.store(e.origin)
		}
		n++
	}
	o.pending = slices.Delete(o.pending, 0, n)
}

// settled is below what every store has settled.
func (o *output) settled() int64 {
	least := o.next
	for _, h := range o.stores {
		least = min(least, h.settled)
	}
	return least
}

// maxPending is how many entries may wait before it is tried to settle some of them while
// the log is still being read.
const maxPending = 1 << 20

// relieve settles the older half of what waits where much does: memory must not grow with
// the log. What cannot be settled stays, and is told of in the end.
func (o *output) relieve(ctx context.Context, origins []bus.TopicID) error {
	if len(o.pending)-o.tried < maxPending {
		return nil
	}
	o.tried = len(o.pending)
	half := o.pending[len(o.pending)/2].offset
	for _, h := range o.stores {
		if _, err := o.settle(ctx, h, half, false, origins); err != nil {
			return err
		}
	}
	o.release()
	o.tried = len(o.pending)
	return nil
}

// ends returns, by kind, the offset behind the last row that waits.
func (o *output) ends() map[schemas.Kind]int64 {
	ends := map[schemas.Kind]int64{}
	for _, e := range o.pending {
		ends[o.kinds[e.kind]] = e.offset + 1
	}
	return ends
}

// difference is what a store has too little or too much of a stretch.
type difference struct {
	rows, lost, doubled int64
	said                []string
	missing             map[schemas.Kind][]int64
}

// differ compares a store with the log from where it was settled up to an offset, offset
// by offset.
func (o *output) differ(ctx context.Context, h *held, to int64, origins []bus.TopicID) (difference, error) {
	d := difference{missing: map[schemas.Kind][]int64{}}
	from := max(h.settled, h.expired)
	got, err := h.store.Offsets(ctx, o.topic, o.partition, Range{From: from, To: to}, origins)
	if err != nil && got == nil {
		return d, fmt.Errorf("verify: %s: %s/%d: %w", h.store.Name(), o.topic.Name, o.partition, err)
	}
	if err != nil {
		d.said = append(d.said, h.store.Name()+": "+strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	want := map[schemas.Kind][]int64{}
	for _, e := range o.between(from, to) {
		want[o.kinds[e.kind]] = append(want[o.kinds[e.kind]], e.offset)
	}
	for _, k := range o.kinds { // in their order
		d.rows += int64(len(got[k]))
		missing, extra := differ(want[k], got[k])
		d.lost += int64(len(missing))
		d.doubled += int64(len(extra))
		if len(missing) > 0 {
			d.missing[k] = missing
			d.said = append(d.said, fmt.Sprintf("%s: %s lacks offsets %s", h.store.Name(), k, ranges(missing)))
		}
		if len(extra) > 0 {
			d.said = append(d.said, fmt.Sprintf("%s: %s has offsets %s too much", h.store.Name(), k, ranges(extra)))
		}
	}
	return d, nil
}

// compare notes what a store has too little or too much, and goes on as if it were
// settled.
func (o *output) compare(ctx context.Context, h *held, origins []bus.TopicID) error {
	d, err := o.differ(ctx, h, o.next, origins)
	if err != nil {
		return err
	}
	h.rows += d.rows
	h.lost += d.lost
	h.doubled += d.doubled
	h.differences = append(h.differences, d.said...)
	h.missing = d.missing
	h.settled = o.next
	return nil
}

// beyond tells of rows that a store has behind the log's end, which no record explains.
// The end is asked for once more behind them: rows that come meanwhile lie before it.
func (a *account) beyond(ctx context.Context, o *output, h *held) error {
	ends, err := a.bus.Ends(ctx, o.topic.Name)
	if err != nil {
		return err
	}
	got, err := h.store.Offsets(ctx, o.topic, o.partition, Range{From: max(o.next, ends[o.partition]), To: math.MaxInt64}, a.origins)
	if err != nil && got == nil {
		return fmt.Errorf("verify: %s: %s/%d: %w", h.store.Name(), o.topic.Name, o.partition, err)
	}
	if len(got) == 0 { // damage behind the end is of what came since
		return nil
	}
	if ends, err = a.bus.Ends(ctx, o.topic.Name); err != nil {
		return err
	}
	for _, k := range o.kinds {
		i, _ := slices.BinarySearch(got[k], ends[o.partition])
		if extra := got[k][i:]; len(extra) > 0 {
			h.rows += int64(len(extra))
			h.doubled += int64(len(extra))
			h.differences = append(h.differences, fmt.Sprintf("%s: %s has offsets %s too much: the log ends at %d", h.store.Name(), k, ranges(extra), ends[o.partition]))
		}
	}
	return nil
}

// checkBase compares a store with the account of what is below the account's begin: the
// log of it is gone, so that a difference has no offsets.
func (o *output) checkBase(ctx context.Context, h *held, origins []bus.TopicID) error {
	if o.from <= h.expired {
		return nil
	}
	want := o.base.Sums.minus(h.expiredSums)
	got, err := h.store.Sums(ctx, o.topic, o.partition, Range{From: h.expired, To: o.from}, origins)
	if err != nil {
		return fmt.Errorf("verify: %s: %s/%d: %w", h.store.Name(), o.topic.Name, o.partition, err)
	}
	h.rows += got.rows()
	if !want.equal(got) {
		// Damage has a name, though what it took has none any more.
		if _, err := h.store.Offsets(ctx, o.topic, o.partition, Range{From: h.expired, To: o.from}, origins); err != nil {
			h.differences = append(h.differences, h.store.Name()+": "+strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	for _, k := range o.kinds {
		w, g := want[k], got[k]
		switch {
		case w == g:
		case w.Rows == g.Rows:
			h.lost++
			h.differences = append(h.differences, fmt.Sprintf("%s: %s has other rows below offset %d than were accounted for", h.store.Name(), k, o.from))
		default:
			h.below = h.below || w.Rows > g.Rows
			h.lost += max(0, w.Rows-g.Rows)
			h.doubled += max(0, g.Rows-w.Rows)
			h.differences = append(h.differences, fmt.Sprintf("%s: %s has %d rows below offset %d, where the log was trimmed; %d were accounted for", h.store.Name(), k, g.Rows, o.from, w.Rows))
		}
	}
	return nil
}
