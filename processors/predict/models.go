package predict

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
)

// Loaded is a version in use.
type Loaded struct {
	Version   string
	Predictor Predictor
}

// Models follows model.events and keeps the champion of every model loaded. Another
// champion takes over between two predictions, without a restart.
type Models struct {
	bus     *bus.Bus
	objects objstore.Store
	load    func([]byte) (Predictor, error)
	log     *slog.Logger
	failed  prometheus.Counter

	champions sync.Map // model -> *Loaded
	problems  sync.Map // model -> why its champion is not in use, a string
	ready     chan struct{}
	once      sync.Once
}

// NewModels prepares the follower; load reads an artefact.
func NewModels(b *bus.Bus, objects objstore.Store, load func([]byte) (Predictor, error), log *slog.Logger, metrics prometheus.Registerer) (*Models, error) {
	m := &Models{bus: b, objects: objects, load: load, log: log, ready: make(chan struct{}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "predict", Name: "load_failures_total", Help: "Champions that could not be loaded; the one before stays in use."})}
	if err := metrics.Register(m.failed); err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	return m, nil
}

// Champion returns the version of a model that answers now; nil where there is none.
func (m *Models) Champion(model string) *Loaded {
	if v, ok := m.champions.Load(model); ok {
		return v.(*Loaded)
	}
	return nil
}

// Problem says why a model's champion is not in use, while another or none answers for
// it; "" where all is well.
func (m *Models) Problem(model string) string {
	if p, ok := m.problems.Load(model); ok {
		return p.(string)
	}
	return ""
}

// WaitReady waits until the log as it was at the start has been read.
func (m *Models) WaitReady(ctx context.Context) error {
	select {
	case <-m.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run follows the log until ctx ends.
func (m *Models) Run(ctx context.Context) error {
	f, err := m.bus.Follow(ctx, bus.ModelEvents)
	if err != nil {
		return err
	}
	defer f.Close()
	wanted := map[string]*wantedVersion{} // champions that are not in use yet, by model
	for {
		if f.CaughtUp() { // only the last champion of a batch is loaded
			m.takeAll(ctx, wanted)
		}
		records, err := m.next(ctx, f, len(wanted) > 0)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range records {
			if !records[i].Derived || records[i].Kind != schemas.KindModelVersion {
				continue
			}
			v := new(schemas.ModelVersion)
			if err := v.Unmarshal(records[i].Value); err != nil {
				return fmt.Errorf("predict: decode %s at offset %d: %w", records[i].Partition, records[i].Offset, err)
			}
			if v.Stage == RoleChampion {
				wanted[v.Model] = &wantedVersion{ModelVersion: v, before: wanted[v.Model]}
			}
		}
	}
}

// loadPause is the pause before a champion is tried again whose artefact could not be
// read: the objects may be away for longer than anybody waits.
const loadPause = 500 * time.Millisecond

// next waits for records; where a champion is still to be loaded, for loadPause at most.
func (m *Models) next(ctx context.Context, f *bus.Follower, loading bool) ([]bus.Record, error) {
	if !loading || !f.CaughtUp() {
		return f.Next(ctx)
	}
	waiting, cancel := context.WithTimeout(ctx, loadPause)
	defer cancel()
	records, err := f.Next(waiting)
	if err != nil && waiting.Err() != nil {
		return nil, nil
	}
	return records, err
}

// wantedVersion is a champion that is not in use yet.
type wantedVersion struct {
	*schemas.ModelVersion
	told bool // that it cannot be loaded
	// before is the champion that it took the place of, where that was not loaded either;
	// who starts behind both has no other in use.
	before *wantedVersion
}

// takeAll loads the champions that are wanted. One that is not what its digest says is
// never used: the version before stays. One that cannot be read is tried again, and
// nobody is ready before it is; but for one that is gone, nobody waits.
func (m *Models) takeAll(ctx context.Context, all map[string]*wantedVersion) {
	ready := true
	for model, v := range all {
		err := m.take(ctx, model, v)
		if err == nil {
			m.problems.Delete(model)
		} else if ctx.Err() == nil {
			m.problems.Store(model, fmt.Sprintf("champion %s of model %s cannot be loaded: %v", v.Version, model, err))
		}
		if errors.Is(err, objstore.ErrTampered) || errors.Is(err, objstore.ErrNotFound) {
			m.standIn(ctx, model, v)
		}
		if err == nil || errors.Is(err, objstore.ErrTampered) {
			delete(all, model)
			continue
		}
		ready = ready && errors.Is(err, objstore.ErrNotFound)
	}
	if ready && ctx.Err() == nil {
		m.once.Do(func() { close(m.ready) })
	}
}

func (m *Models) take(ctx context.Context, model string, v *wantedVersion) error {
	if now := m.Champion(model); now != nil && now.Version == v.Version {
		return nil
	}
	p, err := m.fetch(ctx, v.ModelVersion)
	if err == nil {
		m.champions.Store(model, &Loaded{Version: v.Version, Predictor: p})
		m.log.Info("champion in use", "model", model, "version", v.Version)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.failed.Inc()
	if !v.told {
		m.log.Error("the champion cannot be loaded; the version before stays in use", "model", model, "version", v.Version, "digest", v.Digest, "error", err)
		v.told = true
	}
	return err
}

// standIn puts the latest champion before v in use that can be loaded, where none is: a
// process that had run all along would have it.
func (m *Models) standIn(ctx context.Context, model string, v *wantedVersion) {
	for b := v.before; b != nil && m.Champion(model) == nil; b = b.before {
		if m.take(ctx, model, b) == nil {
			m.log.Warn("an earlier champion stands in", "model", model, "version", b.Version, "for", v.Version)
		}
	}
	if m.Champion(model) != nil {
		v.before = nil
	}
}

func (m *Models) fetch(ctx context.Context, v *schemas.ModelVersion) (Predictor, error) {
	data, err := objstore.GetDigest(ctx, m.objects, v.Artifact, v.Digest)
	if err != nil {
		return nil, err
	}
	p, err := m.load(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", objstore.ErrTampered, err)
	}
	return p, nil
}
