package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/internal/demo"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/producers/client"
)

// demoData is the demo's data folder, and demoMarker the file by which it is known: no
// other folder is ever emptied.
const (
	demoData   = "millrace-demo"
	demoMarker = "this-is-a-demo"
)

// demoWait is how long the demo's account waits without any progress.
const demoWait = 30 * time.Second

func demoCommand() *command {
	return &command{name: "demo", args: "[--exit] [--report FILE] [FLAGS]", summary: "Run the whole loop on real mail, and watch it close.",
		help: `It begins afresh: what an earlier demo left in its data folder is removed. Without
--exit everything stays up at the end, to be asked; Ctrl-C stops it.`,
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			opts := demo.Options{}
			fs.StringVar(&opts.Corpus, "corpus", "", "`DIR` of the unpacked mails (default in .cache, where make deps puts them)")
			fs.Float64Var(&opts.Pace, "pace", 1, "`FACTOR` of the replay's rate")
			fs.Float64Var(&opts.FeedbackShare, "feedback-share", 1, "`SHARE` of the mails that the reader answers")
			fs.Float64Var(&opts.WrongShare, "wrong-share", 0, "`SHARE` of the answers that are wrong")
			leave := fs.Bool("exit", false, "leave when the loop has closed")
			report := fs.String("report", "", "write the report as JSON to `FILE`")
			return func(ctx context.Context, env *environment, args []string) error {
				if len(args) > 0 {
					return fmt.Errorf("%q is no flag of demo", args[0])
				}
				if err := opts.Validate(); err != nil {
					return err
				}
				if flags.data == "" {
					flags.data = demoData
				}
				cfg, err := flags.load()
				if err != nil {
					return err
				}
				if opts.Corpus == "" {
					opts.Corpus = cached("spam-assassin-*")
				}
				if err := freshFolder(cfg.Data); err != nil {
					return err
				}
				log, closeLog, err := demoLog(env.stderr, cfg.Data, flags.verbose)
				if err != nil {
					return err
				}
				defer closeLog()
				return up(ctx, cfg, log, roleNames, func(a *app) error {
					return runDemo(ctx, env, a, opts, *leave, *report)
				})
			}
		}}
}

// freshFolder empties the demo's folder. One that is no demo's is left alone.
func freshFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look into the demo's folder: %w", err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, demoMarker)); err != nil {
			return fmt.Errorf("%s is not empty and not an earlier demo's: name another folder with --data", dir)
		}
		if _, err := running(Config{Data: dir}); !errors.Is(err, errStopped) {
			return fmt.Errorf("%w: %s (stop it first, or name another with --data)", errRunning, dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove the earlier demo: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, demoMarker), nil, 0o600); err != nil {
		return fmt.Errorf("mark the demo's folder: %w", err)
	}
	return nil
}

// demoLog keeps the log out of the view: in a file, with errors shown.
func demoLog(stderr io.Writer, dir string, verbose bool) (*slog.Logger, func(), error) {
	if verbose {
		return newLogger(stderr, true), func() {}, nil
	}
	f, err := os.Create(filepath.Join(dir, "millrace.log"))
	if err != nil {
		return nil, nil, fmt.Errorf("make the demo's log: %w", err)
	}
	return newLogger(f, false), func() { _ = f.Close() }, nil // it is for reading along only
}

func runDemo(ctx context.Context, env *environment, a *app, opts demo.Options, leave bool, path string) (err error) {
	cl, err := client.New(a.address.Brokers, client.WithTenant(a.cfg.Tenant), client.WithMaxBytes(a.cfg.Topics.MaxInputBytes))
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		err = errors.Join(err, cl.Close(closing))
	}()
	conn, err := a.reader()
	if err != nil {
		return err
	}
	defer conn.Close()
	report, err := demo.Run(ctx, opts, demo.Deps{
		Bus: a.bus, Client: cl, Models: a.parts.models, Model: a.cfg.Model, Recipe: a.parts.recipe, Conn: conn, Metrics: a.metrics,
		Verify: func(ctx context.Context) (*verify.Report, error) { return a.verify(ctx, demoWait, false) },
		View:   console.NewLive(env.stdout, console.IsTerminal(env.stdout, os.Getenv), time.Now),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(env.stdout)
	if err := report.Print(env.stdout); err != nil {
		return err
	}
	if path != "" {
		if err := report.WriteFile(path); err != nil {
			return err
		}
	}
	if leave {
		return nil
	}
	a.howToAsk(env.stdout)
	<-ctx.Done()
	return nil
}

// howToAsk prints how what the demo made is asked, until it is stopped.
func (a *app) howToAsk(w io.Writer) {
	self := os.Args[0]
	fmt.Fprintf(w, `
Everything stays up until Ctrl-C. Ask it:
  %s sql --data %s "SELECT * FROM accuracy_by_version"
  %s models show v2 --data %s
`, self, a.cfg.Data, self, a.cfg.Data)
	if a.address.ClickHouse != "" {
		fmt.Fprintf(w, "  curl 'http://%s/?database=%s' -d 'SELECT rule, count() FROM rejected GROUP BY rule'\n", a.address.ClickHouse, a.cfg.ClickHouse.Database)
	}
	fmt.Fprintf(w, `  kcat -b %s -C -t raw.text -o -1 -e
  duckdb -c "SELECT label, count(*) FROM '%s/objects/lake/*/kind=feedback/*/*.parquet' GROUP BY label"
`, a.address.Brokers[0], a.cfg.Data)
}
