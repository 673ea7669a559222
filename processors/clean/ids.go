package clean

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// ids remembers every id that was decoded, whatever its verdict, and the log's time.
//
// Keys of its state: 'i' tenant id -> payload hash, arrival, offset; 'd' day, tenant id ->
// nothing, for sweeping; 't' -> the last arrival and the last day that was swept. The
// tenant's length, a byte, is before it: either may hold any byte.
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
	var expired [][]byte // index keys: the scan must end before anything is changed
	for kv, err := range s.st.Scan([]byte{'d'}) {
		if err != nil {
			return err
		}
		if len(kv.Key) < 5 || binary.BigEndian.Uint32(kv.Key[1:]) >= oldest || len(expired) == sweepAtOnce {
			break
		}
		expired = append(expired, append([]byte(nil), kv.Key...))
	}
	for _, index := range expired {
		s.key = append(append(s.key[:0], 'i'), index[5:]...)
		v, ok, err := s.st.Get(s.key)
		if err != nil {
			return err
		}
		// The id may have come again, after its window: then it is of a later day.
		if ok && len(v) == hashBytes+16 && day(schemas.Micros(binary.BigEndian.Uint64(v[hashBytes:]))) < oldest {
			s.st.Delete(s.key)
		}
		s.st.Delete(index)
	}
	if len(expired) < sweepAtOnce { // else the rest goes with the next batches
		s.swept = oldest
	}
	return nil
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
func (s *ids) post(m schemas.Message, offset int64, arrived schemas.Micros) (post, error) {
	env := m.Env()
	hash := rules.PayloadHash(m)
	s.key = append(append(append(s.key[:0], 'i', byte(len(env.Tenant))), env.Tenant...), env.EventID...)
	v, ok, err := s.st.Get(s.key)
	if err != nil {
		return post{}, err
	}
	if ok && len(v) == hashBytes+16 {
		at := schemas.Micros(binary.BigEndian.Uint64(v[hashBytes:]))
		if arrived-at <= schemas.Micros(s.window.Microseconds()) {
			p := post{outcome: repeated, offset: int64(binary.BigEndian.Uint64(v[hashBytes+8:]))}
			// A hash of another version says nothing of the content.
			if v[0] == hash[0] && string(v[:hashBytes]) != string(hash[:]) {
				p.outcome = conflicting
			}
			return p, nil
		}
	}
	s.value = append(s.value[:0], hash[:]...)
	s.value = binary.BigEndian.AppendUint64(s.value, uint64(arrived))
	s.value = binary.BigEndian.AppendUint64(s.value, uint64(offset))
	s.st.Set(s.key, s.value)
	index := binary.BigEndian.AppendUint32([]byte{'d'}, day(arrived))
	s.st.Set(append(index, s.key[1:]...), nil)
	return post{outcome: firstPost, offset: offset}, nil
}
