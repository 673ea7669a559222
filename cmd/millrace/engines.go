package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/classifier"
	"github.com/millrace-io/millrace/trainers/runner"

	"golang.org/x/sys/unix"
)

// newRecipe is how models are trained and loaded.
func newRecipe(cfg Config) (trainers.Recipe, error) { return classifier.NewRecipe(cfg.Classifier) }

// trainer makes the training runs.
func (a *app) trainer(p *parts) (*runner.Runner, error) {
	return runner.New(a.cfg.Runner, runner.Deps{
		Bus: a.bus, Objects: a.objects, Recipe: p.recipe, Log: a.log, Metrics: a.metrics, Clock: time.Now, Version: version,
	})
}

// errStopped says that no millrace runs on the data folder.
var errStopped = errors.New("no millrace runs")

// running reads where the millrace on the data folder is reached.
func running(cfg Config) (addresses, error) {
	var at addresses
	f, err := os.Open(filepath.Join(cfg.Data, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return at, fmt.Errorf("%w on %s: start millrace up first, or name its folder with --data", errStopped, cfg.Data)
	}
	if err != nil {
		return at, fmt.Errorf("look for a running millrace: %w", err)
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return at, fmt.Errorf("%w on %s: start millrace up first, or name its folder with --data", errStopped, cfg.Data)
	}
	path := filepath.Join(cfg.Data, "run.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return at, fmt.Errorf("the millrace on %s is not ready yet; try again in a moment", cfg.Data)
	}
	if err == nil {
		err = json.Unmarshal(data, &at)
	}
	if err != nil {
		return at, fmt.Errorf("read %s: %w", path, err)
	}
	return at, nil
}

// brokers are those of the user's cluster, or of the millrace that runs.
func brokers(cfg Config) ([]string, error) {
	if len(cfg.Kafka.Brokers) > 0 {
		return cfg.Kafka.Brokers, nil
	}
	at, err := running(cfg)
	return at.Brokers, err
}

// attached runs work on a deployment: the one that runs, or, with none running, on its
// engines without any role.
func attached(ctx context.Context, flags *common, env *environment, work func(*app) error) (err error) {
	cfg, err := flags.load()
	if err != nil {
		return err
	}
	a, err := attach(ctx, cfg, newLogger(env.stderr, flags.verbose))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	return work(a)
}
