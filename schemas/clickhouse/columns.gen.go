// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemaclickhouse

import "github.com/millrace-io/millrace/schemas"

// NewColumns is an empty buffer for the kind's table; nil for a kind that is not stored.
func NewColumns(k schemas.Kind) Columns {
	switch k {
	case schemas.KindCleanText:
		return newCleanTextColumns()
	case schemas.KindDeadLetter:
		return newDeadLetterColumns()
	case schemas.KindDriftSignal:
		return newDriftSignalColumns()
	case schemas.KindDriftTrigger:
		return newDriftTriggerColumns()
	case schemas.KindDuplicate:
		return newDuplicateColumns()
	case schemas.KindFeedback:
		return newFeedbackColumns()
	case schemas.KindInference:
		return newInferenceColumns()
	case schemas.KindModelCommand:
		return newModelCommandColumns()
	case schemas.KindModelVersion:
		return newModelVersionColumns()
	case schemas.KindQualityReport:
		return newQualityReportColumns()
	case schemas.KindRejected:
		return newRejectedColumns()
	case schemas.KindTrainingExample:
		return newTrainingExampleColumns()
	case schemas.KindTrainingRun:
		return newTrainingRunColumns()
	}
	return nil
}

type envelopeBuffers struct {
	colTenant       dictColumn
	colEventID      plainColumn[string]
	colEventTime    timeColumn
	colSource       dictColumn
	colSubject      plainColumn[string]
	colPurpose      dictColumn
	colLicense      dictColumn
	colTraceID      plainColumn[string]
	colSpanID       plainColumn[string]
	colSessionID    plainColumn[string]
	colContentHash  plainColumn[string]
	colRulesVersion dictColumn
	colArrivedAt    timeColumn
	colReplayOf     plainColumn[string]
}

func (c *envelopeBuffers) addEnvelope(e *schemas.Envelope) {
	c.colTenant.add(e.Tenant)
	c.colEventID.add(e.EventID)
	c.colEventTime.add(e.EventTime)
	c.colSource.add(e.Source)
	c.colSubject.add(e.Subject)
	c.colPurpose.add(e.Purpose)
	c.colLicense.add(e.License)
	c.colTraceID.add(e.TraceID)
	c.colSpanID.add(e.SpanID)
	c.colSessionID.add(e.SessionID)
	c.colContentHash.add(e.ContentHash)
	c.colRulesVersion.add(e.RulesVersion)
	c.colArrivedAt.add(e.ArrivedAt)
	c.colReplayOf.add(e.ReplayOf)
}

func (c *envelopeBuffers) envelope() []column {
	return []column{&c.colTenant, &c.colEventID, &c.colEventTime, &c.colSource, &c.colSubject, &c.colPurpose, &c.colLicense, &c.colTraceID, &c.colSpanID, &c.colSessionID, &c.colContentHash, &c.colRulesVersion, &c.colArrivedAt, &c.colReplayOf}
}

type cleanTextColumns struct {
	buffers
	envelopeBuffers
	colText        plainColumn[string]
	colContentType dictColumn
	colLanguage    dictColumn
	colLabel       dictColumn
	colAttributes  mapColumn[string]
	colCharacters  plainColumn[int64]
	colQuality     plainColumn[float64]
	colRedactions  mapColumn[int64]
	metaBuffers
}

func newCleanTextColumns() *cleanTextColumns {
	c := &cleanTextColumns{}
	c.all = append(c.envelope(), &c.colText, &c.colContentType, &c.colLanguage, &c.colLabel, &c.colAttributes, &c.colCharacters, &c.colQuality, &c.colRedactions)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *cleanTextColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.CleanText)
	c.addEnvelope(&e.Envelope)
	c.colText.add(e.Text)
	c.colContentType.add(e.ContentType)
	c.colLanguage.add(e.Language)
	c.colLabel.add(e.Label)
	c.colAttributes.add(e.Attributes)
	c.colCharacters.add(e.Characters)
	c.colQuality.add(e.Quality)
	c.colRedactions.add(e.Redactions)
	c.addMeta(meta)
	c.rows++
}

