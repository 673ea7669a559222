package join

import (
	"context"
	"testing"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// stateOf lists the keys of partition 0's state as they were committed.
func stateOf(t *testing.T, c *bustest.Cluster, b *bus.Bus, stage bus.Stage) []string {
	t.Helper()
	var keys []string
	open := stage.Open
	stage.Open = func(ctx context.Context, at bus.Partition, st *state.Partition) (bus.Task, error) {
		if at.Partition == 0 {
			for kv, err := range st.Scan(nil) {
				if err != nil {
					t.Error(err)
				}
				keys = append(keys, string(kv.Key))
			}
		}
		return open(ctx, at, st)
	}
	// A drain without an end to reach opens nothing: a record of another partition does.
	c.Produce(bustest.OnPartition(bustest.Event(bus.Interactions, "x", &schemas.Rejected{}), 1))
	c.MustDrain(b, stage)
	return keys
}
