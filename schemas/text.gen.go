// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// Text is a text as it was collected.
type Text struct {
	Envelope
	// The text. One of text and data is there.
	Text string
	// The original bytes, where they are not UTF-8 or are a container (a mail).
	Data []byte
	// What text or data is: text/plain (the default), text/html, message/rfc822.
	ContentType string
	// The language as the source claims it, BCP 47.
	Language string
	// The right answer, where the source knows it.
	Label string
	// The client's own values, by their names.
	Attributes map[string]string
}

func (m *Text) Kind() Kind { return KindText }

func (m *Text) Env() *Envelope { return &m.Envelope }

func (m *Text) Reset() { *m = Text{} }

func (m *Text) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.Text)
	n += sizeBytes(3<<3|2, m.Data)
	n += sizeString(4<<3|2, m.ContentType)
	n += sizeString(5<<3|2, m.Language)
	n += sizeString(6<<3|2, m.Label)
	n += sizeMapString(7<<3|2, m.Attributes)
	return n
}

func (m *Text) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.Text)
	b = putBytes(b, 3<<3|2, m.Data)
	b = putString(b, 4<<3|2, m.ContentType)
	b = putString(b, 5<<3|2, m.Language)
	b = putString(b, 6<<3|2, m.Label)
	b = putMapString(b, 7<<3|2, m.Attributes)
	return b
}

func (m *Text) Unmarshal(b []byte) error {
	m.Reset()
	w := newWireReader(b)
	for w.next() {
		switch w.num {
		case 1:
			outer := w.enter("envelope")
			m.Envelope.unmarshal(&w)
			w.leave(outer)
		case 2:
			m.Text = w.readString("text")
		case 3:
			m.Data = w.readBytes("data")
		case 4:
			m.ContentType = w.readString("content_type")
		case 5:
			m.Language = w.readString("language")
		case 6:
			m.Label = w.readString("label")
		case 7:
			m.Attributes = w.readMapString("attributes", m.Attributes)
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *Text) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"text":`, m.Text)
	b = jsonBytes(b, `"data":`, m.Data)
	b = jsonString(b, `"content_type":`, m.ContentType)
	b = jsonString(b, `"language":`, m.Language)
	b = jsonString(b, `"label":`, m.Label)
	b = jsonMapString(b, `"attributes":`, m.Attributes)
	return append(b, '}')
}

func (m *Text) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "text":
			m.Text = r.readString("text", 0)
		case "data":
			m.Data = r.readBytes("data", 0)
		case "content_type", "contentType":
			m.ContentType = r.readString("content_type", 128)
		case "language":
			m.Language = r.readString("language", 35)
		case "label":
			m.Label = r.readString("label", 256)
		case "attributes":
			m.Attributes = r.readMapString("attributes")
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, textNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *Text) Validate() error {
	if err := m.checkValues(); err != nil {
		return err
	}
	if err := m.Envelope.checkText(); err != nil {
		return err
	}
	if !validString(m.Text) {
		return notUTF8("text")
	}
	if !validString(m.ContentType) {
		return notUTF8("content_type")
	}
	if !validString(m.Language) {
		return notUTF8("language")
	}
	if !validString(m.Label) {
		return notUTF8("label")
	}
	if !validMapString(m.Attributes) {
		return notUTF8("attributes")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *Text) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	if len(m.ContentType) > 128 {
		return tooLarge("content_type", 128, len(m.ContentType))
	}
	if len(m.Language) > 35 {
		return tooLarge("language", 35, len(m.Language))
	}
	if len(m.Label) > 256 {
		return tooLarge("label", 256, len(m.Label))
	}
	return nil
}

func textNames() []string {
	return append(envelopeNames(), "text", "data", "content_type", "contentType", "language", "label", "attributes")
}