type deadLetterColumns struct {
	buffers
	envelopeBuffers
	colTopic  dictColumn
	colReason dictColumn
	colDetail plainColumn[string]
	colBytes  plainColumn[int64]
	metaBuffers
}

func newDeadLetterColumns() *deadLetterColumns {
	c := &deadLetterColumns{}
	c.all = append(c.envelope(), &c.colTopic, &c.colReason, &c.colDetail, &c.colBytes)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *deadLetterColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.DeadLetter)
	c.addEnvelope(&e.Envelope)
	c.colTopic.add(e.Topic)
	c.colReason.add(e.Reason)
	c.colDetail.add(e.Detail)
	c.colBytes.add(e.Bytes)
	c.addMeta(meta)
	c.rows++
}

type driftSignalColumns struct {
	buffers
	envelopeBuffers
	colModel         dictColumn
	colModelVersion  dictColumn
	colDetector      dictColumn
	colSignal        dictColumn
	colTopic         dictColumn
	colPartition     plainColumn[int32]
	colFromOffset    plainColumn[int64]
	colToOffset      plainColumn[int64]
	colStatistic     plainColumn[float64]
	colThreshold     plainColumn[float64]
	colBefore        plainColumn[float64]
	colAfter         plainColumn[float64]
	colExamples      plainColumn[int64]
	colExamplesTotal plainColumn[int64]
	colDetail        plainColumn[string]
	metaBuffers
}

func newDriftSignalColumns() *driftSignalColumns {
	c := &driftSignalColumns{}
	c.all = append(c.envelope(), &c.colModel, &c.colModelVersion, &c.colDetector, &c.colSignal, &c.colTopic, &c.colPartition, &c.colFromOffset, &c.colToOffset, &c.colStatistic, &c.colThreshold, &c.colBefore, &c.colAfter, &c.colExamples, &c.colExamplesTotal, &c.colDetail)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *driftSignalColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.DriftSignal)
	c.addEnvelope(&e.Envelope)
	c.colModel.add(e.Model)
	c.colModelVersion.add(e.ModelVersion)
	c.colDetector.add(e.Detector)
	c.colSignal.add(e.Signal)
	c.colTopic.add(e.Topic)
	c.colPartition.add(e.Partition)
	c.colFromOffset.add(e.FromOffset)
	c.colToOffset.add(e.ToOffset)
	c.colStatistic.add(e.Statistic)
	c.colThreshold.add(e.Threshold)
	c.colBefore.add(e.Before)
	c.colAfter.add(e.After)
	c.colExamples.add(e.Examples)
	c.colExamplesTotal.add(e.ExamplesTotal)
	c.colDetail.add(e.Detail)
	c.addMeta(meta)
	c.rows++
}

type driftTriggerColumns struct {
	buffers
	envelopeBuffers
	colModel         dictColumn
	colRunID         plainColumn[string]
	colReason        dictColumn
	colCauseID       plainColumn[string]
	colRecipe        dictColumn
	colParentVersion dictColumn
	colRanges        stringsColumn
	colDriftSince    stringsColumn
	colDetail        plainColumn[string]
	metaBuffers
}

func newDriftTriggerColumns() *driftTriggerColumns {
	c := &driftTriggerColumns{}
	c.all = append(c.envelope(), &c.colModel, &c.colRunID, &c.colReason, &c.colCauseID, &c.colRecipe, &c.colParentVersion, &c.colRanges, &c.colDriftSince, &c.colDetail)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *driftTriggerColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.DriftTrigger)
	c.addEnvelope(&e.Envelope)
	c.colModel.add(e.Model)
	c.colRunID.add(e.RunID)
	c.colReason.add(e.Reason)
	c.colCauseID.add(e.CauseID)
	c.colRecipe.add(e.Recipe)
	c.colParentVersion.add(e.ParentVersion)
	c.colRanges.add(e.Ranges)
	c.colDriftSince.add(e.DriftSince)
	c.colDetail.add(e.Detail)
	c.addMeta(meta)
	c.rows++
}

