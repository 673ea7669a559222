// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// TrainingExample is an inference joined with a feedback on it. Bodies stay in the
// lake. The envelope is the inference's, but for arrived_at, which is the later of
// the two. A later feedback on the same inference makes a further example with a
// higher revision, which replaces the earlier one.
type TrainingExample struct {
	Envelope
	// The inference.
	InferenceID string
	// The feedback.
	FeedbackID string
	// The name of the model.
	Model string
	// The version of the model, as its registry names it.
	ModelVersion string
	// champion or canary.
	Role string
	// The text event that was judged; empty where the model was given something else.
	TextID string
	// The classifier's answer.
	Prediction string
	// The probability of the prediction.
	Confidence float64
	// The right answer, where it is known.
	Label string
	// Whether the prediction was right, where the feedback says.
	Correct *bool
	// How much the example counts in training.
	Weight float64
	// "train" or "test", by a hash of the content.
	Split string
	// 1 for the first feedback on the inference, and so on.
	Revision int64
	// Who gave the feedback, as its envelope's subject.
	Reviewer string
	// The offset of the inference on interactions, in the example's origin's partition.
	InferenceOffset int64
	// The offset of the feedback on interactions.
	FeedbackOffset int64
	// When the inference arrived.
	InferredAt Micros
	// When the feedback arrived.
	JudgedAt Micros
	// 1 for the first feedback that says whether the prediction was right, and so on; 0 for
	// one that does not say it.
	Judgement int64
}

func (m *TrainingExample) Kind() Kind { return KindTrainingExample }

func (m *TrainingExample) Env() *Envelope { return &m.Envelope }

func (m *TrainingExample) Reset() { *m = TrainingExample{} }

func (m *TrainingExample) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.InferenceID)
	n += sizeString(3<<3|2, m.FeedbackID)
	n += sizeString(4<<3|2, m.Model)
	n += sizeString(5<<3|2, m.ModelVersion)
	n += sizeString(6<<3|2, m.Role)
	n += sizeString(7<<3|2, m.TextID)
	n += sizeString(8<<3|2, m.Prediction)
	n += sizeDouble(9<<3|1, m.Confidence)
	n += sizeString(10<<3|2, m.Label)
	n += sizeOptBool(11<<3|0, m.Correct)
	n += sizeDouble(12<<3|1, m.Weight)
	n += sizeString(13<<3|2, m.Split)
	n += sizeInt64(14<<3|0, m.Revision)
	n += sizeString(15<<3|2, m.Reviewer)
	n += sizeInt64(16<<3|0, m.InferenceOffset)
	n += sizeInt64(17<<3|0, m.FeedbackOffset)
	n += sizeMicros(18<<3|0, m.InferredAt)
	n += sizeMicros(19<<3|0, m.JudgedAt)
	n += sizeInt64(20<<3|0, m.Judgement)
	return n
}

func (m *TrainingExample) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.InferenceID)
	b = putString(b, 3<<3|2, m.FeedbackID)
	b = putString(b, 4<<3|2, m.Model)
	b = putString(b, 5<<3|2, m.ModelVersion)
	b = putString(b, 6<<3|2, m.Role)
	b = putString(b, 7<<3|2, m.TextID)
	b = putString(b, 8<<3|2, m.Prediction)
	b = putDouble(b, 9<<3|1, m.Confidence)
	b = putString(b, 10<<3|2, m.Label)
	b = putOptBool(b, 11<<3|0, m.Correct)
	b = putDouble(b, 12<<3|1, m.Weight)
	b = putString(b, 13<<3|2, m.Split)
	b = putInt64(b, 14<<3|0, m.Revision)
	b = putString(b, 15<<3|2, m.Reviewer)
	b = putInt64(b, 16<<3|0, m.InferenceOffset)
	b = putInt64(b, 17<<3|0, m.FeedbackOffset)
	b = putMicros(b, 18<<3|0, m.InferredAt)
	b = putMicros(b, 19<<3|0, m.JudgedAt)
	b = putInt64(b, 20<<3|0, m.Judgement)
	return b
}

