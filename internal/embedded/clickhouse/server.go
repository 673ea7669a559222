package clickhouse

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

var errUnsupported = fmt.Errorf("clickhouse: there is no embedded engine for %s/%s: set clickhouse.dsn to a ClickHouse server of yours", runtime.GOOS, runtime.GOARCH)

// startTimeout bounds the engine's start; it opens ten million rows in under a second.
const startTimeout = 60 * time.Second

// maxRestartPause bounds the pause before a child that died is started again.
const maxRestartPause = 10 * time.Second

// Server is the embedded engine in its child process.
type Server struct {
	cfg  Config
	log  *slog.Logger
	addr string

	mu     sync.Mutex
	child  *child
	closed bool
	done   chan struct{}
}

type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	exited chan struct{}
}

// Start starts the engine and returns when it answers. A child that dies is started
// again, at the same address.
func Start(ctx context.Context, cfg Config, log *slog.Logger) (*Server, error) {
	if !supported {
		return nil, errUnsupported
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	// The engine joins a relative folder to itself for parts of tables.
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %s: %w", cfg.Dir, err)
	}
	cfg.Dir = dir
	s := &Server{cfg: cfg, log: log, done: make(chan struct{})}
	c, addr, err := s.spawn(ctx)
	if err != nil {
		return nil, err
	}
	s.child, s.addr = c, addr
	s.cfg.Listen = addr
	go s.watch()
	return s, nil
}

// Addr is where the engine listens, host:port.
func (s *Server) Addr() string { return s.addr }

// DSN is clickhouse-go's, for Millrace's own role.
func (s *Server) DSN(database string) string { return s.cfg.DSN(s.addr, database) }

func (s *Server) spawn(ctx context.Context) (*child, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("clickhouse: find the program: %w", err)
	}
	cmd := exec.Command(self, ChildCommand)
	cmd.Env = append(os.Environ(), "TZ=UTC") // the zone that clients are told, whatever the machine's
	cmd.Stderr = logWriter{s.log}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", fmt.Errorf("clickhouse: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", fmt.Errorf("clickhouse: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("clickhouse: start the engine's process: %w", err)
	}
	c := &child{cmd: cmd, stdin: stdin, exited: make(chan struct{})}
	line := make(chan string, 1)
	go func() {
		out := bufio.NewReader(stdout)
		first, _ := out.ReadString('\n') // an end without a line is told apart below
		line <- strings.TrimSpace(first)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // how it ended does not matter, that it ended does
		close(c.exited)
	}()
	if err := json.NewEncoder(stdin).Encode(s.cfg); err != nil {
		return nil, "", errors.Join(fmt.Errorf("clickhouse: configure the engine's process: %w", err), c.stop(context.Background()))
	}
	select {
	case first := <-line:
		if addr, ok := strings.CutPrefix(first, "ready "); ok {
			return c, addr, nil
		}
		_ = stdin.Close()
		<-c.exited
		if msg, ok := strings.CutPrefix(first, "error "); ok {
			return nil, "", errors.New(msg)
		}
		return nil, "", fmt.Errorf("clickhouse: the engine's process ended before it was ready: %s", cmd.ProcessState)
	case <-time.After(startTimeout):
		return nil, "", errors.Join(fmt.Errorf("clickhouse: the engine was not ready in %s", startTimeout), c.stop(context.Background()))
	case <-ctx.Done():
		return nil, "", errors.Join(ctx.Err(), c.stop(context.Background()))
	}
}

// watch starts the child again when it dies.
func (s *Server) watch() {
	defer close(s.done)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, maxRestartPause) {
		s.mu.Lock()
		c := s.child
		s.mu.Unlock()
		began := time.Now()
		<-c.exited
		s.mu.Lock()
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return
		}
		if time.Since(began) > time.Minute {
			pause = 100 * time.Millisecond
		}
		s.log.Error("the embedded ClickHouse died; it is started again", "state", c.cmd.ProcessState.String())
		for {
			time.Sleep(pause)
			next, _, err := s.spawn(context.Background())
			if err == nil {
				s.mu.Lock()
				s.child = next
				closed = s.closed
				s.mu.Unlock()
				if closed {
					_ = next.stop(context.Background())
					return
				}
				break
			}
			s.log.Error("the embedded ClickHouse does not start", "error", err)
			pause = min(2*pause, maxRestartPause)
			s.mu.Lock()
			closed = s.closed
			s.mu.Unlock()
			if closed {
				return
			}
		}
	}
}

// Close ends the engine in order: what runs is killed, what was acknowledged is kept.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	c := s.child
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 2*shutdownTimeout)
	defer cancel()
	err := c.stop(ctx)
	<-s.done
	return err
}

// stop closes the child's pipe, which ends it, and kills it at the deadline.
func (c *child) stop(ctx context.Context) error {
	_ = c.stdin.Close()
	select {
	case <-c.exited:
		return nil
	case <-ctx.Done():
	case <-time.After(2 * shutdownTimeout):
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("clickhouse: kill the engine's process: %w", err)
	}
	<-c.exited
	return nil
}

// logWriter passes the child's messages on.
type logWriter struct{ log *slog.Logger }

func (l logWriter) Write(b []byte) (int, error) {
	l.log.Debug("clickhouse engine", "message", strings.TrimSpace(string(b)))
	return len(b), nil
}
