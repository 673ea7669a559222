//go:build !synctests

package sim

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// TestSim runs the simulation. It is built with a tag of its own, with which franz-go's locks
// are channels: virtual time stands still while anybody waits for any other lock, and
// franz-go holds some of its own while it waits for a broker.
func TestSim(t *testing.T) {
	args := []string{"test", "-count=1", "-tags=synctests", "-timeout=24h", "-run=^TestSim$"}
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
