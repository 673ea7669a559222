package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Headers of a replay: a record on an input topic that stands for an earlier one.
const (
	// HeaderReplay names the record that is replayed, under the deployment's MAC.
	HeaderReplay = "mr-replay"
	// HeaderAttempt counts the tries, in decimal digits. It is for people: nothing is
	// decided by it.
	HeaderAttempt = "mr-attempt"
)

// maxAttempt bounds what is read of HeaderAttempt.
const maxAttempt = 1 << 20

// ReplayHeader makes a record on topic the replay of the record at origin's topic id,
// partition and offset. It counts on that partition alone, where the state knows what
// became of the first, and with that key and value alone.
//
// Who writes it has made sure, by what the stores hold, that the verdict on that record
// which counts is that it is dead, or that there is none: clean judges the first replay as
// if the record had not been. A letter on dead.letters is no proof: its verdict may not
// have landed before a crash, and another version may have judged the record since.
func ReplayHeader(secret []byte, topic string, origin Origin, key, value []byte) kgo.RecordHeader {
	return replayHeader(secret, topic, origin.Partition, origin, key, value)
}

func replayHeader(secret []byte, topic string, partition int32, origin Origin, key, value []byte) kgo.RecordHeader {
	h := appendOrigin(nil, origin)
	return kgo.RecordHeader{Key: HeaderReplay, Value: append(h, mac(secret, saysReplay, topic, partition, h, key, value)...)}
}

func attemptHeader(attempt int) kgo.RecordHeader {
	return kgo.RecordHeader{Key: HeaderAttempt, Value: strconv.AppendInt(nil, int64(attempt), 10)}
}

// replay reads of a record on an input topic what it replays. A header without the
// deployment's MAC for that record at that place does not count.
func (in *intake) replay(r *kgo.Record) (*Origin, int) {
	h := header(r, HeaderReplay)
	if h == nil {
		return nil, 1
	}
	o, sum, err := parseOrigin(h, in.stepName)
	if err != nil || !macEqual(sum, mac(in.bus.cfg.Secret, saysReplay, in.at.Topic, in.at.Partition, h[:len(h)-len(sum)], r.Key, r.Value)) {
		in.forged.Inc()
		return nil, 1
	}
	return &o, max(2, attemptOf(r)) // who writes a replay and does not count makes the second try
}

// attemptOf reads HeaderAttempt; 1 where there is none that can be read.
func attemptOf(r *kgo.Record) int {
	if n, err := strconv.Atoi(string(header(r, HeaderAttempt))); err == nil && n >= 1 && n <= maxAttempt {
		return n
	}
	return 1
}

// Replay is a record that is put on an input once more.
type Replay struct {
	Topic string
	// Origin is where the record lies, as ReplayHeader takes it. Its partition is where the
	// replay goes.
	Origin Origin
	// Attempt counts the tries; the first replay is the second.
	Attempt     int
	Key, Value  []byte
	ContentType string
}

// Replay writes records to their inputs once more and returns where they landed, or an
// error, behind which any of them may have landed. It does not matter: of any number of
// replays of one record the first counts. The caller's duty is ReplayHeader's.
func (b *Bus) Replay(ctx context.Context, replays ...Replay) ([]Position, error) {
	client, err := kgo.NewClient(append(b.producing(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	defer client.Close()
	records := make([]*kgo.Record, len(replays))
	for i := range replays {
		if records[i], err = b.replayed(&replays[i]); err != nil {
			return nil, err
		}
	}
	for _, r := range client.ProduceSync(ctx, records...) {
		if errors.Is(r.Err, kerr.MessageTooLarge) { // its producer packed it better
			return nil, fmt.Errorf("bus: replay %d bytes to %s: %w: raise topics.max_input_bytes above them", len(r.Record.Value), r.Record.Topic, r.Err)
		}
		if r.Err != nil {
			return nil, fmt.Errorf("bus: write a replay to %s: %w", r.Record.Topic, r.Err)
		}
	}
	landed := make([]Position, len(replays))
	for i, r := range records {
		landed[i] = Position{Partition{r.Topic, b.topics[r.Topic].ID, r.Partition}, r.Offset}
	}
	return landed, nil
}

func (b *Bus) replayed(p *Replay) (*kgo.Record, error) {
	t, err := b.Topic(p.Topic)
	switch {
	case err != nil:
		return nil, err
	case !t.Input:
		return nil, fmt.Errorf("bus: %s is no input: nothing is replayed to it", p.Topic)
	case p.Origin.Partition >= t.Partitions:
		return nil, fmt.Errorf("bus: replay to partition %d of %s, which has %d", p.Origin.Partition, p.Topic, t.Partitions)
	case len(p.Key) > MaxKey:
		return nil, errors.New("bus: replay: its key is longer than any that is written")
	}
	r := &kgo.Record{Topic: p.Topic, Partition: p.Origin.Partition, Key: p.Key, Value: p.Value}
	r.Headers = []kgo.RecordHeader{ReplayHeader(b.cfg.Secret, p.Topic, p.Origin, p.Key, p.Value), attemptHeader(p.Attempt)}
	if p.ContentType != "" {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderContentType, Value: []byte(p.ContentType)})
	}
	return r, nil
}
