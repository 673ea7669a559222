// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// Envelope is what every event carries. Its fields are flattened: in JSON, SQL and
// Parquet they stand beside the event's own.
type Envelope struct {
	// Whose data it is, among the customers of one deployment.
	Tenant string
	// The client's id, of up to 128 bytes; a KSUID where it gave none.
	EventID string
	// When it happened, by the client's clock, as sent.
	EventTime Micros
	// The application or feed that it came from.
	Source string
	// The person whose data it is; the key for erasure and access.
	Subject string
	// What the subject agreed that it may be used for.
	Purpose string
	// The licence of the content, an SPDX identifier where there is one.
	License string
	// The trace that it belongs to, as OpenTelemetry writes it, in hex.
	TraceID string
	// The span within the trace.
	SpanID    string
	SessionID string
	// Behind clean: a hash of the normalised content, in hex.
	ContentHash string
	// Behind clean: the version of the rules that judged it.
	RulesVersion string
	// Behind clean: when it arrived, by the log's clock.
	ArrivedAt Micros
	// Behind clean, of a verdict on a replay: the input record that it replays, as
	// topic id:partition:offset, which are that record's _origin columns.
	ReplayOf string
}

func (m *Envelope) size() (n int) {
	n += sizeString(1<<3|2, m.Tenant)
	n += sizeString(2<<3|2, m.EventID)
	n += sizeMicros(3<<3|0, m.EventTime)
	n += sizeString(4<<3|2, m.Source)
	n += sizeString(5<<3|2, m.Subject)
	n += sizeString(6<<3|2, m.Purpose)
	n += sizeString(7<<3|2, m.License)
	n += sizeString(8<<3|2, m.TraceID)
	n += sizeString(9<<3|2, m.SpanID)
	n += sizeString(10<<3|2, m.SessionID)
	n += sizeString(11<<3|2, m.ContentHash)
	n += sizeString(12<<3|2, m.RulesVersion)
	n += sizeMicros(13<<3|0, m.ArrivedAt)
	n += sizeString(14<<3|2, m.ReplayOf)
	return n
}

func (m *Envelope) marshalAppend(b []byte) []byte {
	b = putString(b, 1<<3|2, m.Tenant)
	b = putString(b, 2<<3|2, m.EventID)
	b = putMicros(b, 3<<3|0, m.EventTime)
	b = putString(b, 4<<3|2, m.Source)
	b = putString(b, 5<<3|2, m.Subject)
	b = putString(b, 6<<3|2, m.Purpose)
	b = putString(b, 7<<3|2, m.License)
	b = putString(b, 8<<3|2, m.TraceID)
	b = putString(b, 9<<3|2, m.SpanID)
	b = putString(b, 10<<3|2, m.SessionID)
	b = putString(b, 11<<3|2, m.ContentHash)
	b = putString(b, 12<<3|2, m.RulesVersion)
	b = putMicros(b, 13<<3|0, m.ArrivedAt)
	b = putString(b, 14<<3|2, m.ReplayOf)
	return b
}

func (m *Envelope) unmarshal(w *wireReader) {
	for w.next() {
		switch w.num {
		case 1:
			m.Tenant = w.readString("tenant")
		case 2:
			m.EventID = w.readString("event_id")
		case 3:
			m.EventTime = w.readMicros("event_time")
		case 4:
			m.Source = w.readString("source")
		case 5:
			m.Subject = w.readString("subject")
		case 6:
			m.Purpose = w.readString("purpose")
		case 7:
			m.License = w.readString("license")
		case 8:
			m.TraceID = w.readString("trace_id")
		case 9:
			m.SpanID = w.readString("span_id")
		case 10:
			m.SessionID = w.readString("session_id")
		case 11:
			m.ContentHash = w.readString("content_hash")
		case 12:
			m.RulesVersion = w.readString("rules_version")
		case 13:
			m.ArrivedAt = w.readMicros("arrived_at")
		case 14:
			m.ReplayOf = w.readString("replay_of")
		default:
			w.skip()
		}
	}
}

func (m *Envelope) appendJSON(b []byte) []byte {
	b = jsonString(b, `"tenant":`, m.Tenant)
	b = jsonString(b, `"event_id":`, m.EventID)
	b = jsonMicros(b, `"event_time":`, m.EventTime)
	b = jsonString(b, `"source":`, m.Source)
	b = jsonString(b, `"subject":`, m.Subject)
	b = jsonString(b, `"purpose":`, m.Purpose)
	b = jsonString(b, `"license":`, m.License)
	b = jsonString(b, `"trace_id":`, m.TraceID)
	b = jsonString(b, `"span_id":`, m.SpanID)
	b = jsonString(b, `"session_id":`, m.SessionID)
	b = jsonString(b, `"content_hash":`, m.ContentHash)
	b = jsonString(b, `"rules_version":`, m.RulesVersion)
	b = jsonMicros(b, `"arrived_at":`, m.ArrivedAt)
	b = jsonString(b, `"replay_of":`, m.ReplayOf)
	return b
}

