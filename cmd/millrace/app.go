package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/disk"
	embeddedch "github.com/millrace-io/millrace/internal/embedded/clickhouse"
	embeddedkafka "github.com/millrace-io/millrace/internal/embedded/kafka"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/sinks/clickhouse"
)

// app is a deployment that this process works on: one that it runs itself, or one that
// another process runs, to which it is attached.
type app struct {
	cfg     Config
	log     *slog.Logger
	metrics *prometheus.Registry
	secret  []byte

	kafka   *embeddedkafka.Server // nil where brokers are given, or attached
	engine  *embeddedch.Server    // nil where a DSN is given, or attached
	state   *state.DB             // nil where attached
	objects *objstore.FolderStore
	bus     *bus.Bus
	conn    driver.Conn
	address addresses
	stores  stores         // what this process fills
	parts   *parts         // of a deployment that runs here
	book    *verify.Ledger // nil where its role does not run here
	edge    *edge          // nil where there is no spool

	closers []func() error // run in reverse
}

// stores are the ids of what the sinks fill. A new one is filled from the log's start.
type stores struct{ ClickHouse, Lake string }

// addresses are where a running deployment is reached; up writes them to run.json.
type addresses struct {
	PID        int      `json:"pid"`
	HTTP       string   `json:"http"`
	Brokers    []string `json:"brokers"`
	ClickHouse string   `json:"clickhouse"` // host:port of the embedded engine
}

