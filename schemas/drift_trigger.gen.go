// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// DriftTrigger asks for a training run.
type DriftTrigger struct {
	Envelope
	// The name of the model.
	Model string
	// A function of the trigger's origin.
	RunID string
	// bootstrap, drift, growth, schedule, manual.
	Reason string
	// The signal, report or command that it answers.
	CauseID string
	// classifier or lora.
	Recipe string
	// The champion when it was made.
	ParentVersion string
	// What to train on: "topic/partition:from-to" each, to exclusive.
	Ranges []string
	// Where the change began, "topic/partition:offset" each; empty where none is known.
	DriftSince []string
	// What else there is to say, for a person.
	Detail string
}

func (m *DriftTrigger) Kind() Kind { return KindDriftTrigger }

func (m *DriftTrigger) Env() *Envelope { return &m.Envelope }

func (m *DriftTrigger) Reset() { *m = DriftTrigger{} }

func (m *DriftTrigger) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.Model)
	n += sizeString(3<<3|2, m.RunID)
	n += sizeString(4<<3|2, m.Reason)
	n += sizeString(5<<3|2, m.CauseID)
	n += sizeString(6<<3|2, m.Recipe)
	n += sizeString(7<<3|2, m.ParentVersion)
	n += sizeStrings(8<<3|2, m.Ranges)
	n += sizeStrings(9<<3|2, m.DriftSince)
	n += sizeString(10<<3|2, m.Detail)
	return n
}

func (m *DriftTrigger) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.Model)
	b = putString(b, 3<<3|2, m.RunID)
	b = putString(b, 4<<3|2, m.Reason)
	b = putString(b, 5<<3|2, m.CauseID)
	b = putString(b, 6<<3|2, m.Recipe)
	b = putString(b, 7<<3|2, m.ParentVersion)
	b = putStrings(b, 8<<3|2, m.Ranges)
	b = putStrings(b, 9<<3|2, m.DriftSince)
	b = putString(b, 10<<3|2, m.Detail)
	return b
}

func (m *DriftTrigger) Unmarshal(b []byte) error {
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
			m.RunID = w.readString("run_id")
		case 4:
			m.Reason = w.readString("reason")
		case 5:
			m.CauseID = w.readString("cause_id")
		case 6:
			m.Recipe = w.readString("recipe")
		case 7:
			m.ParentVersion = w.readString("parent_version")
		case 8:
			m.Ranges = w.readStrings("ranges", m.Ranges)
		case 9:
			m.DriftSince = w.readStrings("drift_since", m.DriftSince)
		case 10:
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

func (m *DriftTrigger) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"model":`, m.Model)
	b = jsonString(b, `"run_id":`, m.RunID)
	b = jsonString(b, `"reason":`, m.Reason)
	b = jsonString(b, `"cause_id":`, m.CauseID)
	b = jsonString(b, `"recipe":`, m.Recipe)
	b = jsonString(b, `"parent_version":`, m.ParentVersion)
	b = jsonStrings(b, `"ranges":`, m.Ranges)
	b = jsonStrings(b, `"drift_since":`, m.DriftSince)
	b = jsonString(b, `"detail":`, m.Detail)
	return append(b, '}')
}

func (m *DriftTrigger) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "model":
			m.Model = r.readString("model", 0)
		case "run_id", "runId":
			m.RunID = r.readString("run_id", 0)
		case "reason":
			m.Reason = r.readString("reason", 0)
		case "cause_id", "causeId":
			m.CauseID = r.readString("cause_id", 0)
		case "recipe":
			m.Recipe = r.readString("recipe", 0)
		case "parent_version", "parentVersion":
			m.ParentVersion = r.readString("parent_version", 0)
		case "ranges":
			m.Ranges = r.readStrings("ranges")
		case "drift_since", "driftSince":
			m.DriftSince = r.readStrings("drift_since")
		case "detail":
			m.Detail = r.readString("detail", 0)
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, driftTriggerNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *DriftTrigger) Validate() error {
	if err := m.checkValues(); err != nil {
		return err
	}
	if err := m.Envelope.checkText(); err != nil {
		return err
	}
	if !validString(m.Model) {
		return notUTF8("model")
	}
	if !validString(m.RunID) {
		return notUTF8("run_id")
	}
	if !validString(m.Reason) {
		return notUTF8("reason")
	}
	if !validString(m.CauseID) {
		return notUTF8("cause_id")
	}
	if !validString(m.Recipe) {
		return notUTF8("recipe")
	}
	if !validString(m.ParentVersion) {
		return notUTF8("parent_version")
	}
	if !validStrings(m.Ranges) {
		return notUTF8("ranges")
	}
	if !validStrings(m.DriftSince) {
		return notUTF8("drift_since")
	}
	if !validString(m.Detail) {
		return notUTF8("detail")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *DriftTrigger) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	return nil
}

func driftTriggerNames() []string {
	return append(envelopeNames(), "model", "run_id", "runId", "reason", "cause_id", "causeId", "recipe", "parent_version", "parentVersion", "ranges", "drift_since", "driftSince", "detail")
}
