// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemaparquet

import (
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/millrace-io/millrace/schemas"
)

// CleanTextRow is a row of the kind clean_text. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type CleanTextRow struct {
	Tenant       string            `parquet:"tenant,dict"`
	EventID      string            `parquet:"event_id"`
	EventTime    schemas.Micros    `parquet:"event_time,timestamp(microsecond)"`
	Source       string            `parquet:"source,dict"`
	Subject      string            `parquet:"subject"`
	Purpose      string            `parquet:"purpose,dict"`
	License      string            `parquet:"license,dict"`
	TraceID      string            `parquet:"trace_id"`
	SpanID       string            `parquet:"span_id"`
	SessionID    string            `parquet:"session_id"`
	ContentHash  string            `parquet:"content_hash"`
	RulesVersion string            `parquet:"rules_version,dict"`
	ArrivedAt    schemas.Micros    `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf     string            `parquet:"replay_of"`
	Text         string            `parquet:"text"`
	ContentType  string            `parquet:"content_type,dict"`
	Language     string            `parquet:"language,dict"`
	Label        string            `parquet:"label,dict"`
	Attributes   map[string]string `parquet:"attributes"`
	Characters   int64             `parquet:"characters"`
	Quality      float64           `parquet:"quality"`
	Redactions   map[string]int64  `parquet:"redactions"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *CleanTextRow) Event() *schemas.CleanText {
	return &schemas.CleanText{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		Text:        r.Text,
		ContentType: r.ContentType,
		Language:    r.Language,
		Label:       r.Label,
		Attributes:  r.Attributes,
		Characters:  r.Characters,
		Quality:     r.Quality,
		Redactions:  r.Redactions,
	}
}

func setCleanTextRow(r *CleanTextRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.CleanText)
	*r = CleanTextRow{
		Tenant:       e.Tenant,
		EventID:      e.EventID,
		EventTime:    e.EventTime,
		Source:       e.Source,
		Subject:      e.Subject,
		Purpose:      e.Purpose,
		License:      e.License,
		TraceID:      e.TraceID,
		SpanID:       e.SpanID,
		SessionID:    e.SessionID,
		ContentHash:  e.ContentHash,
		RulesVersion: e.RulesVersion,
		ArrivedAt:    e.ArrivedAt,
		ReplayOf:     e.ReplayOf,
		Text:         e.Text,
		ContentType:  e.ContentType,
		Language:     e.Language,
		Label:        e.Label,
		Attributes:   e.Attributes,
		Characters:   e.Characters,
		Quality:      e.Quality,
		Redactions:   e.Redactions,
		Meta:         *meta,
	}
}

// DeadLetterRow is a row of the kind dead_letters. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type DeadLetterRow struct {
	Tenant       string         `parquet:"tenant,dict"`
	EventID      string         `parquet:"event_id"`
	EventTime    schemas.Micros `parquet:"event_time,timestamp(microsecond)"`
	Source       string         `parquet:"source,dict"`
	Subject      string         `parquet:"subject"`
	Purpose      string         `parquet:"purpose,dict"`
	License      string         `parquet:"license,dict"`
	TraceID      string         `parquet:"trace_id"`
	SpanID       string         `parquet:"span_id"`
	SessionID    string         `parquet:"session_id"`
	ContentHash  string         `parquet:"content_hash"`
	RulesVersion string         `parquet:"rules_version,dict"`
	ArrivedAt    schemas.Micros `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf     string         `parquet:"replay_of"`
	Topic        string         `parquet:"topic,dict"`
	Reason       string         `parquet:"reason,dict"`
	Detail       string         `parquet:"detail"`
	Bytes        int64          `parquet:"bytes"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *DeadLetterRow) Event() *schemas.DeadLetter {
	return &schemas.DeadLetter{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		Topic:  r.Topic,
		Reason: r.Reason,
		Detail: r.Detail,
		Bytes:  r.Bytes,
	}
}

func setDeadLetterRow(r *DeadLetterRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.DeadLetter)
	*r = DeadLetterRow{
		Tenant:       e.Tenant,
		EventID:      e.EventID,
		EventTime:    e.EventTime,
		Source:       e.Source,
		Subject:      e.Subject,
		Purpose:      e.Purpose,
		License:      e.License,
		TraceID:      e.TraceID,
		SpanID:       e.SpanID,
		SessionID:    e.SessionID,
		ContentHash:  e.ContentHash,
		RulesVersion: e.RulesVersion,
		ArrivedAt:    e.ArrivedAt,
		ReplayOf:     e.ReplayOf,
		Topic:        e.Topic,
		Reason:       e.Reason,
		Detail:       e.Detail,
		Bytes:        e.Bytes,
		Meta:         *meta,
	}
}

// DriftSignalRow is a row of the kind drift_signals. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type DriftSignalRow struct {
	Tenant        string         `parquet:"tenant,dict"`
	EventID       string         `parquet:"event_id"`
	EventTime     schemas.Micros `parquet:"event_time,timestamp(microsecond)"`
	Source        string         `parquet:"source,dict"`
	Subject       string         `parquet:"subject"`
	Purpose       string         `parquet:"purpose,dict"`
	License       string         `parquet:"license,dict"`
	TraceID       string         `parquet:"trace_id"`
	SpanID        string         `parquet:"span_id"`
	SessionID     string         `parquet:"session_id"`
	ContentHash   string         `parquet:"content_hash"`
	RulesVersion  string         `parquet:"rules_version,dict"`
	ArrivedAt     schemas.Micros `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf      string         `parquet:"replay_of"`
	Model         string         `parquet:"model,dict"`
	ModelVersion  string         `parquet:"model_version,dict"`
	Detector      string         `parquet:"detector,dict"`
	Signal        string         `parquet:"signal,dict"`
	Topic         string         `parquet:"topic,dict"`
	Partition     int32          `parquet:"partition"`
	FromOffset    int64          `parquet:"from_offset"`
	ToOffset      int64          `parquet:"to_offset"`
	Statistic     float64        `parquet:"statistic"`
	Threshold     float64        `parquet:"threshold"`
	Before        float64        `parquet:"before"`
	After         float64        `parquet:"after"`
	Examples      int64          `parquet:"examples"`
	ExamplesTotal int64          `parquet:"examples_total"`
	Detail        string         `parquet:"detail"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *DriftSignalRow) Event() *schemas.DriftSignal {
	return &schemas.DriftSignal{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		Model:         r.Model,
		ModelVersion:  r.ModelVersion,
		Detector:      r.Detector,
		Signal:        r.Signal,
		Topic:         r.Topic,
		Partition:     r.Partition,
		FromOffset:    r.FromOffset,
		ToOffset:      r.ToOffset,
		Statistic:     r.Statistic,
		Threshold:     r.Threshold,
		Before:        r.Before,
		After:         r.After,
		Examples:      r.Examples,
		ExamplesTotal: r.ExamplesTotal,
		Detail:        r.Detail,
	}
}

