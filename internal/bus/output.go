package bus

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/schemas"
)

// Output takes what a Task writes. Every record names its partition, which must be a
// function of the input record alone: never of a verdict, of rules or of luck, so that a
// replay writes to the same place.
type Output struct {
	bus      *Bus
	stage    string
	producer *kgo.Client

	// last is what this stretch of work sent to an output partition before.
	last map[outputPartition]place
	// offset and index give what is emitted for one input record its places.
	offset int64
	index  int32

	arena   []byte
	records []*kgo.Record // reused
	used    int
	err     error // the first misuse; it ends the instance

	mu      sync.Mutex
	flushed sync.WaitGroup
	failed  error // the first produce error
}

// MaxKey is the longest key that is written on. A foreign producer's may be longer than
// any record that Millrace writes.
const MaxKey = 4 << 10

type outputPartition struct {
	topic     string
	partition int32
}

func newOutput(b *Bus, stage string, producer *kgo.Client) *Output {
	return &Output{bus: b, stage: stage, producer: producer, last: map[outputPartition]place{}, offset: -1}
}

// Partitions is the number of partitions of one of Millrace's topics, 0 for any other.
func (o *Output) Partitions(topic string) int32 { return o.bus.topics[topic].Partitions }

// MaxBytes is the largest value that may be emitted to topic.
func (o *Output) MaxBytes(topic string) int { return o.bus.topics[topic].MaxBytes }

// ByKey is the partition that Kafka's own clients give key.
func (o *Output) ByKey(topic string, key []byte) int32 {
	return PartitionOf(key, o.Partitions(topic))
}

// PartitionOf is the partition, among n, that Kafka's own clients give a record with
// that key: murmur2, its sign bit cleared, modulo n.
func PartitionOf(key []byte, n int32) int32 {
	if n < 1 {
		return 0
	}
	return int32(murmur2(key)&0x7fffffff) % n
}

// Emit writes m, made from in, to a partition of topic under m's kind. m and key may be
// reused afterwards.
func (o *Output) Emit(in *Record, topic string, partition int32, key []byte, m schemas.Message) {
	at := len(o.arena)
	o.arena = m.MarshalAppend(o.arena)
	o.emit(in, topic, partition, key, m.Kind(), ContentProtobuf, o.arena[at:len(o.arena):len(o.arena)])
}

// EmitRaw writes value as it is, with in's content type; kind is empty on input topics,
// where a copy of a replay is one too.
func (o *Output) EmitRaw(in *Record, topic string, partition int32, key []byte, kind schemas.Kind, value []byte) {
	r := o.emit(in, topic, partition, key, kind, in.ContentType, o.keep(value))
	if r != nil && in.Replay != nil && o.bus.topics[topic].Input {
		r.Headers = append(r.Headers, replayHeader(o.bus.cfg.Secret, topic, partition, *in.Replay, r.Key, r.Value), attemptHeader(in.Attempt))
	}
}

// keep copies b into the batch's arena. The arena may move when it grows; what was
// handed out before keeps its old one.
func (o *Output) keep(b []byte) []byte {
	at := len(o.arena)
	o.arena = append(o.arena, b...)
	return o.arena[at:len(o.arena):len(o.arena)]
}

