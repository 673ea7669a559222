package classifier

import (
	"context"

	"github.com/millrace-io/millrace/trainers"
)

// Recipe makes classifiers for the runner.
type Recipe struct{ cfg Config }

var _ trainers.Recipe = (*Recipe)(nil)

// NewRecipe checks the configuration.
func NewRecipe(cfg Config) (*Recipe, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Recipe{cfg}, nil
}

// Name implements trainers.Recipe.
func (r *Recipe) Name() string { return "classifier" }

// Train implements trainers.Recipe.
func (r *Recipe) Train(ctx context.Context, examples []trainers.Example, seed int64, progress func(float64)) (trainers.Artifact, error) {
	m, err := Train(ctx, r.cfg, examples, seed, progress)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Load implements trainers.Recipe.
func (r *Recipe) Load(data []byte) (trainers.Artifact, error) {
	m, err := Read(data)
	if err != nil {
		return nil, err
	}
	return m, nil
}
