package trainers

// The steps that write to model.events what folds go by.
const (
	StepPolicy   = "policy"
	StepRegistry = "registry"
	StepRollout  = "rollout"
)

// Why a run is asked for.
const (
	ReasonBootstrap = "bootstrap"
	ReasonDrift     = "drift"
	ReasonGrowth    = "growth"
	ReasonManual    = "manual"
)

// The steps of a run. A run ends with RunFinished or RunFailed.
const (
	RunStarted   = "started"
	RunDataset   = "dataset"
	RunTrained   = "trained"
	RunEvaluated = "evaluated"
	RunFinished  = "finished"
	RunFailed    = "failed"
)

// EndsRun says whether nothing comes behind step in a run.
func EndsRun(step string) bool { return step == RunFinished || step == RunFailed }

// The stages of a version's life.
const (
	StageCandidate  = "candidate"
	StageChampion   = "champion"
	StageArchived   = "archived"
	StageRejected   = "rejected"
	StageRolledBack = "rolled_back"
)

// What a person may ask of a model.
const (
	CommandPromote  = "promote"
	CommandApprove  = "approve"
	CommandRollback = "rollback"
	CommandTrain    = "train"
)
