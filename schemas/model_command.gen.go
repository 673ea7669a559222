// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// ModelCommand is what a person asks of a model, and the registry's answer.
type ModelCommand struct {
	Envelope
	// The name of the model.
	Model string
	// promote, rollback, train, approve.
	Command string
	// The version that is meant.
	Version string
	// Who asked.
	By string
	// Why, for a person.
	Reason string
	// The answer: whether it was carried out.
	Accepted bool
	// What came of it, or why it was refused.
	Answer string
}

func (m *ModelCommand) Kind() Kind { return KindModelCommand }

func (m *ModelCommand) Env() *Envelope { return &m.Envelope }

func (m *ModelCommand) Reset() { *m = ModelCommand{} }

func (m *ModelCommand) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.Model)
	n += sizeString(3<<3|2, m.Command)
	n += sizeString(4<<3|2, m.Version)
	n += sizeString(5<<3|2, m.By)
	n += sizeString(6<<3|2, m.Reason)
	n += sizeBool(7<<3|0, m.Accepted)
	n += sizeString(8<<3|2, m.Answer)
	return n
}

func (m *ModelCommand) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.Model)
	b = putString(b, 3<<3|2, m.Command)
	b = putString(b, 4<<3|2, m.Version)
	b = putString(b, 5<<3|2, m.By)
	b = putString(b, 6<<3|2, m.Reason)
	b = putBool(b, 7<<3|0, m.Accepted)
	b = putString(b, 8<<3|2, m.Answer)
	return b
}

func (m *ModelCommand) Unmarshal(b []byte) error {
	m.Reset()
	w := newWireReader(b)
	for w.next() {
		switch w.num {
		case 1:
			outer := w.enter("envelope")
			m.Envelope.unmarshal(&w)
			w.leave(outer)
		case 2:
			m.Model = w.readString("model")
		case 3:
			m.Command = w.readString("command")
		case 4:
			m.Version = w.readString("version")
		case 5:
			m.By = w.readString("by")
		case 6:
			m.Reason = w.readString("reason")
		case 7:
			m.Accepted = w.readBool("accepted")
		case 8:
			m.Answer = w.readString("answer")
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *ModelCommand) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"model":`, m.Model)
	b = jsonString(b, `"command":`, m.Command)
	b = jsonString(b, `"version":`, m.Version)
	b = jsonString(b, `"by":`, m.By)
	b = jsonString(b, `"reason":`, m.Reason)
	b = jsonBool(b, `"accepted":`, m.Accepted)
	b = jsonString(b, `"answer":`, m.Answer)
	return append(b, '}')
}

func (m *ModelCommand) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "model":
			m.Model = r.readString("model", 0)
		case "command":
			m.Command = r.readString("command", 0)
		case "version":
			m.Version = r.readString("version", 0)
		case "by":
			m.By = r.readString("by", 0)
		case "reason":
			m.Reason = r.readString("reason", 0)
		case "accepted":
			m.Accepted = r.readBool("accepted")
		case "answer":
			m.Answer = r.readString("answer", 0)
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, modelCommandNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *ModelCommand) Validate() error {
	if err := m.checkValues(); err != nil {
		return err
	}
	if err := m.Envelope.checkText(); err != nil {
		return err
	}
	if !validString(m.Model) {
		return notUTF8("model")
	}
	if !validString(m.Command) {
		return notUTF8("command")
	}
	if !validString(m.Version) {
		return notUTF8("version")
	}
	if !validString(m.By) {
		return notUTF8("by")
	}
	if !validString(m.Reason) {
		return notUTF8("reason")
	}
	if !validString(m.Answer) {
		return notUTF8("answer")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *ModelCommand) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	return nil
}

func modelCommandNames() []string {
	return append(envelopeNames(), "model", "command", "version", "by", "reason", "accepted", "answer")
}
