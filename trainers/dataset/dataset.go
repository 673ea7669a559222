// Package dataset makes what a run is trained on and judged by: a snapshot of the lake.
//
// A dataset is a function of the lake and of the trigger's ranges. Of all copies of a
// text (by the hash of what is trained on) one example is made, which stands on one side
// of the split; so no model is judged by what it was trained on. It is kept as an Arrow file with a
// manifest, both created exclusively: whoever makes the snapshot of a run again adopts
// the first.
package dataset

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
)

// Example is a text with its right label.
type Example struct {
	// ID is the inference's that was judged, or the labelled text's.
	ID string
	// ContentHash is that of Text.
	ContentHash string
	Text        string
	Label       string
	Weight      float32
	// Test is true on the side that no model is trained on.
	Test bool
	// LearnOnly is true of what is trained on and judges no model: the right answers of a
	// version that are too many beside what is known of its wrong ones.
	LearnOnly bool
	// After is true from the beginning of the drift on; everywhere where none is known.
	After bool
	// At is when the inference or the text arrived.
	At schemas.Micros
}

// Dataset is a snapshot. It is read only.
type Dataset struct {
	Manifest Manifest
	// Key is the manifest's object, Hash its SHA-256 in hex.
	Key, Hash string
	// Examples are in the order of their arrival.
	Examples []Example
}

// Config bounds a dataset.
type Config struct {
	// MaxBefore and MaxAfter are the most examples from before the drift and from after
	// it: of more, those are left out whose content hashes come last, so that every
	// snapshot of a model leaves out the same. They bound the time of a training, and the
	// texts that a snapshot holds.
	MaxBefore int `yaml:"max_before"`
	MaxAfter  int `yaml:"max_after"`
	// MaxLabels is the most labels; examples of others, which have fewer, are left out.
	MaxLabels int `yaml:"max_labels"`
	// MaxTextBytes cuts longer texts.
	MaxTextBytes int `yaml:"max_text_bytes"`
	// Wait is how long the lake may take to reach what the snapshot is made of.
	Wait time.Duration `yaml:"wait"`
}

// DefaultConfig keeps a training on one machine in seconds.
func DefaultConfig() Config {
	return Config{MaxBefore: 20_000, MaxAfter: 100_000, MaxLabels: 1000, MaxTextBytes: 64 << 10, Wait: 2 * time.Minute}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if c.MaxBefore < 1 || c.MaxAfter < 1 || c.MaxLabels < 2 || c.MaxTextBytes < 64 || c.Wait < time.Second {
		return fmt.Errorf("dataset: max_before and max_after must be 1 or more, max_labels 2 or more, max_text_bytes 64 or more, wait 1s or more; got %d, %d, %d, %d, %s",
			c.MaxBefore, c.MaxAfter, c.MaxLabels, c.MaxTextBytes, c.Wait)
	}
	return nil
}

// Topics says what is known of the topics; a *bus.Bus does.
type Topics interface {
	Topic(name string) (bus.Topic, error)
	Ends(ctx context.Context, topic string) (map[int32]int64, error)
}

// Deps is what a snapshot is made with.
type Deps struct {
	Objects objstore.Store
	Topics  Topics
}

// ManifestKey is the object of the manifest of a run's dataset.
func ManifestKey(runID string) string { return "runs/" + runID + "/dataset.json" }

// arrowKey is the object of the examples.
func arrowKey(runID string) string { return "runs/" + runID + "/dataset.arrow" }

// Snapshot makes the dataset of a trigger, or adopts it where there is one. It waits for
// the lake to reach the trigger's ranges, and what the texts are found in.
func Snapshot(ctx context.Context, cfg Config, deps Deps, trigger *schemas.DriftTrigger) (*Dataset, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	d, err := Load(ctx, deps.Objects, trigger.RunID)
	if err == nil || !errors.Is(err, objstore.ErrNotFound) {
		return d, err
	}
	c, err := newCollector(cfg, deps, trigger)
	if err != nil {
		return nil, err
	}
	if err := c.collect(ctx); err != nil {
		return nil, err
	}
	examples := c.choose()
	if len(examples) == 0 {
		return nil, &trainers.DataError{Problem: "there is no example with a text and a label in " + fmt.Sprint(trigger.Ranges)}
	}
	if err := store(ctx, deps.Objects, trigger.RunID, c.manifest, examples); err != nil {
		return nil, err
	}
	return Load(ctx, deps.Objects, trigger.RunID)
}
