// Package verify accounts for every record: each input has one verdict, and each record
// that Millrace wrote stands once in ClickHouse and once in the lake.
//
// It reads the logs themselves, with the same marks as every other reader, and compares
// sets of offsets, not counts or differences of offsets: logs have holes. It works on a
// system that runs: what was there when it began is accounted for, and what the stages
// and sinks have not reached yet is waited for.
package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
)

// verdictStep is the stage that gives inputs their verdicts.
const verdictStep = "clean"

// Store is a place where what Millrace wrote is kept: ClickHouse, the lake.
type Store interface {
	Name() string
	// Reach waits until the store holds, of each kind, the row before its end (exclusive),
	// which has one: a store may take a kind before another. What an older topic of that
	// name left does not count: it is of other origins.
	Reach(ctx context.Context, topic bus.Topic, partition int32, ends map[schemas.Kind]int64, origins []bus.TopicID) error
	// Offsets returns the offsets below end that the store holds of partition of topic,
	// by kind, in order, doubled ones doubled. origins are the topics whose records count
	// as origins. Where some of it is damaged, it returns what it could read, and an error
	// that names the damage; where it cannot be asked at all, no offsets and an error.
	Offsets(ctx context.Context, topic bus.Topic, partition int32, end int64, origins []bus.TopicID) (map[schemas.Kind][]int64, error)
}

// Config bounds a run.
type Config struct {
	// Wait is how long stages and sinks may take to reach what was there at the start
	// without any progress.
	Wait time.Duration
}

// Line accounts for one partition of one topic.
type Line struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Records that count, once each, and those written again that do not.
	Records int64 `json:"records"`
	Skipped int64 `json:"skipped"`
	// Verdicts on the records of an input; -1 for other topics.
	Verdicts int64 `json:"verdicts"`
	// Stored is how many rows each store holds; empty for inputs.
	Stored map[string]int64 `json:"stored,omitempty"`
	// Differences names what is missing or too much, down to offsets.
	Differences []string `json:"differences,omitempty"`
}

// Report is the account.
type Report struct {
	Lines []Line `json:"lines"`
	// Outcomes counts the verdicts on inputs by kind.
	Outcomes map[schemas.Kind]int64 `json:"outcomes"`
	Lost     int64                  `json:"lost"`
	Doubled  int64                  `json:"doubled"`
}

// OK is true where everything is accounted for.
func (r *Report) OK() bool { return r.Lost == 0 && r.Doubled == 0 }

// inputs and outputs are the topics that are accounted for.
var (
	inputs  = []string{bus.RawText, bus.InferenceLogs, bus.UserFeedback}
	outputs = []string{bus.CleanText, bus.Interactions, bus.TrainingExamples, bus.ModelEvents}
)

// Run makes the account of everything that is on the log now.
func Run(ctx context.Context, cfg Config, b *bus.Bus, stores []Store) (*Report, error) {
	v := &run{cfg: cfg, bus: b, report: &Report{Outcomes: map[schemas.Kind]int64{}}, verdicts: map[place]*account{}}
	for _, topic := range inputs {
		if err := v.readInput(ctx, topic); err != nil {
			return nil, err
		}
	}
	for _, topic := range outputs {
		if err := v.readOutput(ctx, topic, stores); err != nil {
			return nil, err
		}
	}
	v.settleInputs()
	return v.report, nil
}

type run struct {
	cfg      Config
	bus      *bus.Bus
	report   *Report
	verdicts map[place]*account // of input partitions
	order    []place
	origins  []bus.TopicID
}

type place struct {
	topic     bus.TopicID
	partition int32
}

// account is what an input partition holds and which of it has a verdict.
type account struct {
	line    Line
	records bitset
	judged  bitset
	open    int64 // records without a verdict
}

func (v *run) readInput(ctx context.Context, name string) error {
	topic, err := v.bus.Topic(name)
	if err != nil {
		return err
	}
	v.origins = append(v.origins, topic.ID)
	for n := range topic.Partitions {
		at := place{topic.ID, n}
		v.verdicts[at] = &account{line: Line{Topic: name, Partition: n}}
		v.order = append(v.order, at)
	}
	return v.scan(ctx, name, func(r *bus.Record) {
		a := v.verdicts[place{topic.ID, r.Partition.Partition}]
		a.records.set(r.Offset)
		a.line.Records++
		a.open++
	}, func(partition int32, skipped int64) {
		v.verdicts[place{topic.ID, partition}].line.Skipped = skipped
	}, func() bool { return true })
}

// scan reads a topic from its start to its present end and then on until enough says so
// or nothing came for the time that may be waited.
func (v *run) scan(ctx context.Context, topic string, each func(*bus.Record), skipped func(int32, int64), enough func() bool) error {
	f, err := v.bus.Follow(ctx, topic)
	if err != nil {
		return err
	}
	defer f.Close()
	last := time.Now()
	for !f.CaughtUp() || !enough() && time.Since(last) < v.cfg.Wait {
		poll, cancel := context.WithTimeout(ctx, time.Second)
		records, err := f.Next(poll)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && poll.Err() == nil {
			return err
		}
		if len(records) > 0 {
			last = time.Now()
		}
		for i := range records {
			each(&records[i])
		}
	}
	for n, count := range f.Skipped() {
		skipped(n, count)
	}
	return nil
}

