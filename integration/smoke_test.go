//go:build integration

package integration

import (
	"strings"
	"testing"
)

// TestFirstEvent is the way of a new user: start it, post an event, ask SQL about it,
// stop it.
func TestFirstEvent(t *testing.T) {
	t.Parallel()
	m := up(t, t.TempDir())
	status, answer := m.post("/v1/text", "application/json", []byte(`{"id":"hello-1","text":"Write to ada@example.org, please."}`))
	if status != 202 || !strings.Contains(answer, "hello-1") {
		t.Fatalf("POST /v1/text: %d %s", status, answer)
	}
	m.await("hello-1", "SELECT event_id FROM clean_text")
	if text := m.sql("SELECT text FROM clean_text"); strings.Contains(text, "ada@") {
		t.Errorf("the address is stored: %s", text)
	}
	if out := m.verify(); !strings.Contains(out, "0 lost, 0 doubled") {
		t.Errorf("verify says %s", out)
	}
	m.stop()
}
