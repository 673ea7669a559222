// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// TrainingRun is a step of a run.
type TrainingRun struct {
	Envelope
	// The name of the model.
	Model string
	// The training run.
	RunID string
	// The trigger that asked for the run.
	TriggerID string
	// classifier or lora.
	Recipe string
	// started, dataset, trained, evaluated, finished, failed.
	Step string
	// The seed of what is random in it.
	Seed int64
	// The object of the manifest of the dataset.
	Dataset string
	// The manifest's SHA-256 in hex.
	DatasetHash string
	// Examples in the dataset.
	Examples int64
	// What was trained on: "topic/partition:from-to" each, to exclusive.
	Ranges []string
	// How long the step took.
	Seconds float64
	// What the step measured.
	Metrics map[string]float64
	// The version of Millrace that made it.
	CodeVersion string
	// Why the step failed.
	Error string
}

func (m *TrainingRun) Kind() Kind { return KindTrainingRun }

func (m *TrainingRun) Env() *Envelope { return &m.Envelope }

func (m *TrainingRun) Reset() { *m = TrainingRun{} }

func (m *TrainingRun) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.Model)
	n += sizeString(3<<3|2, m.RunID)
	n += sizeString(4<<3|2, m.TriggerID)
	n += sizeString(5<<3|2, m.Recipe)
	n += sizeString(6<<3|2, m.Step)
	n += sizeInt64(7<<3|0, m.Seed)
	n += sizeString(8<<3|2, m.Dataset)
	n += sizeString(9<<3|2, m.DatasetHash)
	n += sizeInt64(10<<3|0, m.Examples)
	n += sizeStrings(11<<3|2, m.Ranges)
	n += sizeDouble(12<<3|1, m.Seconds)
	n += sizeMapDouble(13<<3|2, m.Metrics)
	n += sizeString(14<<3|2, m.CodeVersion)
	n += sizeString(15<<3|2, m.Error)
	return n
}

func (m *TrainingRun) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.Model)
	b = putString(b, 3<<3|2, m.RunID)
	b = putString(b, 4<<3|2, m.TriggerID)
	b = putString(b, 5<<3|2, m.Recipe)
	b = putString(b, 6<<3|2, m.Step)
	b = putInt64(b, 7<<3|0, m.Seed)
	b = putString(b, 8<<3|2, m.Dataset)
	b = putString(b, 9<<3|2, m.DatasetHash)
	b = putInt64(b, 10<<3|0, m.Examples)
	b = putStrings(b, 11<<3|2, m.Ranges)
	b = putDouble(b, 12<<3|1, m.Seconds)
	b = putMapDouble(b, 13<<3|2, m.Metrics)
	b = putString(b, 14<<3|2, m.CodeVersion)
	b = putString(b, 15<<3|2, m.Error)
	return b
}

func (m *TrainingRun) Unmarshal(b []byte) error {
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
			m.TriggerID = w.readString("trigger_id")
		case 5:
			m.Recipe = w.readString("recipe")
		case 6:
			m.Step = w.readString("step")
		case 7:
			m.Seed = w.readInt64("seed")
		case 8:
			m.Dataset = w.readString("dataset")
		case 9:
			m.DatasetHash = w.readString("dataset_hash")
		case 10:
			m.Examples = w.readInt64("examples")
		case 11:
			m.Ranges = w.readStrings("ranges", m.Ranges)
		case 12:
			m.Seconds = w.readDouble("seconds")
		case 13:
			m.Metrics = w.readMapDouble("metrics", m.Metrics)
		case 14:
			m.CodeVersion = w.readString("code_version")
		case 15:
			m.Error = w.readString("error")
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *TrainingRun) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"model":`, m.Model)
	b = jsonString(b, `"run_id":`, m.RunID)
	b = jsonString(b, `"trigger_id":`, m.TriggerID)
	b = jsonString(b, `"recipe":`, m.Recipe)
	b = jsonString(b, `"step":`, m.Step)
	b = jsonInt64(b, `"seed":`, m.Seed)
	b = jsonString(b, `"dataset":`, m.Dataset)
	b = jsonString(b, `"dataset_hash":`, m.DatasetHash)
	b = jsonInt64(b, `"examples":`, m.Examples)
	b = jsonStrings(b, `"ranges":`, m.Ranges)
	b = jsonDouble(b, `"seconds":`, m.Seconds)
	b = jsonMapDouble(b, `"metrics":`, m.Metrics)
	b = jsonString(b, `"code_version":`, m.CodeVersion)
	b = jsonString(b, `"error":`, m.Error)
	return append(b, '}')
}

func (m *TrainingRun) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "model":
			m.Model = r.readString("model", 0)
		case "run_id", "runId":
			m.RunID = r.readString("run_id", 0)
		case "trigger_id", "triggerId":
			m.TriggerID = r.readString("trigger_id", 0)
		case "recipe":
			m.Recipe = r.readString("recipe", 0)
		case "step":
			m.Step = r.readString("step", 0)
		case "seed":
			m.Seed = r.readInt64("seed")
		case "dataset":
			m.Dataset = r.readString("dataset", 0)
		case "dataset_hash", "datasetHash":
			m.DatasetHash = r.readString("dataset_hash", 0)
		case "examples":
			m.Examples = r.readInt64("examples")
		case "ranges":
			m.Ranges = r.readStrings("ranges")
		case "seconds":
			m.Seconds = r.readDouble("seconds")
		case "metrics":
			m.Metrics = r.readMapDouble("metrics")
		case "code_version", "codeVersion":
			m.CodeVersion = r.readString("code_version", 0)
		case "error":
			m.Error = r.readString("error", 0)
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, trainingRunNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *TrainingRun) Validate() error {
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
	if !validString(m.TriggerID) {
		return notUTF8("trigger_id")
	}
	if !validString(m.Recipe) {
		return notUTF8("recipe")
	}
	if !validString(m.Step) {
		return notUTF8("step")
	}
	if !validString(m.Dataset) {
		return notUTF8("dataset")
	}
	if !validString(m.DatasetHash) {
		return notUTF8("dataset_hash")
	}
	if !validStrings(m.Ranges) {
		return notUTF8("ranges")
	}
	if !validMapDouble(m.Metrics) {
		return notUTF8("metrics")
	}
	if !validString(m.CodeVersion) {
		return notUTF8("code_version")
	}
	if !validString(m.Error) {
		return notUTF8("error")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *TrainingRun) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	return nil
}

func trainingRunNames() []string {
	return append(envelopeNames(), "model", "run_id", "runId", "trigger_id", "triggerId", "recipe", "step", "seed", "dataset", "dataset_hash", "datasetHash", "examples", "ranges", "seconds", "metrics", "code_version", "codeVersion", "error")
}
