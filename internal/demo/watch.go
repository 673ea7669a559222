package demo

import (
	"context"
	"sync"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/processors/predict"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/registry"
)

// lookEvery is how often a waiting replay looks at the loop.
const lookEvery = 10 * time.Millisecond

// watch follows model.events, for the replay and for the view.
type watch struct {
	bus    *bus.Bus
	models *predict.Models
	model  string

	mu   sync.Mutex
	fold *registry.Fold
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
