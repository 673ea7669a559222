package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/schemas"
)

func broker(t *testing.T) []string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topicText, topicInference, topicFeedback))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

func TestWrite(t *testing.T) {
	ctx := context.Background()
	brokers := broker(t)
	c, err := New(brokers, WithTenant("acme"), WithSource("app"), WithMaxBytes(2000))
	if err != nil {
		t.Fatal(err)
	}
	inf := &schemas.Inference{RequestModel: "m"}
	r, err := c.Inference(ctx, inf)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(ctx); err != nil || inf.EventID == "" || r.ID != inf.EventID || inf.Tenant != "acme" || inf.Source != "app" {
		t.Fatalf("wrote %+v, %v", inf, err)
	}
	if _, err := c.Feedback(ctx, &schemas.Feedback{InferenceID: inf.EventID, Thumb: "up"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Text(ctx, &schemas.Text{Text: strings.Repeat("x", 3000)}); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("a large text gave %v", err)
	}
	if _, err := c.Feedback(ctx, &schemas.Feedback{Thumb: "up"}); err == nil || !strings.Contains(err.Error(), "inference_id") {
		t.Fatalf("a feedback on nothing gave %v", err)
	}
	var wrong *schemas.FieldError
	for field, m := range map[string]schemas.Message{
		"text":           &schemas.Text{Text: "caf\xe9"},
		"attributes":     &schemas.Text{Text: "x", Attributes: map[string]string{"a": "caf\xe9"}},
		"event_id":       &schemas.Inference{Envelope: schemas.Envelope{EventID: "\xff"}, RequestModel: "m"},
		"input_messages": &schemas.Inference{RequestModel: "m", InputMessages: "caf\xe9"},
	} {
		if _, err := c.Send(ctx, m); !errors.As(err, &wrong) || wrong.Field != field {
			t.Fatalf("a %s that is not UTF-8 gave %v", field, err)
		}
	}
	if err := c.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Text(ctx, &schemas.Text{Text: "x"}); !errors.Is(err, ErrClosed) {
		t.Fatalf("a closed client gave %v", err)
	}

	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topicInference, topicFeedback), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for n := 0; n < 2; {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatal("the records did not come")
		}
		fetches.EachRecord(func(r *kgo.Record) {
			n++
			if string(r.Key) != inf.EventID {
				t.Errorf("%s has key %s, want %s", r.Topic, r.Key, inf.EventID)
			}
		})
	}
}

// TestFull checks that a bounded buffer makes a write wait, as long as its context lasts,
// instead of growing or dropping.
func TestFull(t *testing.T) {
	c, err := New([]string{"127.0.0.1:1"}, WithMaxBuffered(1))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if _, err := c.Text(ctx, &schemas.Text{Text: "a"}); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	r, err := c.Text(short, &schemas.Text{Text: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a write beyond a full buffer gave %v", err)
	}
	if err := c.Flush(short); err == nil {
		t.Fatal("a flush without a broker succeeded")
	}
}