type duplicateColumns struct {
	buffers
	envelopeBuffers
	colTopic          dictColumn
	colReason         dictColumn
	colFirstPartition plainColumn[int32]
	colFirstOffset    plainColumn[int64]
	metaBuffers
}

func newDuplicateColumns() *duplicateColumns {
	c := &duplicateColumns{}
	c.all = append(c.envelope(), &c.colTopic, &c.colReason, &c.colFirstPartition, &c.colFirstOffset)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *duplicateColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.Duplicate)
	c.addEnvelope(&e.Envelope)
	c.colTopic.add(e.Topic)
	c.colReason.add(e.Reason)
	c.colFirstPartition.add(e.FirstPartition)
	c.colFirstOffset.add(e.FirstOffset)
	c.addMeta(meta)
	c.rows++
}

type feedbackColumns struct {
	buffers
	envelopeBuffers
	colInferenceID   plainColumn[string]
	colName          dictColumn
	colThumb         dictColumn
	colRating        plainColumn[*float64]
	colLabel         dictColumn
	colCorrection    plainColumn[string]
	colPreferredOver plainColumn[string]
	colComment       plainColumn[string]
	colResponseID    plainColumn[string]
	colAttributes    mapColumn[string]
	metaBuffers
}

func newFeedbackColumns() *feedbackColumns {
	c := &feedbackColumns{}
	c.all = append(c.envelope(), &c.colInferenceID, &c.colName, &c.colThumb, &c.colRating, &c.colLabel, &c.colCorrection, &c.colPreferredOver, &c.colComment, &c.colResponseID, &c.colAttributes)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *feedbackColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.Feedback)
	c.addEnvelope(&e.Envelope)
	c.colInferenceID.add(e.InferenceID)
	c.colName.add(e.Name)
	c.colThumb.add(e.Thumb)
	c.colRating.add(e.Rating)
	c.colLabel.add(e.Label)
	c.colCorrection.add(e.Correction)
	c.colPreferredOver.add(e.PreferredOver)
	c.colComment.add(e.Comment)
	c.colResponseID.add(e.ResponseID)
	c.colAttributes.add(e.Attributes)
	c.addMeta(meta)
	c.rows++
}

type inferenceColumns struct {
	buffers
	envelopeBuffers
	colOperationName              dictColumn
	colProviderName               dictColumn
	colRequestModel               dictColumn
	colResponseModel              dictColumn
	colResponseID                 plainColumn[string]
	colConversationID             plainColumn[string]
	colModelVersion               dictColumn
	colRole                       dictColumn
	colPromptName                 dictColumn
	colPromptVersion              dictColumn
	colInputMessages              plainColumn[string]
	colOutputMessages             plainColumn[string]
	colSystemInstructions         plainColumn[string]
	colToolDefinitions            plainColumn[string]
	colPrediction                 dictColumn
	colConfidence                 plainColumn[float64]
	colTextID                     plainColumn[string]
	colRequestStream              plainColumn[bool]
	colRequestTemperature         plainColumn[*float64]
	colRequestTopP                plainColumn[*float64]
	colRequestTopK                plainColumn[*int64]
	colRequestMaxTokens           plainColumn[*int64]
	colRequestSeed                plainColumn[*int64]
	colRequestFrequencyPenalty    plainColumn[*float64]
	colRequestPresencePenalty     plainColumn[*float64]
	colRequestStopSequences       stringsColumn
	colRequestChoiceCount         plainColumn[int64]
	colOutputType                 dictColumn
	colResponseFinishReasons      stringsColumn
	colUsageInputTokens           plainColumn[int64]
	colUsageOutputTokens          plainColumn[int64]
	colUsageCacheReadInputTokens  plainColumn[int64]
	colUsageCacheWriteInputTokens plainColumn[int64]
	colUsageReasoningOutputTokens plainColumn[int64]
	colCostUSD                    plainColumn[float64]
	colDuration                   plainColumn[float64]
	colTimeToFirstChunk           plainColumn[float64]
	colErrorType                  dictColumn
	colServerAddress              dictColumn
	colServerPort                 plainColumn[int64]
	colUpstream                   dictColumn
	colAttempts                   plainColumn[int64]
	colKeyName                    dictColumn
	colCaptureGap                 plainColumn[int64]
	colAttributes                 mapColumn[string]
	metaBuffers
}