func newLogger(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// errRunning says that another process has the data folder.
var errRunning = errors.New("another millrace works on this folder")

// open starts the engines and connects to everything. Its data folder is its own until
// close.
func open(ctx context.Context, cfg Config, log *slog.Logger) (*app, error) {
	a, err := prepare(cfg, log)
	if err != nil {
		return nil, err
	}
	if err := a.start(ctx); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// prepare takes the data folder and opens what lies in it.
func prepare(cfg Config, log *slog.Logger) (_ *app, err error) {
	a := &app{cfg: cfg, log: log, metrics: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	err = os.MkdirAll(cfg.Data, 0o700)
	if err == nil {
		err = disk.System().MkdirAll(cfg.Data) // durably
	}
	if err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if err := a.lock(); err != nil {
		return nil, err
	}
	if err := a.loadSecret(); err != nil {
		return nil, err
	}
	if a.state, err = state.Open(filepath.Join(cfg.Data, "state"), vfs.Default, log); err != nil {
		return nil, err
	}
	a.closers = append(a.closers, a.state.Close)
	return a, nil
}

// start starts the engines that are its own and connects to the others.
func (a *app) start(ctx context.Context) (err error) {
	cfg, log := a.cfg, a.log
	if len(cfg.Kafka.Brokers) == 0 {
		a.kafka, err = embeddedkafka.Start(ctx, embeddedkafka.Config{Dir: filepath.Join(cfg.Data, "kafka"), Listen: cfg.Kafka.Listen,
			MaxLogBytes: int64(cfg.Kafka.MaxLogBytes), Inputs: []string{bus.RawText, bus.InferenceLogs, bus.UserFeedback}, OwnHeader: bus.HeaderOrigin}, log)
		if err != nil {
			return err
		}
		a.closers = append(a.closers, func() error { a.kafka.Close(); return nil })
		a.address.Brokers = []string{a.kafka.Addr()}
	}
	if cfg.ClickHouse.DSN == "" {
		a.engine, err = embeddedch.Start(ctx, embeddedch.Config{Dir: filepath.Join(cfg.Data, "clickhouse"), Listen: cfg.ClickHouse.Listen, Library: libraryPath(cfg),
			Password: a.enginePassword(), MaxMemory: int64(cfg.ClickHouse.MaxMemory)}, log)
		if err != nil {
			return err
		}
		a.closers = append(a.closers, a.engine.Close)
		a.address.ClickHouse = a.engine.Addr()
	}
	if err := a.connect(ctx); err != nil {
		return err
	}
	if err := a.bus.Ensure(ctx); err != nil {
		return err
	}
	if err := clickhouse.Migrate(ctx, a.conn, cfg.ClickHouse.Database); err != nil {
		return err
	}
	if a.stores.ClickHouse, err = clickhouse.StoreID(ctx, a.conn, cfg.ClickHouse.Database); err != nil {
		return err
	}
	if a.stores.Lake, err = lake.ID(ctx, a.objects); err != nil {
		return err
	}
	return a.noteIDs()
}

// noteIDs remembers which topics and stores there are, and says when one was made anew:
// what a topic held before is not read again, and stays in ClickHouse and the lake under
// its old id; a store is filled again from the log.
func (a *app) noteIDs() error {
	path := filepath.Join(a.cfg.Data, "topics.json")
	before, now := map[string]string{}, map[string]string{}
	if data, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(data, &before); err != nil {
			a.log.Warn("which topics there were is not known", "file", path, "error", err)
		}
	}
	for _, spec := range a.cfg.Topics.Specs() {
		topic, err := a.bus.Topic(spec.Name)
		if err != nil {
			return err
		}
		now[spec.Name] = topic.ID.String()
		if old := before[spec.Name]; old != "" && old != now[spec.Name] {
			a.log.Warn("the topic was made anew since the last start; what it held before stays in ClickHouse and the lake, under its old id",
				"topic", spec.Name, "old_id", old, "id", now[spec.Name])
		}
	}
	for name, id := range map[string]string{"ClickHouse": a.stores.ClickHouse, "the lake": a.stores.Lake} {
		now[name] = id
		if old := before[name]; old != "" && old != id {
			a.log.Warn("a store was made anew since the last start; it is filled again from the log", "store", name)
		}
	}
	data, err := json.MarshalIndent(now, "", "  ")
	if err == nil {
		err = disk.System().Replace(path, 0o600, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("note the topics: %w", err)
	}
	return nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// attach connects to a deployment that another process runs, or, where none runs and
// engines of its own are needed, starts them.
func attach(ctx context.Context, cfg Config, log *slog.Logger) (_ *app, err error) {
	if !isFolder(cfg.Data) && len(cfg.Kafka.Brokers) == 0 {
		return nil, fmt.Errorf("there is no data folder %s: start millrace up first, or name the folder with --data", cfg.Data)
	}
	a, err := open(ctx, cfg, log)
	if !errors.Is(err, errRunning) {
		return a, err
	}
	a = &app{cfg: cfg, log: log, metrics: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	data, err := os.ReadFile(filepath.Join(cfg.Data, "run.json"))
	if err != nil {
		return nil, fmt.Errorf("the millrace on %s is not ready yet: %w", cfg.Data, err)
	}
	if err := json.Unmarshal(data, &a.address); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(cfg.Data, "run.json"), err)
	}
	if err := a.loadSecret(); err != nil {
		return nil, err
	}
	if err := a.connect(ctx); err != nil {
		return nil, err
	}
	return a, a.bus.Ensure(ctx)
}

// connect reaches the log, the objects and ClickHouse.
func (a *app) connect(ctx context.Context) (err error) {
	if err := a.connectLog(); err != nil {
		return err
	}
	if a.conn, err = clickhouse.Open(a.dsn()); err != nil {
		return err
	}
	a.closers = append(a.closers, a.conn.Close)
	if err := a.conn.Ping(ctx); err != nil {
		return fmt.Errorf("clickhouse does not answer: %w (see clickhouse.dsn)", err)
	}
	return nil
}

// connectLog opens the objects, and prepares the way to the log: the first who asks it
// something connects.
func (a *app) connectLog() error {
	folder, err := a.cfg.Objects.folder(a.cfg.Data)
	if err != nil {
		return err
	}
	if a.objects, err = objstore.Folder(folder); err != nil {
		return err
	}
	if len(a.cfg.Kafka.Brokers) > 0 {
		a.address.Brokers = a.cfg.Kafka.Brokers
	}
	a.bus, err = bus.New(bus.Config{Brokers: a.address.Brokers, SessionTimeout: a.cfg.Kafka.SessionTimeout, Topics: a.cfg.Topics.Specs(), Secret: a.secret},
		bus.Deps{State: a.state, Objects: a.objects, Log: a.log, Metrics: a.metrics, Clock: time.Now})
	if err != nil {
		return err
	}
	a.closers = append(a.closers, func() error { a.bus.Close(); return nil })
	return nil
}

func (a *app) dsn() string {
	if a.cfg.ClickHouse.DSN != "" {
		return string(a.cfg.ClickHouse.DSN)
	}
	return embeddedch.Config{Password: a.enginePassword()}.DSN(a.address.ClickHouse, "default")
}

// lock takes the data folder for this process.
func (a *app) lock() error {
	path := filepath.Join(a.cfg.Data, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the data folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("%w: %s (stop it first, or name another with --data)", errRunning, a.cfg.Data)
		}
		return fmt.Errorf("lock %s: %w", path, err)
	}
	a.closers = append(a.closers, f.Close)
	return nil
}

// loadSecret reads the deployment's secret, and makes one where there is none.
func (a *app) loadSecret() error {
	if a.cfg.Secret != "" {
		sum := sha256.Sum256([]byte(a.cfg.Secret))
		a.secret = sum[:]
		return nil
	}
	path := filepath.Join(a.cfg.Data, "secret")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeSecret(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the deployment's secret: %w", err)
		}
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return fmt.Errorf("the deployment's secret: %w", err)
	}
	if a.secret, err = hex.DecodeString(strings.TrimSpace(string(data))); err != nil || len(a.secret) < 32 {
		return fmt.Errorf("%s is not a secret of 32 bytes in hex; restore it, or remove it and lose the right to vouch for what was written before", path)
	}
	return nil
}

// makeSecret writes a secret whole or not at all, and durably: one that is torn locks its
// user out, and one that is lost disowns what was written under it.
func makeSecret(path string) error {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return err
	}
	return disk.System().Create(path, 0o600, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%x\n", b)
		return err
	})
}