func setDriftSignalRow(r *DriftSignalRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.DriftSignal)
	*r = DriftSignalRow{
		Tenant:        e.Tenant,
		EventID:       e.EventID,
		EventTime:     e.EventTime,
		Source:        e.Source,
		Subject:       e.Subject,
		Purpose:       e.Purpose,
		License:       e.License,
		TraceID:       e.TraceID,
		SpanID:        e.SpanID,
		SessionID:     e.SessionID,
		ContentHash:   e.ContentHash,
		RulesVersion:  e.RulesVersion,
		ArrivedAt:     e.ArrivedAt,
		ReplayOf:      e.ReplayOf,
		Model:         e.Model,
		ModelVersion:  e.ModelVersion,
		Detector:      e.Detector,
		Signal:        e.Signal,
		Topic:         e.Topic,
		Partition:     e.Partition,
		FromOffset:    e.FromOffset,
		ToOffset:      e.ToOffset,
		Statistic:     e.Statistic,
		Threshold:     e.Threshold,
		Before:        e.Before,
		After:         e.After,
		Examples:      e.Examples,
		ExamplesTotal: e.ExamplesTotal,
		Detail:        e.Detail,
		Meta:          *meta,
	}
}

// DriftTriggerRow is a row of the kind drift_triggers. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type DriftTriggerRow struct {
	Tenant        string         `parquet:"tenant,dict"`
	EventID       string         `parquet:"event_id"`
	EventTime     schemas.Micros `parquet:"event_time,timestamp(microsecond)"`
	Source        string         `parquet:"source,dict"`
	Subject       string         `parquet:"subject"`
	Purpose       string         `parquet:"purpose,dict"`
	License       string         `parquet:"license,dict"`
	TraceID       string         `parquet:"trace_id"`
	SpanID        string         `parquet:"span_id"`
	SessionID     string         `parquet:"session_id"`
	ContentHash   string         `parquet:"content_hash"`
	RulesVersion  string         `parquet:"rules_version,dict"`
	ArrivedAt     schemas.Micros `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf      string         `parquet:"replay_of"`
	Model         string         `parquet:"model,dict"`
	RunID         string         `parquet:"run_id"`
	Reason        string         `parquet:"reason,dict"`
	CauseID       string         `parquet:"cause_id"`
	Recipe        string         `parquet:"recipe,dict"`
	ParentVersion string         `parquet:"parent_version,dict"`
	Ranges        []string       `parquet:"ranges,list"`
	DriftSince    []string       `parquet:"drift_since,list"`
	Detail        string         `parquet:"detail"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *DriftTriggerRow) Event() *schemas.DriftTrigger {
	return &schemas.DriftTrigger{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		Model:         r.Model,
		RunID:         r.RunID,
		Reason:        r.Reason,
		CauseID:       r.CauseID,
		Recipe:        r.Recipe,
		ParentVersion: r.ParentVersion,
		Ranges:        r.Ranges,
		DriftSince:    r.DriftSince,
		Detail:        r.Detail,
	}
}

func setDriftTriggerRow(r *DriftTriggerRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.DriftTrigger)
	*r = DriftTriggerRow{
		Tenant:        e.Tenant,
		EventID:       e.EventID,
		EventTime:     e.EventTime,
		Source:        e.Source,
		Subject:       e.Subject,
		Purpose:       e.Purpose,
		License:       e.License,
		TraceID:       e.TraceID,
		SpanID:        e.SpanID,
		SessionID:     e.SessionID,
		ContentHash:   e.ContentHash,
		RulesVersion:  e.RulesVersion,
		ArrivedAt:     e.ArrivedAt,
		ReplayOf:      e.ReplayOf,
		Model:         e.Model,
		RunID:         e.RunID,
		Reason:        e.Reason,
		CauseID:       e.CauseID,
		Recipe:        e.Recipe,
		ParentVersion: e.ParentVersion,
		Ranges:        e.Ranges,
		DriftSince:    e.DriftSince,
		Detail:        e.Detail,
		Meta:          *meta,
	}
}

// DuplicateRow is a row of the kind duplicates. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type DuplicateRow struct {
	Tenant         string         `parquet:"tenant,dict"`
	EventID        string         `parquet:"event_id"`
	EventTime      schemas.Micros `parquet:"event_time,timestamp(microsecond)"`
	Source         string         `parquet:"source,dict"`
	Subject        string         `parquet:"subject"`
	Purpose        string         `parquet:"purpose,dict"`
	License        string         `parquet:"license,dict"`
	TraceID        string         `parquet:"trace_id"`
	SpanID         string         `parquet:"span_id"`
	SessionID      string         `parquet:"session_id"`
	ContentHash    string         `parquet:"content_hash"`
	RulesVersion   string         `parquet:"rules_version,dict"`
	ArrivedAt      schemas.Micros `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf       string         `parquet:"replay_of"`
	Topic          string         `parquet:"topic,dict"`
	Reason         string         `parquet:"reason,dict"`
	FirstPartition int32          `parquet:"first_partition"`
	FirstOffset    int64          `parquet:"first_offset"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *DuplicateRow) Event() *schemas.Duplicate {
	return &schemas.Duplicate{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		Topic:          r.Topic,
		Reason:         r.Reason,
		FirstPartition: r.FirstPartition,
		FirstOffset:    r.FirstOffset,
	}
}