func newInferenceColumns() *inferenceColumns {
	c := &inferenceColumns{}
	c.all = append(c.envelope(), &c.colOperationName, &c.colProviderName, &c.colRequestModel, &c.colResponseModel, &c.colResponseID, &c.colConversationID, &c.colModelVersion, &c.colRole, &c.colPromptName, &c.colPromptVersion, &c.colInputMessages, &c.colOutputMessages, &c.colSystemInstructions, &c.colToolDefinitions, &c.colPrediction, &c.colConfidence, &c.colTextID, &c.colRequestStream, &c.colRequestTemperature, &c.colRequestTopP, &c.colRequestTopK, &c.colRequestMaxTokens, &c.colRequestSeed, &c.colRequestFrequencyPenalty, &c.colRequestPresencePenalty, &c.colRequestStopSequences, &c.colRequestChoiceCount, &c.colOutputType, &c.colResponseFinishReasons, &c.colUsageInputTokens, &c.colUsageOutputTokens, &c.colUsageCacheReadInputTokens, &c.colUsageCacheWriteInputTokens, &c.colUsageReasoningOutputTokens, &c.colCostUSD, &c.colDuration, &c.colTimeToFirstChunk, &c.colErrorType, &c.colServerAddress, &c.colServerPort, &c.colUpstream, &c.colAttempts, &c.colKeyName, &c.colCaptureGap, &c.colAttributes)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *inferenceColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.Inference)
	c.addEnvelope(&e.Envelope)
	c.colOperationName.add(e.OperationName)
	c.colProviderName.add(e.ProviderName)
	c.colRequestModel.add(e.RequestModel)
	c.colResponseModel.add(e.ResponseModel)
	c.colResponseID.add(e.ResponseID)
	c.colConversationID.add(e.ConversationID)
	c.colModelVersion.add(e.ModelVersion)
	c.colRole.add(e.Role)
	c.colPromptName.add(e.PromptName)
	c.colPromptVersion.add(e.PromptVersion)
	c.colInputMessages.add(e.InputMessages)
	c.colOutputMessages.add(e.OutputMessages)
	c.colSystemInstructions.add(e.SystemInstructions)
	c.colToolDefinitions.add(e.ToolDefinitions)
	c.colPrediction.add(e.Prediction)
	c.colConfidence.add(e.Confidence)
	c.colTextID.add(e.TextID)
	c.colRequestStream.add(e.RequestStream)
	c.colRequestTemperature.add(e.RequestTemperature)
	c.colRequestTopP.add(e.RequestTopP)
	c.colRequestTopK.add(e.RequestTopK)
	c.colRequestMaxTokens.add(e.RequestMaxTokens)
	c.colRequestSeed.add(e.RequestSeed)
	c.colRequestFrequencyPenalty.add(e.RequestFrequencyPenalty)
	c.colRequestPresencePenalty.add(e.RequestPresencePenalty)
	c.colRequestStopSequences.add(e.RequestStopSequences)
	c.colRequestChoiceCount.add(e.RequestChoiceCount)
	c.colOutputType.add(e.OutputType)
	c.colResponseFinishReasons.add(e.ResponseFinishReasons)
	c.colUsageInputTokens.add(e.UsageInputTokens)
	c.colUsageOutputTokens.add(e.UsageOutputTokens)
	c.colUsageCacheReadInputTokens.add(e.UsageCacheReadInputTokens)
	c.colUsageCacheWriteInputTokens.add(e.UsageCacheWriteInputTokens)
	c.colUsageReasoningOutputTokens.add(e.UsageReasoningOutputTokens)
	c.colCostUSD.add(e.CostUSD)
	c.colDuration.add(e.Duration)
	c.colTimeToFirstChunk.add(e.TimeToFirstChunk)
	c.colErrorType.add(e.ErrorType)
	c.colServerAddress.add(e.ServerAddress)
	c.colServerPort.add(e.ServerPort)
	c.colUpstream.add(e.Upstream)
	c.colAttempts.add(e.Attempts)
	c.colKeyName.add(e.KeyName)
	c.colCaptureGap.add(e.CaptureGap)
	c.colAttributes.add(e.Attributes)
	c.addMeta(meta)
	c.rows++
}

