package policy

import (
	"math"
	"slices"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
)

// model is what policy remembers of one model. It is a function of the log, and is kept
// as JSON in the stage's state.
type model struct {
	Name string `json:"-"`
	// Stretches sum up the reports, one for each version and partition, in the order in
	// which they were first seen.
	Stretches []stretch `json:"stretches,omitempty"`
	Champion  string    `json:"champion,omitempty"`
	// Passed is the latest version that passed its gate and that rollout has not touched
	// yet; HasModel says whether there ever was one, HasVersion whether there was one at
	// all.
	Passed     string `json:"passed,omitempty"`
	HasModel   bool   `json:"has_model,omitempty"`
	HasVersion bool   `json:"has_version,omitempty"`
	// Rejected counts the latest versions, in a row, that did not pass their gates.
	Rejected int `json:"rejected,omitempty"`

	// Run is the latest run that was asked for, InFlight whether it has not ended yet.
	Run      asked `json:"run"`
	InFlight bool  `json:"in_flight,omitempty"`
	// Last is what there was to learn from at the last trigger.
	Last counts `json:"last"`
	// Failures counts the failed runs in a row. The next one waits until there are
	// NotBefore examples; Retry is the reason of the one that failed.
	Failures  int    `json:"failures,omitempty"`
	NotBefore int64  `json:"not_before,omitempty"`
	Retry     string `json:"retry,omitempty"`
	// Drift is the drift that is being answered; nil before the first.
	Drift *drift `json:"drift,omitempty"`
	// Command is that of a person that waits for its run.
	Command *command `json:"command,omitempty"`

	// Day is a day of the log since 1970, Today the triggers of it.
	Day   int64 `json:"day,omitempty"`
	Today int64 `json:"today,omitempty"`
}

// stretch sums up the reports of one version on one partition.
type stretch struct {
	Version   string           `json:"version,omitempty"`
	Topic     string           `json:"topic"`
	Partition int32            `json:"partition"`
	From      int64            `json:"from"`
	To        int64            `json:"to"`
	Examples  int64            `json:"examples"`
	Labels    map[string]int64 `json:"labels,omitempty"`
}

// counts are the examples that there are to learn from.
type counts struct {
	// Labelled texts, and Judged inferences.
	Labelled int64 `json:"labelled,omitempty"`
	Judged   int64 `json:"judged,omitempty"`
}

func (c counts) total() int64 { return c.Labelled + c.Judged }

// drift is a change of a model's quality and how far it was answered.
type drift struct {
	SignalID string         `json:"signal_id"`
	Since    trainers.Place `json:"since"`
	Detail   string         `json:"detail,omitempty"`
	// Base is how many examples were judged before the change.
	Base int64 `json:"base"`
	// Next is the number of examples since the change at which a run is asked for; 0
	// before the first.
	Next int64 `json:"next,omitempty"`
}

// asked is a run that was asked for.
type asked struct {
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason,omitempty"`
}

type command struct {
	ID     string `json:"id"`
	Detail string `json:"detail,omitempty"`
}

// counts sums up what was reported. What was judged may have no version either, where
// others serve the model.
func (m *model) counts() (c counts) {
	for _, s := range m.Stretches {
		if s.Version == "" && s.Topic != bus.TrainingExamples {
			c.Labelled += s.Examples
		} else {
			c.Judged += s.Examples
		}
	}
	return c
}

// report adds a report. One that begins where what is known of its version and partition
// begins is the same stretch told anew, and replaces it; another is its continuation.
func (m *model) report(e *schemas.QualityReport) {
	i := slices.IndexFunc(m.Stretches, func(s stretch) bool {
		return s.Version == e.ModelVersion && s.Topic == e.Topic && s.Partition == e.Partition
	})
	if i < 0 {
		i = len(m.Stretches)
		m.Stretches = append(m.Stretches, stretch{Version: e.ModelVersion, Topic: e.Topic, Partition: e.Partition, From: e.FromOffset})
	}
	s := &m.Stretches[i]
	if e.FromOffset <= s.From {
		s.From, s.Examples, s.Labels = e.FromOffset, 0, nil
	}
	s.To = max(s.To, e.ToOffset)
	s.Examples += e.Examples
	if s.Labels == nil {
		s.Labels = map[string]int64{}
	}
	for label, n := range e.Labels {
		s.Labels[label] += n
	}
}

// signal begins to answer a drift of the champion.
func (m *model) signal(cfg Config, e *schemas.DriftSignal) {
	if m.Champion == "" || e.ModelVersion != m.Champion || !slices.Contains(cfg.TriggerOn, e.Signal) {
		return
	}
	m.Drift = &drift{
		SignalID: e.EventID, Detail: describe(e),
		Since: trainers.Place{Topic: e.Topic, Partition: e.Partition, Offset: e.FromOffset},
		Base:  m.counts().Judged - e.Examples,
	}
}

// run follows the answered steps of the run in flight.
func (m *model) run(cfg Config, e *schemas.TrainingRun) {
	if !m.InFlight || e.RunID != m.Run.ID || !trainers.EndsRun(e.Step) {
		return
	}
	m.InFlight = false
	if e.Step == trainers.RunFinished {
		m.Failures, m.NotBefore, m.Retry = 0, 0, ""
		return
	}
	if m.Run.Reason == trainers.ReasonManual {
		return // who asked sees that it failed
	}
	wait := min(float64(cfg.RetryAfter)*math.Exp2(float64(m.Failures)), float64(cfg.RetryAtMost))
	m.Failures++
	m.NotBefore, m.Retry = m.counts().total()+int64(wait), m.Run.Reason
}

