package clean

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// newStage is the stage with the default rules and the given clock.
func newStage(t testing.TB, clock func() time.Time) bus.Stage {
	t.Helper()
	r, err := rules.New(rules.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Stage(DefaultConfig(), Deps{Rules: r, Tenant: "house", Metrics: prometheus.NewRegistry(), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// verdict is what was said of one input record, with its class: the rule, the reason.
type verdict struct {
	bus.Record
	m     schemas.Message
	class string
}

func verdictOf(t testing.TB, r bus.Record) verdict {
	t.Helper()
	v := verdict{Record: r, m: bustest.Decode(t, &r)}
	switch m := v.m.(type) {
	case *schemas.Rejected:
		v.class = m.Rule
	case *schemas.Duplicate:
		v.class = m.Reason
	case *schemas.DeadLetter:
		v.class = m.Reason
	}
	return v
}

// place is where an input record lies.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// verdicts reads all verdicts, by the input record that they are of, and checks that
// there is one for each record.
func verdicts(t testing.TB, c *bustest.Cluster, b *bus.Bus) map[place]verdict {
	t.Helper()
	names := map[bus.TopicID]string{}
	inputs := 0
	for _, name := range []string{bus.RawText, bus.InferenceLogs, bus.UserFeedback} {
		topic, err := b.Topic(name)
		if err != nil {
			t.Fatal(err)
		}
		names[topic.ID] = name
		inputs += len(c.Read(b, name))
	}
	all := map[place]verdict{}
	for _, name := range []string{bus.CleanText, bus.Interactions} {
		for _, r := range c.Read(b, name) {
			at := place{names[r.Origin.TopicID], r.Origin.Partition, r.Origin.Offset}
			if at.topic == "" || r.Origin.Step != "clean" || r.Origin.Index != 0 {
				t.Errorf("%s at offset %d is of %s, which is no verdict on an input", r.Partition, r.Offset, r.Origin)
			}
			if _, ok := all[at]; ok {
				t.Errorf("%v has two verdicts", at)
			}
			all[at] = verdictOf(t, r)
		}
	}
	if len(all) != inputs {
		t.Errorf("there are %d verdicts on %d records", len(all), inputs)
	}
	return all
}

func at(r *kgo.Record) place { return place{r.Topic, r.Partition, r.Offset} }

func (p place) String() string { return fmt.Sprintf("%s/%d at %d", p.topic, p.partition, p.offset) }

func header(contentType string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: bus.HeaderContentType, Value: []byte(contentType)}
}

func protoText(edit func(*schemas.Text)) []byte {
	m := schemas.Text{Text: "a text of a stranger"}
	edit(&m)
	return m.MarshalAppend(nil)
}

// stateKeys lists the state of one partition as it was committed.
func stateKeys(t *testing.T, c *bustest.Cluster, b *bus.Bus, topic bus.Topic, partition int32) []string {
	t.Helper()
	r := bustest.Input(bus.RawText, "a", []byte("{"))
	c.Produce(r) // so that the partition is opened
	var keys []string
	stage := newStage(t, time.Now)
	open := stage.Open
	stage.Open = opening(open, func(task *task) {
		if task.at.TopicID != topic.ID || task.at.Partition != partition {
			return
		}
		for kv, err := range task.ids.st.Scan(nil) {
			if err != nil {
				t.Error(err)
			}
			keys = append(keys, string(kv.Key))
		}
	})
	c.MustDrain(b, stage)
	return keys
}

type opener = func(context.Context, bus.Partition, *state.Partition) (bus.Task, error)

// opening shows each task to see as it is opened.
func opening(open opener, see func(*task)) opener {
	return func(ctx context.Context, at bus.Partition, st *state.Partition) (bus.Task, error) {
		opened, err := open(ctx, at, st)
		if err == nil {
			see(opened.(*task))
		}
		return opened, err
	}
}
