// Package bus is the one consume, process, commit loop of Millrace.
//
// It keeps the rules of delivery (origins, chains, marks, state with its position,
// partition counts) so that the author of a processor or a sink sees none of them:
// a Task is given records, each exactly once, and says what comes of them.
package bus

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/schemas"
)

// TopicID is a topic's identity. A topic that is deleted and made again has another.
type TopicID [16]byte

// String is the id in hex.
func (t TopicID) String() string { return hex.EncodeToString(t[:]) }

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
	// Unreadable is true for a record of an input whose batch unpacks to more than may be
	// held: there is nothing of it but its place.
	Unreadable bool
}
