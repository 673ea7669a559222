package clean

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// ids remembers every id that was decoded, whatever its verdict, every replay, and the
// log's time.
//
// Keys of its state: 'i' tenant id -> payload hash, arrival, offset; 'r' the origin of a
// replay -> arrival, offset; 'd' day, tenant id and 'e' day, origin -> nothing, for
// sweeping; 't' -> the last arrival and the last day that was swept. The tenant's length,
// a byte, is before it: either may hold any byte.
type ids struct {
	st      *state.Partition
	window  time.Duration
	arrived schemas.Micros
	swept   uint32 // days since 1970 below which nothing is left
	key     []byte
	value   []byte
}

// What an id's post is.
const (
	firstPost = iota
	repeated
	conflicting
)

// post is the first post of an id.
type post struct {
	outcome int
	offset  int64
}

const hashBytes = 17

// sweeping are the spaces of the state that are swept: the index by day, what it is of, and
// where in a value of that the arrival stands.
var sweeping = []struct {
	index, space byte
	arrival      int
}{{'d', 'i', hashBytes}, {'e', 'r', 0}}

var clockKey = []byte("t")

func (s *ids) load() error {
	v, ok, err := s.st.Get(clockKey)
	if err != nil || !ok {
		return err
	}
	if len(v) != 12 {
		return fmt.Errorf("clean: the clock in the state has %d bytes, want 12; delete the state folder, it is rebuilt", len(v))
	}
	s.arrived = schemas.Micros(binary.BigEndian.Uint64(v))
	s.swept = binary.BigEndian.Uint32(v[8:])
	return nil
}

// save puts the clock into the state and removes what has expired, a day at a time.
func (s *ids) save() error {
	if oldest := day(s.arrived - schemas.Micros(s.window.Microseconds())); oldest > s.swept {
		if err := s.sweep(oldest); err != nil {
			return err
		}
	}
	v := binary.BigEndian.AppendUint64(nil, uint64(s.arrived))
	s.st.Set(clockKey, binary.BigEndian.AppendUint32(v, s.swept))
	return nil
}

// sweepAtOnce bounds the ids that one batch removes.
const sweepAtOnce = 20_000

func (s *ids) sweep(oldest uint32) error {
	all := true
	for _, x := range sweeping {
		done, err := s.sweepSpace(x.index, x.space, x.arrival, oldest)
		if err != nil {
			return err
		}
		all = all && done
	}
	if all { // else the rest goes with the next batches
		s.swept = oldest
	}
	return nil
}

func (s *ids) sweepSpace(index, space byte, arrival int, oldest uint32) (done bool, err error) {
	var expired [][]byte // index keys: the scan must end before anything is changed
	for kv, err := range s.st.Scan([]byte{index}) {
		if err != nil {
			return false, err
		}
		if len(kv.Key) < 5 || binary.BigEndian.Uint32(kv.Key[1:]) >= oldest || len(expired) == sweepAtOnce {
			break
		}
		expired = append(expired, append([]byte(nil), kv.Key...))
	}
	for _, entry := range expired {
		s.key = append(append(s.key[:0], space), entry[5:]...)
		v, ok, err := s.st.Get(s.key)
		if err != nil {
			return false, err
		}
		// It may have come again, after its window: then it is of a later day.
		if ok && len(v) >= arrival+8 && day(schemas.Micros(binary.BigEndian.Uint64(v[arrival:]))) < oldest {
			s.st.Delete(s.key)
		}
		s.st.Delete(entry)
	}
	return len(expired) < sweepAtOnce, nil
}

// index makes what is under s.key expire with the day of its arrival.
func (s *ids) index(space byte, arrived schemas.Micros) {
	entry := binary.BigEndian.AppendUint32([]byte{space}, day(arrived))
	s.st.Set(append(entry, s.key[1:]...), nil)
}

func day(m schemas.Micros) uint32 {
	if m < 0 {
		return 0
	}
	return uint32(m.Time().Unix() / 86400)
}

// arrive is the log's time at a record: the record's own, but never above the clock and
// never going back.
func (s *ids) arrive(record, clock schemas.Micros) schemas.Micros {
	s.arrived = max(s.arrived, min(record, clock))
	return s.arrived
}

// post notes a post and says whether its id was posted before.
func (s *ids) post(m schemas.Message, r *bus.Record, arrived schemas.Micros) (post, error) {
	env := m.Env()
	hash := rules.PayloadHash(m)
	s.key = append(append(append(s.key[:0], 'i', byte(len(env.Tenant))), env.Tenant...), env.EventID...)
	v, ok, err := s.st.Get(s.key)
	if err != nil {
		return post{}, err
	}
	if ok && len(v) == hashBytes+16 && s.within(v[hashBytes:], arrived) {
		p := post{outcome: repeated, offset: int64(binary.BigEndian.Uint64(v[hashBytes+8:]))}
		// A hash of another version says nothing of the content.
		if v[0] == hash[0] && string(v[:hashBytes]) != string(hash[:]) {
			p.outcome = conflicting
		}
		if !standsFor(r, p.offset) {
			return p, nil
		}
	}
	s.value = append(s.value[:0], hash[:]...)
	s.value = binary.BigEndian.AppendUint64(s.value, uint64(arrived))
	s.value = binary.BigEndian.AppendUint64(s.value, uint64(r.Offset))
	s.st.Set(s.key, s.value)
	s.index('d', arrived)
	return post{outcome: firstPost, offset: r.Offset}, nil
}

// within says whether what arrived at the time that v begins with is remembered still.
func (s *ids) within(v []byte, now schemas.Micros) bool {
	return now-schemas.Micros(binary.BigEndian.Uint64(v)) <= schemas.Micros(s.window.Microseconds())
}

// standsFor says whether r is judged in place of the post at offset: it replays that very
// post, which as its writer knows has no verdict that lets it live. The state does not
// know it: a verdict that landed before a crash counts, and this state may be what another
// version made of the same record.
func standsFor(r *bus.Record, offset int64) bool {
	o := r.Replay
	return o != nil && o.TopicID == r.TopicID && o.Partition == r.Partition.Partition && o.Offset == offset
}

// replay notes a replay, and says whether its origin was replayed before.
func (s *ids) replay(r *bus.Record, arrived schemas.Micros) (first post, again bool, err error) {
	s.key = append(append(s.key[:0], 'r'), r.Replay.TopicID[:]...)
	s.key = binary.BigEndian.AppendUint32(s.key, uint32(r.Replay.Partition))
	s.key = binary.BigEndian.AppendUint64(s.key, uint64(r.Replay.Offset))
	v, ok, err := s.st.Get(s.key)
	if err != nil {
		return post{}, false, err
	}
	if ok && len(v) == 16 && s.within(v, arrived) {
		return post{outcome: repeated, offset: int64(binary.BigEndian.Uint64(v[8:]))}, true, nil
	}
	v = binary.BigEndian.AppendUint64(v[:0], uint64(arrived))
	s.st.Set(s.key, binary.BigEndian.AppendUint64(v, uint64(r.Offset)))
	s.index('e', arrived)
	return post{}, false, nil
}
