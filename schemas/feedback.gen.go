// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// Feedback is what a person or a check says about an inference.
type Feedback struct {
	Envelope
	// The inference that it speaks of; the key of its record.
	InferenceID string
	// What was judged: "helpful", "toxicity"; free.
	Name string
	// "up" or "down".
	Thumb string
	// A score; its scale is the client's.
	Rating *float64
	// The right answer of a classifier.
	Label string
	// What the answer should have been.
	Correction string
	// The inference that this one was preferred to.
	PreferredOver string
	// What the person says of it.
	Comment    string
	ResponseID string
	// The client's own values, by their names.
	Attributes map[string]string
}

func (m *Feedback) Kind() Kind { return KindFeedback }

func (m *Feedback) Env() *Envelope { return &m.Envelope }

func (m *Feedback) Reset() { *m = Feedback{} }

func (m *Feedback) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.InferenceID)
	n += sizeString(3<<3|2, m.Name)
	n += sizeString(4<<3|2, m.Thumb)
	n += sizeOptDouble(5<<3|1, m.Rating)
	n += sizeString(6<<3|2, m.Label)
	n += sizeString(7<<3|2, m.Correction)
	n += sizeString(8<<3|2, m.PreferredOver)
	n += sizeString(9<<3|2, m.Comment)
	n += sizeString(10<<3|2, m.ResponseID)
	n += sizeMapString(11<<3|2, m.Attributes)
	return n
}

func (m *Feedback) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.InferenceID)
	b = putString(b, 3<<3|2, m.Name)
	b = putString(b, 4<<3|2, m.Thumb)
	b = putOptDouble(b, 5<<3|1, m.Rating)
	b = putString(b, 6<<3|2, m.Label)
	b = putString(b, 7<<3|2, m.Correction)
	b = putString(b, 8<<3|2, m.PreferredOver)
	b = putString(b, 9<<3|2, m.Comment)
	b = putString(b, 10<<3|2, m.ResponseID)
	b = putMapString(b, 11<<3|2, m.Attributes)
	return b
}

func (m *Feedback) Unmarshal(b []byte) error {
	m.Reset()
	w := newWireReader(b)
	for w.next() {
		switch w.num {
		case 1:
			outer := w.enter("envelope")
			m.Envelope.unmarshal(&w)
			w.leave(outer)
		case 2:
			m.InferenceID = w.readString("inference_id")
		case 3:
			m.Name = w.readString("name")
		case 4:
			m.Thumb = w.readString("thumb")
		case 5:
			m.Rating = w.readOptDouble("rating")
		case 6:
			m.Label = w.readString("label")
		case 7:
			m.Correction = w.readString("correction")
		case 8:
			m.PreferredOver = w.readString("preferred_over")
		case 9:
			m.Comment = w.readString("comment")
		case 10:
			m.ResponseID = w.readString("response_id")
		case 11:
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

func (m *Feedback) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"inference_id":`, m.InferenceID)
	b = jsonString(b, `"name":`, m.Name)
	b = jsonString(b, `"thumb":`, m.Thumb)
	b = jsonOptDouble(b, `"rating":`, m.Rating)
	b = jsonString(b, `"label":`, m.Label)
	b = jsonString(b, `"correction":`, m.Correction)
	b = jsonString(b, `"preferred_over":`, m.PreferredOver)
	b = jsonString(b, `"comment":`, m.Comment)
	b = jsonString(b, `"response_id":`, m.ResponseID)
	b = jsonMapString(b, `"attributes":`, m.Attributes)
	return append(b, '}')
}

func (m *Feedback) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "inference_id", "inferenceId", "target_id":
			m.InferenceID = r.readString("inference_id", 128)
		case "name", "gen_ai.evaluation.name", "metric_name":
			m.Name = r.readString("name", 128)
		case "thumb":
			m.Thumb = r.readString("thumb", 8)
		case "rating", "gen_ai.evaluation.score.value", "score", "value":
			m.Rating = r.readOptDouble("rating")
		case "label", "gen_ai.evaluation.score.label":
			m.Label = r.readString("label", 256)
		case "correction":
			m.Correction = r.readString("correction", 0)
		case "preferred_over", "preferredOver":
			m.PreferredOver = r.readString("preferred_over", 128)
		case "comment", "gen_ai.evaluation.explanation":
			m.Comment = r.readString("comment", 0)
		case "response_id", "gen_ai.response.id", "responseId":
			m.ResponseID = r.readString("response_id", 256)
		case "attributes":
			m.Attributes = r.readMapString("attributes")
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, feedbackNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *Feedback) Validate() error {
	if err := m.checkValues(); err != nil {
		return err
	}
	if err := m.Envelope.checkText(); err != nil {
		return err
	}
	if !validString(m.InferenceID) {
		return notUTF8("inference_id")
	}
	if !validString(m.Name) {
		return notUTF8("name")
	}
	if !validString(m.Thumb) {
		return notUTF8("thumb")
	}
	if !validString(m.Label) {
		return notUTF8("label")
	}
	if !validString(m.Correction) {
		return notUTF8("correction")
	}
	if !validString(m.PreferredOver) {
		return notUTF8("preferred_over")
	}
	if !validString(m.Comment) {
		return notUTF8("comment")
	}
	if !validString(m.ResponseID) {
		return notUTF8("response_id")
	}
	if !validMapString(m.Attributes) {
		return notUTF8("attributes")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *Feedback) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	if m.InferenceID == "" {
		return missingField("inference_id")
	}
	if len(m.InferenceID) > 128 {
		return tooLarge("inference_id", 128, len(m.InferenceID))
	}
	if len(m.Name) > 128 {
		return tooLarge("name", 128, len(m.Name))
	}
	if len(m.Thumb) > 8 {
		return tooLarge("thumb", 8, len(m.Thumb))
	}
	if len(m.Label) > 256 {
		return tooLarge("label", 256, len(m.Label))
	}
	if len(m.PreferredOver) > 128 {
		return tooLarge("preferred_over", 128, len(m.PreferredOver))
	}
	if len(m.ResponseID) > 256 {
		return tooLarge("response_id", 256, len(m.ResponseID))
	}
	return nil
}

func feedbackNames() []string {
	return append(envelopeNames(), "inference_id", "inferenceId", "target_id", "name", "gen_ai.evaluation.name", "metric_name", "thumb", "rating", "gen_ai.evaluation.score.value", "score", "value", "label", "gen_ai.evaluation.score.label", "correction", "preferred_over", "preferredOver", "comment", "gen_ai.evaluation.explanation", "response_id", "gen_ai.response.id", "responseId", "attributes")
}
