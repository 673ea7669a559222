package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/schemas"
)

// Position says where a record landed.
type Position struct {
	Partition
	Offset int64
}

// publisher is the producer that Publish shares. One that met an error is not used again:
// a client that a broker once refused a producer id stays refused, also when the broker
// would grant it by now.
type publisher struct {
	client *kgo.Client
	users  sync.WaitGroup
}

// borrow gives the producer of the moment, and what to call with what came of it.
func (b *Bus) borrow() (client *kgo.Client, done func(error), err error) {
	b.publishing.Lock()
	defer b.publishing.Unlock()
	if b.publisher == nil {
		client, err := kgo.NewClient(append(b.producing(), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))...)
		if err != nil {
			return nil, nil, fmt.Errorf("bus: %w", err)
		}
		b.publisher = &publisher{client: client}
	}
	p := b.publisher
	p.users.Add(1)
	return p.client, func(err error) {
		p.users.Done()
		if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return
		}
		b.publishing.Lock()
		defer b.publishing.Unlock()
		if b.publisher == p {
			b.publisher = nil
			go p.close()
		}
	}, nil
}

func (p *publisher) close() {
	p.users.Wait()
	p.client.Close()
}

// Publish writes one record that no step of the data path makes: an input, or a claim
// on model.events. It returns when all replicas have it; behind an error it may have
// landed. kind is empty on input topics.
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
	client, done, err := b.borrow()
	if err != nil {
		return Position{}, err
	}
	err = client.ProduceSync(ctx, r).FirstErr()
	done(err)
	if err != nil {
		return Position{}, fmt.Errorf("bus: publish to %s: %w", topic, err)
	}
	return Position{Partition{topic, t.ID, r.Partition}, r.Offset}, nil
}