type modelCommandColumns struct {
	buffers
	envelopeBuffers
	colModel    dictColumn
	colCommand  dictColumn
	colVersion  dictColumn
	colBy       plainColumn[string]
	colReason   plainColumn[string]
	colAccepted plainColumn[bool]
	colAnswer   plainColumn[string]
	metaBuffers
}

func newModelCommandColumns() *modelCommandColumns {
	c := &modelCommandColumns{}
	c.all = append(c.envelope(), &c.colModel, &c.colCommand, &c.colVersion, &c.colBy, &c.colReason, &c.colAccepted, &c.colAnswer)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *modelCommandColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.ModelCommand)
	c.addEnvelope(&e.Envelope)
	c.colModel.add(e.Model)
	c.colCommand.add(e.Command)
	c.colVersion.add(e.Version)
	c.colBy.add(e.By)
	c.colReason.add(e.Reason)
	c.colAccepted.add(e.Accepted)
	c.colAnswer.add(e.Answer)
	c.addMeta(meta)
	c.rows++
}

type modelVersionColumns struct {
	buffers
	envelopeBuffers
	colModel                dictColumn
	colVersion              dictColumn
	colStage                dictColumn
	colRunID                plainColumn[string]
	colTriggerID            plainColumn[string]
	colParentVersion        dictColumn
	colRecipe               dictColumn
	colArtifact             plainColumn[string]
	colDigest               plainColumn[string]
	colBytes                plainColumn[int64]
	colDataset              plainColumn[string]
	colDatasetHash          plainColumn[string]
	colExamples             plainColumn[int64]
	colRanges               stringsColumn
	colTrainingRulesVersion dictColumn
	colLabels               stringsColumn
	colGatePassed           plainColumn[bool]
	colGate                 mapColumn[float64]
	colGateDetail           plainColumn[string]
	colReason               plainColumn[string]
	colCodeVersion          dictColumn
	metaBuffers
}

