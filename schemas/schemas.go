// Package schemas holds the events of Millrace: one Go struct for each message of
// proto/*.proto, with its Protobuf and JSON forms.
//
// The .proto files are the definition. Everything in files named *.gen.go, the child
// packages, json/*.json and docs/schemas.md is generated from them: adding a column is
// a change in one file, followed by go generate.
//
// # Who owns what
//
// Unmarshal and DecodeJSON copy their input once; all strings of the message lie in
// that one copy, so the caller may reuse the input at once, and keeping one string of
// a message keeps the whole copy alive: clone what outlives the message by far. Byte
// slices and maps are the message's own and may be changed.
//
// A message is not safe for concurrent use while one side writes to it.
package schemas

import "strings"

//go:generate sh -c "cd gen && go run . .."

// Kind names a message and, where it is stored, its table and its folder in the lake.
type Kind string

// claimSuffix ends the kind of a record that a client wrote and the registry answers.
const claimSuffix = "_claim"

// Claim says whether k is a claim, and of which kind.
func (k Kind) Claim() (of Kind, ok bool) {
	base, ok := strings.CutSuffix(string(k), claimSuffix)
	if !ok || !Kind(base).claimable() {
		return k, false
	}
	return Kind(base), true
}

// Meta is the identity of a record, as it is stored beside the event's columns.
type Meta struct {
	Topic     string `parquet:"_topic,dict"`
	Partition int32  `parquet:"_partition"`
	Offset    int64  `parquet:"_offset,delta"`
	// Step is the stage that wrote the record.
	Step string `parquet:"_step,dict"`
	// OriginTopicID is in hex; with the next three it names the record that this one
	// was made of.
	OriginTopicID   string `parquet:"_origin_topic_id,dict"`
	OriginPartition int32  `parquet:"_origin_partition"`
	OriginOffset    int64  `parquet:"_origin_offset,delta"`
	OriginIndex     int32  `parquet:"_origin_index"`
	// TopicID is the record's own topic, in hex. Files of the lake are of one topic id
	// each, and do not repeat it.
	TopicID string `parquet:"-"`
}

// Message is an event.
//
// Reading a message replaces the receiver whole. After a *FieldError the receiver
// holds what could be read, so that a dead letter can name the event; nothing else may
// be made of it.
type Message interface {
	// Kind is the message's own kind, never a claim's.
	Kind() Kind
	// Env is the message's envelope, to be read and written in place.
	Env() *Envelope
	// Size is the number of bytes that MarshalAppend appends.
	Size() int
	// MarshalAppend appends the Protobuf form. Map keys are in order: the same event
	// gives the same bytes.
	MarshalAppend(b []byte) []byte
	// Unmarshal reads the Protobuf form; fields with numbers that this version does
	// not know are skipped. Errors are of type *FieldError.
	Unmarshal(b []byte) error
	// AppendJSON appends the JSON form: snake_case names, times as RFC 3339, fields
	// without a value left out. A number that JSON cannot say (NaN, infinity) is left
	// out too, or null in a map.
	AppendJSON(b []byte) []byte
	// DecodeJSON reads one JSON object and nothing behind it. Computed fields are
	// ignored. Errors are of type *FieldError.
	DecodeJSON(b []byte) error
	// Validate checks required fields, lengths, times, and that text is UTF-8, as both
	// readers do. Its error is of type *FieldError.
	Validate() error
	// Reset makes the message empty.
	Reset()
}
