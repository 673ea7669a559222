//go:build !synctests

package sim

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/testvar"
)

// TestSim runs the simulation. It is built with a tag of its own, with which franz-go's locks
// are channels: virtual time stands still while anybody waits for any other lock, and
// franz-go holds some of its own while it waits for a broker.
func TestSim(t *testing.T) {
	// A seed takes a fraction of a second. One in which time stands still takes for ever, and
	// is told by the stacks that Go prints at its limit.
	limit := 2*time.Minute + time.Duration(testvar.Number(t, "MILLRACE_SIM_SEEDS", fewSeeds))*2*time.Second
	args := []string{"test", "-count=1", "-tags=synctests", "-timeout=" + limit.String(), "-run=^TestSim$"}
	if testing.Verbose() || *only != 0 {
		args = append(args, "-v")
	}
	args = append(args, ".", "-args", fmt.Sprintf("-seed=%d", *only))
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("go %v: %v", args, err)
	}
}
