// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// DeadLetter is the verdict on a record that cannot be read or kept. Its bytes are
// on the topic dead.letters, under the same origin, for a short time.
type DeadLetter struct {
	Envelope
	// The input topic of the record.
	Topic string
	// The class of the error: invalid_json, invalid_protobuf, invalid_field,
	// missing_field, unknown_field, id_conflict, too_large.
	Reason string
	// The field and what is wrong with it; without the event's content.
	Detail string
	// Bytes of the record's value.
	Bytes int64
}

func (m *DeadLetter) Kind() Kind { return KindDeadLetter }

func (m *DeadLetter) Env() *Envelope { return &m.Envelope }

func (m *DeadLetter) Reset() { *m = DeadLetter{} }

func (m *DeadLetter) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.Topic)
	n += sizeString(3<<3|2, m.Reason)
	n += sizeString(4<<3|2, m.Detail)
	n += sizeInt64(5<<3|0, m.Bytes)
	return n
}

func (m *DeadLetter) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.Topic)
	b = putString(b, 3<<3|2, m.Reason)
	b = putString(b, 4<<3|2, m.Detail)
	b = putInt64(b, 5<<3|0, m.Bytes)
	return b
}

func (m *DeadLetter) Unmarshal(b []byte) error {
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
			m.Detail = w.readString("detail")
		case 5:
			m.Bytes = w.readInt64("bytes")
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *DeadLetter) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"topic":`, m.Topic)
	b = jsonString(b, `"reason":`, m.Reason)
	b = jsonString(b, `"detail":`, m.Detail)
	b = jsonInt64(b, `"bytes":`, m.Bytes)
	return append(b, '}')
}

func (m *DeadLetter) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "topic":
			m.Topic = r.readString("topic", 0)
		case "reason":
			m.Reason = r.readString("reason", 0)
		case "detail":
			m.Detail = r.readString("detail", 0)
		case "bytes":
			m.Bytes = r.readInt64("bytes")
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, deadLetterNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *DeadLetter) Validate() error {
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
	if !validString(m.Detail) {
		return notUTF8("detail")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *DeadLetter) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	return nil
}

func deadLetterNames() []string {
	return append(envelopeNames(), "topic", "reason", "detail", "bytes")
}
