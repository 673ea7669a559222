// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// QualityReport sums up a stretch of a log for one version of a model: what policy
// and rollout know of other topics.
type QualityReport struct {
	Envelope
	// The name of the model.
	Model string
	// Empty for labelled texts that no model judged.
	ModelVersion string
	// champion or canary.
	Role string
	// The topic of the stretch that it covers.
	Topic string
	// The partition of the stretch.
	Partition int32
	// The first offset of the stretch.
	FromOffset int64
	// The offset behind the stretch.
	ToOffset int64
	// Judged examples in the stretch.
	Examples int64
	// Those of them that were predicted right.
	Correct int64
	// Judged examples since the log began.
	ExamplesTotal int64
	// Examples by their right label.
	Labels map[string]int64
}

func (m *QualityReport) Kind() Kind { return KindQualityReport }

func (m *QualityReport) Env() *Envelope { return &m.Envelope }

func (m *QualityReport) Reset() { *m = QualityReport{} }

func (m *QualityReport) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.Model)
	n += sizeString(3<<3|2, m.ModelVersion)
	n += sizeString(4<<3|2, m.Role)
	n += sizeString(5<<3|2, m.Topic)
	n += sizeInt32(6<<3|0, m.Partition)
	n += sizeInt64(7<<3|0, m.FromOffset)
	n += sizeInt64(8<<3|0, m.ToOffset)
	n += sizeInt64(9<<3|0, m.Examples)
	n += sizeInt64(10<<3|0, m.Correct)
	n += sizeInt64(11<<3|0, m.ExamplesTotal)
	n += sizeMapInt64(12<<3|2, m.Labels)
	return n
}

func (m *QualityReport) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.Model)
	b = putString(b, 3<<3|2, m.ModelVersion)
	b = putString(b, 4<<3|2, m.Role)
	b = putString(b, 5<<3|2, m.Topic)
	b = putInt32(b, 6<<3|0, m.Partition)
	b = putInt64(b, 7<<3|0, m.FromOffset)
	b = putInt64(b, 8<<3|0, m.ToOffset)
	b = putInt64(b, 9<<3|0, m.Examples)
	b = putInt64(b, 10<<3|0, m.Correct)
	b = putInt64(b, 11<<3|0, m.ExamplesTotal)
	b = putMapInt64(b, 12<<3|2, m.Labels)
	return b
}

func (m *QualityReport) Unmarshal(b []byte) error {
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
			m.ModelVersion = w.readString("model_version")
		case 4:
			m.Role = w.readString("role")
		case 5:
			m.Topic = w.readString("topic")
		case 6:
			m.Partition = w.readInt32("partition")
		case 7:
			m.FromOffset = w.readInt64("from_offset")
		case 8:
			m.ToOffset = w.readInt64("to_offset")
		case 9:
			m.Examples = w.readInt64("examples")
		case 10:
			m.Correct = w.readInt64("correct")
		case 11:
			m.ExamplesTotal = w.readInt64("examples_total")
		case 12:
			m.Labels = w.readMapInt64("labels", m.Labels)
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *QualityReport) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"model":`, m.Model)
	b = jsonString(b, `"model_version":`, m.ModelVersion)
	b = jsonString(b, `"role":`, m.Role)
	b = jsonString(b, `"topic":`, m.Topic)
	b = jsonInt32(b, `"partition":`, m.Partition)
	b = jsonInt64(b, `"from_offset":`, m.FromOffset)
	b = jsonInt64(b, `"to_offset":`, m.ToOffset)
	b = jsonInt64(b, `"examples":`, m.Examples)
	b = jsonInt64(b, `"correct":`, m.Correct)
	b = jsonInt64(b, `"examples_total":`, m.ExamplesTotal)
	b = jsonMapInt64(b, `"labels":`, m.Labels)
	return append(b, '}')
}

func (m *QualityReport) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "model":
			m.Model = r.readString("model", 0)
		case "model_version", "modelVersion":
			m.ModelVersion = r.readString("model_version", 0)
		case "role":
			m.Role = r.readString("role", 0)
		case "topic":
			m.Topic = r.readString("topic", 0)
		case "partition":
			m.Partition = r.readInt32("partition")
		case "from_offset", "fromOffset":
			m.FromOffset = r.readInt64("from_offset")
		case "to_offset", "toOffset":
			m.ToOffset = r.readInt64("to_offset")
		case "examples":
			m.Examples = r.readInt64("examples")
		case "correct":
			m.Correct = r.readInt64("correct")
		case "examples_total", "examplesTotal":
			m.ExamplesTotal = r.readInt64("examples_total")
		case "labels":
			m.Labels = r.readMapInt64("labels")
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, qualityReportNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *QualityReport) Validate() error {
	if err := m.checkValues(); err != nil {
		return err
	}
	if err := m.Envelope.checkText(); err != nil {
		return err
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
	if !validString(m.Topic) {
		return notUTF8("topic")
	}
	if !validMapInt64(m.Labels) {
		return notUTF8("labels")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *QualityReport) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	return nil
}

func qualityReportNames() []string {
	return append(envelopeNames(), "model", "model_version", "modelVersion", "role", "topic", "partition", "from_offset", "fromOffset", "to_offset", "toOffset", "examples", "correct", "examples_total", "examplesTotal", "labels")
}