// readJSON reads the value of key; false where key is none of the envelope's.
func (m *Envelope) readJSON(r *jsonReader, key string) bool {
	switch key {
	case "tenant":
		m.Tenant = r.readString("tenant", 64)
	case "event_id", "eventId", "id":
		m.EventID = r.readString("event_id", 128)
	case "event_time", "eventTime", "timestamp", "time":
		m.EventTime = r.readMicros("event_time")
	case "source", "service.name":
		m.Source = r.readString("source", 256)
	case "subject", "user.id":
		m.Subject = r.readString("subject", 256)
	case "purpose":
		m.Purpose = r.readString("purpose", 64)
	case "license", "licence":
		m.License = r.readString("license", 64)
	case "trace_id", "traceId":
		m.TraceID = r.readString("trace_id", 64)
	case "span_id", "spanId":
		m.SpanID = r.readString("span_id", 64)
	case "session_id", "session.id", "sessionId":
		m.SessionID = r.readString("session_id", 128)
	case "content_hash", "contentHash":
		r.skip("content_hash")
	case "rules_version", "rulesVersion":
		r.skip("rules_version")
	case "arrived_at", "arrivedAt":
		r.skip("arrived_at")
	case "replay_of", "replayOf":
		r.skip("replay_of")
	default:
		return false
	}
	return true
}

func (m *Envelope) checkValues() error {
	if len(m.Tenant) > 64 {
		return tooLarge("tenant", 64, len(m.Tenant))
	}
	if len(m.EventID) > 128 {
		return tooLarge("event_id", 128, len(m.EventID))
	}
	if !m.EventTime.inRange() {
		return timeOutOfRange("event_time")
	}
	if len(m.Source) > 256 {
		return tooLarge("source", 256, len(m.Source))
	}
	if len(m.Subject) > 256 {
		return tooLarge("subject", 256, len(m.Subject))
	}
	if len(m.Purpose) > 64 {
		return tooLarge("purpose", 64, len(m.Purpose))
	}
	if len(m.License) > 64 {
		return tooLarge("license", 64, len(m.License))
	}
	if len(m.TraceID) > 64 {
		return tooLarge("trace_id", 64, len(m.TraceID))
	}
	if len(m.SpanID) > 64 {
		return tooLarge("span_id", 64, len(m.SpanID))
	}
	if len(m.SessionID) > 128 {
		return tooLarge("session_id", 128, len(m.SessionID))
	}
	if len(m.ContentHash) > 80 {
		return tooLarge("content_hash", 80, len(m.ContentHash))
	}
	if len(m.RulesVersion) > 64 {
		return tooLarge("rules_version", 64, len(m.RulesVersion))
	}
	if !m.ArrivedAt.inRange() {
		return timeOutOfRange("arrived_at")
	}
	if len(m.ReplayOf) > 64 {
		return tooLarge("replay_of", 64, len(m.ReplayOf))
	}
	return nil
}

func (m *Envelope) checkText() error {
	if !validString(m.Tenant) {
		return notUTF8("tenant")
	}
	if !validString(m.EventID) {
		return notUTF8("event_id")
	}
	if !validString(m.Source) {
		return notUTF8("source")
	}
	if !validString(m.Subject) {
		return notUTF8("subject")
	}
	if !validString(m.Purpose) {
		return notUTF8("purpose")
	}
	if !validString(m.License) {
		return notUTF8("license")
	}
	if !validString(m.TraceID) {
		return notUTF8("trace_id")
	}
	if !validString(m.SpanID) {
		return notUTF8("span_id")
	}
	if !validString(m.SessionID) {
		return notUTF8("session_id")
	}
	if !validString(m.ContentHash) {
		return notUTF8("content_hash")
	}
	if !validString(m.RulesVersion) {
		return notUTF8("rules_version")
	}
	if !validString(m.ReplayOf) {
		return notUTF8("replay_of")
	}
	return nil
}

// envelopeNames are the names that JSON input may use for the envelope's fields.
func envelopeNames() []string {
	return []string{"tenant", "event_id", "eventId", "id", "event_time", "eventTime", "timestamp", "time", "source", "service.name", "subject", "user.id", "purpose", "license", "licence", "trace_id", "traceId", "span_id", "spanId", "session_id", "session.id", "sessionId"}
}
