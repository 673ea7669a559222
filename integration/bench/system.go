package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// system is a millrace up of its own, with the embedded engines.
type system struct {
	cmd              *exec.Cmd
	data             string
	http, clickhouse string // host:port
	remove           func()
}

// upTimeout is how long it may take to be ready, and to stop.
const upTimeout = time.Minute

func startSystem(ctx context.Context, o options) (*system, error) {
	program, err := filepath.Abs(o.program)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("%w: there is no program: %w (make build)", errSkip, err)
	}
	found, err := filepath.Glob(filepath.Join(o.cache, "chdb-*", "libchdb.so"))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("%w: there is no embedded ClickHouse in %s (make deps)", errSkip, o.cache)
	}
	library, err := filepath.Abs(found[len(found)-1])
	if err != nil {
		return nil, err
	}
	dir, remove, err := scratchDir()
	if err != nil {
		return nil, err
	}
	s := &system{data: filepath.Join(dir, "data"), remove: remove}
	s.cmd = exec.CommandContext(ctx, program, "up", "--data", s.data, "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0", "--clickhouse-listen", "127.0.0.1:0")
	s.cmd.Dir, s.cmd.Stderr = dir, os.Stderr
	s.cmd.Env = append(os.Environ(), "MILLRACE_CLICKHOUSE_LIBRARY="+library)
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		remove()
		return nil, err
	}
	if err := s.ready(out); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// ready waits for the line that says so, and reads where it listens.
func (s *system) ready(out io.Reader) error {
	if _, err := out.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("millrace up ended before it was ready: %w", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	data, err := os.ReadFile(filepath.Join(s.data, "run.json"))
	if err != nil {
		return err
	}
	var at struct{ HTTP, ClickHouse string }
	if err := json.Unmarshal(data, &at); err != nil {
		return err
	}
	s.http, s.clickhouse = at.HTTP, at.ClickHouse
	return nil
}

func (s *system) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	timer := time.AfterFunc(upTimeout, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	_ = s.cmd.Wait() // how it ends is what the tests look at
	s.remove()
}

// post sends texts as NDJSON; each is acknowledged when it returns.
func (s *system) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.http+"/v1/text", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("POST /v1/text: %s: %.200s", resp.Status, answer)
	}
	return err
}

// sql returns the rows of an answer, its fields as text.
func (s *system) sql(ctx context.Context, query string) ([][]string, error) {
	u := "http://" + s.clickhouse + "/?" + url.Values{"database": {"millrace"}, "query": {query + " FORMAT TSV"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %.200s", query, resp.Status, answer)
	}
	var rows [][]string
	for line := range strings.Lines(string(answer)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows, nil
}

// until waits until as many texts are queryable.
func (s *system) until(ctx context.Context, count int) error {
	for {
		rows, err := s.sql(ctx, "SELECT count() FROM clean_text")
		if err != nil {
			return err
		}
		if n, err := strconv.Atoi(rows[0][0]); err != nil || n >= count {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// memory is what the program and its engine hold, and held at most, in MiB.
type memory struct{ program, engine, programPeak, enginePeak float64 }

func (s *system) memory() (m memory, err error) {
	engine, err := childOf(s.cmd.Process.Pid)
	if err != nil {
		return m, fmt.Errorf("%w: %w", errSkip, err)
	}
	if m.program, m.programPeak, err = resident(s.cmd.Process.Pid); err != nil {
		return m, err
	}
	m.engine, m.enginePeak, err = resident(engine)
	return m, err
}

// childOf finds the one child of a process.
func childOf(pid int) (int, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, path := range tasks {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // a thread that has ended meanwhile
		}
		for field := range strings.FieldsSeq(string(data)) {
			return strconv.Atoi(field)
		}
	}
	return 0, errors.New("millrace up has no engine")
}

// resident reads what a process holds, and held at most, in MiB.
func resident(pid int) (now, peak float64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		var into *float64
		switch name {
		case "VmRSS":
			into = &now
		case "VmHWM":
			into = &peak
		default:
			continue
		}
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			return 0, 0, err
		}
		*into = kib / 1024
	}
	return now, peak, nil
}
