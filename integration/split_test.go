//go:build integration

package integration

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSplitRoles runs one deployment as three processes, as in production: one with the
// brokers and the database, two with roles that reach them over the network and share
// nothing but the objects and the secret. One of them is killed, and its partitions go to
// another.
func TestSplitRoles(t *testing.T) {
	const secret = "a secret of the three that has more than 32 characters"
	dir := t.TempDir()
	objects := filepath.Join(dir, "objects")
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	shared := fmt.Sprintf("secret: %q\nobjects:\n  url: file://%s\n", secret, objects)
	engines := up(t, filepath.Join(dir, "engines"), "--roles", "collector", "--config", write("engines.yaml", shared))
	sum := sha256.Sum256([]byte(secret))
	mac := hmac.New(sha256.New, sum[:])
	mac.Write([]byte("clickhouse"))
	dsn := fmt.Sprintf("http://millrace:%s@%s/default", hex.EncodeToString(mac.Sum(nil)[:16]), engines.ClickHouse)
	config := write("roles.yaml", shared+fmt.Sprintf("kafka:\n  brokers: [%q]\nclickhouse:\n  dsn: %q\n", engines.Kafka, dsn))

	const stages = "clean,join,predict,drift,registry,policy,rollout"
	first := up(t, filepath.Join(dir, "first"), "--roles", stages, "--config", config)
	up(t, filepath.Join(dir, "sinks"), "--roles", "trainer,clickhouse,parquet", "--config", config)
	post := func(from, to int) {
		t.Helper()
		var body strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&body, `{"id":"text-%d","text":"The text with the number %d."}`+"\n", i, i)
		}
		if status, answer := engines.post("/v1/text", "application/x-ndjson", []byte(body.String())); status != 202 {
			t.Fatalf("POST /v1/text: %d %s", status, answer)
		}
	}
	post(0, 200)
	engines.await("200", "SELECT count() FROM clean_text")
	post(200, 400)
	_ = first.signal(syscall.SIGKILL) // what is in hand is done by whoever comes
	up(t, filepath.Join(dir, "second"), "--roles", stages, "--config", config)
	post(300, 600) // a hundred come again
	engines.await("600", "SELECT uniqExact(event_id) FROM clean_text")
	engines.await("100", "SELECT count() FROM duplicates")
	if out, errs, code := engines.run("verify", "--config", filepath.Join(dir, "engines.yaml")); code != 0 || !strings.Contains(out, "0 lost, 0 doubled") {
		t.Errorf("verify exits with %d:\n%s%s", code, out, errs)
	}
	if got := engines.sql("SELECT count() FROM clean_text"); got != "600" {
		t.Errorf("%s rows of clean_text, want 600", got)
	}
	if out, errs, code := run(t, "sql", "--config", config, "--data", filepath.Join(dir, "asking"), "SELECT count() FROM clean_text"); code != 0 || !strings.Contains(out, "600") {
		t.Errorf("millrace sql over the DSN exits with %d: %s%s", code, out, errs)
	}
	if out, errs, code := run(t, "sql", "--config", config, "--data", filepath.Join(dir, "asking"), "TRUNCATE TABLE clean_text"); code == 0 || !strings.Contains(errs, "readonly") {
		t.Errorf("millrace sql under a role that may write exits with %d: %s%s", code, out, errs)
	}
	out, errs, code := run(t, "up", "--roles", "clean", "--data", filepath.Join(dir, "alone"), "--config", write("alone.yaml", fmt.Sprintf("kafka:\n  brokers: [%q]\n", engines.Kafka)))
	if code == 0 || !strings.Contains(errs, "share objects.url") {
		t.Errorf("a part of the roles without shared objects exits with %d: %s%s", code, out, errs)
	}
}
