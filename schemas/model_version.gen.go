// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// ModelVersion is a version of a model at a stage of its life: every change of the
// stage is a further event.
type ModelVersion struct {
	Envelope
	// The name of the model.
	Model string
	// "v1", "v2", … in the log's order.
	Version string
	// candidate, canary, champion, archived, rejected, rolled_back.
	Stage string
	// The training run.
	RunID string
	// The trigger that asked for the run.
	TriggerID string
	// The champion when the run was asked for.
	ParentVersion string
	// classifier or lora.
	Recipe string
	// The object of the artefact.
	Artifact string
	// The artefact's SHA-256 in hex.
	Digest string
	// The artefact's size in bytes.
	Bytes int64
	// The object of the manifest of the dataset that it was trained on.
	Dataset string
	// The manifest's SHA-256 in hex.
	DatasetHash string
	// Examples that it was trained on.
	Examples int64
	// What was trained on: "topic/partition:from-to" each, to exclusive.
	Ranges []string
	// The version of the cleaning rules of its training text.
	TrainingRulesVersion string
	// The labels that the model knows.
	Labels []string
	// Whether it passed the gate.
	GatePassed bool
	// The gate's figures.
	Gate map[string]float64
	// The gate's reasons, for a person.
	GateDetail string
	// Why the stage changed.
	Reason string
	// The version of Millrace that made it.
	CodeVersion string
}

func (m *ModelVersion) Kind() Kind { return KindModelVersion }

func (m *ModelVersion) Env() *Envelope { return &m.Envelope }

func (m *ModelVersion) Reset() { *m = ModelVersion{} }

func (m *ModelVersion) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.Model)
	n += sizeString(3<<3|2, m.Version)
	n += sizeString(4<<3|2, m.Stage)
	n += sizeString(5<<3|2, m.RunID)
	n += sizeString(6<<3|2, m.TriggerID)
	n += sizeString(7<<3|2, m.ParentVersion)
	n += sizeString(8<<3|2, m.Recipe)
	n += sizeString(9<<3|2, m.Artifact)
	n += sizeString(10<<3|2, m.Digest)
	n += sizeInt64(11<<3|0, m.Bytes)
	n += sizeString(12<<3|2, m.Dataset)
	n += sizeString(13<<3|2, m.DatasetHash)
	n += sizeInt64(14<<3|0, m.Examples)
	n += sizeStrings(15<<3|2, m.Ranges)
	n += sizeString(16<<3|2, m.TrainingRulesVersion)
	n += sizeStrings(17<<3|2, m.Labels)
	n += sizeBool(18<<3|0, m.GatePassed)
	n += sizeMapDouble(19<<3|2, m.Gate)
	n += sizeString(20<<3|2, m.GateDetail)
	n += sizeString(21<<3|2, m.Reason)
	n += sizeString(22<<3|2, m.CodeVersion)
	return n
}

func (m *ModelVersion) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.Model)
	b = putString(b, 3<<3|2, m.Version)
	b = putString(b, 4<<3|2, m.Stage)
	b = putString(b, 5<<3|2, m.RunID)
	b = putString(b, 6<<3|2, m.TriggerID)
	b = putString(b, 7<<3|2, m.ParentVersion)
	b = putString(b, 8<<3|2, m.Recipe)
	b = putString(b, 9<<3|2, m.Artifact)
	b = putString(b, 10<<3|2, m.Digest)
	b = putInt64(b, 11<<3|0, m.Bytes)
	b = putString(b, 12<<3|2, m.Dataset)
	b = putString(b, 13<<3|2, m.DatasetHash)
	b = putInt64(b, 14<<3|0, m.Examples)
	b = putStrings(b, 15<<3|2, m.Ranges)
	b = putString(b, 16<<3|2, m.TrainingRulesVersion)
	b = putStrings(b, 17<<3|2, m.Labels)
	b = putBool(b, 18<<3|0, m.GatePassed)
	b = putMapDouble(b, 19<<3|2, m.Gate)
	b = putString(b, 20<<3|2, m.GateDetail)
	b = putString(b, 21<<3|2, m.Reason)
	b = putString(b, 22<<3|2, m.CodeVersion)
	return b
}

