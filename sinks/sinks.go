// Package sinks is where what Millrace wrote to its logs is kept to be asked: each child
// stores every record of every topic behind the inputs, once.
//
// A sink is a stage of the bus. Its Task returns only when what it was given is durable;
// the bus then commits the position. After a failure it is given the same records again,
// perhaps in other batches, and what is stored must be as if they had come once. A row's
// identity is its record's origin, never the event's id.
package sinks

import (
	"fmt"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
)

// Topics are those that sinks keep.
func Topics() []string {
	return []string{bus.CleanText, bus.Interactions, bus.TrainingExamples, bus.ModelEvents}
}

// Decode reads a record that is stored into m, which is of its kind.
func Decode(r *bus.Record, m schemas.Message) error {
	if err := m.Unmarshal(r.Value); err != nil {
		return undecodable(r, err)
	}
	return nil
}

// Stored says whether a record has a row of its own: claims have none.
func Stored(r *bus.Record) (bool, error) {
	if _, claim := r.Kind.Claim(); claim {
		return false, nil
	}
	if !r.Kind.Stored() {
		return false, fmt.Errorf("sinks: %s at offset %d is of kind %q, which this version of Millrace does not know", r.Partition, r.Offset, r.Kind)
	}
	return true, nil
}

// Peek is what schemas.Peek says of a record that is stored.
func Peek(r *bus.Record) (tenant []byte, arrived schemas.Micros, err error) {
	if tenant, arrived, err = schemas.Peek(r.Value); err != nil {
		return nil, 0, undecodable(r, err)
	}
	return tenant, arrived, nil
}

func undecodable(r *bus.Record, err error) error {
	return fmt.Errorf("sinks: decode %s at offset %d: %w", r.Partition, r.Offset, err)
}

// Meta is the identity of a record's row.
func Meta(r *bus.Record, names TopicNames) schemas.Meta {
	return schemas.Meta{
		Topic: r.Topic, Partition: r.Partition.Partition, Offset: r.Offset, Step: r.Origin.Step,
		TopicID: names.Of(r.TopicID), OriginTopicID: names.Of(r.Origin.TopicID), OriginPartition: r.Origin.Partition,
		OriginOffset: r.Origin.Offset, OriginIndex: r.Origin.Index,
	}
}

// TopicNames gives one string for each topic id.
type TopicNames map[bus.TopicID]string

// Of is the id in hex.
func (n TopicNames) Of(id bus.TopicID) string {
	s, ok := n[id]
	if !ok {
		s = id.String()
		n[id] = s
	}
	return s
}
