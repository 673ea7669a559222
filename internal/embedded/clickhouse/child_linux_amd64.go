package clickhouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/millrace-io/millrace/internal/hostguard"
)

// supported says whether this platform has the engine.
const supported = true

// RunChild is the child's main: it reads its configuration from standard input, serves
// until its parent closes that pipe or asks it to end, and returns an exit code. Its
// first line on standard output is "ready ADDRESS", or "error MESSAGE".
func RunChild([]string) int {
	// The parent ends the child; a Ctrl-C that the terminal sends to both does not.
	signal.Ignore(os.Interrupt)
	in := json.NewDecoder(os.Stdin)
	var cfg Config
	if err := in.Decode(&cfg); err != nil {
		fmt.Printf("error the configuration cannot be read: %v\n", err)
		return 1
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	gone := make(chan struct{})
	go func() { // the pipe closes when the parent dies, however it dies
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(gone)
	}()
	if err := serveChild(cfg, log, gone); err != nil {
		fmt.Printf("error %v\n", err)
		return 1
	}
	return 0
}

func serveChild(cfg Config, log *slog.Logger, gone <-chan struct{}) error {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("clickhouse: make %s: %w", cfg.Dir, err)
	}
	if err := os.WriteFile(cfg.configFile(), []byte(cfg.engineConfig()), 0o600); err != nil {
		return fmt.Errorf("clickhouse: write the engine's configuration: %w", err)
	}
	unlock, err := lockFolder(cfg.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("clickhouse: %s is in use: choose another with --clickhouse-listen or clickhouse.listen", cfg.Listen)
		}
		return fmt.Errorf("clickhouse: listen on %s: %w", cfg.Listen, err)
	}
	lib, err := load(cfg.Library)
	if err != nil {
		return err
	}
	keeper, err := lib.open(cfg.args())
	if err != nil {
		return fmt.Errorf("%w (%s)", err, cfg.Dir)
	}
	defer keeper.close()
	killer, err := lib.open(cfg.args())
	if err != nil {
		return err
	}
	defer killer.close()
	f := &front{
		cfg: cfg, lib: lib, log: log, killer: make(chan *conn, 1), inside: make(chan struct{}, maxInside), outside: make(chan struct{}, maxOutside),
		prefix: "http-" + strconv.Itoa(os.Getpid()),
	}
	f.killer <- killer
	server := &http.Server{Handler: hostguard.Handler(listener.Addr().String(), f), ReadHeaderTimeout: readHeaderTimeout, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if _, err := fmt.Printf("ready %s\n", listener.Addr()); err != nil {
		return err
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	select {
	case <-gone:
	case <-term:
	case err := <-served:
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	f.shutdown(ctx)
	// What is left may go on reading; nothing is written any more.
	closing, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	if err := server.Shutdown(closing); err != nil {
		return server.Close()
	}
	return nil
}

// predecessorTimeout is how long a child waits for the one before it, whose parent was
// killed and which still finishes: it has the folder, and the port too.
const predecessorTimeout = 3 * shutdownTimeout

// lockEvery is how often it looks.
const lockEvery = 20 * time.Millisecond

// lockFolder takes the engine's folder for this process, however long it lives.
func lockFolder(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: lock the engine's folder: %w", err)
	}
	for end := time.Now().Add(predecessorTimeout); ; time.Sleep(lockEvery) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			_ = f.Close()
			return nil, fmt.Errorf("clickhouse: lock %s, which the engine of an earlier millrace may still have: %w", path, err)
		}
	}
}
