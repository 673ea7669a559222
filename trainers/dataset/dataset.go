// Package dataset makes what a run is trained on and judged by: a snapshot of the lake.
//
// A dataset is a function of the lake and of the trigger's ranges. Of all copies of a
// text (by content hash) one example is made, which stands on one side of the split; so
// no model is judged by what it was trained on. It is kept as an Arrow file with a
// manifest, both created exclusively: whoever makes the snapshot of a run again adopts
// the first.
package dataset

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
)

// Example is a text with its right label.
type Example struct {
	// ID is the inference's that was judged, or the labelled text's.
	ID          string
	ContentHash string
	Text        string
	Label       string
	Weight      float32
	// Test is true on the side that no model is trained on.
	Test bool
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
	// snapshot of a model leaves out the same. They bound the time of a training.
	MaxBefore int `yaml:"max_before"`
	MaxAfter  int `yaml:"max_after"`
	// MaxTextBytes cuts longer texts.
	MaxTextBytes int `yaml:"max_text_bytes"`
	// Wait is how long the lake may take to reach what the snapshot is made of.
	Wait time.Duration `yaml:"wait"`
}

// DefaultConfig keeps a training on one machine in seconds.
func DefaultConfig() Config {
	return Config{MaxBefore: 20_000, MaxAfter: 100_000, MaxTextBytes: 64 << 10, Wait: 2 * time.Minute}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if c.MaxBefore < 1 || c.MaxAfter < 1 || c.MaxTextBytes < 64 || c.Wait < time.Second {
		return fmt.Errorf("dataset: max_before and max_after must be 1 or more, max_text_bytes 64 or more, wait 1s or more; got %d, %d, %d, %s",
			c.MaxBefore, c.MaxAfter, c.MaxTextBytes, c.Wait)
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

// testShare is the part of the examples that no model is trained on, in percent.
const testShare = 10

// IsTest says whether a text is on the side that no model is trained on: a function of
// its content hash, the one by which join names the split of an example.
func IsTest(contentHash string) bool {
	h := fnv.New64a()
	_, _ = h.Write([]byte(contentHash)) // never fails
	sum := h.Sum64()
	// FNV's low bits of like strings are alike; its high bits, folded, are not.
	return (sum^sum>>29)*0x9e3779b97f4a7c15>>32%100 < testShare
}