func newModelVersionColumns() *modelVersionColumns {
	c := &modelVersionColumns{}
	c.all = append(c.envelope(), &c.colModel, &c.colVersion, &c.colStage, &c.colRunID, &c.colTriggerID, &c.colParentVersion, &c.colRecipe, &c.colArtifact, &c.colDigest, &c.colBytes, &c.colDataset, &c.colDatasetHash, &c.colExamples, &c.colRanges, &c.colTrainingRulesVersion, &c.colLabels, &c.colGatePassed, &c.colGate, &c.colGateDetail, &c.colReason, &c.colCodeVersion)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *modelVersionColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.ModelVersion)
	c.addEnvelope(&e.Envelope)
	c.colModel.add(e.Model)
	c.colVersion.add(e.Version)
	c.colStage.add(e.Stage)
	c.colRunID.add(e.RunID)
	c.colTriggerID.add(e.TriggerID)
	c.colParentVersion.add(e.ParentVersion)
	c.colRecipe.add(e.Recipe)
	c.colArtifact.add(e.Artifact)
	c.colDigest.add(e.Digest)
	c.colBytes.add(e.Bytes)
	c.colDataset.add(e.Dataset)
	c.colDatasetHash.add(e.DatasetHash)
	c.colExamples.add(e.Examples)
	c.colRanges.add(e.Ranges)
	c.colTrainingRulesVersion.add(e.TrainingRulesVersion)
	c.colLabels.add(e.Labels)
	c.colGatePassed.add(e.GatePassed)
	c.colGate.add(e.Gate)
	c.colGateDetail.add(e.GateDetail)
	c.colReason.add(e.Reason)
	c.colCodeVersion.add(e.CodeVersion)
	c.addMeta(meta)
	c.rows++
}

type qualityReportColumns struct {
	buffers
	envelopeBuffers
	colModel         dictColumn
	colModelVersion  dictColumn
	colRole          dictColumn
	colTopic         dictColumn
	colPartition     plainColumn[int32]
	colFromOffset    plainColumn[int64]
	colToOffset      plainColumn[int64]
	colExamples      plainColumn[int64]
	colCorrect       plainColumn[int64]
	colExamplesTotal plainColumn[int64]
	colLabels        mapColumn[int64]
	metaBuffers
}

func newQualityReportColumns() *qualityReportColumns {
	c := &qualityReportColumns{}
	c.all = append(c.envelope(), &c.colModel, &c.colModelVersion, &c.colRole, &c.colTopic, &c.colPartition, &c.colFromOffset, &c.colToOffset, &c.colExamples, &c.colCorrect, &c.colExamplesTotal, &c.colLabels)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *qualityReportColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.QualityReport)
	c.addEnvelope(&e.Envelope)
	c.colModel.add(e.Model)
	c.colModelVersion.add(e.ModelVersion)
	c.colRole.add(e.Role)
	c.colTopic.add(e.Topic)
	c.colPartition.add(e.Partition)
	c.colFromOffset.add(e.FromOffset)
	c.colToOffset.add(e.ToOffset)
	c.colExamples.add(e.Examples)
	c.colCorrect.add(e.Correct)
	c.colExamplesTotal.add(e.ExamplesTotal)
	c.colLabels.add(e.Labels)
	c.addMeta(meta)
	c.rows++
}

type rejectedColumns struct {
	buffers
	envelopeBuffers
	colTopic  dictColumn
	colRule   dictColumn
	colDetail plainColumn[string]
	colScores mapColumn[float64]
	metaBuffers
}

func newRejectedColumns() *rejectedColumns {
	c := &rejectedColumns{}
	c.all = append(c.envelope(), &c.colTopic, &c.colRule, &c.colDetail, &c.colScores)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *rejectedColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.Rejected)
	c.addEnvelope(&e.Envelope)
	c.colTopic.add(e.Topic)
	c.colRule.add(e.Rule)
	c.colDetail.add(e.Detail)
	c.colScores.add(e.Scores)
	c.addMeta(meta)
	c.rows++
}

type trainingExampleColumns struct {
	buffers
	envelopeBuffers
	colInferenceID     plainColumn[string]
	colFeedbackID      plainColumn[string]
	colModel           dictColumn
	colModelVersion    dictColumn
	colRole            dictColumn
	colTextID          plainColumn[string]
	colPrediction      dictColumn
	colConfidence      plainColumn[float64]
	colLabel           dictColumn
	colCorrect         plainColumn[*bool]
	colWeight          plainColumn[float64]
	colSplit           dictColumn
	colRevision        plainColumn[int64]
	colReviewer        plainColumn[string]
	colInferenceOffset plainColumn[int64]
	colFeedbackOffset  plainColumn[int64]
	colInferredAt      timeColumn
	colJudgedAt        timeColumn
	colJudgement       plainColumn[int64]
	metaBuffers
}

