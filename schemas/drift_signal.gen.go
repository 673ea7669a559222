// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// DriftSignal says that a detector saw a change.
type DriftSignal struct {
	Envelope
	// The name of the model.
	Model string
	// The version of the model, as its registry names it.
	ModelVersion string
	// The detector that saw it.
	Detector string
	// What was watched: error_rate, label_share, token_distribution.
	Signal string
	// The topic that was watched.
	Topic string
	// The partition that was watched.
	Partition int32
	// The first offset of the stretch that differs from before.
	FromOffset int64
	// The offset behind the stretch.
	ToOffset int64
	// The detector's statistic.
	Statistic float64
	// The bound that the statistic passed.
	Threshold float64
	// The watched mean before the stretch.
	Before float64
	// The watched mean in the stretch.
	After float64
	// Observations in the stretch.
	Examples int64
	// Observations since the detector began.
	ExamplesTotal int64
	// What else there is to say, for a person.
	Detail string
}

func (m *DriftSignal) Kind() Kind { return KindDriftSignal }

func (m *DriftSignal) Env() *Envelope { return &m.Envelope }

func (m *DriftSignal) Reset() { *m = DriftSignal{} }

func (m *DriftSignal) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.Model)
	n += sizeString(3<<3|2, m.ModelVersion)
	n += sizeString(4<<3|2, m.Detector)
	n += sizeString(5<<3|2, m.Signal)
	n += sizeString(6<<3|2, m.Topic)
	n += sizeInt32(7<<3|0, m.Partition)
	n += sizeInt64(8<<3|0, m.FromOffset)
	n += sizeInt64(9<<3|0, m.ToOffset)
	n += sizeDouble(10<<3|1, m.Statistic)
	n += sizeDouble(11<<3|1, m.Threshold)
	n += sizeDouble(12<<3|1, m.Before)
	n += sizeDouble(13<<3|1, m.After)
	n += sizeInt64(14<<3|0, m.Examples)
	n += sizeInt64(15<<3|0, m.ExamplesTotal)
	n += sizeString(16<<3|2, m.Detail)
	return n
}

func (m *DriftSignal) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.Model)
	b = putString(b, 3<<3|2, m.ModelVersion)
	b = putString(b, 4<<3|2, m.Detector)
	b = putString(b, 5<<3|2, m.Signal)
	b = putString(b, 6<<3|2, m.Topic)
	b = putInt32(b, 7<<3|0, m.Partition)
	b = putInt64(b, 8<<3|0, m.FromOffset)
	b = putInt64(b, 9<<3|0, m.ToOffset)
	b = putDouble(b, 10<<3|1, m.Statistic)
	b = putDouble(b, 11<<3|1, m.Threshold)
	b = putDouble(b, 12<<3|1, m.Before)
	b = putDouble(b, 13<<3|1, m.After)
	b = putInt64(b, 14<<3|0, m.Examples)
	b = putInt64(b, 15<<3|0, m.ExamplesTotal)
	b = putString(b, 16<<3|2, m.Detail)
	return b
}

func (m *DriftSignal) Unmarshal(b []byte) error {
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
			m.Detector = w.readString("detector")
		case 5:
			m.Signal = w.readString("signal")
		case 6:
			m.Topic = w.readString("topic")
		case 7:
			m.Partition = w.readInt32("partition")
		case 8:
			m.FromOffset = w.readInt64("from_offset")
		case 9:
			m.ToOffset = w.readInt64("to_offset")
		case 10:
			m.Statistic = w.readDouble("statistic")
		case 11:
			m.Threshold = w.readDouble("threshold")
		case 12:
			m.Before = w.readDouble("before")
		case 13:
			m.After = w.readDouble("after")
		case 14:
			m.Examples = w.readInt64("examples")
		case 15:
			m.ExamplesTotal = w.readInt64("examples_total")
		case 16:
			m.Detail = w.readString("detail")
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *DriftSignal) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"model":`, m.Model)
	b = jsonString(b, `"model_version":`, m.ModelVersion)
	b = jsonString(b, `"detector":`, m.Detector)
	b = jsonString(b, `"signal":`, m.Signal)
	b = jsonString(b, `"topic":`, m.Topic)
	b = jsonInt32(b, `"partition":`, m.Partition)
	b = jsonInt64(b, `"from_offset":`, m.FromOffset)
	b = jsonInt64(b, `"to_offset":`, m.ToOffset)
	b = jsonDouble(b, `"statistic":`, m.Statistic)
	b = jsonDouble(b, `"threshold":`, m.Threshold)
	b = jsonDouble(b, `"before":`, m.Before)
	b = jsonDouble(b, `"after":`, m.After)
	b = jsonInt64(b, `"examples":`, m.Examples)
	b = jsonInt64(b, `"examples_total":`, m.ExamplesTotal)
	b = jsonString(b, `"detail":`, m.Detail)
	return append(b, '}')
}

func (m *DriftSignal) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "model":
			m.Model = r.readString("model", 0)
		case "model_version", "modelVersion":
			m.ModelVersion = r.readString("model_version", 0)
		case "detector":
			m.Detector = r.readString("detector", 0)
		case "signal":
			m.Signal = r.readString("signal", 0)
		case "topic":
			m.Topic = r.readString("topic", 0)
		case "partition":
			m.Partition = r.readInt32("partition")
		case "from_offset", "fromOffset":
			m.FromOffset = r.readInt64("from_offset")
		case "to_offset", "toOffset":
			m.ToOffset = r.readInt64("to_offset")
		case "statistic":
			m.Statistic = r.readDouble("statistic")
		case "threshold":
			m.Threshold = r.readDouble("threshold")
		case "before":
			m.Before = r.readDouble("before")
		case "after":
			m.After = r.readDouble("after")
		case "examples":
			m.Examples = r.readInt64("examples")
		case "examples_total", "examplesTotal":
			m.ExamplesTotal = r.readInt64("examples_total")
		case "detail":
			m.Detail = r.readString("detail", 0)
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, driftSignalNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *DriftSignal) Validate() error {
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
	if !validString(m.Detector) {
		return notUTF8("detector")
	}
	if !validString(m.Signal) {
		return notUTF8("signal")
	}
	if !validString(m.Topic) {
		return notUTF8("topic")
	}
	if !validString(m.Detail) {
		return notUTF8("detail")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *DriftSignal) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	return nil
}

func driftSignalNames() []string {
	return append(envelopeNames(), "model", "model_version", "modelVersion", "detector", "signal", "topic", "partition", "from_offset", "fromOffset", "to_offset", "toOffset", "statistic", "threshold", "before", "after", "examples", "examples_total", "examplesTotal", "detail")
}
