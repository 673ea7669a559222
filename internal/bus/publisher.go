package bus

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/schemas"
)

// Position says where a record landed.
type Position struct {
	Partition
	Offset int64
}

// Publish writes one record that no step of the data path makes: an input, or a claim
// on model.events. It returns when all replicas have it. kind is empty on input topics.
func (b *Bus) Publish(ctx context.Context, topic string, key []byte, kind schemas.Kind, m schemas.Message) (Position, error) {
	t, err := b.Topic(topic)
	if err != nil {
		return Position{}, err
	}
	value := m.MarshalAppend(nil)
	if len(value) > t.MaxBytes {
		return Position{}, fmt.Errorf("bus: publish %d bytes to %s, whose limit is %d", len(value), topic, t.MaxBytes)
	}
	r := &kgo.Record{Topic: topic, Key: key, Value: value}
	if kind != "" {
		r.Headers = []kgo.RecordHeader{{Key: HeaderKind, Value: []byte(kind)}}
	} else {
		r.Headers = []kgo.RecordHeader{{Key: HeaderContentType, Value: []byte("application/x-protobuf")}}
	}
	if err := b.client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return Position{}, fmt.Errorf("bus: publish to %s: %w", topic, err)
	}
	return Position{Partition{topic, t.ID, r.Partition}, r.Offset}, nil
}
