// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemaparquet

import (
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/millrace-io/millrace/schemas"
)

// CleanTextRow is a row of the kind clean_text.
type CleanTextRow struct {
	schemas.CleanText
	schemas.Meta
}

func setCleanTextRow(row *CleanTextRow, meta *schemas.Meta, m schemas.Message) {
	row.CleanText = *m.(*schemas.CleanText)
	row.Meta = *meta
}

// DeadLetterRow is a row of the kind dead_letters.
type DeadLetterRow struct {
	schemas.DeadLetter
	schemas.Meta
}

func setDeadLetterRow(row *DeadLetterRow, meta *schemas.Meta, m schemas.Message) {
	row.DeadLetter = *m.(*schemas.DeadLetter)
	row.Meta = *meta
}

// DriftSignalRow is a row of the kind drift_signals.
type DriftSignalRow struct {
	schemas.DriftSignal
	schemas.Meta
}

func setDriftSignalRow(row *DriftSignalRow, meta *schemas.Meta, m schemas.Message) {
	row.DriftSignal = *m.(*schemas.DriftSignal)
	row.Meta = *meta
}

// DriftTriggerRow is a row of the kind drift_triggers.
type DriftTriggerRow struct {
	schemas.DriftTrigger
	schemas.Meta
}

func setDriftTriggerRow(row *DriftTriggerRow, meta *schemas.Meta, m schemas.Message) {
	row.DriftTrigger = *m.(*schemas.DriftTrigger)
	row.Meta = *meta
}

// DuplicateRow is a row of the kind duplicates.
type DuplicateRow struct {
	schemas.Duplicate
	schemas.Meta
}

func setDuplicateRow(row *DuplicateRow, meta *schemas.Meta, m schemas.Message) {
	row.Duplicate = *m.(*schemas.Duplicate)
	row.Meta = *meta
}

// FeedbackRow is a row of the kind feedback.
type FeedbackRow struct {
	schemas.Feedback
	schemas.Meta
}

func setFeedbackRow(row *FeedbackRow, meta *schemas.Meta, m schemas.Message) {
	row.Feedback = *m.(*schemas.Feedback)
	row.Meta = *meta
}

// InferenceRow is a row of the kind inferences.
type InferenceRow struct {
	schemas.Inference
	schemas.Meta
}

func setInferenceRow(row *InferenceRow, meta *schemas.Meta, m schemas.Message) {
	row.Inference = *m.(*schemas.Inference)
	row.Meta = *meta
}

// ModelCommandRow is a row of the kind model_commands.
type ModelCommandRow struct {
	schemas.ModelCommand
	schemas.Meta
}

func setModelCommandRow(row *ModelCommandRow, meta *schemas.Meta, m schemas.Message) {
	row.ModelCommand = *m.(*schemas.ModelCommand)
	row.Meta = *meta
}

// ModelVersionRow is a row of the kind model_versions.
type ModelVersionRow struct {
	schemas.ModelVersion
	schemas.Meta
}

func setModelVersionRow(row *ModelVersionRow, meta *schemas.Meta, m schemas.Message) {
	row.ModelVersion = *m.(*schemas.ModelVersion)
	row.Meta = *meta
}

// QualityReportRow is a row of the kind quality_reports.
type QualityReportRow struct {
	schemas.QualityReport
	schemas.Meta
}

func setQualityReportRow(row *QualityReportRow, meta *schemas.Meta, m schemas.Message) {
	row.QualityReport = *m.(*schemas.QualityReport)
	row.Meta = *meta
}

// RejectedRow is a row of the kind rejected.
type RejectedRow struct {
	schemas.Rejected
	schemas.Meta
}

func setRejectedRow(row *RejectedRow, meta *schemas.Meta, m schemas.Message) {
	row.Rejected = *m.(*schemas.Rejected)
	row.Meta = *meta
}

// TrainingExampleRow is a row of the kind training_examples.
type TrainingExampleRow struct {
	schemas.TrainingExample
	schemas.Meta
}

func setTrainingExampleRow(row *TrainingExampleRow, meta *schemas.Meta, m schemas.Message) {
	row.TrainingExample = *m.(*schemas.TrainingExample)
	row.Meta = *meta
}

// TrainingRunRow is a row of the kind training_runs.
type TrainingRunRow struct {
	schemas.TrainingRun
	schemas.Meta
}

func setTrainingRunRow(row *TrainingRunRow, meta *schemas.Meta, m schemas.Message) {
	row.TrainingRun = *m.(*schemas.TrainingRun)
	row.Meta = *meta
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
