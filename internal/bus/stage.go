package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/internal/state"
)

// Task handles one partition of one of a stage's inputs.
//
// Process handles in, in offset order; repeats and records behind a gap are gone
// already. What it emits to out and sets in its state becomes durable together with the
// position, outputs first. It is called by one goroutine: no locks.
//
// An error ends the instance: nothing of the batch is committed, and a fresh Task is
// given it again. So malformed records are no errors, and what Process decides must be a
// function of the records and the state alone.
type Task interface {
	Process(ctx context.Context, in []Record, out *Output) error
}

// Closer is a Task that holds something until its partition goes away: what it shows of it,
// say. Close is called once, behind the last Process.
type Closer interface {
	Task
	Close()
}

// Ranger is a Task of a sink that writes ranges of offsets under a claim, so that any
// number of writers make the same files.
type Ranger interface {
	Task
	// RangeEnd is asked before a range is begun at first: the end (exclusive) that an
	// existing claim fixes, or 0. One beyond the log's end stops the stage.
	RangeEnd(ctx context.Context, first int64) (int64, error)
	// Due says, while the range [first, next) waits to fill, that it is wanted now. It
	// is called about every tenth of a second.
	Due(ctx context.Context, first, next int64) bool
	// ProcessRange is called in place of Process with what the marks admit of [first,
	// end). Where another writer's claim fixes another end it writes nothing and returns
	// a *RangeError; the loop comes back with that range.
	ProcessRange(ctx context.Context, first, end int64, in []Record) error
}

// RangeError says that the range at First ends at End, by another writer's claim.
type RangeError struct{ First, End int64 }

func (e *RangeError) Error() string {
	return fmt.Sprintf("the range at %d is claimed to end at %d", e.First, e.End)
}

// Limits bound a batch.
type Limits struct {
	// MaxRecords and MaxBytes (of keys and values) close a batch.
	MaxRecords int
	MaxBytes   int
	// Linger is how long a batch that is not full waits for more records.
	Linger time.Duration
}

// DefaultLimits suit a processor: it takes what is there, and at most this.
func DefaultLimits() Limits { return Limits{MaxRecords: 10_000, MaxBytes: 8 << 20} }

func (l Limits) validate() error {
	if l.MaxRecords < 1 || l.MaxBytes < 1 || l.Linger < 0 {
		return fmt.Errorf("limits must be positive, got %d records, %d bytes, %s", l.MaxRecords, l.MaxBytes, l.Linger)
	}
	return nil
}

// Stage is one step of the data path.
type Stage struct {
	// Name is the step in the origins of what it writes, its consumer group and its
	// label in metrics. It must never change: another name is another step.
	Name string
	// Inputs are the topics that it reads.
	Inputs []string
	Limits Limits
	// Store names what a sink fills, where that is kept apart from local state: a database
	// or a lake by its id. Another one holds nothing yet, so its position is of its own,
	// and it is filled from the log's start.
	Store string
	// Open makes the Task of a partition, from the state as it was committed.
	Open func(ctx context.Context, p Partition, st *state.Partition) (Task, error)
}

// maxStore bounds the id of a store: it is in keys of the state.
const maxStore = 64

// StateName is what the stage's position, state and checkpoints are kept under.
func (s Stage) StateName() string { return s.stateName() }

func (s Stage) stateName() string {
	if s.Store == "" {
		return s.Name
	}
	return s.Name + "@" + s.Store
}

func (s Stage) validate() error {
	if s.Name == "" || len(s.Name) > 64 || len(s.Inputs) == 0 || s.Open == nil {
		return fmt.Errorf("bus: stage %q needs a name of at most 64 bytes, inputs and an Open", s.Name)
	}
	if len(s.Store) > maxStore {
		return fmt.Errorf("bus: stage %s: the id of its store has %d bytes, at most %d are taken", s.Name, len(s.Store), maxStore)
	}
	if err := s.Limits.validate(); err != nil {
		return fmt.Errorf("bus: stage %s: %w", s.Name, err)
	}
	return nil
}