func (m *TrainingExample) Unmarshal(b []byte) error {
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
			m.FeedbackID = w.readString("feedback_id")
		case 4:
			m.Model = w.readString("model")
		case 5:
			m.ModelVersion = w.readString("model_version")
		case 6:
			m.Role = w.readString("role")
		case 7:
			m.TextID = w.readString("text_id")
		case 8:
			m.Prediction = w.readString("prediction")
		case 9:
			m.Confidence = w.readDouble("confidence")
		case 10:
			m.Label = w.readString("label")
		case 11:
			m.Correct = w.readOptBool("correct")
		case 12:
			m.Weight = w.readDouble("weight")
		case 13:
			m.Split = w.readString("split")
		case 14:
			m.Revision = w.readInt64("revision")
		case 15:
			m.Reviewer = w.readString("reviewer")
		case 16:
			m.InferenceOffset = w.readInt64("inference_offset")
		case 17:
			m.FeedbackOffset = w.readInt64("feedback_offset")
		case 18:
			m.InferredAt = w.readMicros("inferred_at")
		case 19:
			m.JudgedAt = w.readMicros("judged_at")
		case 20:
			m.Judgement = w.readInt64("judgement")
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *TrainingExample) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"inference_id":`, m.InferenceID)
	b = jsonString(b, `"feedback_id":`, m.FeedbackID)
	b = jsonString(b, `"model":`, m.Model)
	b = jsonString(b, `"model_version":`, m.ModelVersion)
	b = jsonString(b, `"role":`, m.Role)
	b = jsonString(b, `"text_id":`, m.TextID)
	b = jsonString(b, `"prediction":`, m.Prediction)
	b = jsonDouble(b, `"confidence":`, m.Confidence)
	b = jsonString(b, `"label":`, m.Label)
	b = jsonOptBool(b, `"correct":`, m.Correct)
	b = jsonDouble(b, `"weight":`, m.Weight)
	b = jsonString(b, `"split":`, m.Split)
	b = jsonInt64(b, `"revision":`, m.Revision)
	b = jsonString(b, `"reviewer":`, m.Reviewer)
	b = jsonInt64(b, `"inference_offset":`, m.InferenceOffset)
	b = jsonInt64(b, `"feedback_offset":`, m.FeedbackOffset)
	b = jsonMicros(b, `"inferred_at":`, m.InferredAt)
	b = jsonMicros(b, `"judged_at":`, m.JudgedAt)
	b = jsonInt64(b, `"judgement":`, m.Judgement)
	return append(b, '}')
}

func (m *TrainingExample) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "inference_id", "inferenceId":
			m.InferenceID = r.readString("inference_id", 0)
		case "feedback_id", "feedbackId":
			m.FeedbackID = r.readString("feedback_id", 0)
		case "model":
			m.Model = r.readString("model", 0)
		case "model_version", "modelVersion":
			m.ModelVersion = r.readString("model_version", 0)
		case "role":
			m.Role = r.readString("role", 0)
		case "text_id", "textId":
			m.TextID = r.readString("text_id", 0)
		case "prediction":
			m.Prediction = r.readString("prediction", 0)
		case "confidence":
			m.Confidence = r.readDouble("confidence")
		case "label":
			m.Label = r.readString("label", 0)
		case "correct":
			m.Correct = r.readOptBool("correct")
		case "weight":
			m.Weight = r.readDouble("weight")
		case "split":
			m.Split = r.readString("split", 0)
		case "revision":
			m.Revision = r.readInt64("revision")
		case "reviewer":
			m.Reviewer = r.readString("reviewer", 0)
		case "inference_offset", "inferenceOffset":
			m.InferenceOffset = r.readInt64("inference_offset")
		case "feedback_offset", "feedbackOffset":
			m.FeedbackOffset = r.readInt64("feedback_offset")
		case "inferred_at", "inferredAt":
			m.InferredAt = r.readMicros("inferred_at")
		case "judged_at", "judgedAt":
			m.JudgedAt = r.readMicros("judged_at")
		case "judgement":
			m.Judgement = r.readInt64("judgement")
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, trainingExampleNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *TrainingExample) Validate() error {
	if err := m.checkValues(); err != nil {
		return err
	}
	if err := m.Envelope.checkText(); err != nil {
		return err
	}
	if !validString(m.InferenceID) {
		return notUTF8("inference_id")
	}
	if !validString(m.FeedbackID) {
		return notUTF8("feedback_id")
	}
	if !validString(m.Model) {
		return notUTF8("model")
	}
	if !validString(m.ModelVersion) {
		return notUTF8("model_version")
	}
	if !validString(m.Role) {
		return notUTF8("role")
	}
	if !validString(m.TextID) {
		return notUTF8("text_id")
	}
	if !validString(m.Prediction) {
		return notUTF8("prediction")
	}
	if !validString(m.Label) {
		return notUTF8("label")
	}
	if !validString(m.Split) {
		return notUTF8("split")
	}
	if !validString(m.Reviewer) {
		return notUTF8("reviewer")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *TrainingExample) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	if !m.InferredAt.inRange() {
		return timeOutOfRange("inferred_at")
	}
	if !m.JudgedAt.inRange() {
		return timeOutOfRange("judged_at")
	}
	return nil
}

func trainingExampleNames() []string {
	return append(envelopeNames(), "inference_id", "inferenceId", "feedback_id", "feedbackId", "model", "model_version", "modelVersion", "role", "text_id", "textId", "prediction", "confidence", "label", "correct", "weight", "split", "revision", "reviewer", "inference_offset", "inferenceOffset", "feedback_offset", "feedbackOffset", "inferred_at", "inferredAt", "judged_at", "judgedAt", "judgement")
}