// readOutput reads a topic that Millrace wrote and compares it with the stores.
func (v *run) readOutput(ctx context.Context, name string, stores []Store) error {
	topic, err := v.bus.Topic(name)
	if err != nil {
		return err
	}
	v.origins = append(v.origins, topic.ID)
	lines := make([]Line, topic.Partitions)
	want := make([]map[schemas.Kind][]int64, topic.Partitions)
	ends := make([]int64, topic.Partitions)
	for n := range lines {
		lines[n] = Line{Topic: name, Partition: int32(n), Verdicts: -1, Stored: map[string]int64{}}
		want[n] = map[schemas.Kind][]int64{}
	}
	open := v.openOn(name)
	err = v.scan(ctx, name, func(r *bus.Record) {
		n := r.Partition.Partition
		ends[n] = r.Offset + 1
		if v.judge(r) {
			*open--
		}
		if _, claim := r.Kind.Claim(); claim {
			return
		}
		lines[n].Records++
		want[n][r.Kind] = append(want[n][r.Kind], r.Offset)
	}, func(n int32, skipped int64) { lines[n].Skipped = skipped }, func() bool { return *open <= 0 })
	if err != nil {
		return err
	}
	for n := range lines {
		for _, s := range stores {
			if err := v.compare(ctx, s, topic, &lines[n], ends[n], want[n]); err != nil {
				return err
			}
		}
	}
	v.report.Lines = append(v.report.Lines, lines...)
	return nil
}

// openOn counts the input records whose verdicts are expected on a topic.
func (v *run) openOn(name string) *int64 {
	var n int64
	for _, a := range v.verdicts {
		if name == bus.CleanText && a.line.Topic == bus.RawText || name == bus.Interactions && a.line.Topic != bus.RawText {
			n += a.open
		}
	}
	return &n
}

// judge notes a verdict, and says whether it is the first on a record that was counted.
func (v *run) judge(r *bus.Record) bool {
	if r.Origin.Step != verdictStep || r.Origin.Index != 0 {
		return false
	}
	a := v.verdicts[place{r.Origin.TopicID, r.Origin.Partition}]
	if a == nil || !a.records.has(r.Origin.Offset) {
		return false // of a record that came after the account began
	}
	if a.judged.has(r.Origin.Offset) {
		v.report.Doubled++
		a.line.Differences = append(a.line.Differences, fmt.Sprintf("offset %d has a second verdict on %s at offset %d", r.Origin.Offset, r.Partition, r.Offset))
		return false
	}
	a.judged.set(r.Origin.Offset)
	a.open--
	a.line.Verdicts++
	v.report.Outcomes[r.Kind]++
	return true
}

func (v *run) settleInputs() {
	var lines []Line
	for _, at := range v.order {
		a := v.verdicts[at]
		if a.open > 0 {
			v.report.Lost += a.open
			missing := a.records.without(&a.judged)
			a.line.Differences = append(a.line.Differences, fmt.Sprintf("%d records have no verdict: offsets %s", a.open, ranges(missing)))
		}
		lines = append(lines, a.line)
	}
	v.report.Lines = append(lines, v.report.Lines...)
}

func (v *run) compare(ctx context.Context, s Store, topic bus.Topic, line *Line, end int64, want map[schemas.Kind][]int64) error {
	reach, cancel := context.WithTimeout(ctx, v.cfg.Wait)
	defer cancel()
	ends := map[schemas.Kind]int64{} // of what has rows: claims have none
	for kind, offsets := range want {
		ends[kind] = offsets[len(offsets)-1] + 1
	}
	if err := s.Reach(reach, topic, line.Partition, ends, v.origins); err != nil && ctx.Err() != nil {
		return err
	} // what it has not reached by now shows below, down to offsets
	got, err := s.Offsets(ctx, topic, line.Partition, end, v.origins)
	if err != nil && got == nil {
		return fmt.Errorf("verify: %s: %s/%d: %w", s.Name(), topic.Name, line.Partition, err)
	}
	if err != nil {
		line.Differences = append(line.Differences, s.Name()+": "+strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	kinds := map[schemas.Kind]bool{}
	for k := range want {
		kinds[k] = true
	}
	for k := range got {
		kinds[k] = true
	}
	sorted := make([]schemas.Kind, 0, len(kinds))
	for k := range kinds {
		sorted = append(sorted, k)
	}
	slices.Sort(sorted)
	for _, k := range sorted {
		line.Stored[s.Name()] += int64(len(got[k]))
		missing, extra := differ(want[k], got[k])
		v.report.Lost += int64(len(missing))
		v.report.Doubled += int64(len(extra))
		if len(missing) > 0 {
			line.Differences = append(line.Differences, fmt.Sprintf("%s: %s lacks offsets %s", s.Name(), k, ranges(missing)))
		}
		if len(extra) > 0 {
			line.Differences = append(line.Differences, fmt.Sprintf("%s: %s has offsets %s too much", s.Name(), k, ranges(extra)))
		}
	}
	return nil
}
