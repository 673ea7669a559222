package client

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/schemas"
)

// TestComesBack lets the broker refuse a client for good, at several of its requests: what
// is written then fails and says so, and what is written later does not.
func TestComesBack(t *testing.T) {
	t.Parallel()
	for key, refusal := range map[kmsg.Key]*kerr.Error{
		kmsg.InitProducerID: kerr.ClusterAuthorizationFailed,
		kmsg.Produce:        kerr.InvalidRecord,
		kmsg.Metadata:       kerr.TopicAuthorizationFailed,
	} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topicText))
			if err != nil {
				t.Fatal(err)
			}
			defer kafka.Close()
			ctx := context.Background()
			c, err := New(kafka.ListenAddrs())
			if err != nil {
				t.Fatal(err)
			}
			write := func(id string) error {
				r, err := c.Text(ctx, &schemas.Text{Envelope: schemas.Envelope{EventID: id}, Text: id})
				if err != nil {
					return err
				}
				return r.Wait(ctx)
			}
			for round := range 3 {
				fault := kafka.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: refusal, Count: -1})
				if err := write(fmt.Sprint("refused-", round)); err == nil && fault.Hits() > 0 {
					t.Errorf("round %d: a refused event was acknowledged", round)
				}
				fault.Remove()
				if err := write(fmt.Sprint("taken-", round)); err != nil {
					t.Errorf("round %d: an event that nobody refuses: %v", round, err)
				}
			}
			if err := c.Flush(ctx); err == nil {
				t.Error("Flush says nothing of what was refused")
			}
			if err := c.Close(ctx); err != nil {
				t.Error(err)
			}
			if _, err := c.Text(ctx, &schemas.Text{Text: "late"}); !errors.Is(err, ErrClosed) {
				t.Errorf("a closed client: %v", err)
			}
		})
	}
}
