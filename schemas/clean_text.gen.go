// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// CleanText is the canonical form of a text that passed the rules.
type CleanText struct {
	Envelope
	// Normalised and redacted; a mail's subject is its first line.
	Text string
	// What it was: text/plain, text/html, message/rfc822.
	ContentType string
	// The language, BCP 47.
	Language string
	// The right answer, where it is known.
	Label string
	// The client's own values, by their names.
	Attributes map[string]string
	// Unicode code points of text.
	Characters int64
	// Between 0 (noise) and 1.
	Quality float64
	// How many spans of each type were replaced.
	Redactions map[string]int64
}

func (m *CleanText) Kind() Kind { return KindCleanText }

func (m *CleanText) Env() *Envelope { return &m.Envelope }

func (m *CleanText) Reset() { *m = CleanText{} }

func (m *CleanText) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.Text)
	n += sizeString(3<<3|2, m.ContentType)
	n += sizeString(4<<3|2, m.Language)
	n += sizeString(5<<3|2, m.Label)
	n += sizeMapString(6<<3|2, m.Attributes)
	n += sizeInt64(7<<3|0, m.Characters)
	n += sizeDouble(8<<3|1, m.Quality)
	n += sizeMapInt64(9<<3|2, m.Redactions)
	return n
}

func (m *CleanText) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.Text)
	b = putString(b, 3<<3|2, m.ContentType)
	b = putString(b, 4<<3|2, m.Language)
	b = putString(b, 5<<3|2, m.Label)
	b = putMapString(b, 6<<3|2, m.Attributes)
	b = putInt64(b, 7<<3|0, m.Characters)
	b = putDouble(b, 8<<3|1, m.Quality)
	b = putMapInt64(b, 9<<3|2, m.Redactions)
	return b
}

func (m *CleanText) Unmarshal(b []byte) error {
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
			m.ContentType = w.readString("content_type")
		case 4:
			m.Language = w.readString("language")
		case 5:
			m.Label = w.readString("label")
		case 6:
			m.Attributes = w.readMapString("attributes", m.Attributes)
		case 7:
			m.Characters = w.readInt64("characters")
		case 8:
			m.Quality = w.readDouble("quality")
		case 9:
			m.Redactions = w.readMapInt64("redactions", m.Redactions)
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *CleanText) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"text":`, m.Text)
	b = jsonString(b, `"content_type":`, m.ContentType)
	b = jsonString(b, `"language":`, m.Language)
	b = jsonString(b, `"label":`, m.Label)
	b = jsonMapString(b, `"attributes":`, m.Attributes)
	b = jsonInt64(b, `"characters":`, m.Characters)
	b = jsonDouble(b, `"quality":`, m.Quality)
	b = jsonMapInt64(b, `"redactions":`, m.Redactions)
	return append(b, '}')
}

func (m *CleanText) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "text":
			m.Text = r.readString("text", 0)
		case "content_type", "contentType":
			m.ContentType = r.readString("content_type", 0)
		case "language":
			m.Language = r.readString("language", 0)
		case "label":
			m.Label = r.readString("label", 0)
		case "attributes":
			m.Attributes = r.readMapString("attributes")
		case "characters":
			m.Characters = r.readInt64("characters")
		case "quality":
			m.Quality = r.readDouble("quality")
		case "redactions":
			m.Redactions = r.readMapInt64("redactions")
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, cleanTextNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *CleanText) Validate() error {
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
	if !validMapInt64(m.Redactions) {
		return notUTF8("redactions")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *CleanText) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	return nil
}

func cleanTextNames() []string {
	return append(envelopeNames(), "text", "content_type", "contentType", "language", "label", "attributes", "characters", "quality", "redactions")
}

// Carry takes over the fields of a Text that are kept as they are, texts through clean.
func (m *CleanText) Carry(from *Text, clean func(string) string) {
}
