package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/internal/objstore"
)

// Manifest says what a dataset was made of.
type Manifest struct {
	RunID      string   `json:"run_id"`
	Model      string   `json:"model"`
	TriggerID  string   `json:"trigger_id"`
	Ranges     []string `json:"ranges"`
	DriftSince []string `json:"drift_since,omitempty"`
	// Files are the lake's files that were read, in the order in which they were.
	Files []File `json:"files"`
	// Rules counts the examples by the version of the cleaning rules of their texts.
	Rules map[string]int `json:"rules"`
	// Counts are the examples by split, period and label.
	Counts   map[string]map[string]map[string]int `json:"counts"`
	Examples int                                  `json:"examples"`
	// LeftOut says why what the ranges hold is no example.
	LeftOut LeftOut `json:"left_out"`
	// Object is the Arrow file, Content the SHA-256 of what is in it, in hex.
	Object  string `json:"object"`
	Content string `json:"content"`
}

// File is a file of the lake, and the range of offsets that its commit says it is of.
type File struct {
	Key   string `json:"key"`
	Topic string `json:"topic"`
	First int64  `json:"first"`
	End   int64  `json:"end"`
	Rows  int64  `json:"rows"`
}

// LeftOut counts what did not become an example of its own.
type LeftOut struct {
	// Unlabelled were judged without a right answer, Weightless count nothing,
	// Superseded were judged again later.
	Unlabelled int `json:"unlabelled"`
	Weightless int `json:"weightless"`
	Superseded int `json:"superseded"`
	// Missing have no text in the lake.
	Missing int `json:"missing"`
	// Copies have the content of another, Conflicts were outvoted by it.
	Copies    int `json:"copies"`
	Conflicts int `json:"conflicts"`
	// Sampled went beyond the bounds of a dataset, RareLabels beyond that of its labels.
	Sampled    int `json:"sampled"`
	RareLabels int `json:"rare_labels"`
	// Confirmed are right answers that would judge too much, on the side of the tests.
	Confirmed int `json:"confirmed"`
}

// The sides of the split, as files name them.
const (
	sideTest  = "test"
	sideTrain = "train"
	sideLearn = "learn" // trained on, and judging no model
)

func (e *Example) side() string {
	switch {
	case e.Test:
		return sideTest
	case e.LearnOnly:
		return sideLearn
	}
	return sideTrain
}

func period(after bool) string {
	if after {
		return "after"
	}
	return "before"
}

// count fills in what follows from the examples.
func (m *Manifest) count(examples []Example) {
	m.Examples = len(examples)
	m.Counts = map[string]map[string]map[string]int{}
	for i := range examples {
		e := &examples[i]
		bySplit := m.Counts[e.side()]
		if bySplit == nil {
			bySplit = map[string]map[string]int{}
			m.Counts[e.side()] = bySplit
		}
		byPeriod := bySplit[period(e.After)]
		if byPeriod == nil {
			byPeriod = map[string]int{}
			bySplit[period(e.After)] = byPeriod
		}
		byPeriod[e.Label]++
	}
	m.Content = contentOf(examples)
}

// contentOf is the SHA-256 of the examples, in hex.
func contentOf(examples []Example) string {
	h := sha256.New()
	for i := range examples {
		e := &examples[i]
		for _, s := range []string{e.ID, e.ContentHash, e.Text, e.Label} {
			fmt.Fprintf(h, "%d:", len(s))
			_, _ = io.WriteString(h, s) // never fails
		}
		fmt.Fprintf(h, "%g %s %s %d\n", e.Weight, e.side(), period(e.After), e.At)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// store writes the examples and then the manifest. Where the examples of this run exist
// already (their writer died before the manifest), those count: a reader must never see
// a manifest of others.
func store(ctx context.Context, objects objstore.Store, runID string, m Manifest, examples []Example) error {
	m.Object = arrowKey(runID)
	err := objects.CreateFunc(ctx, m.Object, func(w io.Writer) error { return writeArrow(w, examples) })
	if errors.Is(err, objstore.ErrExists) {
		examples, err = readArrow(ctx, objects, m.Object)
	}
	if err != nil {
		return fmt.Errorf("dataset: write %s: %w", m.Object, err)
	}
	m.count(examples)
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("dataset: render the manifest of run %s: %w", runID, err)
	}
	if err := objects.Create(ctx, ManifestKey(runID), data); err != nil && !errors.Is(err, objstore.ErrExists) {
		return fmt.Errorf("dataset: write %s: %w", ManifestKey(runID), err)
	}
	return nil
}

// ErrTampered says that a dataset is not what its manifest says.
var ErrTampered = errors.New("the dataset is not what its manifest says")

// Load reads the dataset of a run and checks it against its manifest;
// objstore.ErrNotFound where there is none.
func Load(ctx context.Context, objects objstore.Store, runID string) (*Dataset, error) {
	d := &Dataset{Key: ManifestKey(runID)}
	data, err := objects.Get(ctx, d.Key)
	if err != nil {
		return nil, fmt.Errorf("dataset: read %s: %w", d.Key, err)
	}
	sum := sha256.Sum256(data)
	d.Hash = hex.EncodeToString(sum[:])
	if err := json.Unmarshal(data, &d.Manifest); err != nil {
		return nil, fmt.Errorf("dataset: read %s: %w", d.Key, err)
	}
	if d.Examples, err = readArrow(ctx, objects, d.Manifest.Object); err != nil {
		return nil, fmt.Errorf("dataset: read %s: %w", d.Manifest.Object, err)
	}
	if content := contentOf(d.Examples); content != d.Manifest.Content {
		return nil, fmt.Errorf("dataset: read %s: %w: its content has SHA-256 %s, want %s", d.Manifest.Object, ErrTampered, content, d.Manifest.Content)
	}
	return d, nil
}

// Labels are the labels of the training side with the number of their examples.
func (d *Dataset) Labels() map[string]int {
	out := map[string]int{}
	for i := range d.Examples {
		if !d.Examples[i].Test {
			out[d.Examples[i].Label]++
		}
	}
	return out
}

// RulesVersion names the cleaning rules of the texts: the version that most went
// through, the last of them by name where several have as many.
func (m *Manifest) RulesVersion() string {
	best := ""
	for v, n := range m.Rules {
		if n > m.Rules[best] || n == m.Rules[best] && v > best {
			best = v
		}
	}
	return best
}
