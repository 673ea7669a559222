package registry

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// journalKey leads the keys of the journal; its number follows, so that a scan gives
// the events in order.
const journalKey = 'j'

// Restore makes the Fold that st holds and keeps st up to date with it: every event that
// changes what decisions go by is set in st, and becomes durable with the stage's
// position. The Fold of a restarted stage is thus made by the same code from the same
// events. The journal grows as the log does, without reports and signals: by about ten
// events a version.
func Restore(st *state.Partition) (*Fold, error) {
	f := NewFold()
	var next uint64
	for kv, err := range st.Scan([]byte{journalKey}) {
		if err != nil {
			return nil, err
		}
		if len(kv.Key) != 9 {
			return nil, fmt.Errorf("registry: a journal key has %d bytes, want 9", len(kv.Key))
		}
		step, m, err := decodeEntry(kv.Value)
		if err != nil {
			return nil, err
		}
		f.apply(step, m)
		next = binary.BigEndian.Uint64(kv.Key[1:]) + 1
	}
	f.journal = func(step string, m schemas.Message) {
		st.Set(binary.BigEndian.AppendUint64([]byte{journalKey}, next), appendEntry(nil, step, m))
		next++
	}
	return f, nil
}

// appendEntry encodes step, kind (each with a byte for its length) and the message.
func appendEntry(b []byte, step string, m schemas.Message) []byte {
	kind := m.Kind()
	b = append(b, byte(len(step)))
	b = append(b, step...)
	b = append(b, byte(len(kind)))
	b = append(b, kind...)
	return m.MarshalAppend(b)
}

var errEntry = errors.New("registry: the journal in the stage's state is damaged")

func decodeEntry(b []byte) (step string, m schemas.Message, err error) {
	field := func() (s string) {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			err = errEntry
			return ""
		}
		n := 1 + int(b[0])
		s, b = string(b[1:n]), b[n:]
		return s
	}
	step = field()
	kind := schemas.Kind(field())
	if err != nil {
		return "", nil, err
	}
	if m = schemas.New(kind); m == nil {
		return "", nil, errEntry
	}
	if err := m.Unmarshal(b); err != nil {
		return "", nil, fmt.Errorf("%w: %w", errEntry, err)
	}
	return step, m, nil
}
