package trainers

import (
	"context"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// Decider folds one partition of model.events and decides by it.
//
// Decide takes the next record and returns what is decided behind it, in order. It must
// be a function of the records so far, however they were cut into batches, and must
// count its own decisions at once: other records may lie between a decision and the
// place where it lands. What it remembers is in the state.Partition that it was opened
// with when Decide returns.
type Decider interface {
	Decide(rec *bus.Record) ([]schemas.Message, error)
}

// DeciderStage is the stage that runs a Decider for each partition of model.events. What
// it decides goes to the partition of the record that it was decided by.
func DeciderStage(step string, open func(st *state.Partition) (Decider, error)) bus.Stage {
	return bus.Stage{
		Name: step, Inputs: []string{bus.ModelEvents}, Limits: bus.DefaultLimits(),
		Open: func(_ context.Context, _ bus.Partition, st *state.Partition) (bus.Task, error) {
			d, err := open(st)
			if err != nil {
				return nil, err
			}
			return deciding{d}, nil
		},
	}
}

type deciding struct{ Decider }

func (d deciding) Process(_ context.Context, in []bus.Record, out *bus.Output) error {
	for i := range in {
		rec := &in[i]
		decided, err := d.Decide(rec)
		if err != nil {
			return err
		}
		for _, m := range decided {
			out.Emit(rec, bus.ModelEvents, rec.Partition.Partition, []byte(ModelOf(m)), m)
		}
	}
	return nil
}

// MaxEventBytes bounds a claim's answer, so that later events can say all of it again
// and more within the limit of model.events.
const MaxEventBytes = 512 << 10

// ModelOf is the model that an event of model.events is about: the key of its record.
func ModelOf(m schemas.Message) string {
	switch m := m.(type) {
	case *schemas.DriftSignal:
		return m.Model
	case *schemas.QualityReport:
		return m.Model
	case *schemas.DriftTrigger:
		return m.Model
	case *schemas.TrainingRun:
		return m.Model
	case *schemas.ModelVersion:
		return m.Model
	case *schemas.ModelCommand:
		return m.Model
	}
	return ""
}
