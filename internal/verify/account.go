package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
)

// verdictStep is the stage that gives inputs their verdicts.
const verdictStep = "clean"

// inputTopics and outputTopics are those that are accounted for.
var (
	inputTopics  = []string{bus.RawText, bus.InferenceLogs, bus.UserFeedback}
	outputTopics = []string{bus.CleanText, bus.Interactions, bus.TrainingExamples, bus.ModelEvents}
)

// point is a place of a partition, all below which is accounted for: from there a reader
// may begin, and the log may be trimmed up to it.
type point struct {
	bus.Start
	// Last is the timestamp of the last record below.
	Last   time.Time      `json:"last"`
	Input  *InputAccount  `json:"input,omitempty"`
	Output *OutputAccount `json:"output,omitempty"`
}

// candidate is a place of an input that was read, and becomes a point once all below is
// accounted for.
type candidate struct {
	bus.Start
	last    time.Time
	skipped int64
}

type place struct {
	topic     bus.TopicID
	partition int32
}

// account is the whole account: every partition of every topic.
type account struct {
	bus     *bus.Bus
	stores  []Store
	inputs  map[place]*input
	outputs map[place]*output
	// order is that of the topics, for reports.
	inOrder  []place
	outOrder []place
	origins  []bus.TopicID
	readers  map[string]*bus.Follower
	looked   map[string]bool // topics of whose name earlier ones were asked for
}

// openAccount begins the account where saved says, or where the logs begin.
func openAccount(ctx context.Context, b *bus.Bus, stores []Store, saved *snapshot) (*account, error) {
	a := &account{bus: b, stores: stores, inputs: map[place]*input{}, outputs: map[place]*output{}, readers: map[string]*bus.Follower{}, looked: map[string]bool{}}
	for _, name := range append(append([]string(nil), inputTopics...), outputTopics...) {
		topic, err := b.Topic(name)
		if err != nil {
			return nil, err
		}
		a.origins = append(a.origins, topic.ID)
		starts := map[int32]bus.Start{}
		for n := range topic.Partitions {
			at := bus.Partition{Topic: name, TopicID: topic.ID, Partition: n}
			if starts[n], err = a.begin(ctx, topic, at, saved); err != nil {
				return nil, errors.Join(err, a.close())
			}
		}
		if a.readers[name], err = b.FollowFrom(ctx, name, starts); err != nil {
			return nil, errors.Join(err, a.close())
		}
	}
	return a, nil
}

// begin makes the account of one partition and returns where it is read from.
func (a *account) begin(ctx context.Context, topic bus.Topic, at bus.Partition, saved *snapshot) (bus.Start, error) {
	key := place{topic.ID, at.Partition}
	trim, err := a.bus.Trimmed(ctx, at)
	if err != nil {
		return bus.Start{}, err
	}
	var p point
	if len(trim.Account) > 0 {
		if err := json.Unmarshal(trim.Account, &p); err != nil {
			return bus.Start{}, fmt.Errorf("verify: the account at offset %d, where the log of %s begins, cannot be read: %w", trim.Offset, at, err)
		}
	}
	start := trim.Start
	if topic.Input {
		var done InputAccount
		if p.Input != nil {
			done = *p.Input
		}
		in := newInput(topic, at.Partition, trim.Offset, done)
		if s := saved.input(key); s != nil && s.Base >= trim.Offset {
			start = s.restore(in)
		}
		a.inputs[key] = in
		a.inOrder = append(a.inOrder, key)
		return start, nil
	}
	base := OutputAccount{Sums: Sums{}}
	if p.Output != nil {
		base = *p.Output
	}
	if s := saved.output(key); s != nil && s.Offset >= trim.Offset {
		base, start = s.Account, s.Start
	}
	o := newOutput(topic, at.Partition, start.Offset, base, a.stores)
	for _, h := range o.stores {
		if h.expired, h.expiredSums, err = a.expired(ctx, h.store, at); err != nil {
			return bus.Start{}, err
		}
	}
	a.outputs[key] = o
	a.outOrder = append(a.outOrder, key)
	return start, nil
}

