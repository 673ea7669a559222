// Package predict answers for texts with the champion, in this process: the texts of the
// log, and those that it is asked about over HTTP. Both go through the same rules, so
// that the same text gets the same answer on both paths.
package predict

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// RoleChampion is the role of the version that answers.
const RoleChampion = "champion"

// Config is what may be chosen.
type Config struct {
	// SkipLabelled leaves texts alone whose source gave the label: they are to learn
	// from, not traffic.
	SkipLabelled bool `yaml:"skip_labelled"`
	// MaxTexts bounds the texts of one request, MaxBytes its body.
	MaxTexts int   `yaml:"max_texts"`
	MaxBytes int64 `yaml:"max_bytes"`
}

// DefaultConfig predicts on traffic alone.
func DefaultConfig() Config { return Config{SkipLabelled: true, MaxTexts: 256, MaxBytes: 4 << 20} }

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if c.MaxTexts < 1 || c.MaxBytes < 1 {
		return fmt.Errorf("predict: max_texts and max_bytes must be positive, got %d, %d", c.MaxTexts, c.MaxBytes)
	}
	return nil
}

// Predictor is a loaded model; any number of goroutines may ask it.
type Predictor interface {
	// Predict returns the likeliest label and its probability.
	Predict(text string) (label string, probability float64)
}

// InferenceID is the id of the inference that a role makes on a text: a function of
// where the text lies on raw.text, so that whoever posted it knows the id.
func InferenceID(text bus.Origin, role string) string {
	return bus.DerivedID(bus.Origin{TopicID: text.TopicID, Partition: text.Partition, Offset: text.Offset}, "inference "+role)
}

// Stage is the processor: clean.text to inference.logs. model is the name of the model
// whose champion answers. Which version answers is not a function of the log; its first
// inference that lands counts.
func Stage(cfg Config, models *Models, model string) (bus.Stage, error) {
	if err := cfg.Validate(); err != nil {
		return bus.Stage{}, err
	}
	if models == nil || model == "" {
		return bus.Stage{}, errors.New("predict: models and a model's name are needed")
	}
	return bus.Stage{
		Name: "predict", Inputs: []string{bus.CleanText}, Limits: bus.Limits{MaxRecords: 500, MaxBytes: 4 << 20},
		Open: func(context.Context, bus.Partition, *state.Partition) (bus.Task, error) {
			return &task{cfg: cfg, models: models, model: model}, nil
		},
	}, nil
}

type task struct {
	cfg    Config
	models *Models
	model  string
}

// Process implements bus.Task.
func (t *task) Process(ctx context.Context, in []bus.Record, out *bus.Output) error {
	if err := t.models.WaitReady(ctx); err != nil {
		return err
	}
	for i := range in {
		r := &in[i]
		if r.Kind != schemas.KindCleanText {
			continue
		}
		champion := t.models.Champion(t.model)
		if champion == nil {
			continue
		}
		var text schemas.CleanText
		if err := text.Unmarshal(r.Value); err != nil {
			return fmt.Errorf("predict: decode %s at offset %d: %w", r.Partition, r.Offset, err)
		}
		if t.cfg.SkipLabelled && text.Label != "" {
			continue
		}
		inf := infer(champion, t.model, &text)
		inf.EventID = InferenceID(r.Origin, RoleChampion)
		inf.TextID = text.EventID
		key := []byte(inf.EventID)
		out.Emit(r, bus.InferenceLogs, out.ByKey(bus.InferenceLogs, key), key, inf)
	}
	return nil
}

// infer asks the champion about a clean text.
func infer(champion *Loaded, model string, text *schemas.CleanText) *schemas.Inference {
	label, probability := champion.Predictor.Predict(text.Text)
	inf := &schemas.Inference{
		Envelope: schemas.Envelope{
			Tenant: text.Tenant, EventTime: text.EventTime, Source: text.Source, Subject: text.Subject, Purpose: text.Purpose,
			License: text.License, TraceID: text.TraceID, SpanID: text.SpanID, SessionID: text.SessionID, ContentHash: text.ContentHash,
		},
		OperationName: "classify", ProviderName: "millrace", RequestModel: model, ResponseModel: model,
		ModelVersion: champion.Version, Role: RoleChampion, Prediction: label, Confidence: probability,
	}
	return inf
}
