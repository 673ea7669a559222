package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
)

func verifyCommand() *command {
	return &command{name: "verify", args: "[FLAGS]", summary: "Account for every record: log, verdicts, ClickHouse, Parquet.",
		help: `It works on a millrace that runs; where none does, it starts one for as long as it
takes. What was on the log when it began is accounted for. It exits with 1 where
anything is missing or there twice, and says what, down to offsets.

It asks which rows there are: each record once in ClickHouse and once in the lake, by
topic, partition and offset. With --deep it reads every byte of the lake's rows besides,
and a file that is damaged counts as lost, and is written again by --repair as far as the
log has it. What a row says is compared with the log by neither.`,
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			wait := 30 * time.Second
			fs.Var((*long)(&wait), "wait", "give up when nothing moved for so `LONG`")
			repair := fs.Bool("repair", false, "write what is missing, and account once more")
			deep := fs.Bool("deep", false, "read all of every row of the lake, not only which rows there are")
			asJSON := fs.Bool("json", false, "print the account as JSON")
			return func(ctx context.Context, env *environment, args []string) error {
				if len(args) > 0 {
					fmt.Fprintf(env.stderr, "millrace verify: %q is no flag of verify\n", args[0])
					return errUsage
				}
				cfg, err := flags.load()
				if err != nil {
					return err
				}
				account := func(a *app) error {
					r, err := a.verify(ctx, wait, *deep)
					if err == nil && *repair && !r.OK() {
						r, err = a.repair(ctx, env, r, wait, *deep)
					}
					if err != nil {
						return err
					}
					return printAccount(env.stdout, r, *asJSON)
				}
				if len(cfg.Kafka.Brokers) > 0 {
					return attached(ctx, &flags, env, account)
				}
				if _, err := running(cfg); errors.Is(err, errStopped) {
					return up(ctx, cfg, newLogger(env.stderr, flags.verbose), roleNames, account)
				}
				return attached(ctx, &flags, env, account)
			}
		}}
}

// verify accounts for what is on the log now.
func (a *app) verify(ctx context.Context, wait time.Duration, deep bool) (*verify.Report, error) {
	return verify.Run(ctx, verify.Config{Wait: wait}, a.bus, a.accounted(deep))
}

// repair writes what is missing and accounts again.
func (a *app) repair(ctx context.Context, env *environment, r *verify.Report, wait time.Duration, deep bool) (*verify.Report, error) {
	w := env.stderr
	if slices.Contains(r.Rebuild, "clickhouse") {
		quiet := *env
		quiet.stdout = w // what is printed there is the account
		if err := a.rebuild(ctx, &quiet, false); err != nil {
			return nil, err
		}
	}
	done, err := verify.Repair(ctx, a.bus, r)
	for store, n := range done.Rows {
		fmt.Fprintf(w, "%s: %s rows are written\n", store, console.Count(n))
	}
	if done.Inputs > 0 {
		fmt.Fprintf(w, "%s inputs are put on the log once more, to be judged\n", console.Count(done.Inputs))
	}
	if err != nil {
		return nil, err
	}
	return a.verify(ctx, wait, deep)
}

func printAccount(w io.Writer, r *verify.Report, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return fmt.Errorf("print the account: %w", err)
		}
	} else if err := printLines(w, r); err != nil {
		return err
	}
	if !r.OK() {
		return errDifferent
	}
	return nil
}

func printLines(w io.Writer, r *verify.Report) error {
	var rows [][]string
	var differences []string
	for _, l := range r.Lines {
		verdicts, stored := "", [2]string{}
		if l.Verdicts >= 0 {
			verdicts = console.Count(l.Verdicts)
		}
		for i, name := range []string{"clickhouse", "parquet"} {
			if n, ok := l.Stored[name]; ok {
				stored[i] = console.Count(n)
			}
		}
		rows = append(rows, []string{fmt.Sprintf("%s/%d", l.Topic, l.Partition), console.Count(l.Records), console.Count(l.Skipped), verdicts, stored[0], stored[1]})
		for _, d := range l.Differences {
			differences = append(differences, fmt.Sprintf("%s/%d: %s", l.Topic, l.Partition, d))
		}
	}
	right := func(title string) console.Column { return console.Column{Title: title, Right: true} }
	if err := console.Table(w, []console.Column{{Title: "PARTITION"}, right("RECORDS"), right("WRITTEN AGAIN"), right("VERDICTS"), right("CLICKHOUSE"), right("PARQUET")}, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, d := range differences {
		fmt.Fprintln(w, d)
	}
	var outcomes []string
	kinds := make([]schemas.Kind, 0, len(r.Outcomes))
	for k := range r.Outcomes {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		outcomes = append(outcomes, fmt.Sprintf("%s %s", console.Count(r.Outcomes[k]), k))
	}
	if len(outcomes) > 0 {
		fmt.Fprintf(w, "inputs became %s\n", strings.Join(outcomes, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Pending)) {
		fmt.Fprintf(w, "%s acknowledged events are in the spool %s and not on the log yet\n", console.Count(int64(r.Pending[name])), name)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Unreadable)) {
		fmt.Fprintf(w, "%s acknowledged events of the spool %s cannot be read any more; its folder has what is left of them\n", console.Count(int64(r.Unreadable[name])), name)
	}
	if slices.Contains(r.Rebuild, "clickhouse") {
		fmt.Fprintln(w, "millrace rebuild clickhouse brings back what the lake has of the rows that no log has any more")
	}
	if r.Replayed > 0 {
		fmt.Fprintf(w, "%s of them stand for others: they were replayed\n", console.Count(r.Replayed))
	}
	for _, l := range r.Lines {
		if l.Former > 0 {
			fmt.Fprintf(w, "%s/%d: %s of the verdicts lie in the stores alone: the topic that they were written to was made anew since\n", l.Topic, l.Partition, console.Count(l.Former))
		}
		if l.Trimmed > 0 {
			fmt.Fprintf(w, "%s/%d: the log begins at offset %d; what was before is counted as the ledger settled it\n", l.Topic, l.Partition, l.Trimmed)
		}
		for _, name := range slices.Sorted(maps.Keys(l.Expired)) {
			fmt.Fprintf(w, "%s/%d: %s keeps no rows below offset %d (retention.%s)\n", l.Topic, l.Partition, name, l.Expired[name], map[string]string{"clickhouse": "clickhouse", "parquet": "lake"}[name])
		}
	}
	if r.Lost > 0 {
		fmt.Fprintln(w, "what the stages and sinks did not reach within --wait counts as lost; millrace status shows how far they are")
	}
	_, err := fmt.Fprintf(w, "%s lost, %s doubled\n", console.Count(r.Lost), console.Count(r.Doubled))
	return err
}
