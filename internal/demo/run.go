package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/processors/predict"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/producers/importer"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/registry"
)

// Deps is the system that the demo runs on.
type Deps struct {
	Bus    *bus.Bus
	Client *client.Client
	Models *predict.Models
	// Model is the name of the model, Recipe what it is made by.
	Model  string
	Recipe trainers.Recipe
	// Conn reads the database.
	Conn    driver.Conn
	Verify  func(context.Context) (*verify.Report, error)
	Metrics prometheus.Gatherer
	View    *console.Live
}

// Bounds of the demo's waits and of what is in flight.
const (
	firstModelWithin = 2 * time.Minute
	drawEvery        = 250 * time.Millisecond
	importInFlight   = 1000
	// streamInFlight keeps the order of what the reader sees: an answer needs to know
	// where its text landed.
	streamInFlight = 8
	// accounts bounds how often what is being written meanwhile makes a new account.
	accounts = 10
)

// errDone ends the goroutines beside the replay.
var errDone = errors.New("done")

// Run imports the mails, waits for the loop to end and reports.
func Run(ctx context.Context, opts Options, deps Deps) (*Report, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	mails, err := readCorpus(opts.Corpus)
	if err != nil {
		return nil, err
	}
	raw, err := deps.Bus.Topic(bus.RawText)
	if err != nil {
		return nil, err
	}
	w := &watch{bus: deps.Bus, client: deps.Client, models: deps.Models, model: deps.Model, fold: registry.NewFold()}
	r := newReplay(opts, mails, w, func(at bus.Position) string {
		return predict.InferenceID(bus.Origin{TopicID: raw.ID, Partition: at.Partition.Partition, Offset: at.Offset}, predict.RoleChampion)
	})
	v := &view{deps: deps, replay: r, watch: w}
	report := &Report{Pace: opts.Pace}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.run(ctx) })
	g.Go(func() error { return v.run(ctx) })
	g.Go(func() error {
		if err := play(ctx, deps, r, w, report); err != nil {
			return err
		}
		return errDone
	})
	if err := g.Wait(); err != nil && !errors.Is(err, errDone) {
		return nil, err
	}
	return report, v.end(report)
}

// play is the main job.
func play(ctx context.Context, deps Deps, r *replay, w *watch, report *Report) error {
	began := time.Now()
	cfg := importer.DefaultConfig()
	cfg.Strict = true
	into := importer.Deps{Client: deps.Client, Acknowledged: r.acknowledged}
	cfg.MaxInFlight = importInFlight
	if _, err := importer.Run(ctx, cfg, into, r.labelled()); err != nil {
		return err
	}
	first, cancel := context.WithTimeout(ctx, firstModelWithin)
	defer cancel()
	if err := w.champion(first); err != nil {
		return fmt.Errorf("demo: wait for the first model: %w", err)
	}
	cfg.MaxInFlight = streamInFlight
	if _, err := importer.Run(ctx, cfg, into, r.stream(ctx)); err != nil {
		return err
	}
	if _, err := importer.Run(ctx, cfg, into, r.rest()); err != nil {
		return err
	}
	account, err := settle(ctx, deps, w)
	if err != nil {
		return err
	}
	report.Seconds, report.HeldSeconds = time.Since(began).Seconds(), time.Duration(r.held.Load()).Seconds()
	report.Texts, report.Feedback = int(r.texts.Load()), int(r.feedback.Load())
	report.EventsIn = report.Texts + report.Feedback
	report.account(account)
	p := stretches(r.mails)
	if err := report.fill(ctx, deps.Conn, r.mails, p); err != nil {
		return err
	}
	if r.opts.FeedbackShare < 1 || r.opts.WrongShare > 0 {
		return report.atOnce(ctx, deps, r.mails, p)
	}
	return nil
}

// settle waits until the loop has nothing left to do, and accounts for every record.
func settle(ctx context.Context, deps Deps, w *watch) (*verify.Report, error) {
	var r *verify.Report
	for range accounts {
		before, err := deps.Bus.Ends(ctx, bus.ModelEvents)
		if err != nil {
			return nil, err
		}
		if r, err = deps.Verify(ctx); err != nil {
			return nil, err
		}
		if err := w.Idle(ctx); err != nil {
			return nil, err
		}
		after, err := deps.Bus.Ends(ctx, bus.ModelEvents)
		if err != nil {
			return nil, err
		}
		if before[0] == after[0] {
			break
		}
	}
	return r, nil
}
