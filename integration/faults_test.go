//go:build integration

package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ends runs millrace up and expects it to end by itself, with a code and a message.
func ends(t *testing.T, data string, code int, want string, args ...string) {
	t.Helper()
	m := start(t, data, args...)
	err := m.ended()
	if got := m.cmd.ProcessState.ExitCode(); got != code || strings.TrimSpace(m.out.String()) != want {
		t.Errorf("millrace up %s: ended with %d (%v):\n%s\nwant %d:\n%s", strings.Join(args, " "), got, err, m.out, code, want)
	}
}

// TestPortInUse checks that each port that is taken is named, with the flag that chooses
// another, and that nothing is left behind that a second try would stumble over.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at, data := taken.Addr().String(), t.TempDir()
	ends(t, data, 1, "millrace up: "+at+" is in use: choose another with --listen or listen", "--listen", at)
	ends(t, data, 1, "millrace up: kafka: "+at+" is in use: choose another with --kafka-listen or kafka.listen", "--kafka-listen", at)
	ends(t, data, 1, "millrace up: clickhouse: "+at+" is in use: choose another with --clickhouse-listen or clickhouse.listen", "--clickhouse-listen", at)
	up(t, data).stop()
}

// TestSecondProcess checks that a data folder has one millrace, and that the one that has
// it does not notice the other.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	m := up(t, data)
	ends(t, data, 1, "millrace up: another millrace works on this folder: "+data+" (stop it first, or name another with --data)")
	m.takes("after", "/v1/text", `{"id":"after","text":"after the second"}`)
	m.await("after", "SELECT event_id FROM clean_text")
	m.verify()
	m.stop()
}

// takes posts one event, which must be acknowledged.
func (m *millrace) takes(id, path, body string) {
	m.t.Helper()
	if status, answer := m.post(path, "application/json", []byte(body)); status != 202 || answer != taken(id)+"\n" {
		m.t.Fatalf("POST %s %s: %d %s", path, body, status, answer)
	}
}

// TestNotWritable checks that a folder that may not be written is named, as somebody who
// may not: root may everything.
func TestNotWritable(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "millrace-readonly-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]string{
		filepath.Join(dir, "data"): "make the data folder: mkdir " + filepath.Join(dir, "data") + ": permission denied",
		dir:                        "lock the data folder: open " + filepath.Join(dir, "lock") + ": permission denied",
		"/dev/null/data":           "make the data folder: mkdir /dev/null: not a directory",
	} {
		cmd := exec.Command(program(t), "up", "--data", data, "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0", "--clickhouse-listen", "127.0.0.1:0")
		cmd.Dir = "/"
		if os.Getuid() == 0 {
			const nobody = 65534
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Skipf("the program cannot be run as nobody: %v", err)
		}
		if got := strings.TrimSpace(string(out)); cmd.ProcessState.ExitCode() != 1 || got != "millrace up: "+want {
			t.Errorf("a folder %s that may not be written: %d\n%s\nwant 1\nmillrace up: %s", data, cmd.ProcessState.ExitCode(), got, want)
		}
	}
}