func setDuplicateRow(r *DuplicateRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.Duplicate)
	*r = DuplicateRow{
		Tenant:         e.Tenant,
		EventID:        e.EventID,
		EventTime:      e.EventTime,
		Source:         e.Source,
		Subject:        e.Subject,
		Purpose:        e.Purpose,
		License:        e.License,
		TraceID:        e.TraceID,
		SpanID:         e.SpanID,
		SessionID:      e.SessionID,
		ContentHash:    e.ContentHash,
		RulesVersion:   e.RulesVersion,
		ArrivedAt:      e.ArrivedAt,
		ReplayOf:       e.ReplayOf,
		Topic:          e.Topic,
		Reason:         e.Reason,
		FirstPartition: e.FirstPartition,
		FirstOffset:    e.FirstOffset,
		Meta:           *meta,
	}
}

// FeedbackRow is a row of the kind feedback. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type FeedbackRow struct {
	Tenant        string            `parquet:"tenant,dict"`
	EventID       string            `parquet:"event_id"`
	EventTime     schemas.Micros    `parquet:"event_time,timestamp(microsecond)"`
	Source        string            `parquet:"source,dict"`
	Subject       string            `parquet:"subject"`
	Purpose       string            `parquet:"purpose,dict"`
	License       string            `parquet:"license,dict"`
	TraceID       string            `parquet:"trace_id"`
	SpanID        string            `parquet:"span_id"`
	SessionID     string            `parquet:"session_id"`
	ContentHash   string            `parquet:"content_hash"`
	RulesVersion  string            `parquet:"rules_version,dict"`
	ArrivedAt     schemas.Micros    `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf      string            `parquet:"replay_of"`
	InferenceID   string            `parquet:"inference_id"`
	Name          string            `parquet:"name,dict"`
	Thumb         string            `parquet:"thumb,dict"`
	Rating        *float64          `parquet:"rating"`
	Label         string            `parquet:"label,dict"`
	Correction    string            `parquet:"correction"`
	PreferredOver string            `parquet:"preferred_over"`
	Comment       string            `parquet:"comment"`
	ResponseID    string            `parquet:"response_id"`
	Attributes    map[string]string `parquet:"attributes"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *FeedbackRow) Event() *schemas.Feedback {
	return &schemas.Feedback{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		InferenceID:   r.InferenceID,
		Name:          r.Name,
		Thumb:         r.Thumb,
		Rating:        r.Rating,
		Label:         r.Label,
		Correction:    r.Correction,
		PreferredOver: r.PreferredOver,
		Comment:       r.Comment,
		ResponseID:    r.ResponseID,
		Attributes:    r.Attributes,
	}
}

func setFeedbackRow(r *FeedbackRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.Feedback)
	*r = FeedbackRow{
		Tenant:        e.Tenant,
		EventID:       e.EventID,
		EventTime:     e.EventTime,
		Source:        e.Source,
		Subject:       e.Subject,
		Purpose:       e.Purpose,
		License:       e.License,
		TraceID:       e.TraceID,
		SpanID:        e.SpanID,
		SessionID:     e.SessionID,
		ContentHash:   e.ContentHash,
		RulesVersion:  e.RulesVersion,
		ArrivedAt:     e.ArrivedAt,
		ReplayOf:      e.ReplayOf,
		InferenceID:   e.InferenceID,
		Name:          e.Name,
		Thumb:         e.Thumb,
		Rating:        e.Rating,
		Label:         e.Label,
		Correction:    e.Correction,
		PreferredOver: e.PreferredOver,
		Comment:       e.Comment,
		ResponseID:    e.ResponseID,
		Attributes:    e.Attributes,
		Meta:          *meta,
	}
}

