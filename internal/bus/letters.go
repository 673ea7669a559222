package bus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Headers of a dead letter, besides its origin, its content type and its attempt; its key
// and value are those of the record that is dead.
const (
	// HeaderInput is where the record lies, as topic/partition:offset.
	HeaderInput = "mr-input"
	// HeaderReason is the class of the error.
	HeaderReason = "mr-reason"
	// HeaderTimestamp is the record's, in RFC 3339.
	HeaderTimestamp = "mr-timestamp"
	// HeaderKeyBytes and HeaderValueBytes are the lengths of the record's key and value.
	// What of them is longer than a dead letter may be is cut; -1: nothing is known of it,
	// since its batch could not be unpacked.
	HeaderKeyBytes   = "mr-key-bytes"
	HeaderValueBytes = "mr-value-bytes"
)

// EmitDead puts what there is of in aside on dead.letters, as far as it fits there.
func (o *Output) EmitDead(in *Record, partition int32, reason string) {
	key, value := in.Key, in.Value
	keyBytes, valueBytes := len(key), len(value)
	if in.Unreadable {
		keyBytes, valueBytes = -1, -1
	}
	if len(key) > MaxKey {
		key = nil // a part of a key is another key
	}
	value = value[:min(len(value), o.MaxBytes(DeadLetters))]
	r := o.emit(in, DeadLetters, partition, key, "", "", o.keep(value))
	if r == nil {
		return
	}
	add := func(name, value string) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	add(HeaderInput, Position{in.Partition, in.Offset}.String())
	add(HeaderReason, reason)
	add(HeaderAttempt, strconv.Itoa(in.Attempt))
	add(HeaderTimestamp, in.Timestamp.UTC().Format(time.RFC3339Nano))
	add(HeaderKeyBytes, strconv.Itoa(keyBytes))
	add(HeaderValueBytes, strconv.Itoa(valueBytes))
	if in.ContentType != "" {
		add(HeaderContentType, in.ContentType)
	}
}

// Letter is a dead letter.
type Letter struct {
	// Origin is the letter's: its topic id, partition and offset are those of the record
	// that is dead.
	Origin Origin
	// Input is Origin's place as the letter says it; its topic is empty in letters of
	// older versions.
	Input Position
	// At is where the letter itself lies.
	At      Position
	Reason  string
	Attempt int
	// Timestamp is the dead record's, as its broker kept it.
	Timestamp   time.Time
	ContentType string
	Key, Value  []byte
	// KeyBytes and ValueBytes are the dead record's, -1 where nothing is known of it.
	KeyBytes, ValueBytes int
}

// Cut is true where the letter does not have all of the record.
func (l *Letter) Cut() bool {
	return l.KeyBytes != len(l.Key) || l.ValueBytes != len(l.Value)
}

// readLetter reads what EmitDead wrote; what is no dead letter of a stage is an error.
func readLetter(r *kgo.Record, at Partition) (*Letter, error) {
	link, err := parseLink(header(r, HeaderOrigin), func(b []byte) string { return string(b) })
	if err != nil {
		return nil, err
	}
	l := &Letter{
		Origin: link.Origin, At: Position{at, r.Offset}, Reason: string(header(r, HeaderReason)), Attempt: attemptOf(r),
		ContentType: contentType(r), Key: r.Key, Value: r.Value, KeyBytes: len(r.Key), ValueBytes: len(r.Value),
	}
	l.Input = Position{Partition{TopicID: l.Origin.TopicID, Partition: l.Origin.Partition}, l.Origin.Offset}
	// The name alone is taken from the header: the place is the origin's.
	if p, err := ParsePosition(string(header(r, HeaderInput))); err == nil && p.Partition.Partition == l.Origin.Partition && p.Offset == l.Origin.Offset {
		l.Input.Topic = p.Topic
	}
	if t, err := time.Parse(time.RFC3339Nano, string(header(r, HeaderTimestamp))); err == nil {
		l.Timestamp = t
	}
	for name, into := range map[string]*int{HeaderKeyBytes: &l.KeyBytes, HeaderValueBytes: &l.ValueBytes} {
		if n, err := strconv.Atoi(string(header(r, name))); err == nil && n >= -1 {
			*into = n
		}
	}
	return l, nil
}

// Letters yields the dead letters that the log has now, each once, in no order across
// partitions. A letter is the caller's. It goes by no marks: the broker removes old
// letters by itself, and of one that was written twice both copies say the same.
func (b *Bus) Letters(ctx context.Context) iter.Seq2[*Letter, error] {
	return func(yield func(*Letter, error) bool) {
		topic, err := b.Topic(DeadLetters)
		if err != nil {
			yield(nil, err)
			return
		}
		seen := map[Origin]bool{}
		for r, err := range b.scan(ctx, topic) {
			if err != nil {
				yield(nil, err)
				return
			}
			l, err := readLetter(r, Partition{topic.Name, topic.ID, r.Partition})
			if err != nil || seen[l.Origin] {
				continue // a stranger's record, or a copy
			}
			seen[l.Origin] = true
			if !yield(l, nil) {
				return
			}
		}
	}
}

// scan yields what topic holds between its present start and its present end.
func (b *Bus) scan(ctx context.Context, topic Topic) iter.Seq2[*kgo.Record, error] {
	return func(yield func(*kgo.Record, error) bool) {
		starts, err := b.Starts(ctx, topic.Name)
		if err != nil {
			yield(nil, err)
			return
		}
		ends, err := b.Ends(ctx, topic.Name)
		if err != nil {
			yield(nil, err)
			return
		}
		from := map[int32]kgo.Offset{}
		for n, end := range ends {
			if starts[n] < end {
				from[n] = kgo.NewOffset().At(starts[n])
			}
		}
		client, err := kgo.NewClient(append(append(b.common(), consuming()...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic.Name: from}))...)
		if err != nil {
			yield(nil, fmt.Errorf("bus: %w", err))
			return
		}
		defer client.Close()
		for len(from) > 0 {
			fetches := client.PollRecords(ctx, pollRecords)
			if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
				yield(nil, fmt.Errorf("bus: read %s: %w", topic.Name, err))
				return
			}
			for r := range fetches.RecordsAll() {
				if r.Offset+1 >= ends[r.Partition] {
					delete(from, r.Partition)
				}
				if r.Offset < ends[r.Partition] && !r.Attrs.IsControl() && !yield(r, nil) {
					return
				}
			}
		}
	}
}

// readTimeout bounds the wait for one record that the log may no longer have.
const readTimeout = 15 * time.Second

// ReadInput reads the key, value, content type and time of one record of an input.
func (b *Bus) ReadInput(ctx context.Context, at Position) (*Record, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	client, err := kgo.NewClient(append(append(b.common(), consuming()...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{at.Topic: {at.Partition.Partition: kgo.NewOffset().At(at.Offset)}}))...)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	defer client.Close()
	for {
		fetches := client.PollRecords(ctx, 1)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return nil, fmt.Errorf("bus: read %s: %w", at, err)
		}
		for r := range fetches.RecordsAll() {
			if r.Offset != at.Offset || r.Attrs.IsControl() {
				return nil, fmt.Errorf("bus: there is no record at %s any more", at)
			}
			return &Record{Partition: at.Partition, Offset: r.Offset, Timestamp: r.Timestamp, Key: r.Key, Value: r.Value, ContentType: contentType(r)}, nil
		}
	}
}
