package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/ksuid"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/registry"
)

// answerTimeout bounds the wait for the registry's answer to a command.
const answerTimeout = 30 * time.Second

func modelsCommand() *command {
	return &command{name: "models", args: "list | show VERSION | promote VERSION | approve [VERSION] | rollback [FLAGS]", summary: "List models and their versions, show one, choose which serves.",
		help: `show prints where a version comes from, down to the offsets that it was trained on.
promote makes a version serve that passed its gate, approve one that waits for it
(loop: propose), rollback goes back to the version that served before.`,
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			model := fs.String("model", "", "`NAME` of the model (default that of the configuration)")
			reason := fs.String("reason", "", "`WHY`, for whoever reads the log")
			return func(ctx context.Context, env *environment, args []string) error {
				cfg, err := flags.load()
				if err != nil {
					return err
				}
				if *model == "" {
					*model = cfg.Model
				}
				action, version := "list", ""
				if len(args) > 0 {
					action = args[0]
				}
				if len(args) > 1 {
					version = args[1]
				}
				switch {
				case len(args) > 2:
					return fmt.Errorf("%q is one argument too many", args[2])
				case action == "list":
					return attached(ctx, &flags, env, func(a *app) error { return a.listModels(ctx, env.stdout) })
				case action == "show" && version != "":
					return attached(ctx, &flags, env, func(a *app) error { return a.showVersion(ctx, env.stdout, *model, version) })
				case action == trainers.CommandPromote && version != "", action == trainers.CommandApprove, action == trainers.CommandRollback:
					return commandModel(ctx, &flags, env, &schemas.ModelCommand{Model: *model, Command: action, Version: version, Reason: *reason})
				}
				fmt.Fprintln(env.stderr, "millrace models: say list, show VERSION, promote VERSION, approve or rollback")
				return errUsage
			}
		}}
}

func trainCommand() *command {
	return &command{name: "train", args: "[FLAGS]", summary: "Ask for a training run now.",
		help: "The run goes the way of every other: what it makes must pass the gate to serve.",
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			model := fs.String("model", "", "`NAME` of the model (default that of the configuration)")
			reason := fs.String("reason", "", "`WHY`, for whoever reads the log")
			return func(ctx context.Context, env *environment, args []string) error {
				cfg, err := flags.load()
				if err != nil {
					return err
				}
				if *model == "" {
					*model = cfg.Model
				}
				return commandModel(ctx, &flags, env, &schemas.ModelCommand{Model: *model, Command: trainers.CommandTrain, Reason: *reason})
			}
		}}
}

// commandModel claims a command and prints the registry's answer.
func commandModel(ctx context.Context, flags *common, env *environment, c *schemas.ModelCommand) error {
	cfg, err := flags.load()
	if err != nil {
		return err
	}
	if _, err := brokers(cfg); err != nil {
		return err // nobody would answer
	}
	return attached(ctx, flags, env, func(a *app) error {
		c.EventID = ksuid.New().String()
		c.Tenant, c.EventTime = cfg.Tenant, schemas.MicrosOf(time.Now())
		if u, err := user.Current(); err == nil {
			c.By = u.Username
		}
		if _, err := a.bus.Publish(ctx, bus.ModelEvents, []byte(c.Model), schemas.KindModelCommandClaim, c); err != nil {
			return err
		}
		answer, err := a.awaitAnswer(ctx, c.EventID)
		if err != nil {
			return err
		}
		if !answer.Accepted {
			return fmt.Errorf("refused: %s", answer.Answer)
		}
		_, err = fmt.Fprintln(env.stdout, answer.Answer)
		return err
	})
}

// awaitAnswer follows the log until the registry has answered a command.
func (a *app) awaitAnswer(ctx context.Context, id string) (*schemas.ModelCommand, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	f, err := a.bus.Follow(ctx, bus.ModelEvents)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for {
		records, err := f.Next(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("the command is on the log, and no registry answered it within %s: does millrace up run the role registry?", answerTimeout)
		}
		if err != nil {
			return nil, err
		}
		for i := range records {
			r := &records[i]
			if !r.Derived || r.Origin.Step != trainers.StepRegistry || r.Kind != schemas.KindModelCommand {
				continue
			}
			var c schemas.ModelCommand
			if c.Unmarshal(r.Value) == nil && c.EventID == id {
				return &c, nil
			}
		}
	}
}

