package dataset

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/content"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
)

// item is what may become an example.
type item struct {
	Example
	tenant, textID string
	revision       int64
	rules          string
	found          bool // its text is known, and so is its hash
	right, wrong   bool // what a feedback says of the version's answer
}

// named is an event's identity in the lake.
type named struct{ tenant, id string }

// collector reads the lake for one trigger. It holds the texts that may become examples
// at once, and of all others in the trigger's ranges what is known beside the text.
type collector struct {
	cfg      Config
	deps     Deps
	model    string
	ranges   []trainers.Range
	since    []trainers.Place
	manifest Manifest

	judged   []*item
	labelled []*item
	known    map[bool]known // by After
	// texts are those that the samplers, by After, hold, by their hash.
	texts    map[string]string
	samplers map[bool]*sampler
	versions map[string]string // of the rules: each is held once
	// sinceTime is when the first example of the drift arrived; 0 where none was read.
	sinceTime schemas.Micros
}

func newCollector(cfg Config, deps Deps, trigger *schemas.DriftTrigger) (*collector, error) {
	c := &collector{cfg: cfg, deps: deps, model: trigger.Model, manifest: Manifest{
		RunID: trigger.RunID, Model: trigger.Model, TriggerID: trigger.EventID,
		Ranges: trigger.Ranges, DriftSince: trigger.DriftSince, Rules: map[string]int{},
	}, known: map[bool]known{}, texts: map[string]string{}, versions: map[string]string{},
		samplers: map[bool]*sampler{false: newSampler(cfg.MaxBefore), true: newSampler(cfg.MaxAfter)},
	}
	var err error
	if c.ranges, err = trainers.ParseRanges(trigger.Ranges); err != nil {
		return nil, &trainers.DataError{Problem: "trigger " + trigger.EventID + ": " + err.Error()}
	}
	for _, s := range trigger.DriftSince {
		p, err := trainers.ParsePlace(s)
		if err != nil {
			return nil, &trainers.DataError{Problem: "trigger " + trigger.EventID + ": " + err.Error()}
		}
		c.since = append(c.since, p)
	}
	return c, nil
}

// collect reads what was judged, then the texts: those that were judged and those that
// came with a label, then the inputs of inferences that were not made on a text.
func (c *collector) collect(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, c.cfg.Wait)
	defer cancel()
	for _, r := range c.ranges {
		if err := c.wait(waiting, r.Topic, r.Partition, r.To); err != nil {
			return err
		}
	}
	for _, topic := range []string{bus.CleanText, bus.Interactions} {
		// What was judged lay on these before it was judged.
		ends, err := c.deps.Topics.Ends(waiting, topic)
		if err != nil {
			return fmt.Errorf("dataset: ask for the ends of %s: %w", topic, err)
		}
		for partition, end := range ends {
			if err := c.wait(waiting, topic, partition, end); err != nil {
				return err
			}
		}
	}
	if err := c.readJudged(ctx); err != nil {
		return err
	}
	if err := c.readTexts(ctx); err != nil {
		return err
	}
	return c.readInputs(ctx)
}

func (c *collector) wait(ctx context.Context, topic string, partition int32, end int64) error {
	t, err := c.deps.Topics.Topic(topic)
	if err == nil {
		err = lake.Wait(ctx, c.deps.Objects, t.ID, partition, end)
	}
	if err != nil {
		return fmt.Errorf("dataset: wait for the lake to hold %s/%d: %w", topic, partition, err)
	}
	return nil
}

// exampleRow is a row of training_examples, as far as it is needed.
type exampleRow struct {
	Tenant      string         `parquet:"tenant"`
	ArrivedAt   schemas.Micros `parquet:"arrived_at,timestamp(microsecond)"`
	InferenceID string         `parquet:"inference_id"`
	Model       string         `parquet:"model"`
	TextID      string         `parquet:"text_id"`
	Label       string         `parquet:"label"`
	Correct     *bool          `parquet:"correct"`
	Weight      float64        `parquet:"weight"`
	Revision    int64          `parquet:"revision"`
	InferredAt  schemas.Micros `parquet:"inferred_at,timestamp(microsecond)"`
	Offset      int64          `parquet:"_offset"`
}