// InferenceRow is a row of the kind inferences. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type InferenceRow struct {
	Tenant                     string            `parquet:"tenant,dict"`
	EventID                    string            `parquet:"event_id"`
	EventTime                  schemas.Micros    `parquet:"event_time,timestamp(microsecond)"`
	Source                     string            `parquet:"source,dict"`
	Subject                    string            `parquet:"subject"`
	Purpose                    string            `parquet:"purpose,dict"`
	License                    string            `parquet:"license,dict"`
	TraceID                    string            `parquet:"trace_id"`
	SpanID                     string            `parquet:"span_id"`
	SessionID                  string            `parquet:"session_id"`
	ContentHash                string            `parquet:"content_hash"`
	RulesVersion               string            `parquet:"rules_version,dict"`
	ArrivedAt                  schemas.Micros    `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf                   string            `parquet:"replay_of"`
	OperationName              string            `parquet:"operation_name,dict"`
	ProviderName               string            `parquet:"provider_name,dict"`
	RequestModel               string            `parquet:"request_model,dict"`
	ResponseModel              string            `parquet:"response_model,dict"`
	ResponseID                 string            `parquet:"response_id"`
	ConversationID             string            `parquet:"conversation_id"`
	ModelVersion               string            `parquet:"model_version,dict"`
	Role                       string            `parquet:"role,dict"`
	PromptName                 string            `parquet:"prompt_name,dict"`
	PromptVersion              string            `parquet:"prompt_version,dict"`
	InputMessages              string            `parquet:"input_messages"`
	OutputMessages             string            `parquet:"output_messages"`
	SystemInstructions         string            `parquet:"system_instructions"`
	ToolDefinitions            string            `parquet:"tool_definitions"`
	Prediction                 string            `parquet:"prediction,dict"`
	Confidence                 float64           `parquet:"confidence"`
	TextID                     string            `parquet:"text_id"`
	RequestStream              bool              `parquet:"request_stream"`
	RequestTemperature         *float64          `parquet:"request_temperature"`
	RequestTopP                *float64          `parquet:"request_top_p"`
	RequestTopK                *int64            `parquet:"request_top_k"`
	RequestMaxTokens           *int64            `parquet:"request_max_tokens"`
	RequestSeed                *int64            `parquet:"request_seed"`
	RequestFrequencyPenalty    *float64          `parquet:"request_frequency_penalty"`
	RequestPresencePenalty     *float64          `parquet:"request_presence_penalty"`
	RequestStopSequences       []string          `parquet:"request_stop_sequences,list"`
	RequestChoiceCount         int64             `parquet:"request_choice_count"`
	OutputType                 string            `parquet:"output_type,dict"`
	ResponseFinishReasons      []string          `parquet:"response_finish_reasons,list"`
	UsageInputTokens           int64             `parquet:"usage_input_tokens"`
	UsageOutputTokens          int64             `parquet:"usage_output_tokens"`
	UsageCacheReadInputTokens  int64             `parquet:"usage_cache_read_input_tokens"`
	UsageCacheWriteInputTokens int64             `parquet:"usage_cache_write_input_tokens"`
	UsageReasoningOutputTokens int64             `parquet:"usage_reasoning_output_tokens"`
	CostUSD                    float64           `parquet:"cost_usd"`
	Duration                   float64           `parquet:"duration"`
	TimeToFirstChunk           float64           `parquet:"time_to_first_chunk"`
	ErrorType                  string            `parquet:"error_type,dict"`
	ServerAddress              string            `parquet:"server_address,dict"`
	ServerPort                 int64             `parquet:"server_port"`
	Upstream                   string            `parquet:"upstream,dict"`
	Attempts                   int64             `parquet:"attempts"`
	KeyName                    string            `parquet:"key_name,dict"`
	CaptureGap                 int64             `parquet:"capture_gap"`
	Attributes                 map[string]string `parquet:"attributes"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *InferenceRow) Event() *schemas.Inference {
	return &schemas.Inference{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		OperationName:              r.OperationName,
		ProviderName:               r.ProviderName,
		RequestModel:               r.RequestModel,
		ResponseModel:              r.ResponseModel,
		ResponseID:                 r.ResponseID,
		ConversationID:             r.ConversationID,
		ModelVersion:               r.ModelVersion,
		Role:                       r.Role,
		PromptName:                 r.PromptName,
		PromptVersion:              r.PromptVersion,
		InputMessages:              r.InputMessages,
		OutputMessages:             r.OutputMessages,
		SystemInstructions:         r.SystemInstructions,
		ToolDefinitions:            r.ToolDefinitions,
		Prediction:                 r.Prediction,
		Confidence:                 r.Confidence,
		TextID:                     r.TextID,
		RequestStream:              r.RequestStream,
		RequestTemperature:         r.RequestTemperature,
		RequestTopP:                r.RequestTopP,
		RequestTopK:                r.RequestTopK,
		RequestMaxTokens:           r.RequestMaxTokens,
		RequestSeed:                r.RequestSeed,
		RequestFrequencyPenalty:    r.RequestFrequencyPenalty,
		RequestPresencePenalty:     r.RequestPresencePenalty,
		RequestStopSequences:       r.RequestStopSequences,
		RequestChoiceCount:         r.RequestChoiceCount,
		OutputType:                 r.OutputType,
		ResponseFinishReasons:      r.ResponseFinishReasons,
		UsageInputTokens:           r.UsageInputTokens,
		UsageOutputTokens:          r.UsageOutputTokens,
		UsageCacheReadInputTokens:  r.UsageCacheReadInputTokens,
		UsageCacheWriteInputTokens: r.UsageCacheWriteInputTokens,
		UsageReasoningOutputTokens: r.UsageReasoningOutputTokens,
		CostUSD:                    r.CostUSD,
		Duration:                   r.Duration,
		TimeToFirstChunk:           r.TimeToFirstChunk,
		ErrorType:                  r.ErrorType,
		ServerAddress:              r.ServerAddress,
		ServerPort:                 r.ServerPort,
		Upstream:                   r.Upstream,
		Attempts:                   r.Attempts,
		KeyName:                    r.KeyName,
		CaptureGap:                 r.CaptureGap,
		Attributes:                 r.Attributes,
	}
}

func setInferenceRow(r *InferenceRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.Inference)
	*r = InferenceRow{
		Tenant:                     e.Tenant,
		EventID:                    e.EventID,
		EventTime:                  e.EventTime,
		Source:                     e.Source,
		Subject:                    e.Subject,
		Purpose:                    e.Purpose,
		License:                    e.License,
		TraceID:                    e.TraceID,
		SpanID:                     e.SpanID,
		SessionID:                  e.SessionID,
		ContentHash:                e.ContentHash,
		RulesVersion:               e.RulesVersion,
		ArrivedAt:                  e.ArrivedAt,
		ReplayOf:                   e.ReplayOf,
		OperationName:              e.OperationName,
		ProviderName:               e.ProviderName,
		RequestModel:               e.RequestModel,
		ResponseModel:              e.ResponseModel,
		ResponseID:                 e.ResponseID,
		ConversationID:             e.ConversationID,
		ModelVersion:               e.ModelVersion,
		Role:                       e.Role,
		PromptName:                 e.PromptName,
		PromptVersion:              e.PromptVersion,
		InputMessages:              e.InputMessages,
		OutputMessages:             e.OutputMessages,
		SystemInstructions:         e.SystemInstructions,
		ToolDefinitions:            e.ToolDefinitions,
		Prediction:                 e.Prediction,
		Confidence:                 e.Confidence,
		TextID:                     e.TextID,
		RequestStream:              e.RequestStream,
		RequestTemperature:         e.RequestTemperature,
		RequestTopP:                e.RequestTopP,
		RequestTopK:                e.RequestTopK,
		RequestMaxTokens:           e.RequestMaxTokens,
		RequestSeed:                e.RequestSeed,
		RequestFrequencyPenalty:    e.RequestFrequencyPenalty,
		RequestPresencePenalty:     e.RequestPresencePenalty,
		RequestStopSequences:       e.RequestStopSequences,
		RequestChoiceCount:         e.RequestChoiceCount,
		OutputType:                 e.OutputType,
		ResponseFinishReasons:      e.ResponseFinishReasons,
		UsageInputTokens:           e.UsageInputTokens,
		UsageOutputTokens:          e.UsageOutputTokens,
		UsageCacheReadInputTokens:  e.UsageCacheReadInputTokens,
		UsageCacheWriteInputTokens: e.UsageCacheWriteInputTokens,
		UsageReasoningOutputTokens: e.UsageReasoningOutputTokens,
		CostUSD:                    e.CostUSD,
		Duration:                   e.Duration,
		TimeToFirstChunk:           e.TimeToFirstChunk,
		ErrorType:                  e.ErrorType,
		ServerAddress:              e.ServerAddress,
		ServerPort:                 e.ServerPort,
		Upstream:                   e.Upstream,
		Attempts:                   e.Attempts,
		KeyName:                    e.KeyName,
		CaptureGap:                 e.CaptureGap,
		Attributes:                 e.Attributes,
		Meta:                       *meta,
	}
}

