// Package deadletters keeps what people said of dead letters: which were replayed, which
// dropped, and up to where a log was looked at. The letters themselves stay on their
// topic until its retention takes them; a mark is an object, made once, never removed.
package deadletters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
)

// What was done about a letter.
const (
	Dropped  = "dropped"
	Replayed = "replayed"
)

// resumed marks how far an input was looked at.
const resumed = "resumed"

// Mark is what was done about a letter, or about an input.
type Mark struct {
	At time.Time `json:"at"`
	By string    `json:"by,omitempty"`
	// As is where the replay of a letter lies.
	As string `json:"as,omitempty"`
}

// ID names the record that a letter is of.
type ID struct {
	TopicID   bus.TopicID
	Partition int32
	Offset    int64
}

// IDOf is the identity of the letter with an origin.
func IDOf(o bus.Origin) ID { return ID{o.TopicID, o.Partition, o.Offset} }

func (id ID) key(what string) string {
	return fmt.Sprintf("deadletters/%s/%s/%05d/%020d", what, id.TopicID, id.Partition, id.Offset)
}

// Set marks a letter as Dropped or Replayed. One that is marked so already stays as it
// is.
func Set(ctx context.Context, objects objstore.Store, what string, id ID, m Mark) error {
	data, err := json.Marshal(m)
	if err == nil {
		err = objects.Create(ctx, id.key(what), data)
	}
	if err != nil && !errors.Is(err, objstore.ErrExists) {
		return fmt.Errorf("deadletters: mark as %s: %w", what, err)
	}
	return nil
}

// Get reads a letter's mark; ok is false where it has none.
func Get(ctx context.Context, objects objstore.Store, what string, id ID) (m Mark, ok bool, err error) {
	data, err := objects.Get(ctx, id.key(what))
	if errors.Is(err, objstore.ErrNotFound) {
		return Mark{}, false, nil
	}
	if err == nil {
		m, err = parseMark(data)
	}
	if err != nil {
		return Mark{}, false, fmt.Errorf("deadletters: read %s: %w", id.key(what), err)
	}
	return m, true, nil
}

func parseMark(data []byte) (m Mark, err error) {
	err = json.Unmarshal(data, &m)
	return m, err
}

// All lists which letters are marked as Dropped or Replayed.
func All(ctx context.Context, objects objstore.Store, what string) (map[ID]bool, error) {
	all := map[ID]bool{}
	for o, err := range objects.List(ctx, "deadletters/"+what+"/") {
		if err != nil {
			return nil, fmt.Errorf("deadletters: list what is %s: %w", what, err)
		}
		if id, ok := parseKey(o.Key); ok {
			all[id] = true
		}
	}
	return all, nil
}

// parseKey reads what ID.key wrote.
func parseKey(key string) (id ID, ok bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 5 {
		return id, false
	}
	topic, err := bus.ParseTopicID(parts[2])
	partition, err2 := strconv.ParseInt(parts[3], 10, 32)
	offset, err3 := strconv.ParseInt(parts[4], 10, 64)
	if err != nil || err2 != nil || err3 != nil || partition < 0 || offset < 0 {
		return id, false
	}
	return ID{topic, int32(partition), offset}, true
}

// Resume says that a person has looked at what is dead of an input partition below an
// offset: it stops no stage any more.
func Resume(ctx context.Context, objects objstore.Store, id ID, m Mark) error {
	return Set(ctx, objects, resumed, id, m)
}

// Resumed is the offset of an input partition below which everything was looked at.
func Resumed(ctx context.Context, objects objstore.Store, at bus.Partition) (int64, error) {
	var below int64
	for o, err := range objects.List(ctx, fmt.Sprintf("deadletters/%s/%s/%05d/", resumed, at.TopicID, at.Partition)) {
		if err != nil {
			return 0, fmt.Errorf("deadletters: list how far %s was looked at: %w", at, err)
		}
		if id, ok := parseKey(o.Key); ok {
			below = max(below, id.Offset)
		}
	}
	return below, nil
}