func (m *ModelVersion) Unmarshal(b []byte) error {
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
			m.Version = w.readString("version")
		case 4:
			m.Stage = w.readString("stage")
		case 5:
			m.RunID = w.readString("run_id")
		case 6:
			m.TriggerID = w.readString("trigger_id")
		case 7:
			m.ParentVersion = w.readString("parent_version")
		case 8:
			m.Recipe = w.readString("recipe")
		case 9:
			m.Artifact = w.readString("artifact")
		case 10:
			m.Digest = w.readString("digest")
		case 11:
			m.Bytes = w.readInt64("bytes")
		case 12:
			m.Dataset = w.readString("dataset")
		case 13:
			m.DatasetHash = w.readString("dataset_hash")
		case 14:
			m.Examples = w.readInt64("examples")
		case 15:
			m.Ranges = w.readStrings("ranges", m.Ranges)
		case 16:
			m.TrainingRulesVersion = w.readString("training_rules_version")
		case 17:
			m.Labels = w.readStrings("labels", m.Labels)
		case 18:
			m.GatePassed = w.readBool("gate_passed")
		case 19:
			m.Gate = w.readMapDouble("gate", m.Gate)
		case 20:
			m.GateDetail = w.readString("gate_detail")
		case 21:
			m.Reason = w.readString("reason")
		case 22:
			m.CodeVersion = w.readString("code_version")
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *ModelVersion) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"model":`, m.Model)
	b = jsonString(b, `"version":`, m.Version)
	b = jsonString(b, `"stage":`, m.Stage)
	b = jsonString(b, `"run_id":`, m.RunID)
	b = jsonString(b, `"trigger_id":`, m.TriggerID)
	b = jsonString(b, `"parent_version":`, m.ParentVersion)
	b = jsonString(b, `"recipe":`, m.Recipe)
	b = jsonString(b, `"artifact":`, m.Artifact)
	b = jsonString(b, `"digest":`, m.Digest)
	b = jsonInt64(b, `"bytes":`, m.Bytes)
	b = jsonString(b, `"dataset":`, m.Dataset)
	b = jsonString(b, `"dataset_hash":`, m.DatasetHash)
	b = jsonInt64(b, `"examples":`, m.Examples)
	b = jsonStrings(b, `"ranges":`, m.Ranges)
	b = jsonString(b, `"training_rules_version":`, m.TrainingRulesVersion)
	b = jsonStrings(b, `"labels":`, m.Labels)
	b = jsonBool(b, `"gate_passed":`, m.GatePassed)
	b = jsonMapDouble(b, `"gate":`, m.Gate)
	b = jsonString(b, `"gate_detail":`, m.GateDetail)
	b = jsonString(b, `"reason":`, m.Reason)
	b = jsonString(b, `"code_version":`, m.CodeVersion)
	return append(b, '}')
}

func (m *ModelVersion) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "model":
			m.Model = r.readString("model", 0)
		case "version":
			m.Version = r.readString("version", 0)
		case "stage":
			m.Stage = r.readString("stage", 0)
		case "run_id", "runId":
			m.RunID = r.readString("run_id", 0)
		case "trigger_id", "triggerId":
			m.TriggerID = r.readString("trigger_id", 0)
		case "parent_version", "parentVersion":
			m.ParentVersion = r.readString("parent_version", 0)
		case "recipe":
			m.Recipe = r.readString("recipe", 0)
		case "artifact":
			m.Artifact = r.readString("artifact", 0)
		case "digest":
			m.Digest = r.readString("digest", 0)
		case "bytes":
			m.Bytes = r.readInt64("bytes")
		case "dataset":
			m.Dataset = r.readString("dataset", 0)
		case "dataset_hash", "datasetHash":
			m.DatasetHash = r.readString("dataset_hash", 0)
		case "examples":
			m.Examples = r.readInt64("examples")
		case "ranges":
			m.Ranges = r.readStrings("ranges")
		case "training_rules_version", "trainingRulesVersion":
			m.TrainingRulesVersion = r.readString("training_rules_version", 0)
		case "labels":
			m.Labels = r.readStrings("labels")
		case "gate_passed", "gatePassed":
			m.GatePassed = r.readBool("gate_passed")
		case "gate":
			m.Gate = r.readMapDouble("gate")
		case "gate_detail", "gateDetail":
			m.GateDetail = r.readString("gate_detail", 0)
		case "reason":
			m.Reason = r.readString("reason", 0)
		case "code_version", "codeVersion":
			m.CodeVersion = r.readString("code_version", 0)
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, modelVersionNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *ModelVersion) Validate() error {
	if err := m.checkValues(); err != nil {
		return err
	}
	if err := m.Envelope.checkText(); err != nil {
		return err
	}
	if !validString(m.Model) {
		return notUTF8("model")
	}
	if !validString(m.Version) {
		return notUTF8("version")
	}
	if !validString(m.Stage) {
		return notUTF8("stage")
	}
	if !validString(m.RunID) {
		return notUTF8("run_id")
	}
	if !validString(m.TriggerID) {
		return notUTF8("trigger_id")
	}
	if !validString(m.ParentVersion) {
		return notUTF8("parent_version")
	}
	if !validString(m.Recipe) {
		return notUTF8("recipe")
	}
	if !validString(m.Artifact) {
		return notUTF8("artifact")
	}
	if !validString(m.Digest) {
		return notUTF8("digest")
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
	if !validString(m.TrainingRulesVersion) {
		return notUTF8("training_rules_version")
	}
	if !validStrings(m.Labels) {
		return notUTF8("labels")
	}
	if !validMapDouble(m.Gate) {
		return notUTF8("gate")
	}
	if !validString(m.GateDetail) {
		return notUTF8("gate_detail")
	}
	if !validString(m.Reason) {
		return notUTF8("reason")
	}
	if !validString(m.CodeVersion) {
		return notUTF8("code_version")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *ModelVersion) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	return nil
}

func modelVersionNames() []string {
	return append(envelopeNames(), "model", "version", "stage", "run_id", "runId", "trigger_id", "triggerId", "parent_version", "parentVersion", "recipe", "artifact", "digest", "bytes", "dataset", "dataset_hash", "datasetHash", "examples", "ranges", "training_rules_version", "trainingRulesVersion", "labels", "gate_passed", "gatePassed", "gate", "gate_detail", "gateDetail", "reason", "code_version", "codeVersion")
}