// emit returns the record that it will write, so that headers can be added; nil after a
// misuse.
func (o *Output) emit(in *Record, topic string, partition int32, key []byte, kind schemas.Kind, contentType string, value []byte) *kgo.Record {
	if o.err != nil {
		return nil
	}
	t, ok := o.bus.topics[topic]
	switch {
	case !ok:
		o.err = fmt.Errorf("bus: stage %s writes to %s, which is not one of Millrace's topics", o.stage, topic)
	case partition < 0 || partition >= t.Partitions:
		o.err = fmt.Errorf("bus: stage %s writes to partition %d of %s, which has %d", o.stage, partition, topic, t.Partitions)
	case len(value) > t.MaxBytes:
		o.err = fmt.Errorf("bus: stage %s writes %d bytes to %s, whose limit is %d", o.stage, len(value), topic, t.MaxBytes)
	case len(key) > MaxKey:
		o.err = fmt.Errorf("bus: stage %s writes a key of %d bytes to %s, whose limit is %d", o.stage, len(key), topic, MaxKey)
	case in.Offset < o.offset:
		o.err = fmt.Errorf("bus: stage %s writes for offset %d after offset %d", o.stage, in.Offset, o.offset)
	}
	if o.err != nil {
		return nil
	}
	if in.Offset != o.offset {
		o.offset, o.index = in.Offset, 0
	}
	l := link{Origin: Origin{o.stage, in.TopicID, in.Partition.Partition, in.Offset, o.index}, prev: none}
	o.index++
	to := outputPartition{topic, partition}
	if p, ok := o.last[to]; ok {
		l.prev = p
	}
	o.last[to] = place{l.Offset, l.Index}
	at := len(o.arena)
	o.arena = appendLink(o.arena, l)
	origin := o.arena[at:len(o.arena):len(o.arena)]

	r := o.record()
	r.Topic, r.Partition, r.Value = topic, partition, value
	if len(key) > 0 {
		r.Key = o.keep(key)
	}
	r.Headers = append(r.Headers[:0], kgo.RecordHeader{Key: HeaderOrigin, Value: origin})
	if kind != "" && !t.Input {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderKind, Value: o.keep([]byte(kind))})
	}
	if t.Input {
		m := mac(o.bus.cfg.Secret, saysOrigin, topic, partition, origin, r.Key, value)
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderMAC, Value: m})
		if contentType != "" {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderContentType, Value: o.keep([]byte(contentType))})
		}
	}
	return r
}

func (o *Output) record() *kgo.Record {
	if o.used == len(o.records) {
		o.records = append(o.records, new(kgo.Record))
	}
	r := o.records[o.used]
	o.used++
	headers := r.Headers
	*r = kgo.Record{Headers: headers}
	return r
}

// flush sends what was emitted and waits until all of it is acknowledged. After an error
// the instance must end: it may not commit past what failed.
func (o *Output) flush(ctx context.Context) error {
	if o.err != nil {
		return o.err
	}
	if o.used == 0 {
		return nil
	}
	o.flushed.Add(o.used)
	for _, r := range o.records[:o.used] {
		// The context of a produce is never cancelled: a record that was sent may have
		// landed, and its fate must be known before anything else is done.
		o.producer.Produce(context.Background(), r, o.landed)
	}
	done := make(chan struct{})
	go func() { o.flushed.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("bus: stage %s: %d records are not acknowledged in time: %w", o.stage, o.used, ctx.Err())
	}
	if o.failed != nil {
		return o.failed
	}
	o.count()
	o.used, o.arena = 0, o.arena[:0]
	return nil
}

// count meters what was written, a run of records to one topic at a time.
func (o *Output) count() {
	for from := 0; from < o.used; {
		to := from + 1
		for to < o.used && o.records[to].Topic == o.records[from].Topic {
			to++
		}
		o.bus.metrics.written.WithLabelValues(o.stage, o.records[from].Topic).Add(float64(to - from))
		from = to
	}
}

func (o *Output) landed(r *kgo.Record, err error) {
	if err != nil {
		o.mu.Lock()
		if o.failed == nil {
			o.failed = fmt.Errorf("bus: stage %s: produce to %s/%d: %w", o.stage, r.Topic, r.Partition, err)
		}
		o.mu.Unlock()
	}
	o.flushed.Done()
}

// murmur2 is the hash of Kafka's default partitioner (org.apache.kafka.common.utils.Utils).
func murmur2(b []byte) uint32 {
	const (
		seed uint32 = 0x9747b28c
		m    uint32 = 0x5bd1e995
		r           = 24
	)
	h := seed ^ uint32(len(b))
	for len(b) >= 4 {
		k := uint32(b[3])<<24 | uint32(b[2])<<16 | uint32(b[1])<<8 | uint32(b[0])
		b = b[4:]
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(b[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