// foldModels reads model.events as it is now.
func (a *app) foldModels(ctx context.Context) (*registry.Fold, error) {
	f, err := a.bus.Follow(ctx, bus.ModelEvents)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fold := registry.NewFold()
	for !f.CaughtUp() {
		records, err := f.Next(ctx)
		if err != nil {
			return nil, err
		}
		for i := range records {
			if err := fold.Apply(&records[i]); err != nil {
				a.log.Error("an event of a model cannot be read and does not count", "error", err)
			}
		}
	}
	return fold, nil
}

func (a *app) listModels(ctx context.Context, w io.Writer) error {
	fold, err := a.foldModels(ctx)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, name := range fold.Names() {
		m := fold.Model(name)
		for _, v := range m.Versions {
			since := v.Changes[len(v.Changes)-1].At.Time().Format(time.DateTime)
			judged, right := m.Quality[v.Version], "-"
			if judged.Examples > 0 {
				right = console.Percent(float64(judged.Correct) / float64(judged.Examples))
			}
			reason := ""
			if run := m.Run(v.RunID); run != nil {
				reason = run.Trigger.Reason
			}
			rows = append(rows, []string{name, v.Version, v.Stage, since, reason, console.Count(v.Examples), console.Count(judged.Examples), right})
		}
		if run := m.InFlight(); run != nil {
			rows = append(rows, []string{name, "-", "training", run.Trigger.ArrivedAt.Time().Format(time.DateTime), run.Trigger.Reason})
		}
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "there is no version of any model yet: one is trained once there are labels enough, or when millrace train asks for it")
		return err
	}
	right := func(title string) console.Column { return console.Column{Title: title, Right: true} }
	return console.Table(w, []console.Column{{Title: "MODEL"}, {Title: "VERSION"}, {Title: "STAGE"}, {Title: "SINCE (UTC)"}, {Title: "TRIGGER"}, right("TRAINED ON"), right("REPORTED"), right("RIGHT")}, rows)
}

func (a *app) showVersion(ctx context.Context, w io.Writer, model, version string) error {
	fold, err := a.foldModels(ctx)
	if err != nil {
		return err
	}
	m := fold.Model(model)
	if m == nil {
		if len(fold.Names()) == 0 {
			return errors.New("there is no model yet: the first is trained once there are labels enough, or when millrace train asks for it")
		}
		return fmt.Errorf("nothing is known of a model %q: known are %s", model, strings.Join(fold.Names(), ", "))
	}
	v := m.Version(version)
	if v == nil {
		var names []string
		for _, x := range m.Versions {
			names = append(names, x.Version)
		}
		return fmt.Errorf("model %s has no version %q: it has %s", model, version, strings.Join(names, ", "))
	}
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s %s\n", name, console.Clean(fmt.Sprintf(format, args...)))
	}
	line("version", "%s of %s, %s", v.Version, model, v.Stage)
	for _, c := range v.Changes {
		line("", "%s  %s: %s", c.At.Time().Format(time.DateTime), c.Stage, c.Reason)
	}
	line("artefact", "%s (%s), SHA-256 %s", v.Artifact, console.Bytes(v.Bytes), v.Digest)
	line("labels", "%s", strings.Join(v.Labels, ", "))
	line("made by", "millrace %s, recipe %s, cleaning rules %s", v.CodeVersion, v.Recipe, v.TrainingRulesVersion)
	line("dataset", "%s, SHA-256 %s", v.Dataset, v.DatasetHash)
	line("trained on", "%s examples of", console.Count(v.Examples))
	for _, r := range v.Ranges {
		line("", "%s", r)
	}
	if run := m.Run(v.RunID); run != nil {
		line("run", "%s", v.RunID)
		line("trigger", "%s %s: %s", run.Trigger.Reason, run.Trigger.EventID, run.Trigger.Detail)
		for _, s := range run.Trigger.DriftSince {
			line("", "the change began at %s", s)
		}
		line("cause", "%s", run.Trigger.CauseID)
	}
	line("parent", "%s", orDash(v.ParentVersion))
	passed := "not passed: " + v.GateDetail
	if v.GatePassed {
		passed = "passed"
	}
	line("gate", "%s", passed)
	for _, name := range slices.Sorted(maps.Keys(v.Gate)) {
		line("", "%-20s %.4g", name, v.Gate[name])
	}
	if q := m.Quality[v.Version]; q.Examples > 0 {
		line("since served", "%s of %s judged answers right (%s)", console.Count(q.Correct), console.Count(q.Examples), console.Percent(float64(q.Correct)/float64(q.Examples)))
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
