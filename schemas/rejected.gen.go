// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// Rejected is the verdict on an event that a rule refused. It never holds the text.
type Rejected struct {
	Envelope
	// The input topic.
	Topic string
	// The rule that refused it, as the documentation names it.
	Rule string
	// Why, for a person; without the event's content.
	Detail string
	// What the rules measured.
	Scores map[string]float64
}

func (m *Rejected) Kind() Kind { return KindRejected }

func (m *Rejected) Env() *Envelope { return &m.Envelope }

func (m *Rejected) Reset() { *m = Rejected{} }

func (m *Rejected) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.Topic)
	n += sizeString(3<<3|2, m.Rule)
	n += sizeString(4<<3|2, m.Detail)
	n += sizeMapDouble(5<<3|2, m.Scores)
	return n
}

func (m *Rejected) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.Topic)
	b = putString(b, 3<<3|2, m.Rule)
	b = putString(b, 4<<3|2, m.Detail)
	b = putMapDouble(b, 5<<3|2, m.Scores)
	return b
}

func (m *Rejected) Unmarshal(b []byte) error {
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
			m.Rule = w.readString("rule")
		case 4:
			m.Detail = w.readString("detail")
		case 5:
			m.Scores = w.readMapDouble("scores", m.Scores)
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *Rejected) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"topic":`, m.Topic)
	b = jsonString(b, `"rule":`, m.Rule)
	b = jsonString(b, `"detail":`, m.Detail)
	b = jsonMapDouble(b, `"scores":`, m.Scores)
	return append(b, '}')
}

func (m *Rejected) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "topic":
			m.Topic = r.readString("topic", 0)
		case "rule":
			m.Rule = r.readString("rule", 0)
		case "detail":
			m.Detail = r.readString("detail", 0)
		case "scores":
			m.Scores = r.readMapDouble("scores")
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, rejectedNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *Rejected) Validate() error {
	if err := m.checkValues(); err != nil {
		return err
	}
	if err := m.Envelope.checkText(); err != nil {
		return err
	}
	if !validString(m.Topic) {
		return notUTF8("topic")
	}
	if !validString(m.Rule) {
		return notUTF8("rule")
	}
	if !validString(m.Detail) {
		return notUTF8("detail")
	}
	if !validMapDouble(m.Scores) {
		return notUTF8("scores")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *Rejected) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	return nil
}

func rejectedNames() []string {
	return append(envelopeNames(), "topic", "rule", "detail", "scores")
}