// TestTypos checks that what is mistyped is named, with where it stands and what was
// likely meant.
func TestTypos(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		yaml string
		args string
		code int
		want string
	}{
		{"lisen: 127.0.0.1:0\n", "up", 1, "millrace up: FILE:1: there is no key lisen; did you mean listen?\n"},
		{"# a comment\nkafka:\n  brokrs: [a:1]\n", "up", 1, "millrace up: FILE:3: there is no key kafka.brokrs; did you mean kafka.brokers?\n"},
		{"sinks:\n  parquet:\n    max_age: 5\n", "config check", 1, "millrace config: FILE:3: sinks.parquet.max_age wants a duration such as 30s, got \"5\"\n"},
		{"collector:\n  max_body_bytes: many\nloop: sometimes\n", "config check", 1, "millrace config: FILE:2: collector.max_body_bytes wants a size such as 64MiB, got \"many\"\n"},
		{"kafka:\n  max_log_bytes: 16MiB\n", "config check", 1, "millrace config: config: kafka.max_log_bytes is 16MiB, the embedded broker's least is 64MiB\n"},
		{"gateway:\n  upstreams:\n    a: {url: here}\n", "config check", 1, "millrace config: config: gateway: upstreams.a.url is \"here\": say http://host/v1, or https\n"},
		{"gateway:\n  upstreams:\n    a: {urll: here}\n", "config check", 1, "millrace config: FILE:3: there is no key gateway.upstreams.a.urll; did you mean gateway.upstreams.a.url?\n"},
		{"listen: [\n", "verify", 1, "millrace verify: FILE: line "},
		{"", "up --dta x", 2, "millrace up: there is no flag --dta; did you mean --data?\nmillrace help up shows its flags.\n"},
		{"", "up --data", 2, "millrace up: flag needs an argument: -data\nmillrace help up shows its flags.\n"},
		{"", "verfy", 2, "millrace: there is no command \"verfy\"; did you mean verify?\nmillrace help lists them.\n"},
		{"", "up --roles clen", 1, "millrace up: there is no role \"clen\": known are collector, gateway, clean, predict, join, drift, policy, registry, rollout, trainer, clickhouse, parquet, ledger\n"},
		{"", "deadletters list --topic raw.txt", 2, "millrace deadletters: there is no input \"raw.txt\": known are raw.text, inference.logs, user.feedback\n"},
		{"", "deadletters list --since 5", 2, "millrace deadletters: invalid value \"5\" for flag -since: say a time such as 90s, 15m or 24h\n"},
		{"", "verify extra", 2, "millrace verify: \"extra\" is no flag of verify\n"},
		{"", "lake filez", 2, "millrace lake: say files\n"},
		{"", "up here", 1, "millrace up: \"here\" is no flag of up\n"},
	} {
		dir := t.TempDir()
		if c.yaml != "" {
			if err := os.WriteFile(filepath.Join(dir, "millrace.yaml"), []byte(c.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		stdout, stderr, code := runIn(t, dir, nil, strings.Fields(c.args)...)
		want := strings.ReplaceAll(c.want, "FILE", "millrace.yaml")
		if code != c.code || stdout != "" || !strings.HasPrefix(stderr, want) {
			t.Errorf("millrace %s, with %q: %d %s%s\nwant %d %s", c.args, c.yaml, code, stdout, stderr, c.code, want)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 1 {
			t.Errorf("millrace %s left %v in its working folder, %v", c.args, entries, err)
		}
	}
}

// TestInterrupted checks Ctrl-C while millrace starts, at each folder that it makes on
// its way: it ends soon, says so, and the next start finds nothing in its way.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, made := range []string{"lock", "kafka", "clickhouse/data", "objects", "topics.json"} {
		data := t.TempDir()
		m := start(t, data)
		until(t, func() bool { _, err := os.Stat(filepath.Join(data, made)); return err == nil }, func() string { return made + " is not made" })
		began := time.Now()
		if err := m.signal(syscall.SIGINT); err != nil {
			t.Errorf("Ctrl-C once there was %s: %v", made, err)
		}
		// It may have become ready meanwhile; then it says that it was.
		got := strings.TrimSpace(m.out.String())
		if got != "millrace up: stopped before it was ready" && !strings.HasPrefix(got, "ready: ") {
			t.Errorf("Ctrl-C once there was %s: it says %q", made, got)
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("Ctrl-C once there was %s: it took %s", made, took)
		}
		if made == "clickhouse/data" {
			m = up(t, data)
			m.takes("a", "/v1/text", `{"id":"a","text":"after all"}`)
			m.verify()
			m.stop()
		}
	}
}

// TestInterruptedTwice checks that a second Ctrl-C ends it at once, while the first waits
// for a client that is slow, and that what was acknowledged is there afterwards.
func TestInterruptedTwice(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	m := up(t, data)
	m.takes("kept", "/v1/text", `{"id":"kept","text":"acknowledged and kept"}`)
	slow, err := net.Dial("tcp", m.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprint(slow, "POST /v1/text HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	if err := m.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	// Once it takes no connection any more, the first was heard.
	until(t, func() bool {
		c, err := net.Dial("tcp", m.HTTP)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, func() string { return "it still listens after Ctrl-C" })
	began := time.Now()
	_ = m.signal(syscall.SIGINT) // how it ended is looked at below
	if took := time.Since(began); took > time.Second || m.cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("the second Ctrl-C: %s after %s; want exit code 130, at once", m.cmd.ProcessState, took)
	}
	if !strings.HasSuffix(m.out.String(), "millrace: ended at once, since it was asked twice; nothing that was acknowledged is lost\n") {
		t.Errorf("the second Ctrl-C says:\n%s", m.out)
	}
	m = up(t, data)
	m.await("kept", "SELECT event_id FROM clean_text")
	m.verify()
	m.stop()
}

// TestLostFolders deletes one part of the data at a time and keeps the others. What is
// made from the log is made again; a log that is gone is begun anew, beside what it left.
func TestLostFolders(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	const events = 40
	m := up(t, data)
	post := func(generation string) {
		t.Helper()
		for i := range events {
			id := fmt.Sprintf("%s-%d", generation, i)
			m.takes(id, "/v1/text", fmt.Sprintf(`{"id":%q,"text":"Text number %d of %s."}`, id, i, generation))
			m.takes(id, "/v1/inferences", fmt.Sprintf(`{"id":%q,"model":"m","output":"Answer %d."}`, id, i))
			m.takes(id+"-f", "/v1/feedback", fmt.Sprintf(`{"id":%q,"inference_id":%q,"thumb":"up"}`, id+"-f", id))
		}
	}
	const counts = "SELECT (SELECT count() FROM clean_text), (SELECT count() FROM inferences), (SELECT count() FROM feedback), (SELECT count() FROM training_examples), (SELECT count() FROM duplicates)"
	account := func(after string, generations, examples int) {
		t.Helper()
		n := events * generations
		m.await(fmt.Sprintf("%d\t%d\t%d\t%d\t0", n, n, n, examples), counts)
		m.verify()
		m.lakeHolds(after, map[string]int{"clean_text": n, "inferences": n, "feedback": n, "training_examples": examples})
	}
	post("first")
	account("nothing", 1, events)
	m.stop()
	for _, lost := range []struct {
		folders []string
		says    string
	}{
		{[]string{"clickhouse"}, "a store was made anew since the last start; it is filled again from the log"},
		{[]string{"state"}, "state restored from a checkpoint"},
		{[]string{"state", "objects/checkpoints"}, ""},
		{[]string{"objects"}, "a store was made anew since the last start; it is filled again from the log"},
	} {
		for _, f := range lost.folders {
			if err := os.RemoveAll(filepath.Join(data, f)); err != nil {
				t.Fatal(err)
			}
		}
		m = up(t, data)
		account(fmt.Sprint(lost.folders), 1, events)
		if !strings.Contains(m.out.String(), lost.says) {
			t.Errorf("without %s it says\n%s\nwant %q in it", lost.folders, m.out, lost.says)
		}
		m.stop()
	}
	if err := os.RemoveAll(filepath.Join(data, "kafka")); err != nil {
		t.Fatal(err)
	}
	m = up(t, data)
	if want := "the topic was made anew since the last start; what it held before stays in ClickHouse and the lake"; strings.Count(m.out.String(), want) != 8 {
		t.Errorf("without kafka it says\n%s\nwant %q of 8 topics", m.out, want)
	}
	account("[kafka]", 1, events)
	post("second")
	account("[kafka], and more events", 2, 2*events)
	m.stop()
}

// lakeHolds compares the rows of the Parquet files with what they should be, by kind.
func (m *millrace) lakeHolds(when string, want map[string]int) {
	m.t.Helper()
	for kind, n := range want {
		if ids := lakeIDs(m.t, m.data, kind); len(ids) != n {
			m.t.Errorf("after the loss of %s the lake holds %d rows of %s, want %d", when, len(ids), kind, n)
		}
	}
}
