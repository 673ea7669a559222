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
		{"trace_id", "String", "The trace that it belongs to, as OpenTelemetry writes it, in hex."},
		{"span_id", "String", "The span within the trace."},
		{"session_id", "String", "OpenTelemetry's session.id."},
		{"content_hash", "String", "Behind clean: a hash of the normalised content, in hex."},
		{"rules_version", "LowCardinality(String)", "Behind clean: the version of the rules that judged it."},
		{"arrived_at", "DateTime64(6, 'UTC')", "Behind clean: when it arrived, by the log's clock."},
		{"replay_of", "String", "Behind clean, of a verdict on a replay: the input record that it replays, as topic id:partition:offset, which are that record's _origin columns."},
	}
}

func cleanTextTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"text", "String", "Normalised and redacted; a mail's subject is its first line."},
		{"content_type", "LowCardinality(String)", "What it was: text/plain, text/html, message/rfc822."},
		{"language", "LowCardinality(String)", "The language, BCP 47."},
		{"label", "LowCardinality(String)", "The right answer, where it is known."},
		{"attributes", "Map(LowCardinality(String), String)", "The client's own values, by their names."},
		{"characters", "Int64", "Unicode code points of text."},
		{"quality", "Float64", "Between 0 (noise) and 1."},
		{"redactions", "Map(LowCardinality(String), Int64)", "How many spans of each type were replaced."},
	}...)
}

func deadLetterTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"topic", "LowCardinality(String)", "The input topic of the record."},
		{"reason", "LowCardinality(String)", "The class of the error: invalid_json, invalid_protobuf, invalid_field, missing_field, unknown_field, id_conflict, too_large."},
		{"detail", "String", "The field and what is wrong with it; without the event's content."},
		{"bytes", "Int64", "Bytes of the record's value."},
	}...)
}

func driftSignalTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", "The name of the model."},
		{"model_version", "LowCardinality(String)", "The version of the model, as its registry names it."},
		{"detector", "LowCardinality(String)", "The detector that saw it."},
		{"signal", "LowCardinality(String)", "What was watched: error_rate, label_share, token_distribution."},
		{"topic", "LowCardinality(String)", "The topic that was watched."},
		{"partition", "Int32", "The partition that was watched."},
		{"from_offset", "Int64", "The first offset of the stretch that differs from before."},
		{"to_offset", "Int64", "The offset behind the stretch."},
		{"statistic", "Float64", "The detector's statistic."},
		{"threshold", "Float64", "The bound that the statistic passed."},
		{"before", "Float64", "The watched mean before the stretch."},
		{"after", "Float64", "The watched mean in the stretch."},
		{"examples", "Int64", "Observations in the stretch."},
		{"examples_total", "Int64", "Observations since the detector began."},
		{"detail", "String", "What else there is to say, for a person."},
	}...)
}

func driftTriggerTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", "The name of the model."},
		{"run_id", "String", "A function of the trigger's origin."},
		{"reason", "LowCardinality(String)", "bootstrap, drift, growth, schedule, manual."},
		{"cause_id", "String", "The signal, report or command that it answers."},
		{"recipe", "LowCardinality(String)", "classifier or lora."},
		{"parent_version", "LowCardinality(String)", "The champion when it was made."},
		{"ranges", "Array(String)", "What to train on: \"topic/partition:from-to\" each, to exclusive."},
		{"drift_since", "Array(String)", "Where the change began, \"topic/partition:offset\" each; empty where none is known."},
		{"detail", "String", "What else there is to say, for a person."},
	}...)
}

func duplicateTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"topic", "LowCardinality(String)", "The input topic of the record."},
		{"reason", "LowCardinality(String)", "\"repeated\", \"rekeyed\" or \"replayed\"."},
		{"first_partition", "Int32", "The partition of the first post of the id, or of the first replay (not of rekeyed)."},
		{"first_offset", "Int64", "The offset of the first post of the id, or of the first replay (not of rekeyed)."},
	}...)
}

func feedbackTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"inference_id", "String", "The inference that it speaks of; the key of its record."},
		{"name", "LowCardinality(String)", "What was judged: \"helpful\", \"toxicity\"; free."},
		{"thumb", "LowCardinality(String)", "\"up\" or \"down\"."},
		{"rating", "Nullable(Float64)", "A score; its scale is the client's."},
		{"label", "LowCardinality(String)", "The right answer of a classifier."},
		{"correction", "String", "What the answer should have been."},
		{"preferred_over", "String", "The inference that this one was preferred to."},
		{"comment", "String", "What the person says of it."},
		{"response_id", "String", "OpenTelemetry's gen_ai.response.id."},
		{"attributes", "Map(LowCardinality(String), String)", "The client's own values, by their names."},
	}...)
}

func inferenceTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"operation_name", "LowCardinality(String)", "chat, text_completion, embeddings, classify, and so on."},
		{"provider_name", "LowCardinality(String)", "OpenTelemetry's gen_ai.provider.name."},
		{"request_model", "LowCardinality(String)", "OpenTelemetry's gen_ai.request.model."},
		{"response_model", "LowCardinality(String)", "OpenTelemetry's gen_ai.response.model."},
		{"response_id", "String", "OpenTelemetry's gen_ai.response.id."},
		{"conversation_id", "String", "OpenTelemetry's gen_ai.conversation.id."},
		{"model_version", "LowCardinality(String)", "The version of the model, as its registry names it."},
		{"role", "LowCardinality(String)", "champion or canary, where Millrace serves the model."},
		{"prompt_name", "LowCardinality(String)", "OpenTelemetry's gen_ai.prompt.name."},
		{"prompt_version", "LowCardinality(String)", "OpenTelemetry's gen_ai.prompt.version."},
		{"input_messages", "String", "What was asked: JSON in OpenTelemetry's form, or a plain text."},
		{"output_messages", "String", "What was answered, in the same form."},
		{"system_instructions", "String", "OpenTelemetry's gen_ai.system_instructions."},
		{"tool_definitions", "String", "OpenTelemetry's gen_ai.tool.definitions."},
		{"prediction", "LowCardinality(String)", "A classifier's answer."},
		{"confidence", "Float64", "The probability of the prediction, 0 to 1."},
		{"text_id", "String", "The text event that a classifier judged."},
		{"request_stream", "Bool", "OpenTelemetry's gen_ai.request.stream."},
		{"request_temperature", "Nullable(Float64)", "OpenTelemetry's gen_ai.request.temperature."},
		{"request_top_p", "Nullable(Float64)", "OpenTelemetry's gen_ai.request.top_p."},
		{"request_top_k", "Nullable(Int64)", "OpenTelemetry's gen_ai.request.top_k."},
		{"request_max_tokens", "Nullable(Int64)", "OpenTelemetry's gen_ai.request.max_tokens."},
		{"request_seed", "Nullable(Int64)", "OpenTelemetry's gen_ai.request.seed."},
		{"request_frequency_penalty", "Nullable(Float64)", "OpenTelemetry's gen_ai.request.frequency_penalty."},
		{"request_presence_penalty", "Nullable(Float64)", "OpenTelemetry's gen_ai.request.presence_penalty."},
		{"request_stop_sequences", "Array(String)", "OpenTelemetry's gen_ai.request.stop_sequences."},
		{"request_choice_count", "Int64", "OpenTelemetry's gen_ai.request.choice.count."},
		{"output_type", "LowCardinality(String)", "OpenTelemetry's gen_ai.output.type."},
		{"response_finish_reasons", "Array(String)", "OpenTelemetry's gen_ai.response.finish_reasons."},
		{"usage_input_tokens", "Int64", "Tokens of the input, cached ones included."},
		{"usage_output_tokens", "Int64", "OpenTelemetry's gen_ai.usage.output_tokens."},
		{"usage_cache_read_input_tokens", "Int64", "OpenTelemetry's gen_ai.usage.cache_read.input_tokens."},
		{"usage_cache_write_input_tokens", "Int64", "OpenTelemetry's gen_ai.usage.cache_write.input_tokens."},
		{"usage_reasoning_output_tokens", "Int64", "OpenTelemetry's gen_ai.usage.reasoning.output_tokens."},
		{"cost_usd", "Float64", "US dollars."},
		{"duration", "Float64", "Seconds."},
		{"time_to_first_chunk", "Float64", "OpenTelemetry's gen_ai.response.time_to_first_chunk."},
		{"error_type", "LowCardinality(String)", "OpenTelemetry's error.type."},
		{"server_address", "LowCardinality(String)", "OpenTelemetry's server.address."},
		{"server_port", "Int64", "OpenTelemetry's server.port."},
		{"upstream", "LowCardinality(String)", "Of a call through the gateway: the upstream's name in its configuration."},
		{"attempts", "Int64", "How often it was tried."},
		{"key_name", "LowCardinality(String)", "The name of the key that it came with."},
		{"capture_gap", "Int64", "How many calls were answered of which no event could be kept; such an event is of the operation capture_gap, and of no call."},
		{"attributes", "Map(LowCardinality(String), String)", "The client's own values, by their names."},
	}...)
}

func modelCommandTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", "The name of the model."},
		{"command", "LowCardinality(String)", "promote, rollback, train, approve."},
		{"version", "LowCardinality(String)", "The version that is meant."},
		{"by", "String", "Who asked."},
		{"reason", "String", "Why, for a person."},
		{"accepted", "Bool", "The answer: whether it was carried out."},
		{"answer", "String", "What came of it, or why it was refused."},
	}...)
}

func modelVersionTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", "The name of the model."},
		{"version", "LowCardinality(String)", "\"v1\", \"v2\", … in the log's order."},
		{"stage", "LowCardinality(String)", "candidate, canary, champion, archived, rejected, rolled_back."},
		{"run_id", "String", "The training run."},
		{"trigger_id", "String", "The trigger that asked for the run."},
		{"parent_version", "LowCardinality(String)", "The champion when the run was asked for."},
		{"recipe", "LowCardinality(String)", "classifier or lora."},
		{"artifact", "String", "The object of the artefact."},
		{"digest", "String", "The artefact's SHA-256 in hex."},
		{"bytes", "Int64", "The artefact's size in bytes."},
		{"dataset", "String", "The object of the manifest of the dataset that it was trained on."},
		{"dataset_hash", "String", "The manifest's SHA-256 in hex."},
		{"examples", "Int64", "Examples that it was trained on."},
		{"ranges", "Array(String)", "What was trained on: \"topic/partition:from-to\" each, to exclusive."},
		{"training_rules_version", "LowCardinality(String)", "The version of the cleaning rules of its training text."},
		{"labels", "Array(String)", "The labels that the model knows."},
		{"gate_passed", "Bool", "Whether it passed the gate."},
		{"gate", "Map(LowCardinality(String), Float64)", "The gate's figures."},
		{"gate_detail", "String", "The gate's reasons, for a person."},
		{"reason", "String", "Why the stage changed."},
		{"code_version", "LowCardinality(String)", "The version of Millrace that made it."},
	}...)
}

func qualityReportTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", "The name of the model."},
		{"model_version", "LowCardinality(String)", "Empty for labelled texts that no model judged."},
		{"role", "LowCardinality(String)", "champion or canary."},
		{"topic", "LowCardinality(String)", "The topic of the stretch that it covers."},
		{"partition", "Int32", "The partition of the stretch."},
		{"from_offset", "Int64", "The first offset of the stretch."},
		{"to_offset", "Int64", "The offset behind the stretch."},
		{"examples", "Int64", "Judged examples in the stretch."},
		{"correct", "Int64", "Those of them that were predicted right."},
		{"examples_total", "Int64", "Judged examples since the log began."},
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
		{"inference_id", "String", "The inference."},
		{"feedback_id", "String", "The feedback."},
		{"model", "LowCardinality(String)", "The name of the model."},
		{"model_version", "LowCardinality(String)", "The version of the model, as its registry names it."},
		{"role", "LowCardinality(String)", "champion or canary."},
		{"text_id", "String", "The text event that was judged; empty where the model was given something else."},
		{"prediction", "LowCardinality(String)", "The classifier's answer."},
		{"confidence", "Float64", "The probability of the prediction."},
		{"label", "LowCardinality(String)", "The right answer, where it is known."},
		{"correct", "Nullable(Bool)", "Whether the prediction was right, where the feedback says."},
		{"weight", "Float64", "How much the example counts in training."},
		{"split", "LowCardinality(String)", "\"train\" or \"test\", by a hash of the content."},
		{"revision", "Int64", "1 for the first feedback on the inference, and so on."},
		{"reviewer", "String", "Who gave the feedback, as its envelope's subject."},
		{"inference_offset", "Int64", "The offset of the inference on interactions, in the example's origin's partition."},
		{"feedback_offset", "Int64", "The offset of the feedback on interactions."},
		{"inferred_at", "DateTime64(6, 'UTC')", "When the inference arrived."},
		{"judged_at", "DateTime64(6, 'UTC')", "When the feedback arrived."},
		{"judgement", "Int64", "1 for the first feedback that says whether the prediction was right, and so on; 0 for one that does not say it."},
	}...)
}

func trainingRunTable() []tableColumn {
	return append(envelopeTable(), []tableColumn{
		{"model", "LowCardinality(String)", "The name of the model."},
		{"run_id", "String", "The training run."},
		{"trigger_id", "String", "The trigger that asked for the run."},
		{"recipe", "LowCardinality(String)", "classifier or lora."},
		{"step", "LowCardinality(String)", "started, dataset, trained, evaluated, finished, failed."},
		{"seed", "Int64", "The seed of what is random in it."},
		{"dataset", "String", "The object of the manifest of the dataset."},
		{"dataset_hash", "String", "The manifest's SHA-256 in hex."},
		{"examples", "Int64", "Examples in the dataset."},
		{"ranges", "Array(String)", "What was trained on: \"topic/partition:from-to\" each, to exclusive."},
		{"seconds", "Float64", "How long the step took."},
		{"metrics", "Map(LowCardinality(String), Float64)", "What the step measured."},
		{"code_version", "LowCardinality(String)", "The version of Millrace that made it."},
		{"error", "String", "Why the step failed."},
	}...)
}
