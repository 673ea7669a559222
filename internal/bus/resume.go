package bus

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/state"
)

// last is the record that lay before a position when it was committed. A log that lost
// its end (an unclean election, a restored disk) fills up again with other records, and
// an offset alone does not tell: what was put below the position would never be read,
// and what was read would not be in the log. So a position is resumed only behind the
// record that it was committed behind.
type last struct {
	offset int64
	// sum is of the record's bytes; zero where the record could not be unpacked.
	sum [lastSumBytes]byte
}

// lastSumBytes is the length of the truncated SHA-256 of a record.
const lastSumBytes = 16

func lastOf(r *kgo.Record) last {
	l := last{offset: r.Offset}
	if unreadable(r) {
		return l
	}
	h := sha256.New()
	var n [8]byte
	part := func(b []byte) {
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	binary.BigEndian.PutUint64(n[:], uint64(r.Timestamp.UnixMilli()))
	h.Write(n[:])
	part(r.Key)
	part(r.Value)
	for i := range r.Headers {
		part([]byte(r.Headers[i].Key))
		part(r.Headers[i].Value)
	}
	copy(l.sum[:], h.Sum(nil))
	return l
}

func (l last) append(b []byte) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(l.offset)), l.sum[:]...)
}

func parseLast(b []byte) (last, error) {
	var l last
	if len(b) != 8+lastSumBytes {
		return l, fmt.Errorf("the note of the last record has %d bytes, want %d: delete the state folder, it is rebuilt", len(b), 8+lastSumBytes)
	}
	l.offset = int64(binary.BigEndian.Uint64(b))
	copy(l.sum[:], b[8:])
	return l, nil
}

// is says whether r is the record. Of one that could not be unpacked there is only its
// place, and another program's bounds may have let it through.
func (l last) is(r *kgo.Record) bool {
	other := lastOf(r)
	return l.offset == r.Offset && (l.sum == other.sum || l.sum == [lastSumBytes]byte{} || unreadable(r))
}

// errLost is what a log is told that lost records which were read.
var errLost = errors.New("the log has lost records that were read: restore it, or delete the topic, so that it is made anew under another id (what was stored of it stays)")

// resume compares the position of a state with the log's end, and returns the record
// that must lie before it, or nil where nothing is known or the log begins behind it.
func (b *Bus) resume(ctx context.Context, at Partition, st *state.Partition) (*last, error) {
	if st.Position() == 0 {
		return nil, nil
	}
	ends, err := b.Ends(ctx, at.Topic)
	if err != nil {
		return nil, err
	}
	if end := ends[at.Partition]; end < st.Position() {
		return nil, fmt.Errorf("it was read up to offset %d, and ends at %d: %w", st.Position(), end, errLost)
	}
	value, ok, err := st.Last()
	if err != nil || !ok {
		return nil, err
	}
	l, err := parseLast(value)
	if err != nil {
		return nil, err
	}
	starts, err := b.Starts(ctx, at.Topic)
	if err != nil || starts[at.Partition] > l.offset {
		return nil, err
	}
	return &l, nil
}

// fetchFrom is where the partition is fetched from at first: at the record before the
// position, where it must be seen.
func (w *worker) fetchFrom() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.before != nil {
		return w.before.offset
	}
	return w.position.Load()
}

// deliver takes what was fetched. The first of it must be the record that lay before the
// position; it is not given to the task again, and neither is what lies before what was
// taken already: a batch that cannot be unpacked comes whole.
func (w *worker) deliver(records []*kgo.Record, end int64) error {
	w.mu.Lock()
	before, next := w.before, w.next
	w.mu.Unlock()
	if before != nil {
		records = behindOffset(records, before.offset)
		if len(records) == 0 {
			return nil
		}
		// Where the first record lies at the position or behind it, what was before it
		// has been deleted. A log that lost its end has no such hole.
		if first := records[0]; first.Offset < next && !before.is(first) {
			return fmt.Errorf("bus: stage %s on %s: it was read up to offset %d, and at %d lies another record than then: %w",
				w.stage.Name, w.at, next, first.Offset, errLost)
		}
	}
	if records = behindOffset(records, next); len(records) > 0 || before != nil {
		w.mu.Lock()
		w.before = nil
		if len(records) > 0 {
			w.next = records[len(records)-1].Offset + 1
		}
		w.mu.Unlock()
	}
	if len(records) > 0 && w.offer(records, end) {
		w.hold()
	}
	return nil
}

// behindOffset drops the records below an offset.
func behindOffset(records []*kgo.Record, offset int64) []*kgo.Record {
	for len(records) > 0 && records[0].Offset < offset {
		records = records[1:]
	}
	return records
}