// enginePassword is that of Millrace's own role in the embedded ClickHouse.
func (a *app) enginePassword() string {
	h := hmac.New(sha256.New, a.secret)
	h.Write([]byte("clickhouse"))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// libraryPath finds the embedded engine: as configured, or in the cache.
func libraryPath(cfg Config) string {
	if cfg.ClickHouse.Library != "" {
		return cfg.ClickHouse.Library
	}
	return filepath.Join(cached("chdb-*"), "libchdb.so") // Start says what is missing
}

// cached finds what make deps fetched: in .cache of the working folder, or of the one
// that the program lies in.
func cached(pattern string) string {
	roots := []string{".cache"}
	if self, err := os.Executable(); err == nil {
		roots = append(roots, filepath.Join(filepath.Dir(self), "..", ".cache"), filepath.Dir(self))
	}
	for _, root := range roots {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err == nil && len(found) > 0 {
			if abs, err := filepath.Abs(found[len(found)-1]); err == nil {
				return abs
			}
		}
	}
	return filepath.Join(".cache", pattern)
}

// announce writes where the deployment is reached.
func (a *app) announce() error {
	a.address.PID = os.Getpid()
	data, err := json.Marshal(a.address)
	if err != nil {
		return fmt.Errorf("render addresses: %w", err)
	}
	path := filepath.Join(a.cfg.Data, "run.json")
	if err := disk.System().Replace(path, 0o600, data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	a.closers = append(a.closers, func() error { return os.Remove(path) })
	return nil
}

// room says why no new inputs may be taken.
func (a *app) room() error {
	if a.kafka != nil {
		if err := a.kafka.Room(); err != nil {
			return err
		}
	}
	if a.edge != nil {
		return a.edge.spool.Room()
	}
	return nil
}

func (a *app) close() error {
	var err error
	for i := len(a.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, a.closers[i]())
	}
	a.closers = nil
	return err
}
