package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/sinks/clickhouse"
)

// toldEvery is how often a command that takes long says how far it is.
const toldEvery = 5 * time.Second

func rebuildCommand() *command {
	return &command{name: "rebuild", args: "clickhouse [--drop] [FLAGS]", summary: "Fill ClickHouse again: from the log, and from the lake what the log lost to age.",
		help: `Rows come back with the identity that they had, so that those which are there stay
there once: it may be done on a millrace that runs, again, and after it was interrupted.
Where something can be read nowhere any more it says what, and exits with 1.`,
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			drop := fs.Bool("drop", false, "drop the database first, where it is damaged; what others keep in it goes too")
			return func(ctx context.Context, env *environment, args []string) error {
				if len(args) != 1 || args[0] != "clickhouse" {
					fmt.Fprintln(env.stderr, "millrace rebuild: say clickhouse, which is all that can be rebuilt")
					return errUsage
				}
				return attached(ctx, &flags, env, func(a *app) error { return a.rebuild(ctx, env, *drop) })
			}
		}}
}

func (a *app) rebuild(ctx context.Context, env *environment, drop bool) error {
	database := a.cfg.ClickHouse.Database
	if drop {
		if err := clickhouse.Drop(ctx, a.conn, database); err != nil {
			return err
		}
	}
	if err := clickhouse.Migrate(ctx, a.conn, database); err != nil {
		return err
	}
	if _, err := clickhouse.StoreID(ctx, a.conn, database); err != nil {
		return err
	}
	var all []clickhouse.Rebuilt
	var rows int64
	told := time.Now()
	err := clickhouse.Rebuild(ctx, a.cfg.Sinks.ClickHouse, clickhouse.RebuildDeps{
		Bus: a.bus, Into: clickhouse.NewInserter(a.conn, database), Log: a.log,
		Each: func(r clickhouse.Rebuilt) { all = append(all, r) },
		Progress: func(n int) {
			if rows += int64(n); time.Since(told) >= toldEvery {
				told = time.Now()
				fmt.Fprintf(env.stderr, "%s rows so far\n", console.Count(rows))
			}
		},
	})
	if err != nil && !errors.Is(err, clickhouse.ErrIncomplete) {
		return err
	}
	return errors.Join(printRebuilt(env.stdout, all), err)
}

func printRebuilt(w io.Writer, all []clickhouse.Rebuilt) error {
	var rows [][]string
	for _, r := range all {
		rows = append(rows, []string{fmt.Sprintf("%s/%d", r.Topic, r.Partition), console.Count(r.Log), console.Count(r.Lake)})
	}
	if err := console.Table(w, []console.Column{{Title: "PARTITION"}, {Title: "FROM THE LOG", Right: true}, {Title: "FROM THE LAKE", Right: true}}, rows); err != nil {
		return err
	}
	for _, r := range all {
		if r.Missing == nil {
			continue
		}
		for _, line := range strings.Split(r.Missing.Error(), "\n") {
			if _, err := fmt.Fprintf(w, "%s/%d: %s\n", r.Topic, r.Partition, line); err != nil {
				return err
			}
		}
	}
	return nil
}