// ModelCommandRow is a row of the kind model_commands. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type ModelCommandRow struct {
	Tenant       string         `parquet:"tenant,dict"`
	EventID      string         `parquet:"event_id"`
	EventTime    schemas.Micros `parquet:"event_time,timestamp(microsecond)"`
	Source       string         `parquet:"source,dict"`
	Subject      string         `parquet:"subject"`
	Purpose      string         `parquet:"purpose,dict"`
	License      string         `parquet:"license,dict"`
	TraceID      string         `parquet:"trace_id"`
	SpanID       string         `parquet:"span_id"`
	SessionID    string         `parquet:"session_id"`
	ContentHash  string         `parquet:"content_hash"`
	RulesVersion string         `parquet:"rules_version,dict"`
	ArrivedAt    schemas.Micros `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf     string         `parquet:"replay_of"`
	Model        string         `parquet:"model,dict"`
	Command      string         `parquet:"command,dict"`
	Version      string         `parquet:"version,dict"`
	By           string         `parquet:"by"`
	Reason       string         `parquet:"reason"`
	Accepted     bool           `parquet:"accepted"`
	Answer       string         `parquet:"answer"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *ModelCommandRow) Event() *schemas.ModelCommand {
	return &schemas.ModelCommand{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		Model:    r.Model,
		Command:  r.Command,
		Version:  r.Version,
		By:       r.By,
		Reason:   r.Reason,
		Accepted: r.Accepted,
		Answer:   r.Answer,
	}
}

func setModelCommandRow(r *ModelCommandRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.ModelCommand)
	*r = ModelCommandRow{
		Tenant:       e.Tenant,
		EventID:      e.EventID,
		EventTime:    e.EventTime,
		Source:       e.Source,
		Subject:      e.Subject,
		Purpose:      e.Purpose,
		License:      e.License,
		TraceID:      e.TraceID,
		SpanID:       e.SpanID,
		SessionID:    e.SessionID,
		ContentHash:  e.ContentHash,
		RulesVersion: e.RulesVersion,
		ArrivedAt:    e.ArrivedAt,
		ReplayOf:     e.ReplayOf,
		Model:        e.Model,
		Command:      e.Command,
		Version:      e.Version,
		By:           e.By,
		Reason:       e.Reason,
		Accepted:     e.Accepted,
		Answer:       e.Answer,
		Meta:         *meta,
	}
}

// ModelVersionRow is a row of the kind model_versions. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type ModelVersionRow struct {
	Tenant               string             `parquet:"tenant,dict"`
	EventID              string             `parquet:"event_id"`
	EventTime            schemas.Micros     `parquet:"event_time,timestamp(microsecond)"`
	Source               string             `parquet:"source,dict"`
	Subject              string             `parquet:"subject"`
	Purpose              string             `parquet:"purpose,dict"`
	License              string             `parquet:"license,dict"`
	TraceID              string             `parquet:"trace_id"`
	SpanID               string             `parquet:"span_id"`
	SessionID            string             `parquet:"session_id"`
	ContentHash          string             `parquet:"content_hash"`
	RulesVersion         string             `parquet:"rules_version,dict"`
	ArrivedAt            schemas.Micros     `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf             string             `parquet:"replay_of"`
	Model                string             `parquet:"model,dict"`
	Version              string             `parquet:"version,dict"`
	Stage                string             `parquet:"stage,dict"`
	RunID                string             `parquet:"run_id"`
	TriggerID            string             `parquet:"trigger_id"`
	ParentVersion        string             `parquet:"parent_version,dict"`
	Recipe               string             `parquet:"recipe,dict"`
	Artifact             string             `parquet:"artifact"`
	Digest               string             `parquet:"digest"`
	Bytes                int64              `parquet:"bytes"`
	Dataset              string             `parquet:"dataset"`
	DatasetHash          string             `parquet:"dataset_hash"`
	Examples             int64              `parquet:"examples"`
	Ranges               []string           `parquet:"ranges,list"`
	TrainingRulesVersion string             `parquet:"training_rules_version,dict"`
	Labels               []string           `parquet:"labels,list"`
	GatePassed           bool               `parquet:"gate_passed"`
	Gate                 map[string]float64 `parquet:"gate"`
	GateDetail           string             `parquet:"gate_detail"`
	Reason               string             `parquet:"reason"`
	CodeVersion          string             `parquet:"code_version,dict"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *ModelVersionRow) Event() *schemas.ModelVersion {
	return &schemas.ModelVersion{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		Model:                r.Model,
		Version:              r.Version,
		Stage:                r.Stage,
		RunID:                r.RunID,
		TriggerID:            r.TriggerID,
		ParentVersion:        r.ParentVersion,
		Recipe:               r.Recipe,
		Artifact:             r.Artifact,
		Digest:               r.Digest,
		Bytes:                r.Bytes,
		Dataset:              r.Dataset,
		DatasetHash:          r.DatasetHash,
		Examples:             r.Examples,
		Ranges:               r.Ranges,
		TrainingRulesVersion: r.TrainingRulesVersion,
		Labels:               r.Labels,
		GatePassed:           r.GatePassed,
		Gate:                 r.Gate,
		GateDetail:           r.GateDetail,
		Reason:               r.Reason,
		CodeVersion:          r.CodeVersion,
	}
}

