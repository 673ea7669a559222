//go:build integration

package integration

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// unaccounted adds up the ledger's metric.
func (m *millrace) unaccounted() (n float64, told bool) {
	m.t.Helper()
	status, body := m.get("/metrics")
	if status != http.StatusOK {
		return 0, false
	}
	for _, found := range regexp.MustCompile(`(?m)^millrace_unaccounted_events\{.*\} (.*)$`).FindAllStringSubmatch(body, -1) {
		one, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			m.t.Fatal(err)
		}
		n, told = n+one, true
	}
	return n, told
}

func (m *millrace) awaitAccounted(when string) {
	m.t.Helper()
	until(m.t, func() bool { n, told := m.unaccounted(); return told && n == 0 }, func() string {
		n, _ := m.unaccounted()
		return fmt.Sprintf("%s: %.0f records are not accounted for\n%s", when, n, m.out)
	})
}

// folderBytes is the size of the files below a folder.
func folderBytes(t *testing.T, folder string) (n int64) {
	t.Helper()
	if err := filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, e := d.Info(); e == nil {
				n += info.Size()
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// noisy are inferences of 12 kB, t and a number each, that do not compress, and so fill the log.
func noisy(r *rand.Rand, first, n int) []byte {
	var body bytes.Buffer
	for i := range n {
		noise := make([]byte, 6000)
		for j := range noise {
			noise[j] = byte(r.Uint32())
		}
		fmt.Fprintf(&body, "{\"id\":\"t%d\",\"model\":\"m\",\"input\":\"what is the number?\",\"output\":%q}\n", first+i, hex.EncodeToString(noise))
	}
	return body.Bytes()
}

// smallLog is the file of a configuration whose embedded log is as small as it may be.
func smallLog(t *testing.T, dir string) string {
	t.Helper()
	config := filepath.Join(dir, "millrace.yaml")
	if err := os.WriteFile(config, []byte("kafka:\n  max_log_bytes: 64MiB\nledger:\n  every: 1s\nsinks:\n  parquet:\n    max_age: 1s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// TestFullLog fills the embedded log at once, before there is any checkpoint, and kills the
// process: the next one frees the log by itself, though nothing can come that it would be
// woken by.
func TestFullLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := smallLog(t, dir)
	r := rand.New(rand.NewPCG(10, 10))
	const perPost = 200
	sent := 0
	m := up(t, filepath.Join(dir, "data"), "--config", config)
	until(t, func() bool {
		status, _ := m.post("/v1/inferences", "application/x-ndjson", noisy(r, sent, perPost))
		if status == http.StatusAccepted {
			sent += perPost
		}
		return status == http.StatusServiceUnavailable
	}, func() string { return "the log is never full" })
	m.kill()
	m = up(t, filepath.Join(dir, "data"), "--config", config)
	status := 0
	for end := time.Now().Add(5 * patience); status != http.StatusAccepted; time.Sleep(time.Second) {
		if status, _ = m.post("/v1/inferences", "application/x-ndjson", noisy(r, sent, 1)); time.Now().After(end) {
			t.Fatalf("the log takes nothing for %s: %d\n%s", 5*patience, status, m.out)
		}
	}
	sent++
	if out := m.verify(); !strings.Contains(out, "0 lost, 0 doubled") {
		t.Errorf("verify says %s", out)
	}
	m.await(fmt.Sprintf("%d\t%d", sent, sent), "SELECT uniqExact(event_id), count() FROM inferences")
	m.stop()
}

// TestTrimmedLog fills the embedded log beyond what it may hold: the ledger settles and
// trims, so that there is room again, and the account of what is gone stands. A
// broker that dies forgets where its log begins, and nothing comes of it; a database that
// is lost then is filled from the log and the lake, and is whole again.
func TestTrimmedLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := smallLog(t, dir)
	data := filepath.Join(dir, "data")
	r := rand.New(rand.NewPCG(9, 9))
	const perRound, perPost = 1100, 100
	sent := 0
	post := func(m *millrace) (taken int) {
		t.Helper()
		for range perRound / perPost {
			first := sent
			sent += perPost
			status, answer := m.post("/v1/inferences", "application/x-ndjson", noisy(r, first, perPost))
			if status == http.StatusServiceUnavailable && strings.Contains(answer, "kafka.max_log_bytes") {
				sent = first // full: nothing of it was taken
				break
			}
			if status != http.StatusAccepted {
				t.Fatalf("after %d events: %d %s", sent, status, answer)
			}
			taken += perPost
		}
		return taken
	}
	trims := func() []string {
		found, err := filepath.Glob(filepath.Join(data, "objects", "trims", "*", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	// Checkpoints, below which nothing is deleted, are made when a process stops.
	for round := 0; len(trims()) < 4 && round < 12; round++ {
		m := up(t, data, "--config", config)
		post(m)
		m.awaitAccounted(fmt.Sprintf("round %d", round))
		time.Sleep(5 * time.Second) // places to trim at are noted every 3 s
		m.stop()
	}
	if len(trims()) < 4 {
		t.Fatalf("%d events of 12 kB, and only %q is trimmed", sent, trims())
	}
	m := up(t, data, "--config", config)
	if post(m) == 0 {
		t.Errorf("a log that was trimmed takes nothing:\n%s", m.out)
	}
	m.awaitAccounted("trimmed")
	m.kill()
	if n := folderBytes(t, filepath.Join(data, "kafka")); n > 80*megabyte {
		t.Errorf("the log has %d MiB after %d events of 12 kB", n>>20, sent)
	}
	m = up(t, data, "--config", config)
	if out := m.verify(); !strings.Contains(out, "the log begins at offset") {
		t.Errorf("verify does not say that the log is trimmed:\n%s", out)
	}
	count := "SELECT uniqExact(event_id), count() FROM inferences"
	if got := m.sql("%s", count); got != fmt.Sprintf("%d\t%d", sent, sent) {
		t.Errorf("ClickHouse holds %s, want %d", got, sent)
	}
	m.stop()

	if err := os.RemoveAll(filepath.Join(data, "clickhouse")); err != nil {
		t.Fatal(err)
	}
	m = up(t, data, "--config", config)
	out, errs, code := m.run("verify", "--config", config, "--wait", "10s")
	if code != 1 || !strings.Contains(out, "where the log was trimmed") {
		t.Errorf("the database is gone, and verify exits with %d:\n%s%s", code, out, errs)
	}
	if out, errs, code := m.run("rebuild", "clickhouse", "--config", config); code != 0 {
		t.Fatalf("millrace rebuild clickhouse exits with %d:\n%s%s", code, out, errs)
	}
	m.verify()
	if got := m.sql("%s", count); got != fmt.Sprintf("%d\t%d", sent, sent) {
		t.Errorf("ClickHouse holds %s after it was rebuilt, want %d", got, sent)
	}
	m.stop()
}