// readJudged reads the latest revision of every judged inference of the model.
func (c *collector) readJudged(ctx context.Context) error {
	latest := map[named]*item{}
	for _, r := range c.ranges {
		if r.Topic != bus.TrainingExamples {
			continue
		}
		err := read(ctx, c, r, schemas.KindTrainingExample, func(row *exampleRow) int64 { return row.Offset }, func(row *exampleRow) error {
			if row.Model != c.model {
				return nil
			}
			it := &item{
				Example: Example{
					ID: strings.Clone(row.InferenceID), Label: strings.Clone(row.Label),
					Weight: float32(row.Weight), After: c.after(r.Topic, r.Partition, row.Offset, row.ArrivedAt), At: row.InferredAt,
				},
				tenant: strings.Clone(row.Tenant), textID: strings.Clone(row.TextID), revision: row.Revision,
				right: row.Correct != nil && *row.Correct, wrong: row.Correct != nil && !*row.Correct,
			}
			key := named{it.tenant, it.ID}
			old := latest[key]
			if old == nil {
				latest[key] = it
				c.judged = append(c.judged, it)
				return nil
			}
			c.manifest.LeftOut.Superseded++
			if it.revision >= old.revision {
				*old = *it
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	c.keepLabelled()
	return nil
}

// keepLabelled keeps of what was judged that of which the right label is known.
func (c *collector) keepLabelled() {
	kept := c.judged[:0]
	for _, it := range c.judged {
		known := c.known[it.After]
		switch {
		case it.Label == "":
			c.manifest.LeftOut.Unlabelled++
			if it.wrong && it.Weight > 0 {
				known.unlabelled++
			}
		case !(it.Weight > 0):
			c.manifest.LeftOut.Weightless++
		default:
			kept = append(kept, it)
			if it.wrong {
				known.labelled++
			}
		}
		c.known[it.After] = known
	}
	c.judged = kept
}

// after says on which side of the drift a record is: by its offset where the drift is
// dated on its partition, else by its arrival.
func (c *collector) after(topic string, partition int32, offset int64, arrived schemas.Micros) bool {
	if len(c.since) == 0 {
		return true
	}
	for _, p := range c.since {
		if p.Topic != topic || p.Partition != partition {
			continue
		}
		if offset >= p.Offset && (c.sinceTime == 0 || arrived < c.sinceTime) {
			c.sinceTime = arrived
		}
		return offset >= p.Offset
	}
	return c.sinceTime != 0 && arrived >= c.sinceTime
}

// textRow is a row of clean_text, as far as it is needed.
type textRow struct {
	Tenant       string         `parquet:"tenant"`
	EventID      string         `parquet:"event_id"`
	RulesVersion string         `parquet:"rules_version"`
	ArrivedAt    schemas.Micros `parquet:"arrived_at,timestamp(microsecond)"`
	Text         string         `parquet:"text"`
	Label        string         `parquet:"label"`
	Offset       int64          `parquet:"_offset"`
}

// readTexts finds the texts that were judged, and those of the ranges that came with a
// label.
func (c *collector) readTexts(ctx context.Context) error {
	wanted := map[named][]*item{}
	for _, it := range c.judged {
		if it.textID != "" {
			key := named{it.tenant, it.textID}
			wanted[key] = append(wanted[key], it)
		}
	}
	all, err := c.whole(ctx, bus.CleanText)
	if err != nil {
		return err
	}
	for _, r := range all {
		labels := c.rangeOf(r.Topic, r.Partition)
		if len(wanted) == 0 && labels.To == 0 {
			continue
		}
		err := read(ctx, c, r, schemas.KindCleanText, func(row *textRow) int64 { return row.Offset }, func(row *textRow) error {
			for _, it := range wanted[named{row.Tenant, row.EventID}] {
				c.find(it, row.Text, row.RulesVersion)
			}
			if row.Label == "" || !labels.Contains(row.Offset) {
				return nil
			}
			it := &item{Example: Example{
				ID: strings.Clone(row.EventID), Label: strings.Clone(row.Label), Weight: 1,
				After: c.after(r.Topic, r.Partition, row.Offset, row.ArrivedAt), At: row.ArrivedAt,
			}, tenant: strings.Clone(row.Tenant)}
			c.find(it, row.Text, row.RulesVersion)
			c.labelled = append(c.labelled, it)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inputRow is a row of inferences, as far as it is needed.
type inputRow struct {
	Tenant        string `parquet:"tenant"`
	EventID       string `parquet:"event_id"`
	RulesVersion  string `parquet:"rules_version"`
	InputMessages string `parquet:"input_messages"`
	Offset        int64  `parquet:"_offset"`
}

// readInputs finds the texts of the examples that no text event has.
func (c *collector) readInputs(ctx context.Context) error {
	wanted := map[named]*item{}
	for _, it := range c.judged {
		if !it.found {
			wanted[named{it.tenant, it.ID}] = it
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	all, err := c.whole(ctx, bus.Interactions)
	if err != nil {
		return err
	}
	for _, r := range all {
		err := read(ctx, c, r, schemas.KindInference, func(row *inputRow) int64 { return row.Offset }, func(row *inputRow) error {
			if it := wanted[named{row.Tenant, row.EventID}]; it != nil && row.InputMessages != "" {
				c.find(it, content.Text(row.InputMessages), row.RulesVersion)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// find gives an item its text, once. What is the same text, and the side of the split, go
// by what is trained on: of an input's messages the text alone, of a long text the
// beginning; else copies would stand on both sides.
func (c *collector) find(it *item, text, rules string) {
	if it.found || text == "" {
		return
	}
	if len(text) > c.cfg.MaxTextBytes {
		cut := c.cfg.MaxTextBytes
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	version, ok := c.versions[rules]
	if !ok {
		version = strings.Clone(rules)
		c.versions[version] = version
	}
	it.found, it.rules, it.ContentHash = true, version, content.Hash(text)
	c.hold(it, text)
}

// hold keeps the text of an item while it is among those of its period that a dataset may
// have.
func (c *collector) hold(it *item, text string) {
	in, out := c.samplers[it.After].admit(it.ContentHash)
	if out != "" && !c.samplers[!it.After].held[out] {
		delete(c.texts, out)
	}
	if _, held := c.texts[it.ContentHash]; in && !held {
		c.texts[it.ContentHash] = strings.Clone(text)
	}
}

// rangeOf is the trigger's range of a partition, empty where it names none.
func (c *collector) rangeOf(topic string, partition int32) trainers.Range {
	for _, r := range c.ranges {
		if r.Topic == topic && r.Partition == partition {
			return r
		}
	}
	return trainers.Range{}
}

// whole are the ranges of what the lake holds of a topic.
func (c *collector) whole(ctx context.Context, topic string) ([]trainers.Range, error) {
	t, err := c.deps.Topics.Topic(topic)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	var out []trainers.Range
	for n := range t.Partitions {
		end, err := lake.Covered(ctx, c.deps.Objects, t.ID, n)
		if err != nil {
			return nil, fmt.Errorf("dataset: ask the lake for %s/%d: %w", topic, n, err)
		}
		out = append(out, trainers.Range{Topic: topic, Partition: n, To: end})
	}
	return out, nil
}

// read calls each for every row of kind in r, and notes the files.
func read[R any](ctx context.Context, c *collector, r trainers.Range, kind schemas.Kind, offset func(*R) int64, each func(*R) error) error {
	t, err := c.deps.Topics.Topic(r.Topic)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	for commit, err := range lake.Commits(ctx, c.deps.Objects, t.ID, r.Partition) {
		if err != nil {
			return fmt.Errorf("dataset: ask the lake for %s/%d: %w", r.Topic, r.Partition, err)
		}
		if commit.First >= r.To {
			break
		}
		for _, f := range commit.Files {
			if f.Kind == kind && commit.End > r.From {
				c.manifest.Files = append(c.manifest.Files, File{f.Key, r.Topic, commit.First, commit.End, f.Rows})
			}
		}
	}
	if err := lake.Read(ctx, c.deps.Objects, t.ID, r.Partition, kind, r.From, r.To, offset, each); err != nil {
		return fmt.Errorf("dataset: read %s: %w", r, err)
	}
	return nil
}
