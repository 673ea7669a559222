// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemaclickhouse

import "github.com/millrace-io/millrace/schemas"

// table is the event's columns and the columns that lead the sort key behind tenant;
// nil for a kind that is not stored.
func table(k schemas.Kind) (columns []tableColumn, orderBy []string) {
	switch k {
	case schemas.KindCleanText:
		return cleanTextTable(), []string{"arrived_at"}
	case schemas.KindDeadLetter:
		return deadLetterTable(), []string{"reason", "arrived_at"}
	case schemas.KindDriftSignal:
		return driftSignalTable(), []string{"model", "arrived_at"}
	case schemas.KindDriftTrigger:
		return driftTriggerTable(), []string{"model", "arrived_at"}
	case schemas.KindDuplicate:
		return duplicateTable(), []string{"arrived_at"}
	case schemas.KindFeedback:
		return feedbackTable(), []string{"arrived_at"}
	case schemas.KindInference:
		return inferenceTable(), []string{"request_model", "arrived_at"}
	case schemas.KindModelCommand:
		return modelCommandTable(), []string{"model", "arrived_at"}
	case schemas.KindModelVersion:
		return modelVersionTable(), []string{"model", "version", "arrived_at"}
	case schemas.KindQualityReport:
		return qualityReportTable(), []string{"model", "arrived_at"}
	case schemas.KindRejected:
		return rejectedTable(), []string{"rule", "arrived_at"}
	case schemas.KindTrainingExample:
		return trainingExampleTable(), []string{"model", "arrived_at"}
	case schemas.KindTrainingRun:
		return trainingRunTable(), []string{"model", "arrived_at"}
	}
	return nil, nil
}

func envelopeTable() []tableColumn {
	return []tableColumn{
		{"tenant", "LowCardinality(String)", "Whose data it is, among the customers of one deployment."},
		{"event_id", "String", "The client's id, of up to 128 bytes; a KSUID where it gave none."},
		{"event_time", "DateTime64(6, 'UTC')", "When it happened, by the client's clock, as sent."},
		{"source", "LowCardinality(String)", "The application or feed that it came from."},
		{"subject", "String", "The person whose data it is; the key for erasure and access."},
		{"purpose", "LowCardinality(String)", "What the subject agreed that it may be used for."},
		{"license", "LowCardinality(String)", "The licence of the content, an SPDX identifier where there is one."},
		{"trace_id", "String", ""},
		{"span_id", "String", ""},
		{"session_id", "String", ""},
		{"content_hash", "String", "Behind clean: a hash of the normalised content, in hex."},
		{"rules_version", "LowCardinality(String)", "Behind clean: the version of the rules that judged it."},
		{"arrived_at", "DateTime64(6, 'UTC')", "Behind clean: when it arrived, by the log's clock."},
	}
}

func cleanTextTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"text", "String", "Normalised and redacted; a mail's subject is its first line."},
		{"content_type", "LowCardinality(String)", "What it was: text/plain, text/html, message/rfc822."},
		{"language", "LowCardinality(String)", ""},
		{"label", "LowCardinality(String)", ""},
		{"attributes", "Map(LowCardinality(String), String)", ""},
		{"characters", "Int64", "Unicode code points of text."},
		{"quality", "Float64", "Between 0 (noise) and 1."},
		{"redactions", "Map(LowCardinality(String), Int64)", "How many spans of each type were replaced."},
	}...)
}

func deadLetterTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"topic", "LowCardinality(String)", ""},
		{"reason", "LowCardinality(String)", "The class of the error: invalid_json, invalid_protobuf, invalid_field, missing_field, id_conflict, too_large."},
		{"detail", "String", "The field and what is wrong with it; without the event's content."},
		{"bytes", "Int64", "Bytes of the record's value."},
	}...)
}

func driftSignalTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", ""},
		{"model_version", "LowCardinality(String)", ""},
		{"detector", "LowCardinality(String)", ""},
		{"signal", "LowCardinality(String)", "What was watched: error_rate, label_share, token_distribution."},
		{"topic", "LowCardinality(String)", "The log that was watched, and the stretch [from, to) that differs from before."},
		{"partition", "Int32", ""},
		{"from_offset", "Int64", ""},
		{"to_offset", "Int64", ""},
		{"statistic", "Float64", "The detector's statistic and the bound that it passed."},
		{"threshold", "Float64", ""},
		{"before", "Float64", "The watched mean before and after."},
		{"after", "Float64", ""},
		{"examples", "Int64", "Observations in the stretch, and since the detector began."},
		{"examples_total", "Int64", ""},
		{"detail", "String", ""},
	}...)
}

func driftTriggerTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", ""},
		{"run_id", "String", "A function of the trigger's origin."},
		{"reason", "LowCardinality(String)", "bootstrap, drift, growth, schedule, manual."},
		{"cause_id", "String", "The signal, report or command that it answers."},
		{"recipe", "LowCardinality(String)", "classifier or lora."},
		{"parent_version", "LowCardinality(String)", "The champion when it was made."},
		{"ranges", "Array(String)", "What to train on: \"topic/partition:from-to\" each, to exclusive."},
		{"drift_since", "Array(String)", "Where the change began, \"topic/partition:offset\" each; empty where none is known."},
		{"detail", "String", ""},
	}...)
}

func duplicateTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"topic", "LowCardinality(String)", ""},
		{"reason", "LowCardinality(String)", "\"repeated\" or \"rekeyed\"."},
		{"first_partition", "Int32", "Where the first post of the id lies (repeated only)."},
		{"first_offset", "Int64", ""},
	}...)
}

func feedbackTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"inference_id", "String", "The inference that it speaks of; the key of its record."},
		{"name", "LowCardinality(String)", "What was judged: \"helpful\", \"toxicity\"; free."},
		{"thumb", "LowCardinality(String)", "\"up\" or \"down\"."},
		{"rating", "Nullable(Float64)", ""},
		{"label", "LowCardinality(String)", "The right answer of a classifier."},
		{"correction", "String", "What the answer should have been."},
		{"preferred_over", "String", "The inference that this one was preferred to."},
		{"comment", "String", ""},
		{"response_id", "String", ""},
		{"attributes", "Map(LowCardinality(String), String)", ""},
	}...)
}

func inferenceTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"operation_name", "LowCardinality(String)", "chat, text_completion, embeddings, classify, and so on."},
		{"provider_name", "LowCardinality(String)", ""},
		{"request_model", "LowCardinality(String)", ""},
		{"response_model", "LowCardinality(String)", ""},
		{"response_id", "String", ""},
		{"conversation_id", "String", ""},
		{"model_version", "LowCardinality(String)", "The version of the model, as its registry names it."},
		{"role", "LowCardinality(String)", "champion or canary, where Millrace serves the model."},
		{"prompt_name", "LowCardinality(String)", ""},
		{"prompt_version", "LowCardinality(String)", ""},
		{"input_messages", "String", "What was asked and answered: JSON in OpenTelemetry's form, or a plain text."},
		{"output_messages", "String", ""},
		{"system_instructions", "String", ""},
		{"tool_definitions", "String", ""},
		{"prediction", "LowCardinality(String)", "A classifier's answer, and its probability."},
		{"confidence", "Float64", ""},
		{"text_id", "String", "The text event that a classifier judged."},
		{"request_stream", "Bool", ""},
		{"request_temperature", "Nullable(Float64)", ""},
		{"request_top_p", "Nullable(Float64)", ""},
		{"request_top_k", "Nullable(Int64)", ""},
		{"request_max_tokens", "Nullable(Int64)", ""},
		{"request_seed", "Nullable(Int64)", ""},
		{"request_frequency_penalty", "Nullable(Float64)", ""},
		{"request_presence_penalty", "Nullable(Float64)", ""},
		{"request_stop_sequences", "Array(String)", ""},
		{"request_choice_count", "Int64", ""},
		{"output_type", "LowCardinality(String)", ""},
		{"response_finish_reasons", "Array(String)", ""},
		{"usage_input_tokens", "Int64", "Input tokens, cached ones included."},
		{"usage_output_tokens", "Int64", ""},
		{"usage_cache_read_input_tokens", "Int64", ""},
		{"usage_cache_write_input_tokens", "Int64", ""},
		{"usage_reasoning_output_tokens", "Int64", ""},
		{"cost_usd", "Float64", "US dollars."},
		{"duration", "Float64", "Seconds."},
		{"time_to_first_chunk", "Float64", ""},
		{"error_type", "LowCardinality(String)", ""},
		{"server_address", "LowCardinality(String)", ""},
		{"server_port", "Int64", ""},
		{"attributes", "Map(LowCardinality(String), String)", ""},
	}...)
}

func modelCommandTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", ""},
		{"command", "LowCardinality(String)", "promote, rollback, train, approve."},
		{"version", "LowCardinality(String)", ""},
		{"by", "String", ""},
		{"reason", "String", ""},
		{"accepted", "Bool", "The answer: whether it was carried out, and what came of it."},
		{"answer", "String", ""},
	}...)
}

func modelVersionTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", ""},
		{"version", "LowCardinality(String)", "\"v1\", \"v2\", … in the log's order."},
		{"stage", "LowCardinality(String)", "candidate, canary, champion, archived, rejected, rolled_back."},
		{"run_id", "String", ""},
		{"trigger_id", "String", ""},
		{"parent_version", "LowCardinality(String)", ""},
		{"recipe", "LowCardinality(String)", ""},
		{"artifact", "String", "The artefact: its object, SHA-256 in hex and size in bytes."},
		{"digest", "String", ""},
		{"bytes", "Int64", ""},
		{"dataset", "String", "What it was trained on."},
		{"dataset_hash", "String", ""},
		{"examples", "Int64", ""},
		{"ranges", "Array(String)", ""},
		{"training_rules_version", "LowCardinality(String)", "The version of the cleaning rules of its training text."},
		{"labels", "Array(String)", ""},
		{"gate_passed", "Bool", "What the gate found."},
		{"gate", "Map(LowCardinality(String), Float64)", ""},
		{"gate_detail", "String", ""},
		{"reason", "String", "Why the stage changed."},
		{"code_version", "LowCardinality(String)", ""},
	}...)
}

func qualityReportTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", ""},
		{"model_version", "LowCardinality(String)", "Empty for labelled texts that no model judged."},
		{"role", "LowCardinality(String)", ""},
		{"topic", "LowCardinality(String)", "The stretch [from, to) of the log that it covers."},
		{"partition", "Int32", ""},
		{"from_offset", "Int64", ""},
		{"to_offset", "Int64", ""},
		{"examples", "Int64", "Judged examples in the stretch, those predicted right, and examples since the log began."},
		{"correct", "Int64", ""},
		{"examples_total", "Int64", ""},
		{"labels", "Map(LowCardinality(String), Int64)", "Examples by their right label."},
	}...)
}

func rejectedTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"topic", "LowCardinality(String)", "The input topic."},
		{"rule", "LowCardinality(String)", "The rule that refused it, as the documentation names it."},
		{"detail", "String", "Why, for a person; without the event's content."},
		{"scores", "Map(LowCardinality(String), Float64)", "What the rules measured."},
	}...)
}

func trainingExampleTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"inference_id", "String", ""},
		{"feedback_id", "String", ""},
		{"model", "LowCardinality(String)", ""},
		{"model_version", "LowCardinality(String)", ""},
		{"role", "LowCardinality(String)", ""},
		{"text_id", "String", "The text event that was judged; empty where the model was given something else."},
		{"prediction", "LowCardinality(String)", ""},
		{"confidence", "Float64", ""},
		{"label", "LowCardinality(String)", ""},
		{"correct", "Nullable(Bool)", "Whether the prediction was right, where the feedback says."},
		{"weight", "Float64", ""},
		{"split", "LowCardinality(String)", "\"train\" or \"test\", by a hash of the content."},
		{"revision", "Int64", "1 for the first feedback on the inference, and so on."},
		{"reviewer", "String", "Who gave the feedback, as its envelope's subject."},
		{"inference_offset", "Int64", "Where both lie on interactions, in the example's origin's partition."},
		{"feedback_offset", "Int64", ""},
		{"inferred_at", "DateTime64(6, 'UTC')", ""},
		{"judged_at", "DateTime64(6, 'UTC')", ""},
	}...)
}

func trainingRunTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", ""},
		{"run_id", "String", ""},
		{"trigger_id", "String", ""},
		{"recipe", "LowCardinality(String)", ""},
		{"step", "LowCardinality(String)", "started, dataset, trained, evaluated, finished, failed."},
		{"seed", "Int64", ""},
		{"dataset", "String", "The manifest of the dataset: its object, and its SHA-256 in hex."},
		{"dataset_hash", "String", ""},
		{"examples", "Int64", ""},
		{"ranges", "Array(String)", ""},
		{"seconds", "Float64", "Of the step."},
		{"metrics", "Map(LowCardinality(String), Float64)", ""},
		{"code_version", "LowCardinality(String)", ""},
		{"error", "String", ""},
	}...)
}
