package runner

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/trainers/dataset"
	"github.com/millrace-io/millrace/trainers/evaluate"
)

// Config says how runs are made.
type Config struct {
	Dataset dataset.Config      `yaml:"dataset"`
	Gate    evaluate.GateConfig `yaml:"gate"`
	// While fewer than CrossfitBelow examples from after the drift are held out, those
	// that were trained on are judged too, each by a model that was trained without it:
	// in as many parts as Folds says.
	CrossfitBelow int `yaml:"crossfit_below"`
	Folds         int `yaml:"folds"`
	// Seed is that of every run.
	Seed int64 `yaml:"seed"`
	// Tries is how often a run begins again where not its data is at fault, RetryPause
	// the time before the second try; it doubles with each.
	Tries      int           `yaml:"tries"`
	RetryPause time.Duration `yaml:"retry_pause"`
}

// DefaultConfig suits a classifier that trains in seconds.
func DefaultConfig() Config {
	return Config{
		Dataset: dataset.DefaultConfig(), Gate: evaluate.DefaultGateConfig(),
		CrossfitBelow: 200, Folds: 3, Seed: 1, Tries: 5, RetryPause: time.Second,
	}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if err := errors.Join(c.Dataset.Validate(), c.Gate.Validate()); err != nil {
		return fmt.Errorf("runner: %w", err)
	}
	switch {
	case c.CrossfitBelow < 0 || c.Folds < 2 || c.Folds > 20:
		return fmt.Errorf("runner: crossfit_below must be 0 or more and folds 2 to 20, got %d, %d", c.CrossfitBelow, c.Folds)
	case c.Tries < 1 || c.Tries > 100 || c.RetryPause < 0 || c.RetryPause > time.Minute:
		return fmt.Errorf("runner: tries must be 1 to 100 and retry_pause 0s to 1m, got %d, %s", c.Tries, c.RetryPause)
	}
	return nil
}
