// Package drift notices that the world has changed: in the errors that feedback tells of,
// and in the texts themselves. It also sums up each stretch of a log as a quality report,
// which is what policy and rollout know of other topics.
//
// Each detector is a file of its own. What they see goes to model.events.
package drift

import (
	"fmt"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
)

// Config is what may be chosen.
type Config struct {
	// ErrorDelta bounds the chance that a version whose quality does not change, and is no
	// worse than that of the versions before it, ever raises a signal.
	ErrorDelta float64 `yaml:"error_delta"`
	// ReportEvery is how many examples at least lie between two reports, and ReportShare
	// which share of all examples so far, so that reports stay few.
	ReportEvery int64   `yaml:"report_every"`
	ReportShare float64 `yaml:"report_share"`
	// TextWindow is how many texts the distribution detector compares with as many
	// before, and TextDelta bounds the chance of a false signal at each comparison.
	TextWindow int64   `yaml:"text_window"`
	TextDelta  float64 `yaml:"text_delta"`
}

// DefaultConfig suits any stream: the bounds are of probabilities, not of a data set.
func DefaultConfig() Config {
	return Config{ErrorDelta: .01, ReportEvery: 10, ReportShare: .05, TextWindow: 1000, TextDelta: 1e-6}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	chance := func(f float64) bool { return f > 0 && f < 1 }
	if !chance(c.ErrorDelta) || !chance(c.TextDelta) || c.ReportEvery < 1 || c.ReportShare < 0 || c.ReportShare > 1 || c.TextWindow < 100 {
		return fmt.Errorf("drift: error_delta and text_delta must lie between 0 and 1, report_every be 1 or more, report_share 0 to 1, text_window 100 or more; got %+v", c)
	}
	return nil
}

// Stages are the processors: one on errors, one on texts. model is the name under which
// labelled texts are reported.
func Stages(cfg Config, model string) ([]bus.Stage, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if model == "" {
		return nil, fmt.Errorf("drift: the model has no name")
	}
	return []bus.Stage{errorsStage(cfg), textsStage(cfg, model)}, nil
}

// stretch sums up examples until it is reported.
type stretch struct {
	from, to          int64 // offsets; from is -1 while it is empty
	examples, correct int64
	total             int64
	labels            map[string]int64
	role              string
}

func newStretch() stretch { return stretch{from: -1, labels: map[string]int64{}} }

func (s *stretch) add(offset int64, label string, correct bool) {
	if s.from < 0 {
		s.from = offset
	}
	s.to = offset + 1
	s.examples++
	s.total++
	if correct {
		s.correct++
	}
	if label != "" {
		s.labels[label]++
	}
}

// mostLabels bounds the labels of a report, which has to fit model.events: a label has up
// to 256 bytes, and whoever posts may give each text another.
const mostLabels = 1000

// due says whether there is enough for a report.
func (s *stretch) due(cfg Config, least int64) bool {
	return s.examples >= max(least, int64(cfg.ReportShare*float64(s.total))) || len(s.labels) >= mostLabels
}

// report writes the stretch and begins the next.
func (s *stretch) report(r *bus.Record, out *bus.Output, env schemas.Envelope, stage, model, version string) {
	e := &schemas.QualityReport{
		Envelope: envelope(env, r, stage, "report "+version), Model: model, ModelVersion: version, Role: s.role,
		Topic: r.Topic, Partition: r.Partition.Partition, FromOffset: s.from, ToOffset: s.to,
		Examples: s.examples, Correct: s.correct, ExamplesTotal: s.total, Labels: s.labels,
	}
	out.Emit(r, bus.ModelEvents, out.ByKey(bus.ModelEvents, []byte(model)), []byte(model), e)
	total, role := s.total, s.role
	*s = newStretch()
	s.total, s.role = total, role
}

// envelope is that of an event made from r: its id is a function of r's place.
func envelope(from schemas.Envelope, r *bus.Record, stage, what string) schemas.Envelope {
	at := bus.Origin{Step: stage, TopicID: r.TopicID, Partition: r.Partition.Partition, Offset: r.Offset}
	return schemas.Envelope{Tenant: from.Tenant, EventID: bus.DerivedID(at, what), EventTime: from.ArrivedAt, ArrivedAt: from.ArrivedAt, Source: "millrace"}
}
