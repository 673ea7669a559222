//go:build integration

// Package integration tests the real program: the binary that make build makes, with its
// embedded engines, on folders and ports of its own.
package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// patience bounds every wait; a test that needs it has failed.
	patience = 60 * time.Second
	lookEach = 50 * time.Millisecond
)

// program is the binary under test.
func program(t testing.TB) string {
	t.Helper()
	path := os.Getenv("MILLRACE")
	if path == "" {
		path = "../bin/millrace"
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("there is no program to test: %v (make build makes it)", err)
	}
	return path
}

// cache is the folder that make deps fills.
func cache(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs("../.cache")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// millrace is a running millrace up.
type millrace struct {
	t    testing.TB
	data string
	cmd  *exec.Cmd
	out  *output // standard output and standard error
	done chan error

	// HTTP, Kafka and ClickHouse are host:port.
	HTTP, Kafka, ClickHouse string
}

// output is what a process prints, safe to read while it prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start begins millrace up on free ports, and does not wait for it.
func start(t testing.TB, data string, args ...string) *millrace {
	t.Helper()
	m := &millrace{t: t, data: data, out: &output{}, done: make(chan error, 1)}
	m.cmd = exec.Command(program(t), append([]string{"up", "--data", data, "--listen", "127.0.0.1:0",
		"--kafka-listen", "127.0.0.1:0", "--clickhouse-listen", "127.0.0.1:0"}, args...)...)
	m.cmd.Dir = t.TempDir() // no millrace.yaml is found by chance
	m.cmd.Stdout, m.cmd.Stderr = m.out, m.out
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	m.cmd.Env = append(os.Environ(), "MILLRACE_CLICKHOUSE_LIBRARY="+library(t))
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { m.done <- m.cmd.Wait() }()
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("%s printed:\n%s", data, m.out)
		}
	})
	return m
}

// up begins millrace up and waits until it is ready.
func up(t testing.TB, data string, args ...string) *millrace {
	t.Helper()
	m := start(t, data, args...)
	m.ready()
	return m
}

// ready waits for the line that says so, and reads where it listens.
func (m *millrace) ready() {
	m.t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(lookEach) {
		if strings.Contains(m.out.String(), "ready: ") {
			break
		}
		select {
		case err := <-m.done:
			m.t.Fatalf("millrace up ended: %v\n%s", err, m.out)
		default:
		}
		if time.Now().After(until) {
			m.t.Fatalf("millrace up is not ready:\n%s", m.out)
		}
	}
	data, err := os.ReadFile(filepath.Join(m.data, "run.json"))
	if err != nil {
		m.t.Fatal(err)
	}
	var at struct {
		HTTP       string
		Brokers    []string
		ClickHouse string
	}
	if err := json.Unmarshal(data, &at); err != nil {
		m.t.Fatal(err)
	}
	m.HTTP, m.Kafka, m.ClickHouse = at.HTTP, at.Brokers[0], at.ClickHouse
}

// signal sends s and waits for the end; it returns how the process ended.
func (m *millrace) signal(s syscall.Signal) error {
	m.t.Helper()
	if err := m.cmd.Process.Signal(s); err != nil {
		m.t.Fatal(err)
	}
	return m.ended()
}

func (m *millrace) ended() error {
	m.t.Helper()
	select {
	case err := <-m.done:
		return err
	case <-time.After(patience):
		m.t.Fatalf("millrace up does not end:\n%s", m.out)
		return nil
	}
}

// stop ends it as Ctrl-C does; it must end well.
func (m *millrace) stop() {
	m.t.Helper()
	if err := m.signal(syscall.SIGINT); err != nil {
		m.t.Fatalf("millrace up ended with %v:\n%s", err, m.out)
	}
}

// kill ends it as a crash does.
func (m *millrace) kill() {
	m.t.Helper()
	_ = m.signal(syscall.SIGKILL) // "signal: killed" is what was asked for
}

// run runs a command of the program on m's data folder, and returns what it printed and
// its exit code.
func (m *millrace) run(args ...string) (stdout, stderr string, code int) {
	m.t.Helper()
	return run(m.t, append(args, "--data", m.data)...)
}

// run runs the program.
func run(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return runIn(t, t.TempDir(), nil, args...)
}

// runIn runs the program in a folder, with standard input.
func runIn(t testing.TB, dir string, stdin io.Reader, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t), args...)
	cmd.Dir, cmd.Stdin = dir, stdin
	cmd.Env = append(os.Environ(), "MILLRACE_CLICKHOUSE_LIBRARY="+library(t))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("millrace %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// library is the embedded engine's, since the tests' working folders have no .cache.
func library(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(cache(t), "chdb-*", "libchdb.so"))
	if err != nil || len(found) == 0 {
		t.Fatalf("the embedded engine is not in .cache: make deps fetches it (%v)", err)
	}
	return found[len(found)-1]
}

// post sends a body to the HTTP interface.
func (m *millrace) post(path, contentType string, body []byte, headers ...string) (status int, answer string) {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, "http://"+m.HTTP+path, bytes.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return answered(m.t, req)
}

// get asks the HTTP interface.
func (m *millrace) get(path string) (status int, answer string) {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), http.MethodGet, "http://"+m.HTTP+path, http.NoBody)
	if err != nil {
		m.t.Fatal(err)
	}
	return answered(m.t, req)
}

func answered(t testing.TB, req *http.Request) (status int, answer string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// sql asks the embedded ClickHouse as an outsider does, over plain HTTP; the answer is
// tab separated, without its last newline.
func (m *millrace) sql(format string, args ...any) string {
	m.t.Helper()
	answer, err := m.trySQL(fmt.Sprintf(format, args...))
	if err != nil {
		m.t.Fatal(err)
	}
	return answer
}

func (m *millrace) trySQL(query string) (string, error) {
	req, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, "http://"+m.ClickHouse+"/?database=millrace", strings.NewReader(query))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %d: %s", query, resp.StatusCode, b)
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

// await asks SQL until the answer is as wanted.
func (m *millrace) await(want, query string) {
	m.t.Helper()
	var got string
	var err error
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(lookEach) {
		if got, err = m.trySQL(query); err == nil && got == want {
			return
		}
	}
	m.t.Fatalf("%s\nanswers %q (%v), want %q", query, got, err, want)
}

// verify runs millrace verify, which must find nothing lost and nothing doubled.
func (m *millrace) verify() string {
	m.t.Helper()
	out, errs, code := m.run("verify")
	if code != 0 {
		m.t.Fatalf("millrace verify exits with %d:\n%s%s", code, out, errs)
	}
	return out
}
