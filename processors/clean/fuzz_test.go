package clean

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/schemas"
)

// FuzzProcess posts anything to the inputs of a stage that runs, and waits for its
// verdict: it never fails, and what it writes every reader can read.
func FuzzProcess(f *testing.F) {
	text := schemas.Text{Text: "a text", Attributes: map[string]string{"a": "b"}}
	text.EventID, text.Tenant, text.EventTime = "a", "t", 1<<62
	rating := .5
	feedback := schemas.Feedback{InferenceID: "a", Rating: &rating}
	for topic, value := range [][]byte{
		text.MarshalAppend(nil), []byte(`{"event_id":"a","request_model":"m","input":[{"role":"user"}]}`), feedback.MarshalAppend(nil),
		[]byte(`{"event_id":"\u0000","text":"\ud800"}`), []byte("{\"text\":\"\xff\"}"), {},
	} {
		f.Add(byte(topic), []byte("a"), value, byte(topic))
	}
	c := bustest.New(f)
	b := c.Member(vfs.NewMem())
	stage := newStage(f, time.Now)
	failed := make(chan error, 1)
	c.Start("clean", func(ctx context.Context) error {
		err := b.Run(ctx, stage)
		failed <- err
		return err
	})
	judged := map[string]chan bus.Record{}
	for _, name := range []string{bus.CleanText, bus.Interactions} {
		to := make(chan bus.Record, 100)
		judged[name] = to
		c.Start(name, func(ctx context.Context) error { return follow(ctx, b, name, to) })
	}
	topics := []string{bus.RawText, bus.InferenceLogs, bus.UserFeedback}
	types := []string{"", "application/json", "application/x-protobuf", "text/plain"}
	f.Fuzz(func(t *testing.T, topic byte, key, value []byte, contentType byte) {
		r := &kgo.Record{Topic: topics[int(topic)%len(topics)], Key: key, Value: value}
		if h := types[int(contentType)%len(types)]; h != "" {
			r.Headers = []kgo.RecordHeader{header(h)}
		}
		c.With(t).Produce(r)
		out := bus.Interactions
		if r.Topic == bus.RawText {
			out = bus.CleanText
		}
		in, err := b.Topic(r.Topic)
		if err != nil {
			t.Fatal(err)
		}
		for {
			select {
			case err := <-failed:
				t.Fatalf("the stage ended on %q: %v", value, err)
			case <-time.After(20 * time.Second):
				t.Fatalf("no verdict on %q", value)
			case v := <-judged[out]:
				bustest.Decode(t, &v) // verdicts on copies under another key come here too
				if o := v.Origin; o.TopicID == in.ID && o.Partition == r.Partition && o.Offset == r.Offset {
					return
				}
			}
		}
	})
}

// follow passes on what comes to a topic.
func follow(ctx context.Context, b *bus.Bus, topic string, to chan<- bus.Record) error {
	f, err := b.Follow(ctx, topic)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		records, err := f.Next(ctx)
		if err != nil {
			return err
		}
		for _, r := range records {
			select {
			case to <- r:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}