func setModelVersionRow(r *ModelVersionRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.ModelVersion)
	*r = ModelVersionRow{
		Tenant:               e.Tenant,
		EventID:              e.EventID,
		EventTime:            e.EventTime,
		Source:               e.Source,
		Subject:              e.Subject,
		Purpose:              e.Purpose,
		License:              e.License,
		TraceID:              e.TraceID,
		SpanID:               e.SpanID,
		SessionID:            e.SessionID,
		ContentHash:          e.ContentHash,
		RulesVersion:         e.RulesVersion,
		ArrivedAt:            e.ArrivedAt,
		ReplayOf:             e.ReplayOf,
		Model:                e.Model,
		Version:              e.Version,
		Stage:                e.Stage,
		RunID:                e.RunID,
		TriggerID:            e.TriggerID,
		ParentVersion:        e.ParentVersion,
		Recipe:               e.Recipe,
		Artifact:             e.Artifact,
		Digest:               e.Digest,
		Bytes:                e.Bytes,
		Dataset:              e.Dataset,
		DatasetHash:          e.DatasetHash,
		Examples:             e.Examples,
		Ranges:               e.Ranges,
		TrainingRulesVersion: e.TrainingRulesVersion,
		Labels:               e.Labels,
		GatePassed:           e.GatePassed,
		Gate:                 e.Gate,
		GateDetail:           e.GateDetail,
		Reason:               e.Reason,
		CodeVersion:          e.CodeVersion,
		Meta:                 *meta,
	}
}

// QualityReportRow is a row of the kind quality_reports. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type QualityReportRow struct {
	Tenant        string           `parquet:"tenant,dict"`
	EventID       string           `parquet:"event_id"`
	EventTime     schemas.Micros   `parquet:"event_time,timestamp(microsecond)"`
	Source        string           `parquet:"source,dict"`
	Subject       string           `parquet:"subject"`
	Purpose       string           `parquet:"purpose,dict"`
	License       string           `parquet:"license,dict"`
	TraceID       string           `parquet:"trace_id"`
	SpanID        string           `parquet:"span_id"`
	SessionID     string           `parquet:"session_id"`
	ContentHash   string           `parquet:"content_hash"`
	RulesVersion  string           `parquet:"rules_version,dict"`
	ArrivedAt     schemas.Micros   `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf      string           `parquet:"replay_of"`
	Model         string           `parquet:"model,dict"`
	ModelVersion  string           `parquet:"model_version,dict"`
	Role          string           `parquet:"role,dict"`
	Topic         string           `parquet:"topic,dict"`
	Partition     int32            `parquet:"partition"`
	FromOffset    int64            `parquet:"from_offset"`
	ToOffset      int64            `parquet:"to_offset"`
	Examples      int64            `parquet:"examples"`
	Correct       int64            `parquet:"correct"`
	ExamplesTotal int64            `parquet:"examples_total"`
	Labels        map[string]int64 `parquet:"labels"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *QualityReportRow) Event() *schemas.QualityReport {
	return &schemas.QualityReport{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		Model:         r.Model,
		ModelVersion:  r.ModelVersion,
		Role:          r.Role,
		Topic:         r.Topic,
		Partition:     r.Partition,
		FromOffset:    r.FromOffset,
		ToOffset:      r.ToOffset,
		Examples:      r.Examples,
		Correct:       r.Correct,
		ExamplesTotal: r.ExamplesTotal,
		Labels:        r.Labels,
	}
}

func setQualityReportRow(r *QualityReportRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.QualityReport)
	*r = QualityReportRow{
		Tenant:        e.Tenant,
		EventID:       e.EventID,
		EventTime:     e.EventTime,
		Source:        e.Source,
		Subject:       e.Subject,
		Purpose:       e.Purpose,
		License:       e.License,
		TraceID:       e.TraceID,
		SpanID:        e.SpanID,
		SessionID:     e.SessionID,
		ContentHash:   e.ContentHash,
		RulesVersion:  e.RulesVersion,
		ArrivedAt:     e.ArrivedAt,
		ReplayOf:      e.ReplayOf,
		Model:         e.Model,
		ModelVersion:  e.ModelVersion,
		Role:          e.Role,
		Topic:         e.Topic,
		Partition:     e.Partition,
		FromOffset:    e.FromOffset,
		ToOffset:      e.ToOffset,
		Examples:      e.Examples,
		Correct:       e.Correct,
		ExamplesTotal: e.ExamplesTotal,
		Labels:        e.Labels,
		Meta:          *meta,
	}
}

// RejectedRow is a row of the kind rejected. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type RejectedRow struct {
	Tenant       string             `parquet:"tenant,dict"`
	EventID      string             `parquet:"event_id"`
	EventTime    schemas.Micros     `parquet:"event_time,timestamp(microsecond)"`
	Source       string             `parquet:"source,dict"`
	Subject      string             `parquet:"subject"`
	Purpose      string             `parquet:"purpose,dict"`
	License      string             `parquet:"license,dict"`
	TraceID      string             `parquet:"trace_id"`
	SpanID       string             `parquet:"span_id"`
	SessionID    string             `parquet:"session_id"`
	ContentHash  string             `parquet:"content_hash"`
	RulesVersion string             `parquet:"rules_version,dict"`
	ArrivedAt    schemas.Micros     `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf     string             `parquet:"replay_of"`
	Topic        string             `parquet:"topic,dict"`
	Rule         string             `parquet:"rule,dict"`
	Detail       string             `parquet:"detail"`
	Scores       map[string]float64 `parquet:"scores"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *RejectedRow) Event() *schemas.Rejected {
	return &schemas.Rejected{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		Topic:  r.Topic,
		Rule:   r.Rule,
		Detail: r.Detail,
		Scores: r.Scores,
	}
}

