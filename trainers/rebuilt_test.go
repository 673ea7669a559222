package trainers_test

import (
	"testing"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/policy"
)

// TestRebuilt checks that policy goes on where its state was lost and is made again under
// another configuration. It then decides runs in other places than it did before; readers
// drop those triggers as repeats of what had landed, and it must not wait for their end.
func TestRebuilt(t *testing.T) {
	for name, change := range map[string]func(*policy.Config){
		"the same": func(*policy.Config) {},
		"growth":   func(c *policy.Config) { c.Growth = 1.4 },
		"labels":   func(c *policy.Config) { c.MinBootstrapLabels = 150 },
		"cooldown": func(c *policy.Config) { c.Cooldown = 50 },
	} {
		for seed := range uint64(5) {
			w := newWorld(t, 1000+seed, trainers.Auto)
			w.play(200)
			if err := w.stages[0].st.Close(); err != nil {
				t.Fatal(err)
			}
			cfg := policy.DefaultConfig()
			cfg.Model = "m"
			change(&cfg)
			stage, err := policy.Stage(cfg, policy.Deps{Log: quiet, Metrics: prometheus.NewRegistry()})
			if err != nil {
				t.Fatal(err)
			}
			empty, err := state.Open("/empty", vfs.NewMem(), quiet)
			if err != nil {
				t.Fatal(err)
			}
			w.stages[0] = &player{stage: stage}
			w.stages[0].open(t, empty)
			before := len(w.log)
			all := func() {
				for _, p := range w.stages {
					p.run(w, len(w.log), false)
				}
			}
			for range 150 {
				w.detector.step(w)
				all()
				for range 4 {
					w.runners[0].step(w)
					all()
				}
			}
			marks, triggers := reader{}, 0
			for i := range w.log {
				rec := &w.log[i]
				if rec.Derived && marks.admits(rec) && rec.Kind == schemas.KindDriftTrigger && i >= before {
					triggers++
				}
			}
			if triggers == 0 {
				t.Errorf("another %s, seed %d: no run is ever asked for again", name, seed)
			}
			w.close()
			if err := empty.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
