// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// The kinds of the messages.
const (
	KindCleanText       Kind = "clean_text"
	KindDeadLetter      Kind = "dead_letters"
	KindDriftSignal     Kind = "drift_signals"
	KindDriftTrigger    Kind = "drift_triggers"
	KindDuplicate       Kind = "duplicates"
	KindFeedback        Kind = "feedback"
	KindInference       Kind = "inferences"
	KindModelCommand    Kind = "model_commands"
	KindModelVersion    Kind = "model_versions"
	KindQualityReport   Kind = "quality_reports"
	KindRejected        Kind = "rejected"
	KindText            Kind = "text"
	KindTrainingExample Kind = "training_examples"
	KindTrainingRun     Kind = "training_runs"
)

// The kinds of claims.
const (
	KindModelCommandClaim = KindModelCommand + claimSuffix
	KindModelVersionClaim = KindModelVersion + claimSuffix
	KindTrainingRunClaim  = KindTrainingRun + claimSuffix
)

// New is an empty message of the kind, or of the kind that it claims; nil for an
// unknown kind.
func New(k Kind) Message {
	if of, ok := k.Claim(); ok {
		k = of
	}
	switch k {
	case KindCleanText:
		return new(CleanText)
	case KindDeadLetter:
		return new(DeadLetter)
	case KindDriftSignal:
		return new(DriftSignal)
	case KindDriftTrigger:
		return new(DriftTrigger)
	case KindDuplicate:
		return new(Duplicate)
	case KindFeedback:
		return new(Feedback)
	case KindInference:
		return new(Inference)
	case KindModelCommand:
		return new(ModelCommand)
	case KindModelVersion:
		return new(ModelVersion)
	case KindQualityReport:
		return new(QualityReport)
	case KindRejected:
		return new(Rejected)
	case KindText:
		return new(Text)
	case KindTrainingExample:
		return new(TrainingExample)
	case KindTrainingRun:
		return new(TrainingRun)
	}
	return nil
}

// Kinds are all kinds but claims.
func Kinds() []Kind {
	return []Kind{
		KindCleanText,
		KindDeadLetter,
		KindDriftSignal,
		KindDriftTrigger,
		KindDuplicate,
		KindFeedback,
		KindInference,
		KindModelCommand,
		KindModelVersion,
		KindQualityReport,
		KindRejected,
		KindText,
		KindTrainingExample,
		KindTrainingRun,
	}
}

// StoredKinds are the kinds that have a table and a folder in the lake.
func StoredKinds() []Kind {
	return []Kind{
		KindCleanText,
		KindDeadLetter,
		KindDriftSignal,
		KindDriftTrigger,
		KindDuplicate,
		KindFeedback,
		KindInference,
		KindModelCommand,
		KindModelVersion,
		KindQualityReport,
		KindRejected,
		KindTrainingExample,
		KindTrainingRun,
	}
}

// Input says whether producers outside Millrace may write k.
func (k Kind) Input() bool {
	switch k {
	case KindFeedback:
		return true
	case KindInference:
		return true
	case KindText:
		return true
	}
	return false
}

// Stored says whether k has a table and a folder in the lake.
func (k Kind) Stored() bool {
	switch k {
	case KindCleanText:
		return true
	case KindDeadLetter:
		return true
	case KindDriftSignal:
		return true
	case KindDriftTrigger:
		return true
	case KindDuplicate:
		return true
	case KindFeedback:
		return true
	case KindInference:
		return true
	case KindModelCommand:
		return true
	case KindModelVersion:
		return true
	case KindQualityReport:
		return true
	case KindRejected:
		return true
	case KindTrainingExample:
		return true
	case KindTrainingRun:
		return true
	}
	return false
}

// claimable says whether there are claims of k.
func (k Kind) claimable() bool {
	switch k {
	case KindModelCommand:
		return true
	case KindModelVersion:
		return true
	case KindTrainingRun:
		return true
	}
	return false
}