func setRejectedRow(r *RejectedRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.Rejected)
	*r = RejectedRow{
		Tenant:       e.Tenant,
		EventID:      e.EventID,
		EventTime:    e.EventTime,
		Source:       e.Source,
		Subject:      e.Subject,
		Purpose:      e.Purpose,
		License:      e.License,
		TraceID:      e.TraceID,
		SpanID:       e.SpanID,
		SessionID:    e.SessionID,
		ContentHash:  e.ContentHash,
		RulesVersion: e.RulesVersion,
		ArrivedAt:    e.ArrivedAt,
		ReplayOf:     e.ReplayOf,
		Topic:        e.Topic,
		Rule:         e.Rule,
		Detail:       e.Detail,
		Scores:       e.Scores,
		Meta:         *meta,
	}
}

// TrainingExampleRow is a row of the kind training_examples. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type TrainingExampleRow struct {
	Tenant          string         `parquet:"tenant,dict"`
	EventID         string         `parquet:"event_id"`
	EventTime       schemas.Micros `parquet:"event_time,timestamp(microsecond)"`
	Source          string         `parquet:"source,dict"`
	Subject         string         `parquet:"subject"`
	Purpose         string         `parquet:"purpose,dict"`
	License         string         `parquet:"license,dict"`
	TraceID         string         `parquet:"trace_id"`
	SpanID          string         `parquet:"span_id"`
	SessionID       string         `parquet:"session_id"`
	ContentHash     string         `parquet:"content_hash"`
	RulesVersion    string         `parquet:"rules_version,dict"`
	ArrivedAt       schemas.Micros `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf        string         `parquet:"replay_of"`
	InferenceID     string         `parquet:"inference_id"`
	FeedbackID      string         `parquet:"feedback_id"`
	Model           string         `parquet:"model,dict"`
	ModelVersion    string         `parquet:"model_version,dict"`
	Role            string         `parquet:"role,dict"`
	TextID          string         `parquet:"text_id"`
	Prediction      string         `parquet:"prediction,dict"`
	Confidence      float64        `parquet:"confidence"`
	Label           string         `parquet:"label,dict"`
	Correct         *bool          `parquet:"correct"`
	Weight          float64        `parquet:"weight"`
	Split           string         `parquet:"split,dict"`
	Revision        int64          `parquet:"revision"`
	Reviewer        string         `parquet:"reviewer"`
	InferenceOffset int64          `parquet:"inference_offset"`
	FeedbackOffset  int64          `parquet:"feedback_offset"`
	InferredAt      schemas.Micros `parquet:"inferred_at,timestamp(microsecond)"`
	JudgedAt        schemas.Micros `parquet:"judged_at,timestamp(microsecond)"`
	Judgement       int64          `parquet:"judgement"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *TrainingExampleRow) Event() *schemas.TrainingExample {
	return &schemas.TrainingExample{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		InferenceID:     r.InferenceID,
		FeedbackID:      r.FeedbackID,
		Model:           r.Model,
		ModelVersion:    r.ModelVersion,
		Role:            r.Role,
		TextID:          r.TextID,
		Prediction:      r.Prediction,
		Confidence:      r.Confidence,
		Label:           r.Label,
		Correct:         r.Correct,
		Weight:          r.Weight,
		Split:           r.Split,
		Revision:        r.Revision,
		Reviewer:        r.Reviewer,
		InferenceOffset: r.InferenceOffset,
		FeedbackOffset:  r.FeedbackOffset,
		InferredAt:      r.InferredAt,
		JudgedAt:        r.JudgedAt,
		Judgement:       r.Judgement,
	}
}

func setTrainingExampleRow(r *TrainingExampleRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.TrainingExample)
	*r = TrainingExampleRow{
		Tenant:          e.Tenant,
		EventID:         e.EventID,
		EventTime:       e.EventTime,
		Source:          e.Source,
		Subject:         e.Subject,
		Purpose:         e.Purpose,
		License:         e.License,
		TraceID:         e.TraceID,
		SpanID:          e.SpanID,
		SessionID:       e.SessionID,
		ContentHash:     e.ContentHash,
		RulesVersion:    e.RulesVersion,
		ArrivedAt:       e.ArrivedAt,
		ReplayOf:        e.ReplayOf,
		InferenceID:     e.InferenceID,
		FeedbackID:      e.FeedbackID,
		Model:           e.Model,
		ModelVersion:    e.ModelVersion,
		Role:            e.Role,
		TextID:          e.TextID,
		Prediction:      e.Prediction,
		Confidence:      e.Confidence,
		Label:           e.Label,
		Correct:         e.Correct,
		Weight:          e.Weight,
		Split:           e.Split,
		Revision:        e.Revision,
		Reviewer:        e.Reviewer,
		InferenceOffset: e.InferenceOffset,
		FeedbackOffset:  e.FeedbackOffset,
		InferredAt:      e.InferredAt,
		JudgedAt:        e.JudgedAt,
		Judgement:       e.Judgement,
		Meta:            *meta,
	}
}