// expired returns below where a store removed its rows by age, and the account there.
func (a *account) expired(ctx context.Context, s Store, at bus.Partition) (int64, Sums, error) {
	below, err := s.Expired(ctx, at)
	if err != nil || below == 0 {
		return 0, nil, err
	}
	p, err := readPoint(ctx, a.bus.Objects(), at, below)
	if err != nil {
		return 0, nil, err
	}
	if p.Output == nil {
		return 0, nil, fmt.Errorf("verify: the point of %s at %d, below which %s holds nothing, is of no output", at, below, s.Name())
	}
	return below, p.Output.Sums, nil
}

func (a *account) close() error {
	for _, f := range a.readers {
		if f != nil { // one that could not be opened
			f.Close()
		}
	}
	return nil
}

// pollFor bounds one wait for records.
const pollFor = time.Second

// read takes in what its topic holds now, and goes on until enough says so or nothing
// came for so long.
func (a *account) read(ctx context.Context, name string, wait time.Duration, enough func() bool) error {
	f := a.readers[name]
	if err := f.Extend(ctx); err != nil {
		return err
	}
	topic, err := a.bus.Topic(name)
	if err != nil {
		return err
	}
	last := time.Now()
	for !f.CaughtUp() || !enough() && time.Since(last) < wait {
		poll, cancel := context.WithTimeout(ctx, pollFor)
		records, err := f.Next(poll)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if len(records) > 0 {
			last = time.Now()
		}
		for i := range records {
			if err := a.take(&records[i], topic.Input); err != nil {
				return err
			}
		}
		if err := a.relieve(ctx, topic, f); err != nil {
			return err
		}
	}
	a.note(name, topic, f)
	return nil
}

// relieve bounds what waits to be compared with the stores.
func (a *account) relieve(ctx context.Context, topic bus.Topic, f *bus.Follower) error {
	if topic.Input {
		return nil
	}
	for n, next := range f.Positions() {
		o := a.outputs[place{topic.ID, n}]
		o.next = next
		if err := o.relieve(ctx, a.origins); err != nil {
			return err
		}
	}
	return nil
}

// take notes one record.
func (a *account) take(r *bus.Record, isInput bool) error {
	at := place{r.TopicID, r.Partition.Partition}
	if isInput {
		in := a.inputs[at]
		in.read(r)
		if o := r.Replay; o != nil {
			in.stand(r.Offset, a.inputs[place{o.TopicID, o.Partition}], o.Offset)
		}
		return nil
	}
	o := a.outputs[at]
	o.last = r.Timestamp
	in := a.judge(r)
	if _, claim := r.Kind.Claim(); claim {
		return nil
	}
	return o.read(r, in)
}

// judge notes a verdict, and returns the input that it is the first on.
func (a *account) judge(r *bus.Record) *input {
	if r.Origin.Step != verdictStep || r.Origin.Index != 0 {
		return nil
	}
	in := a.inputs[place{r.Origin.TopicID, r.Origin.Partition}]
	if in == nil {
		return nil
	}
	switch in.judge(r.Origin.Offset, r.Kind) {
	case first:
		return in
	case second:
		in.doubled++
		in.differences = append(in.differences, fmt.Sprintf("offset %d has a second verdict on %s at offset %d", r.Origin.Offset, r.Partition, r.Offset))
	}
	return nil
}

// note keeps where the readers of a topic are.
func (a *account) note(name string, topic bus.Topic, f *bus.Follower) {
	positions, skipped := f.Positions(), f.Skipped()
	for n := range topic.Partitions {
		at := place{topic.ID, n}
		if in := a.inputs[at]; in != nil {
			in.skipped = in.before + skipped[n]
			in.next = positions[n]
		}
		if o := a.outputs[at]; o != nil {
			o.now.Skipped = o.base.Skipped + skipped[n]
			o.next = positions[n]
		}
	}
}

// verdictTopic is where the verdicts on an input are written to.
func verdictTopic(input string) string {
	if input == bus.RawText {
		return bus.CleanText
	}
	return bus.Interactions
}

// openOn counts the records whose verdicts are expected on a topic.
func (a *account) openOn(name string) (n int64) {
	for _, in := range a.inputs {
		if verdictTopic(in.topic.Name) == name {
			n += in.waiting
		}
	}
	return n
}

// outcomes adds up the verdicts on all inputs by kind.
func (a *account) outcomes() map[schemas.Kind]int64 {
	all := map[schemas.Kind]int64{}
	for _, in := range a.inputs {
		in.outcomes(all)
	}
	return all
}
