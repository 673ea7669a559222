package demo

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/processors/predict"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/registry"
)

// lookEvery is how often a waiting replay looks at the loop.
const lookEvery = 2 * time.Millisecond

// watch follows model.events, for the replay and for the view.
type watch struct {
	bus    *bus.Bus
	client *client.Client
	models *predict.Models
	model  string

	mu   sync.Mutex
	fold *registry.Fold
	at   map[int32]int64 // the offsets behind what is folded
}

// run follows until ctx ends.
func (w *watch) run(ctx context.Context) error {
	f, err := w.bus.Follow(ctx, bus.ModelEvents)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		records, err := f.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		w.mu.Lock()
		for i := range records {
			if err = w.fold.Apply(&records[i]); err != nil {
				break
			}
		}
		w.at = maps.Clone(f.Positions())
		w.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// see calls what looks at the model while nothing changes; with nil before anything is
// known of it.
func (w *watch) see(look func(*registry.Model)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	look(w.fold.Model(w.model))
}

// Busy implements gate.
func (w *watch) Busy() (busy bool) {
	w.see(func(m *registry.Model) {
		if m == nil {
			return
		}
		busy = m.InFlight() != nil
		for _, v := range m.Versions {
			busy = busy || v.Stage == trainers.StageCandidate // rollout has not seen it
		}
		if m.Champion != nil {
			used := w.models.Champion(w.model)
			busy = busy || used == nil || used.Version != m.Champion.Version
		}
	})
	return busy
}

// Idle implements gate.
func (w *watch) Idle(ctx context.Context) error { return await(ctx, func() bool { return !w.Busy() }) }

// loop are the stages between a text and the decision about a model, in the data's order.
var loop = []string{"clean", "predict", "join", "drift-errors", "drift-texts", trainers.StepRegistry, trainers.StepPolicy, trainers.StepRollout}

// folded waits until everything up to ends is in the fold.
func (w *watch) folded(ctx context.Context, ends map[int32]int64) error {
	return await(ctx, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for n, end := range ends {
			if w.at[n] < end {
				return false
			}
		}
		return true
	})
}

// Caught implements gate. A decider writes to the topic that it reads, so one pass over
// the deciders that changes nothing ends it.
func (w *watch) Caught(ctx context.Context) error {
	if err := w.client.Flush(ctx); err != nil {
		return err
	}
	for _, stage := range loop {
		if err := w.passed(ctx, stage); err != nil {
			return err
		}
	}
	for {
		before, err := w.bus.Ends(ctx, bus.ModelEvents)
		if err != nil {
			return err
		}
		for _, stage := range loop[len(loop)-3:] {
			if err := w.passed(ctx, stage); err != nil {
				return err
			}
		}
		after, err := w.bus.Ends(ctx, bus.ModelEvents)
		if err != nil {
			return err
		}
		if maps.Equal(before, after) {
			return w.folded(ctx, after)
		}
	}
}

// passed waits until a stage has read all that there is.
func (w *watch) passed(ctx context.Context, stage string) (err error) {
	waited := await(ctx, func() bool {
		var n int64
		n, err = w.bus.Behind(ctx, stage)
		return err != nil || n == 0
	})
	return errors.Join(err, waited)
}

// champion waits for the first champion in use.
func (w *watch) champion(ctx context.Context) error {
	return await(ctx, func() bool { return w.models.Champion(w.model) != nil })
}

func await(ctx context.Context, ok func() bool) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
