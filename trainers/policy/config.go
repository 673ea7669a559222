package policy

import (
	"fmt"

	"github.com/millrace-io/millrace/trainers"
)

// Config says when a training run is asked for. Everything is counted in examples or in
// the log's days, never by the clock of whoever reads it.
type Config struct {
	// Loop is observe: runs are asked for by persons only.
	Loop trainers.Loop `yaml:"-"`
	// Model is the one that Millrace serves: it is trained once there are labels enough.
	// Others, which only inferences name, are trained where a person asks for it.
	Model string `yaml:"-"`
	// Recipe is what the runs train by.
	Recipe string `yaml:"recipe"`
	// TriggerOn are the signals that count as drift of a model. Others are recorded only:
	// a change of the input is not yet one of the quality.
	TriggerOn []string `yaml:"trigger_on"`

	// The first model is trained once there are MinBootstrapLabels labelled texts and
	// judged examples, MinPerLabel of each of two labels among them.
	MinBootstrapLabels int64 `yaml:"min_bootstrap_labels"`
	MinPerLabel        int64 `yaml:"min_per_label"`

	// Growth is the factor by which what there is to learn from must have grown since the
	// last run: the examples since a drift, all judged examples, or these and the labelled
	// texts. GrowthFrom is how many it must be at least.
	Growth     float64 `yaml:"growth"`
	GrowthFrom int64   `yaml:"growth_from"`
	// Cooldown is how many examples must lie between one run's trigger and the next that
	// answers a drift or growth.
	Cooldown int64 `yaml:"cooldown"`
	// RetryAfter is how many examples must come before a failed run is tried again; it
	// doubles with every further failure, up to RetryAtMost.
	RetryAfter  int64 `yaml:"retry_after"`
	RetryAtMost int64 `yaml:"retry_at_most"`
	// MaxPerDay bounds the runs of a model in a day of the log, what persons ask for
	// aside.
	MaxPerDay int64 `yaml:"max_per_day"`
}

// DefaultConfig suits a stream of hundreds to millions of judged examples.
func DefaultConfig() Config {
	return Config{
		Loop: trainers.Auto, Model: "default", Recipe: "classifier", TriggerOn: []string{"error_rate"},
		MinBootstrapLabels: 200, MinPerLabel: 20,
		Growth: 1.5, GrowthFrom: 10, Cooldown: 10,
		RetryAfter: 10, RetryAtMost: 1000, MaxPerDay: 48,
	}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if err := c.Loop.Validate(); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	switch {
	case c.Recipe == "" || c.Model == "":
		return fmt.Errorf("policy: recipe and model must not be empty, got %q, %q", c.Recipe, c.Model)
	case c.MinBootstrapLabels < 2 || c.MinPerLabel < 1:
		return fmt.Errorf("policy: min_bootstrap_labels must be 2 or more and min_per_label 1 or more, got %d, %d", c.MinBootstrapLabels, c.MinPerLabel)
	case !(c.Growth >= 1.1 && c.Growth <= 100) || c.GrowthFrom < 1:
		return fmt.Errorf("policy: growth must be 1.1 to 100 and growth_from 1 or more, got %g, %d", c.Growth, c.GrowthFrom)
	case c.Cooldown < 0 || c.RetryAfter < 1 || c.RetryAtMost < c.RetryAfter || c.MaxPerDay < 1:
		return fmt.Errorf("policy: cooldown must be 0 or more, retry_after 1 or more, retry_at_most no less than it, max_per_day 1 or more; got %d, %d, %d, %d",
			c.Cooldown, c.RetryAfter, c.RetryAtMost, c.MaxPerDay)
	}
	return nil
}
