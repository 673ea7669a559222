package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/internal/disk"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/producers/importer"
	"github.com/millrace-io/millrace/schemas"
)

// saveEvery is how often an import notes how far it came.
const saveEvery = time.Second

// badShown bounds the bad records that an import lists.
const badShown = 20

func importCommand() *command {
	return &command{name: "import", args: "PATH… [FLAGS]", summary: "Write files to the log: JSONL, CSV, mails, plain text, gzipped or not.",
		help: `A folder stands for the files in it. What is imported again is known by its ids and
stored once. An import that was cut off goes on where it was when the same command is
given again. - is standard input. Bad records are listed and left out, and it exits
with 1 where there were any.`,
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			cfg := importer.DefaultConfig()
			var files importer.Files
			var kind, format string
			var restart bool
			fs.StringVar(&kind, "kind", "text", "`KIND` of the events in JSONL and CSV: text, inference, feedback")
			fs.StringVar(&format, "format", "", "`FORMAT`: jsonl, csv, mail, mbox, text (default by the file's name)")
			fs.StringVar(&files.Source, "source", "", "`SOURCE` of events that name none")
			fs.StringVar(&files.License, "license", "", "`LICENSE` of events that name none")
			fs.StringVar(&files.Purpose, "purpose", "", "`PURPOSE` of events that name none")
			fs.StringVar(&files.Label, "label", "", "`LABEL` of texts that have none")
			fs.StringVar(&files.ContentType, "content-type", "", "media `TYPE` of texts that name none")
			fs.BoolVar(&files.ExtraToAttributes, "extra", false, "put unknown CSV columns into attributes")
			fs.Float64Var(&cfg.Rate, "rate", 0, "at most so many `EVENTS` a second")
			fs.BoolVar(&cfg.Strict, "strict", false, "stop at the first bad record")
			fs.BoolVar(&restart, "restart", false, "begin at the beginning")
			return func(ctx context.Context, env *environment, args []string) error {
				if len(args) == 0 {
					fmt.Fprintln(env.stderr, "millrace import: name files or folders to import")
					return errUsage
				}
				files.Paths, files.Format = args, importer.Format(format)
				switch files.Kind = schemas.Kind(kind); files.Kind {
				case "inference":
					files.Kind = schemas.KindInference
				case schemas.KindText, schemas.KindInference, schemas.KindFeedback:
				default:
					return fmt.Errorf("--kind is text, inference or feedback, not %q", kind)
				}
				c, err := flags.load()
				if err != nil {
					return err
				}
				return runImport(ctx, env, c, cfg, files, restart)
			}
		}}
}

// importState is what is noted of an import that was cut off.
type importState struct {
	Last   string `json:"last"`
	Events int64  `json:"events"`
}

func importStatePath(c Config, f importer.Files) string {
	h := sha256.New()
	for _, p := range f.Paths {
		if abs, err := filepath.Abs(p); err == nil && p != "-" {
			p = abs
		}
		fmt.Fprintf(h, "%s\x00", p)
	}
	fmt.Fprintf(h, "%s %s", f.Kind, f.Format)
	return filepath.Join(c.Data, "imports", hex.EncodeToString(h.Sum(nil)[:8])+".json")
}

func runImport(ctx context.Context, env *environment, c Config, cfg importer.Config, files importer.Files, restart bool) error {
	at, err := brokers(c)
	if err != nil {
		return err
	}
	cl, err := client.New(at, client.WithTenant(c.Tenant), client.WithMaxBytes(c.Topics.MaxInputBytes))
	if err != nil {
		return err
	}
	path := importStatePath(c, files)
	var before importState
	if !restart {
		if before, err = loadImport(path); err != nil {
			fmt.Fprintf(env.stderr, "millrace import: how far the last import came cannot be read, so this one begins at the beginning, and what is there already is stored once: %v\n", err)
		}
	}
	if before.Last != "" {
		files.After = before.Last
		fmt.Fprintf(env.stdout, "going on behind %s, where the last import was cut off (--restart begins at the beginning)\n", before.Last)
	}
	live := console.NewLive(env.stdout, console.IsTerminal(env.stdout, os.Getenv), time.Now)
	total, began, saved := files.Size(), time.Now(), time.Now()
	line := func(p importer.Progress) string {
		seconds := max(time.Since(began).Seconds(), .001)
		return fmt.Sprintf("%s  %s events  %s bad  %s/s", console.Bar(p.Bytes, max(total, p.Bytes), 24), console.Count(p.Events), console.Count(p.Bad), console.Count(int64(float64(p.Events)/seconds)))
	}
	var saving error
	patience := newPatience(func() {
		live.Println("nothing was taken for " + waitTold.String() + ": " + whyNot(ctx, c))
	})
	defer patience.stop()
	p, err := importer.Run(ctx, cfg, importer.Deps{
		Client: cl,
		Progress: func(p importer.Progress) {
			patience.moved()
			live.Update(line(p))
			if time.Since(saved) > saveEvery && p.Last != "" {
				saved = time.Now()
				saving = errors.Join(saving, saveImport(path, importState{p.Last, before.Events + p.Events}))
			}
		},
		Bad: badLister(live),
	}, files.Items())
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err = errors.Join(err, saving, cl.Close(closing), live.Close(line(p)))
	if err != nil {
		if p.Last != "" {
			err = errors.Join(err, saveImport(path, importState{p.Last, before.Events + p.Events}))
		}
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget how far the import came: %w", err)
	}
	fmt.Fprintf(env.stdout, "imported %s events, left out %s bad records\n", console.Count(p.Events), console.Count(p.Bad))
	if p.Bad > 0 {
		return errDifferent
	}
	return nil
}

func badLister(live *console.Live) func(*importer.BadItem) {
	n := 0
	return func(b *importer.BadItem) {
		n++
		switch {
		case n <= badShown:
			live.Println(strings.ReplaceAll(b.Error(), "\n", " "))
		case n == badShown+1:
			live.Println("further bad records are counted only")
		}
	}
}

// loadImport reads what saveImport wrote; it is empty where nothing was noted, or where
// what was noted cannot be read.
func loadImport(path string) (importState, error) {
	var s importState
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return importState{}, fmt.Errorf("read %s: %w", path, err)
	}
	return s, nil
}

func saveImport(path string, s importState) error {
	data, err := json.Marshal(s)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = disk.System().Replace(path, 0o600, data)
	}
	if err != nil {
		return fmt.Errorf("note how far the import came: %w", err)
	}
	return nil
}

// waitTold is after how long without an acknowledgement the reason is looked for.
const waitTold = 5 * time.Second

// patience calls tell when nothing has moved for waitTold.
type patience struct{ timer *time.Timer }

func newPatience(tell func()) *patience { return &patience{time.AfterFunc(waitTold, tell)} }

func (p *patience) moved() { p.timer.Reset(waitTold) }
func (p *patience) stop()  { p.timer.Stop() }

// whyNot says what is known of a log that takes nothing.
func whyNot(ctx context.Context, c Config) string {
	const waiting = "the brokers do not answer, or refuse; what is in hand waits"
	at, err := running(c)
	if err != nil {
		return waiting
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if answer, err := readiness(ctx, at.HTTP); err == nil && answer.Down["inputs"] != "" {
		return answer.Down["inputs"]
	}
	return waiting
}
