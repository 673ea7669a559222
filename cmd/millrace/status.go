package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/schemas"
)

func statusCommand() *command {
	return &command{name: "status", args: "[FLAGS]", summary: "Show what runs, how far it is, and what it holds.",
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			return func(ctx context.Context, env *environment, args []string) error {
				cfg, err := flags.load()
				if err != nil {
					return err
				}
				at, err := running(cfg)
				stopped := errors.Is(err, errStopped)
				switch {
				case stopped && len(cfg.Kafka.Brokers) == 0 && isFolder(cfg.Data):
					fmt.Fprintf(env.stdout, "no millrace runs on %s; its data is shown\n\n", cfg.Data)
				case err == nil:
					fmt.Fprintf(env.stdout, "millrace runs as process %d: http://%s, Kafka on %s\n", at.PID, at.HTTP, strings.Join(at.Brokers, ", "))
					printReadiness(ctx, env.stdout, at.HTTP)
					fmt.Fprintln(env.stdout)
				}
				return attached(ctx, &flags, env, func(a *app) error { return a.status(ctx, env.stdout) })
			}
		}}
}

// readyTimeout bounds the question whether a millrace is ready.
const readyTimeout = 5 * time.Second

func printReadiness(ctx context.Context, w io.Writer, address string) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	answer, err := readiness(ctx, address)
	switch {
	case err != nil:
		fmt.Fprintf(w, "it does not answer: %v\n", err)
		return
	case answer.Ready:
		fmt.Fprintln(w, "every role is up")
	}
	for role, why := range answer.Down {
		fmt.Fprintf(w, "%s is down: %s\n", role, console.Clean(why))
	}
	for _, why := range answer.Degraded {
		fmt.Fprintln(w, console.Clean(why))
	}
}

// readyAnswer is what /readyz says.
type readyAnswer struct {
	Ready bool              `json:"ready"`
	Down  map[string]string `json:"down"`
	// Degraded names what works, and not as it should.
	Degraded map[string]string `json:"degraded"`
}

// readiness asks a running millrace.
func readiness(ctx context.Context, address string) (answer readyAnswer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
	if err != nil {
		return answer, fmt.Errorf("ask %s: %w", address, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer, fmt.Errorf("ask %s: %w", address, err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("ask %s: %w", address, err)
	}
	return answer, nil
}

func (a *app) status(ctx context.Context, w io.Writer) error {
	right := func(title string) console.Column { return console.Column{Title: title, Right: true} }
	var rows [][]string
	for _, name := range []string{bus.RawText, bus.InferenceLogs, bus.UserFeedback, bus.CleanText, bus.Interactions, bus.TrainingExamples, bus.ModelEvents, bus.DeadLetters} {
		ends, err := a.bus.Ends(ctx, name)
		if err != nil {
			return err
		}
		lags, err := a.bus.Lags(ctx, name)
		if err != nil {
			return err
		}
		var end int64
		for _, n := range ends {
			end += n
		}
		var behind []string
		for stage, n := range lags {
			if n > 0 {
				behind = append(behind, fmt.Sprintf("%s %s", stage, console.Count(n)))
			}
		}
		slices.Sort(behind)
		rows = append(rows, []string{name, console.Count(int64(len(ends))), console.Count(end), orDash(strings.Join(behind, ", "))})
	}
	if err := console.Table(w, []console.Column{{Title: "TOPIC"}, right("PARTITIONS"), right("END"), {Title: "BEHIND, IN RECORDS"}}, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	rows = rows[:0]
	for _, kind := range schemas.StoredKinds() {
		var n uint64
		if err := a.conn.QueryRow(ctx, fmt.Sprintf("SELECT count() FROM %s.%s", a.cfg.ClickHouse.Database, kind)).Scan(&n); err != nil {
			return fmt.Errorf("count the rows of %s: %w", kind, err)
		}
		rows = append(rows, []string{string(kind), console.Count(int64(n))})
	}
	if err := console.Table(w, []console.Column{{Title: "TABLE"}, right("ROWS")}, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := a.listModels(ctx, w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return printFolders(w, a.cfg.Data)
}

// printFolders shows what the data folder holds.
func printFolders(w io.Writer, data string) error {
	entries, err := os.ReadDir(data)
	if err != nil {
		return fmt.Errorf("look into the data folder: %w", err)
	}
	var parts []string
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		var size int64
		err := filepath.WalkDir(filepath.Join(data, e.Name()), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil //nolint:nilerr // a file that has gone meanwhile has no size
			}
			if info, err := d.Info(); err == nil {
				size += info.Size()
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look into the data folder: %w", err)
		}
		parts = append(parts, fmt.Sprintf("%s %s", e.Name(), console.Bytes(size)))
	}
	_, err = fmt.Fprintf(w, "%s: %s\n", data, strings.Join(parts, ", "))
	return err
}
