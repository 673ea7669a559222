package registry

import (
	"encoding/hex"
	"fmt"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
)

// answer turns the claim m into the answer to it, where it gets one.
func (f *Fold) answer(rec *bus.Record, m schemas.Message) (result, why string) {
	e := m.Env()
	if e.EventID == "" {
		e.EventID = bus.DerivedID(rec.Origin, "")
	}
	e.ArrivedAt = schemas.MicrosOf(rec.Timestamp)
	switch m := m.(type) {
	case *schemas.TrainingRun:
		return f.answerRun(m)
	case *schemas.ModelVersion:
		return f.answerVersion(m)
	case *schemas.ModelCommand:
		return f.answerCommand(m)
	}
	return resultMalformed, "nobody answers this kind"
}

func (f *Fold) answerRun(m *schemas.TrainingRun) (result, why string) {
	run := f.run(m.Model, m.RunID)
	switch {
	case run == nil:
		return resultStray, fmt.Sprintf("no trigger asked for run %q of model %q", m.RunID, m.Model)
	case m.Step == "":
		return resultMalformed, "it names no step"
	case run.Step(m.Step) != nil:
		return resultRepeated, fmt.Sprintf("step %s of run %s", m.Step, m.RunID)
	case run.Ended():
		return resultStray, fmt.Sprintf("run %s has ended", m.RunID)
	}
	m.TriggerID, m.Recipe = run.Trigger.EventID, run.Trigger.Recipe
	return resultAnswered, ""
}

// answerVersion names a version and gives it its first stage. What the trigger says of
// it is taken from the trigger.
func (f *Fold) answerVersion(m *schemas.ModelVersion) (result, why string) {
	run := f.run(m.Model, m.RunID)
	switch {
	case run == nil:
		return resultStray, fmt.Sprintf("no trigger asked for run %q of model %q", m.RunID, m.Model)
	case run.Version != nil:
		return resultRepeated, fmt.Sprintf("run %s made version %s", m.RunID, run.Version.Version)
	case run.Ended():
		return resultStray, fmt.Sprintf("run %s has ended", m.RunID)
	}
	if digest, err := hex.DecodeString(m.Digest); err != nil || len(digest) != 32 || m.Artifact == "" {
		return resultMalformed, "a version needs its artefact and the SHA-256 of it"
	}
	m.TriggerID, m.Recipe, m.ParentVersion = run.Trigger.EventID, run.Trigger.Recipe, run.Trigger.ParentVersion
	m.Version = f.models[m.Model].nextVersion()
	m.Stage, m.Reason = trainers.StageRejected, "the gate was not passed"
	if m.GatePassed {
		m.Stage, m.Reason = trainers.StageCandidate, "the gate was passed"
	}
	return resultAnswered, ""
}

// answerCommand accepts what can be carried out. Rollout and policy carry it out when
// they read the answer, which names the version that is meant.
func (f *Fold) answerCommand(m *schemas.ModelCommand) (result, why string) {
	if f.answered[m.EventID] {
		return resultRepeated, "command " + m.EventID
	}
	m.Accepted, m.Answer = f.judge(m)
	if !m.Accepted {
		return resultRefused, m.Answer
	}
	return resultAnswered, ""
}

func (f *Fold) judge(m *schemas.ModelCommand) (accepted bool, answer string) {
	of := f.models[m.Model]
	if of == nil {
		return false, fmt.Sprintf("nothing is known of a model %q: neither texts with labels, nor judged inferences, nor versions", m.Model)
	}
	switch m.Command {
	case trainers.CommandTrain:
		if run := of.InFlight(); run != nil {
			return false, fmt.Sprintf("run %s is in flight", run.Trigger.RunID)
		}
		return true, "a run will be asked for"
	case trainers.CommandRollback:
		return of.judgeRollback(m)
	case trainers.CommandPromote, trainers.CommandApprove:
		return of.judgePromotion(m)
	}
	return false, fmt.Sprintf("there is no command %q: promote, approve, rollback and train are known", m.Command)
}

// judgeRollback lets the version that serves be rolled back; without a version it is
// the one that serves.
func (m *Model) judgeRollback(c *schemas.ModelCommand) (accepted bool, answer string) {
	switch {
	case m.Champion == nil:
		return false, "no version serves"
	case c.Version != "" && c.Version != m.Champion.Version:
		return false, fmt.Sprintf("%s does not serve, %s does", c.Version, m.Champion.Version)
	case m.Previous() == nil:
		return false, fmt.Sprintf("there is no version to go back to from %s", m.Champion.Version)
	}
	c.Version = m.Champion.Version
	return true, fmt.Sprintf("%s serves in place of %s", m.Previous().Version, c.Version)
}

// judgePromotion lets a version that passed its gate be promoted, and one that waits for
// it be approved; approve without a version means the latest that waits.
func (m *Model) judgePromotion(c *schemas.ModelCommand) (accepted bool, answer string) {
	approve := c.Command == trainers.CommandApprove
	if c.Version == "" && approve {
		for _, v := range m.Versions {
			if v.Stage == trainers.StageCandidate {
				c.Version = v.Version
			}
		}
		if c.Version == "" {
			return false, "no version waits for approval"
		}
	}
	v := m.Version(c.Version)
	switch {
	case c.Version == "":
		return false, "it names no version"
	case v == nil:
		return false, fmt.Sprintf("there is no version %q", c.Version)
	case v == m.Champion:
		return false, v.Version + " serves already"
	case !v.GatePassed:
		return false, v.Version + " did not pass its gate: " + v.GateDetail
	case approve && v.Stage != trainers.StageCandidate:
		return false, fmt.Sprintf("%s does not wait for approval, it is %s; promote makes it serve", v.Version, v.Stage)
	}
	return true, v.Version + " will serve"
}
