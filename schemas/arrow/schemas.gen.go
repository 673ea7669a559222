// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemaarrow

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/millrace-io/millrace/schemas"
)

// Schema is the Arrow schema of the kind; nil for a kind that is not stored.
func Schema(k schemas.Kind) *arrow.Schema {
	switch k {
	case schemas.KindCleanText:
		return withMeta(cleanTextFields())
	case schemas.KindDeadLetter:
		return withMeta(deadLetterFields())
	case schemas.KindDriftSignal:
		return withMeta(driftSignalFields())
	case schemas.KindDriftTrigger:
		return withMeta(driftTriggerFields())
	case schemas.KindDuplicate:
		return withMeta(duplicateFields())
	case schemas.KindFeedback:
		return withMeta(feedbackFields())
	case schemas.KindInference:
		return withMeta(inferenceFields())
	case schemas.KindModelCommand:
		return withMeta(modelCommandFields())
	case schemas.KindModelVersion:
		return withMeta(modelVersionFields())
	case schemas.KindQualityReport:
		return withMeta(qualityReportFields())
	case schemas.KindRejected:
		return withMeta(rejectedFields())
	case schemas.KindTrainingExample:
		return withMeta(trainingExampleFields())
	case schemas.KindTrainingRun:
		return withMeta(trainingRunFields())
	}
	return nil
}

func envelopeFields() []arrow.Field {
	return []arrow.Field{
		{Name: "tenant", Type: arrow.BinaryTypes.String},
		{Name: "event_id", Type: arrow.BinaryTypes.String},
		{Name: "event_time", Type: arrow.FixedWidthTypes.Timestamp_us},
		{Name: "source", Type: arrow.BinaryTypes.String},
		{Name: "subject", Type: arrow.BinaryTypes.String},
		{Name: "purpose", Type: arrow.BinaryTypes.String},
		{Name: "license", Type: arrow.BinaryTypes.String},
		{Name: "trace_id", Type: arrow.BinaryTypes.String},
		{Name: "span_id", Type: arrow.BinaryTypes.String},
		{Name: "session_id", Type: arrow.BinaryTypes.String},
		{Name: "content_hash", Type: arrow.BinaryTypes.String},
		{Name: "rules_version", Type: arrow.BinaryTypes.String},
		{Name: "arrived_at", Type: arrow.FixedWidthTypes.Timestamp_us},
		{Name: "replay_of", Type: arrow.BinaryTypes.String},
	}
}

func cleanTextFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "text", Type: arrow.BinaryTypes.String},
		{Name: "content_type", Type: arrow.BinaryTypes.String},
		{Name: "language", Type: arrow.BinaryTypes.String},
		{Name: "label", Type: arrow.BinaryTypes.String},
		{Name: "attributes", Type: mapOf(arrow.BinaryTypes.String)},
		{Name: "characters", Type: arrow.PrimitiveTypes.Int64},
		{Name: "quality", Type: arrow.PrimitiveTypes.Float64},
		{Name: "redactions", Type: mapOf(arrow.PrimitiveTypes.Int64)},
	}...)
}

func deadLetterFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "topic", Type: arrow.BinaryTypes.String},
		{Name: "reason", Type: arrow.BinaryTypes.String},
		{Name: "detail", Type: arrow.BinaryTypes.String},
		{Name: "bytes", Type: arrow.PrimitiveTypes.Int64},
	}...)
}

func driftSignalFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "model", Type: arrow.BinaryTypes.String},
		{Name: "model_version", Type: arrow.BinaryTypes.String},
		{Name: "detector", Type: arrow.BinaryTypes.String},
		{Name: "signal", Type: arrow.BinaryTypes.String},
		{Name: "topic", Type: arrow.BinaryTypes.String},
		{Name: "partition", Type: arrow.PrimitiveTypes.Int32},
		{Name: "from_offset", Type: arrow.PrimitiveTypes.Int64},
		{Name: "to_offset", Type: arrow.PrimitiveTypes.Int64},
		{Name: "statistic", Type: arrow.PrimitiveTypes.Float64},
		{Name: "threshold", Type: arrow.PrimitiveTypes.Float64},
		{Name: "before", Type: arrow.PrimitiveTypes.Float64},
		{Name: "after", Type: arrow.PrimitiveTypes.Float64},
		{Name: "examples", Type: arrow.PrimitiveTypes.Int64},
		{Name: "examples_total", Type: arrow.PrimitiveTypes.Int64},
		{Name: "detail", Type: arrow.BinaryTypes.String},
	}...)
}

func driftTriggerFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "model", Type: arrow.BinaryTypes.String},
		{Name: "run_id", Type: arrow.BinaryTypes.String},
		{Name: "reason", Type: arrow.BinaryTypes.String},
		{Name: "cause_id", Type: arrow.BinaryTypes.String},
		{Name: "recipe", Type: arrow.BinaryTypes.String},
		{Name: "parent_version", Type: arrow.BinaryTypes.String},
		{Name: "ranges", Type: listOf(arrow.BinaryTypes.String)},
		{Name: "drift_since", Type: listOf(arrow.BinaryTypes.String)},
		{Name: "detail", Type: arrow.BinaryTypes.String},
	}...)
}

func duplicateFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "topic", Type: arrow.BinaryTypes.String},
		{Name: "reason", Type: arrow.BinaryTypes.String},
		{Name: "first_partition", Type: arrow.PrimitiveTypes.Int32},
		{Name: "first_offset", Type: arrow.PrimitiveTypes.Int64},
	}...)
}

func feedbackFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "inference_id", Type: arrow.BinaryTypes.String},
		{Name: "name", Type: arrow.BinaryTypes.String},
		{Name: "thumb", Type: arrow.BinaryTypes.String},
		{Name: "rating", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "label", Type: arrow.BinaryTypes.String},
		{Name: "correction", Type: arrow.BinaryTypes.String},
		{Name: "preferred_over", Type: arrow.BinaryTypes.String},
		{Name: "comment", Type: arrow.BinaryTypes.String},
		{Name: "response_id", Type: arrow.BinaryTypes.String},
		{Name: "attributes", Type: mapOf(arrow.BinaryTypes.String)},
	}...)
}

func inferenceFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "operation_name", Type: arrow.BinaryTypes.String},
		{Name: "provider_name", Type: arrow.BinaryTypes.String},
		{Name: "request_model", Type: arrow.BinaryTypes.String},
		{Name: "response_model", Type: arrow.BinaryTypes.String},
		{Name: "response_id", Type: arrow.BinaryTypes.String},
		{Name: "conversation_id", Type: arrow.BinaryTypes.String},
		{Name: "model_version", Type: arrow.BinaryTypes.String},
		{Name: "role", Type: arrow.BinaryTypes.String},
		{Name: "prompt_name", Type: arrow.BinaryTypes.String},
		{Name: "prompt_version", Type: arrow.BinaryTypes.String},
		{Name: "input_messages", Type: arrow.BinaryTypes.String},
		{Name: "output_messages", Type: arrow.BinaryTypes.String},
		{Name: "system_instructions", Type: arrow.BinaryTypes.String},
		{Name: "tool_definitions", Type: arrow.BinaryTypes.String},
		{Name: "prediction", Type: arrow.BinaryTypes.String},
		{Name: "confidence", Type: arrow.PrimitiveTypes.Float64},
		{Name: "text_id", Type: arrow.BinaryTypes.String},
		{Name: "request_stream", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "request_temperature", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "request_top_p", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "request_top_k", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "request_max_tokens", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "request_seed", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "request_frequency_penalty", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "request_presence_penalty", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "request_stop_sequences", Type: listOf(arrow.BinaryTypes.String)},
		{Name: "request_choice_count", Type: arrow.PrimitiveTypes.Int64},
		{Name: "output_type", Type: arrow.BinaryTypes.String},
		{Name: "response_finish_reasons", Type: listOf(arrow.BinaryTypes.String)},
		{Name: "usage_input_tokens", Type: arrow.PrimitiveTypes.Int64},
		{Name: "usage_output_tokens", Type: arrow.PrimitiveTypes.Int64},
		{Name: "usage_cache_read_input_tokens", Type: arrow.PrimitiveTypes.Int64},
		{Name: "usage_cache_write_input_tokens", Type: arrow.PrimitiveTypes.Int64},
		{Name: "usage_reasoning_output_tokens", Type: arrow.PrimitiveTypes.Int64},
		{Name: "cost_usd", Type: arrow.PrimitiveTypes.Float64},
		{Name: "duration", Type: arrow.PrimitiveTypes.Float64},
		{Name: "time_to_first_chunk", Type: arrow.PrimitiveTypes.Float64},
		{Name: "error_type", Type: arrow.BinaryTypes.String},
		{Name: "server_address", Type: arrow.BinaryTypes.String},
		{Name: "server_port", Type: arrow.PrimitiveTypes.Int64},
		{Name: "upstream", Type: arrow.BinaryTypes.String},
		{Name: "attempts", Type: arrow.PrimitiveTypes.Int64},
		{Name: "key_name", Type: arrow.BinaryTypes.String},
		{Name: "capture_gap", Type: arrow.PrimitiveTypes.Int64},
		{Name: "attributes", Type: mapOf(arrow.BinaryTypes.String)},
	}...)
}

func modelCommandFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "model", Type: arrow.BinaryTypes.String},
		{Name: "command", Type: arrow.BinaryTypes.String},
		{Name: "version", Type: arrow.BinaryTypes.String},
		{Name: "by", Type: arrow.BinaryTypes.String},
		{Name: "reason", Type: arrow.BinaryTypes.String},
		{Name: "accepted", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "answer", Type: arrow.BinaryTypes.String},
	}...)
}

func modelVersionFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "model", Type: arrow.BinaryTypes.String},
		{Name: "version", Type: arrow.BinaryTypes.String},
		{Name: "stage", Type: arrow.BinaryTypes.String},
		{Name: "run_id", Type: arrow.BinaryTypes.String},
		{Name: "trigger_id", Type: arrow.BinaryTypes.String},
		{Name: "parent_version", Type: arrow.BinaryTypes.String},
		{Name: "recipe", Type: arrow.BinaryTypes.String},
		{Name: "artifact", Type: arrow.BinaryTypes.String},
		{Name: "digest", Type: arrow.BinaryTypes.String},
		{Name: "bytes", Type: arrow.PrimitiveTypes.Int64},
		{Name: "dataset", Type: arrow.BinaryTypes.String},
		{Name: "dataset_hash", Type: arrow.BinaryTypes.String},
		{Name: "examples", Type: arrow.PrimitiveTypes.Int64},
		{Name: "ranges", Type: listOf(arrow.BinaryTypes.String)},
		{Name: "training_rules_version", Type: arrow.BinaryTypes.String},
		{Name: "labels", Type: listOf(arrow.BinaryTypes.String)},
		{Name: "gate_passed", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "gate", Type: mapOf(arrow.PrimitiveTypes.Float64)},
		{Name: "gate_detail", Type: arrow.BinaryTypes.String},
		{Name: "reason", Type: arrow.BinaryTypes.String},
		{Name: "code_version", Type: arrow.BinaryTypes.String},
	}...)
}

func qualityReportFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "model", Type: arrow.BinaryTypes.String},
		{Name: "model_version", Type: arrow.BinaryTypes.String},
		{Name: "role", Type: arrow.BinaryTypes.String},
		{Name: "topic", Type: arrow.BinaryTypes.String},
		{Name: "partition", Type: arrow.PrimitiveTypes.Int32},
		{Name: "from_offset", Type: arrow.PrimitiveTypes.Int64},
		{Name: "to_offset", Type: arrow.PrimitiveTypes.Int64},
		{Name: "examples", Type: arrow.PrimitiveTypes.Int64},
		{Name: "correct", Type: arrow.PrimitiveTypes.Int64},
		{Name: "examples_total", Type: arrow.PrimitiveTypes.Int64},
		{Name: "labels", Type: mapOf(arrow.PrimitiveTypes.Int64)},
	}...)
}

func rejectedFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "topic", Type: arrow.BinaryTypes.String},
		{Name: "rule", Type: arrow.BinaryTypes.String},
		{Name: "detail", Type: arrow.BinaryTypes.String},
		{Name: "scores", Type: mapOf(arrow.PrimitiveTypes.Float64)},
	}...)
}

func trainingExampleFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "inference_id", Type: arrow.BinaryTypes.String},
		{Name: "feedback_id", Type: arrow.BinaryTypes.String},
		{Name: "model", Type: arrow.BinaryTypes.String},
		{Name: "model_version", Type: arrow.BinaryTypes.String},
		{Name: "role", Type: arrow.BinaryTypes.String},
		{Name: "text_id", Type: arrow.BinaryTypes.String},
		{Name: "prediction", Type: arrow.BinaryTypes.String},
		{Name: "confidence", Type: arrow.PrimitiveTypes.Float64},
		{Name: "label", Type: arrow.BinaryTypes.String},
		{Name: "correct", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "weight", Type: arrow.PrimitiveTypes.Float64},
		{Name: "split", Type: arrow.BinaryTypes.String},
		{Name: "revision", Type: arrow.PrimitiveTypes.Int64},
		{Name: "reviewer", Type: arrow.BinaryTypes.String},
		{Name: "inference_offset", Type: arrow.PrimitiveTypes.Int64},
		{Name: "feedback_offset", Type: arrow.PrimitiveTypes.Int64},
		{Name: "inferred_at", Type: arrow.FixedWidthTypes.Timestamp_us},
		{Name: "judged_at", Type: arrow.FixedWidthTypes.Timestamp_us},
		{Name: "judgement", Type: arrow.PrimitiveTypes.Int64},
	}...)
}

func trainingRunFields() []arrow.Field {
	return append(envelopeFields(), []arrow.Field{
		{Name: "model", Type: arrow.BinaryTypes.String},
		{Name: "run_id", Type: arrow.BinaryTypes.String},
		{Name: "trigger_id", Type: arrow.BinaryTypes.String},
		{Name: "recipe", Type: arrow.BinaryTypes.String},
		{Name: "step", Type: arrow.BinaryTypes.String},
		{Name: "seed", Type: arrow.PrimitiveTypes.Int64},
		{Name: "dataset", Type: arrow.BinaryTypes.String},
		{Name: "dataset_hash", Type: arrow.BinaryTypes.String},
		{Name: "examples", Type: arrow.PrimitiveTypes.Int64},
		{Name: "ranges", Type: listOf(arrow.BinaryTypes.String)},
		{Name: "seconds", Type: arrow.PrimitiveTypes.Float64},
		{Name: "metrics", Type: mapOf(arrow.PrimitiveTypes.Float64)},
		{Name: "code_version", Type: arrow.BinaryTypes.String},
		{Name: "error", Type: arrow.BinaryTypes.String},
	}...)
}
