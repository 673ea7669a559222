package bus

import (
	"encoding/binary"
	"fmt"

	"github.com/millrace-io/millrace/internal/state"
)

// markKey names a writer's stretch of origins: one step, one origin partition.
type markKey struct {
	step      string
	topicID   TopicID
	partition int32
}

// marks is what a reader of one partition has applied, per writing step and origin
// partition. A record is applied only if it is above the mark and the one that its
// writer sent before it is not: the first drops repeats, the second records behind a
// gap, whose writer failed and comes back with both (models/marks_and_chains.py in the
// design's material plays what is lost without either).
type marks struct {
	committed map[markKey]place
	pending   map[markKey]place
	// The mark in use, not in pending yet: records of one writer come in runs.
	lastKey markKey
	last    place
	moved   bool
}

func newMarks() *marks {
	return &marks{committed: map[markKey]place{}, pending: map[markKey]place{}, last: none}
}

// verdict says what a mark makes of a record.
type verdict int

const (
	applied verdict = iota
	repeated
	behindGap
)

func (m *marks) admit(l *link) verdict {
	key := markKey{l.Step, l.TopicID, l.Partition}
	if key != m.lastKey {
		m.settle()
		m.lastKey, m.last = key, m.of(key)
	}
	at := place{l.Offset, l.Index}
	if !at.above(m.last) {
		return repeated
	}
	if l.prev.above(m.last) {
		return behindGap
	}
	m.last, m.moved = at, true
	return applied
}

// settle puts the mark in use among the pending ones.
func (m *marks) settle() {
	if m.moved {
		m.pending[m.lastKey] = m.last
		m.moved = false
	}
}

func (m *marks) of(key markKey) place {
	if p, ok := m.pending[key]; ok {
		return p
	}
	if p, ok := m.committed[key]; ok {
		return p
	}
	return none
}

// discard forgets what was admitted since the last commit.
func (m *marks) discard() {
	clear(m.pending)
	m.lastKey, m.moved = markKey{}, false
}

// save puts what was admitted into the state's next commit.
func (m *marks) save(st *state.Partition) {
	m.settle()
	for key, p := range m.pending {
		st.SetMark(appendMarkKey(nil, key), appendPlace(nil, p))
		m.committed[key] = p
	}
	clear(m.pending)
}

func loadMarks(st *state.Partition) (*marks, error) {
	m := newMarks()
	for kv, err := range st.Marks() {
		if err != nil {
			return nil, err
		}
		key, err := parseMarkKey(kv.Key)
		if err != nil {
			return nil, err
		}
		p, err := parsePlace(kv.Value)
		if err != nil {
			return nil, err
		}
		m.committed[key] = p
	}
	return m, nil
}

func appendMarkKey(b []byte, k markKey) []byte {
	b = append(b, byte(len(k.step)))
	b = append(b, k.step...)
	b = append(b, k.topicID[:]...)
	return binary.BigEndian.AppendUint32(b, uint32(k.partition))
}

func parseMarkKey(b []byte) (markKey, error) {
	var k markKey
	if len(b) < 1 || len(b) != 1+int(b[0])+len(k.topicID)+4 {
		return k, fmt.Errorf("bus: a mark's key of %d bytes is damaged; delete the state folder, it is rebuilt", len(b))
	}
	n := 1 + int(b[0])
	k.step = string(b[1:n])
	copy(k.topicID[:], b[n:])
	k.partition = int32(binary.BigEndian.Uint32(b[n+len(k.topicID):]))
	return k, nil
}

func appendPlace(b []byte, p place) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(p.offset))
	return binary.BigEndian.AppendUint32(b, uint32(p.index))
}

func parsePlace(b []byte) (place, error) {
	if len(b) != 12 {
		return none, fmt.Errorf("bus: a mark of %d bytes is damaged; delete the state folder, it is rebuilt", len(b))
	}
	return place{int64(binary.BigEndian.Uint64(b)), int32(binary.BigEndian.Uint32(b[8:]))}, nil
}
