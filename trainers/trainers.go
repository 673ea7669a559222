// Package trainers is the contract of what closes the loop: from signals to a better
// model, over the one log of a model, model.events.
//
// Three folds of that log decide: policy answers signals and reports with triggers,
// registry answers the claims of clients, rollout says which version is champion. Each
// is the only writer of what it decides, so that the log holds one order of it. The
// runner is a client with a clock: it trains what a trigger asks for, by a Recipe, and
// claims what came of it.
package trainers

import (
	"context"
	"fmt"
)

// Example is a text with its right label.
type Example struct {
	Text   string
	Label  string
	Weight float32
}

// Artifact is a trained model. It is read only: any number of goroutines may ask it.
type Artifact interface {
	// Predict returns the likeliest label and its probability.
	Predict(text string) (label string, probability float64)
	// Labels are those that it knows, sorted.
	Labels() []string
	// Bytes is its serialised form, which the recipe's Load reads.
	Bytes() ([]byte, error)
}

// Recipe makes models of one sort.
//
// Train must be a function of the examples, their order and the seed: whoever runs it
// again for the same run makes the same bytes. It returns a *DataError where the
// examples are at fault, so that trying again is of no use. Progress may be called from
// any goroutine, with the part that is done, 0 to 1.
type Recipe interface {
	// Name is the recipe of a trigger: classifier, lora.
	Name() string
	Train(ctx context.Context, examples []Example, seed int64, progress func(done float64)) (Artifact, error)
	Load(data []byte) (Artifact, error)
}

// DataError says that no model can be made of the examples: too few of them, or of
// their labels.
type DataError struct{ Problem string }

func (e *DataError) Error() string { return e.Problem }

// Loop says how far the loop goes by itself.
type Loop string

// The settings of Loop.
const (
	// Observe trains only when a person asks.
	Observe Loop = "observe"
	// Propose trains by itself and waits for a person's approval of what is better.
	Propose Loop = "propose"
	// Auto promotes by itself what passes the gate.
	Auto Loop = "auto"
)

// Validate says what is wrong with l.
func (l Loop) Validate() error {
	switch l {
	case Observe, Propose, Auto:
		return nil
	}
	return fmt.Errorf("loop is observe, propose or auto, not %q", string(l))
}