// TrainingRunRow is a row of the kind training_runs. Where the event has a field Topic, Partition or
// Offset, the record's own is in Meta.
type TrainingRunRow struct {
	Tenant       string             `parquet:"tenant,dict"`
	EventID      string             `parquet:"event_id"`
	EventTime    schemas.Micros     `parquet:"event_time,timestamp(microsecond)"`
	Source       string             `parquet:"source,dict"`
	Subject      string             `parquet:"subject"`
	Purpose      string             `parquet:"purpose,dict"`
	License      string             `parquet:"license,dict"`
	TraceID      string             `parquet:"trace_id"`
	SpanID       string             `parquet:"span_id"`
	SessionID    string             `parquet:"session_id"`
	ContentHash  string             `parquet:"content_hash"`
	RulesVersion string             `parquet:"rules_version,dict"`
	ArrivedAt    schemas.Micros     `parquet:"arrived_at,timestamp(microsecond)"`
	ReplayOf     string             `parquet:"replay_of"`
	Model        string             `parquet:"model,dict"`
	RunID        string             `parquet:"run_id"`
	TriggerID    string             `parquet:"trigger_id"`
	Recipe       string             `parquet:"recipe,dict"`
	Step         string             `parquet:"step,dict"`
	Seed         int64              `parquet:"seed"`
	Dataset      string             `parquet:"dataset"`
	DatasetHash  string             `parquet:"dataset_hash"`
	Examples     int64              `parquet:"examples"`
	Ranges       []string           `parquet:"ranges,list"`
	Seconds      float64            `parquet:"seconds"`
	Metrics      map[string]float64 `parquet:"metrics"`
	CodeVersion  string             `parquet:"code_version,dict"`
	Error        string             `parquet:"error"`
	schemas.Meta
}

// Event is the event of the row; it shares the row's maps and slices.
func (r *TrainingRunRow) Event() *schemas.TrainingRun {
	return &schemas.TrainingRun{
		Envelope: schemas.Envelope{
			Tenant:       r.Tenant,
			EventID:      r.EventID,
			EventTime:    r.EventTime,
			Source:       r.Source,
			Subject:      r.Subject,
			Purpose:      r.Purpose,
			License:      r.License,
			TraceID:      r.TraceID,
			SpanID:       r.SpanID,
			SessionID:    r.SessionID,
			ContentHash:  r.ContentHash,
			RulesVersion: r.RulesVersion,
			ArrivedAt:    r.ArrivedAt,
			ReplayOf:     r.ReplayOf,
		},
		Model:       r.Model,
		RunID:       r.RunID,
		TriggerID:   r.TriggerID,
		Recipe:      r.Recipe,
		Step:        r.Step,
		Seed:        r.Seed,
		Dataset:     r.Dataset,
		DatasetHash: r.DatasetHash,
		Examples:    r.Examples,
		Ranges:      r.Ranges,
		Seconds:     r.Seconds,
		Metrics:     r.Metrics,
		CodeVersion: r.CodeVersion,
		Error:       r.Error,
	}
}

func setTrainingRunRow(r *TrainingRunRow, meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.TrainingRun)
	*r = TrainingRunRow{
		Tenant:       e.Tenant,
		EventID:      e.EventID,
		EventTime:    e.EventTime,
		Source:       e.Source,
		Subject:      e.Subject,
		Purpose:      e.Purpose,
		License:      e.License,
		TraceID:      e.TraceID,
		SpanID:       e.SpanID,
		SessionID:    e.SessionID,
		ContentHash:  e.ContentHash,
		RulesVersion: e.RulesVersion,
		ArrivedAt:    e.ArrivedAt,
		ReplayOf:     e.ReplayOf,
		Model:        e.Model,
		RunID:        e.RunID,
		TriggerID:    e.TriggerID,
		Recipe:       e.Recipe,
		Step:         e.Step,
		Seed:         e.Seed,
		Dataset:      e.Dataset,
		DatasetHash:  e.DatasetHash,
		Examples:     e.Examples,
		Ranges:       e.Ranges,
		Seconds:      e.Seconds,
		Metrics:      e.Metrics,
		CodeVersion:  e.CodeVersion,
		Error:        e.Error,
		Meta:         *meta,
	}
}

// NewWriter begins a file of the kind, compressed with zstd; options of parquet-go
// (key-value metadata, say) go on top. It is nil for a kind that is not stored.
func NewWriter(w io.Writer, k schemas.Kind, options ...parquet.WriterOption) Writer {
	switch k {
	case schemas.KindCleanText:
		return newWriter(w, setCleanTextRow, options)
	case schemas.KindDeadLetter:
		return newWriter(w, setDeadLetterRow, options)
	case schemas.KindDriftSignal:
		return newWriter(w, setDriftSignalRow, options)
	case schemas.KindDriftTrigger:
		return newWriter(w, setDriftTriggerRow, options)
	case schemas.KindDuplicate:
		return newWriter(w, setDuplicateRow, options)
	case schemas.KindFeedback:
		return newWriter(w, setFeedbackRow, options)
	case schemas.KindInference:
		return newWriter(w, setInferenceRow, options)
	case schemas.KindModelCommand:
		return newWriter(w, setModelCommandRow, options)
	case schemas.KindModelVersion:
		return newWriter(w, setModelVersionRow, options)
	case schemas.KindQualityReport:
		return newWriter(w, setQualityReportRow, options)
	case schemas.KindRejected:
		return newWriter(w, setRejectedRow, options)
	case schemas.KindTrainingExample:
		return newWriter(w, setTrainingExampleRow, options)
	case schemas.KindTrainingRun:
		return newWriter(w, setTrainingRunRow, options)
	}
	return nil
}

// NewReader reads a file of the kind; nil for a kind that is not stored.
func NewReader(f *parquet.File, k schemas.Kind) (Reader, error) {
	switch k {
	case schemas.KindCleanText:
		return newReader(f, func(r *CleanTextRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindDeadLetter:
		return newReader(f, func(r *DeadLetterRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindDriftSignal:
		return newReader(f, func(r *DriftSignalRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindDriftTrigger:
		return newReader(f, func(r *DriftTriggerRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindDuplicate:
		return newReader(f, func(r *DuplicateRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindFeedback:
		return newReader(f, func(r *FeedbackRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindInference:
		return newReader(f, func(r *InferenceRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindModelCommand:
		return newReader(f, func(r *ModelCommandRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindModelVersion:
		return newReader(f, func(r *ModelVersionRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindQualityReport:
		return newReader(f, func(r *QualityReportRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindRejected:
		return newReader(f, func(r *RejectedRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindTrainingExample:
		return newReader(f, func(r *TrainingExampleRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	case schemas.KindTrainingRun:
		return newReader(f, func(r *TrainingRunRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })
	}
	return nil, nil
}