func newTrainingExampleColumns() *trainingExampleColumns {
	c := &trainingExampleColumns{}
	c.all = append(c.envelope(), &c.colInferenceID, &c.colFeedbackID, &c.colModel, &c.colModelVersion, &c.colRole, &c.colTextID, &c.colPrediction, &c.colConfidence, &c.colLabel, &c.colCorrect, &c.colWeight, &c.colSplit, &c.colRevision, &c.colReviewer, &c.colInferenceOffset, &c.colFeedbackOffset, &c.colInferredAt, &c.colJudgedAt, &c.colJudgement)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *trainingExampleColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.TrainingExample)
	c.addEnvelope(&e.Envelope)
	c.colInferenceID.add(e.InferenceID)
	c.colFeedbackID.add(e.FeedbackID)
	c.colModel.add(e.Model)
	c.colModelVersion.add(e.ModelVersion)
	c.colRole.add(e.Role)
	c.colTextID.add(e.TextID)
	c.colPrediction.add(e.Prediction)
	c.colConfidence.add(e.Confidence)
	c.colLabel.add(e.Label)
	c.colCorrect.add(e.Correct)
	c.colWeight.add(e.Weight)
	c.colSplit.add(e.Split)
	c.colRevision.add(e.Revision)
	c.colReviewer.add(e.Reviewer)
	c.colInferenceOffset.add(e.InferenceOffset)
	c.colFeedbackOffset.add(e.FeedbackOffset)
	c.colInferredAt.add(e.InferredAt)
	c.colJudgedAt.add(e.JudgedAt)
	c.colJudgement.add(e.Judgement)
	c.addMeta(meta)
	c.rows++
}

type trainingRunColumns struct {
	buffers
	envelopeBuffers
	colModel       dictColumn
	colRunID       plainColumn[string]
	colTriggerID   plainColumn[string]
	colRecipe      dictColumn
	colStep        dictColumn
	colSeed        plainColumn[int64]
	colDataset     plainColumn[string]
	colDatasetHash plainColumn[string]
	colExamples    plainColumn[int64]
	colRanges      stringsColumn
	colSeconds     plainColumn[float64]
	colMetrics     mapColumn[float64]
	colCodeVersion dictColumn
	colError       plainColumn[string]
	metaBuffers
}

func newTrainingRunColumns() *trainingRunColumns {
	c := &trainingRunColumns{}
	c.all = append(c.envelope(), &c.colModel, &c.colRunID, &c.colTriggerID, &c.colRecipe, &c.colStep, &c.colSeed, &c.colDataset, &c.colDatasetHash, &c.colExamples, &c.colRanges, &c.colSeconds, &c.colMetrics, &c.colCodeVersion, &c.colError)
	c.all = append(c.all, c.meta()...)
	return c
}

func (c *trainingRunColumns) Append(meta *schemas.Meta, m schemas.Message) {
	e := m.(*schemas.TrainingRun)
	c.addEnvelope(&e.Envelope)
	c.colModel.add(e.Model)
	c.colRunID.add(e.RunID)
	c.colTriggerID.add(e.TriggerID)
	c.colRecipe.add(e.Recipe)
	c.colStep.add(e.Step)
	c.colSeed.add(e.Seed)
	c.colDataset.add(e.Dataset)
	c.colDatasetHash.add(e.DatasetHash)
	c.colExamples.add(e.Examples)
	c.colRanges.add(e.Ranges)
	c.colSeconds.add(e.Seconds)
	c.colMetrics.add(e.Metrics)
	c.colCodeVersion.add(e.CodeVersion)
	c.colError.add(e.Error)
	c.addMeta(meta)
	c.rows++
}
