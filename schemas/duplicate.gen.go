// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// Duplicate is the verdict on a post that stands elsewhere: a repeated id, a
// record that was written again under its right key, or a second replay.
type Duplicate struct {
	Envelope
	// The input topic of the record.
	Topic string
	// "repeated", "rekeyed" or "replayed".
	Reason string
	// The partition of the first post of the id, or of the first replay (not of rekeyed).
	FirstPartition int32
	// The offset of the first post of the id, or of the first replay (not of rekeyed).
	FirstOffset int64
}

func (m *Duplicate) Kind() Kind { return KindDuplicate }

func (m *Duplicate) Env() *Envelope { return &m.Envelope }

func (m *Duplicate) Reset() { *m = Duplicate{} }

func (m *Duplicate) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.Topic)
	n += sizeString(3<<3|2, m.Reason)
	n += sizeInt32(4<<3|0, m.FirstPartition)
	n += sizeInt64(5<<3|0, m.FirstOffset)
	return n
}

func (m *Duplicate) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.Topic)
	b = putString(b, 3<<3|2, m.Reason)
	b = putInt32(b, 4<<3|0, m.FirstPartition)
	b = putInt64(b, 5<<3|0, m.FirstOffset)
	return b
}

func (m *Duplicate) Unmarshal(b []byte) error {
	m.Reset()
	w := newWireReader(b)
	for w.next() {
		switch w.num {
		case 1:
			outer := w.enter("envelope")
			m.Envelope.unmarshal(&w)
			w.leave(outer)
		case 2:
			m.Topic = w.readString("topic")
		case 3:
			m.Reason = w.readString("reason")
		case 4:
			m.FirstPartition = w.readInt32("first_partition")
		case 5:
			m.FirstOffset = w.readInt64("first_offset")
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *Duplicate) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"topic":`, m.Topic)
	b = jsonString(b, `"reason":`, m.Reason)
	b = jsonInt32(b, `"first_partition":`, m.FirstPartition)
	b = jsonInt64(b, `"first_offset":`, m.FirstOffset)
	return append(b, '}')
}

func (m *Duplicate) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "topic":
			m.Topic = r.readString("topic", 0)
		case "reason":
			m.Reason = r.readString("reason", 0)
		case "first_partition", "firstPartition":
			m.FirstPartition = r.readInt32("first_partition")
		case "first_offset", "firstOffset":
			m.FirstOffset = r.readInt64("first_offset")
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, duplicateNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *Duplicate) Validate() error {
	if err := m.checkValues(); err != nil {
		return err
	}
	if err := m.Envelope.checkText(); err != nil {
		return err
	}
	if !validString(m.Topic) {
		return notUTF8("topic")
	}
	if !validString(m.Reason) {
		return notUTF8("reason")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *Duplicate) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	return nil
}

func duplicateNames() []string {
	return append(envelopeNames(), "topic", "reason", "first_partition", "firstPartition", "first_offset", "firstOffset")
}