// version follows the stages of versions.
func (m *model) version(cfg Config, e *schemas.ModelVersion, step string) {
	if step == trainers.StepRegistry {
		m.HasVersion = true
		m.Rejected++
		if e.GatePassed {
			m.Passed, m.HasModel, m.Rejected = e.Version, true, 0
		}
		return
	}
	if e.Version == m.Passed {
		m.Passed = ""
	}
	if e.Stage != trainers.StageChampion || e.Version == m.Champion {
		return
	}
	m.Champion = e.Version
	if d := m.Drift; d != nil && d.Next == 0 {
		// The signal was about the champion before; what grows since the change is
		// still learned from.
		d.Next = m.nextStep(cfg)
	}
}

// sinceDrift is how many examples were judged since the change.
func (m *model) sinceDrift() int64 { return m.counts().Judged - m.Drift.Base }

func (m *model) nextStep(cfg Config) int64 {
	return max(cfg.GrowthFrom, int64(math.Ceil(cfg.Growth*float64(m.sinceDrift()))))
}

// busy says whether a run is in flight: from its trigger until it ended and, where what
// passes is promoted by itself, until rollout has seen to what it made.
func (m *model) busy(cfg Config) bool {
	return m.InFlight || cfg.Loop == trainers.Auto && m.Passed != ""
}

// wants returns why a run is wanted now, "" where none is.
func (m *model) wants(cfg Config, day int64) (reason string) {
	c := m.counts()
	switch {
	case m.busy(cfg):
		return ""
	case m.Command != nil:
		return trainers.ReasonManual
	case cfg.Loop == trainers.Observe, c.total() < m.NotBefore, day == m.Day && m.Today >= cfg.MaxPerDay:
		return ""
	case m.Retry != "":
		return m.Retry
	case !m.HasModel:
		if m.ours(cfg) && m.enoughForFirst(cfg) {
			return trainers.ReasonBootstrap
		}
		return ""
	}
	if m.Drift != nil && c.Judged-m.Last.Judged >= cfg.Cooldown {
		if m.Drift.Next == 0 {
			return trainers.ReasonDrift
		}
		if m.sinceDrift() >= m.Drift.Next {
			return trainers.ReasonGrowth
		}
	}
	if m.grown(cfg, c) {
		return trainers.ReasonGrowth
	}
	return ""
}

// judgedShare is the part of all that there is to learn from, as one in so many, that the
// judged examples since the last run must make up before they are reason for another:
// what a handful of them adds to thousands, no gate can show.
const judgedShare = 20

// grown says whether there is more to learn from by the factor of growth: by all that
// there was at the last run, or by the judged examples alone. These are what is asked for
// now, and there may be few of them beside many labelled texts of another time; no signal
// need have said that they differ. Where what came of it was not better, the next such run
// waits for more, by the factor once again. The runs are as few as the logarithm of the
// examples.
func (m *model) grown(cfg Config, c counts) bool {
	more := c.total() - m.Last.total()
	if more < max(cfg.GrowthFrom, cfg.Cooldown) {
		return false
	}
	judged := c.Judged - m.Last.Judged
	return float64(more) >= (cfg.Growth-1)*float64(m.Last.total()) ||
		judged >= max(cfg.GrowthFrom, cfg.Cooldown, c.total()/judgedShare) &&
			float64(c.Judged) >= math.Pow(cfg.Growth, float64(1+m.Rejected))*float64(m.Last.Judged)
}

// ours says whether Millrace serves the model. Others are known by what was logged of
// them alone, and nobody asked for a model in their place; a person may, and then there
// is a version.
func (m *model) ours(cfg Config) bool { return m.Name == cfg.Model || m.HasVersion }

// asks notes that a run is asked for, on that day of the log.
func (m *model) asks(cfg Config, run asked, day int64) {
	m.Run, m.InFlight, m.Last = run, true, m.counts()
	if m.Drift != nil {
		m.Drift.Next = m.nextStep(cfg)
	}
	if run.Reason == trainers.ReasonManual {
		m.Command = nil
		return
	}
	if day > m.Day {
		m.Day, m.Today = day, 0
	}
	m.Today++
}

// enoughForFirst says whether there is enough to train the first model from; after an
// attempt that did not pass its gate, that there is more by the factor of growth.
func (m *model) enoughForFirst(cfg Config) bool {
	total := m.counts().total()
	if total < cfg.MinBootstrapLabels || float64(total) < cfg.Growth*float64(m.Last.total()) {
		return false
	}
	labels := map[string]int64{}
	enough := 0
	for _, s := range m.Stretches {
		for label, n := range s.Labels {
			if label == "" {
				continue
			}
			was := labels[label]
			if labels[label] += n; was < cfg.MinPerLabel && labels[label] >= cfg.MinPerLabel {
				enough++
			}
		}
	}
	return enough >= 2
}

// landed reads what policy itself wrote. It was noted when it was decided; only where
// another configuration decided, before the state was lost, is it news. Then the run that
// this one decided in its place, at an earlier record, is none: readers drop its trigger
// as a repeat of what had landed, and nobody would ever end it.
func (m *model) landed(cfg Config, e *schemas.DriftTrigger) {
	if e.RunID != m.Run.ID {
		m.asks(cfg, asked{ID: e.RunID, Reason: e.Reason}, m.Day)
	}
}
