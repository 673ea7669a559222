// Package bus is the one consume, process, commit loop of Millrace.
//
// It keeps the rules of delivery (origins, chains, marks, state with its position,
// partition counts) so that the author of a processor or a sink sees none of them:
// a Task is given records, each exactly once, and says what comes of them.
package bus

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-io/millrace/schemas"
)

// TopicID is a topic's identity. A topic that is deleted and made again has another.
type TopicID [16]byte

// String is the id in hex.
func (t TopicID) String() string { return hex.EncodeToString(t[:]) }

// ParseTopicID reads what String writes.
func ParseTopicID(s string) (t TopicID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(t) {
		return t, fmt.Errorf("%q is no topic id: 32 hex digits are one", s)
	}
	return TopicID(b), nil
}

// Partition is one partition of one topic.
type Partition struct {
	Topic     string
	TopicID   TopicID
	Partition int32
}

func (p Partition) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.Partition) }

// Origin is the identity of a record: for one that Millrace wrote, which step wrote it
// for which input record; for any other, where it lies.
type Origin struct {
	// Step names the stage that wrote the record; empty where the record is its own
	// origin.
	Step      string
	TopicID   TopicID
	Partition int32
	Offset    int64
	// Index counts what the step wrote for one input record, from 0.
	Index int32
}

// String is the origin as event ids and messages show it.
func (o Origin) String() string {
	return fmt.Sprintf("%s:%d:%d:%d:%s", o.TopicID, o.Partition, o.Offset, o.Index, o.Step)
}

// Record is one record as a Task sees it. Key, Value and Headers belong to the bus and
// are valid until Process returns.
type Record struct {
	Partition
	Offset int64
	// Timestamp is the record's, as the broker keeps it.
	Timestamp time.Time
	Key       []byte
	Value     []byte
	// Kind says what Value is; empty on input topics.
	Kind schemas.Kind
	// ContentType is the header of that name; empty where there is none.
	ContentType string
	// Origin is the record's identity, on every topic.
	Origin Origin
	// Derived is true where a step of Millrace wrote the record; on input topics the
	// header that says so carries the deployment's MAC.
	Derived bool
	// Replay names, on input topics, the record that this one stands for, by the topic id,
	// partition and offset where that lies. Nil for any other record.
	Replay *Origin
	// Attempt says which try of its event a replay is, as its writer counted; 1 for any
	// other record.
	Attempt int
	// Unreadable is true for a record of an input whose batch unpacks to more than may be
	// held: there is nothing of it but its place.
	Unreadable bool
}

func (p Position) String() string { return fmt.Sprintf("%s:%d", p.Partition, p.Offset) }

// ParsePosition reads topic/partition:offset, as String writes it.
func ParsePosition(s string) (Position, error) {
	topic, rest, ok := strings.Cut(s, "/")
	partition, offset, also := strings.Cut(rest, ":")
	p, err := strconv.ParseInt(partition, 10, 32)
	o, err2 := strconv.ParseInt(offset, 10, 64)
	if !ok || !also || topic == "" || err != nil || err2 != nil || p < 0 || o < 0 {
		return Position{}, fmt.Errorf("%q is no place on the log: TOPIC/PARTITION:OFFSET is one", s)
	}
	return Position{Partition{Topic: topic, Partition: int32(p)}, o}, nil
}
