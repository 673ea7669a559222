package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
)

func lakeCommand() *command {
	return &command{name: "lake", args: "files [--kind KIND] [--tenant TENANT] [--day DAY] [--json|--sql] [FLAGS]",
		summary: "List the Parquet files that hold every row of the lake once.",
		help: `While small files become large ones, who reads all files of the folder sees rows twice;
these are the ones to read. They keep their rows for sinks.parquet.compact.grace after
others stand for them. With --sql they come as a table for DuckDB:

  duckdb -c "SELECT count(*) FROM $(millrace lake files --kind clean_text --sql)"`,
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			var want lakeFilter
			fs.StringVar(&want.kind, "kind", "", "only files of a `KIND` of event: clean_text, inferences, …")
			fs.StringVar(&want.tenant, "tenant", "", "only files of a `TENANT`")
			fs.StringVar(&want.day, "day", "", "only files of what arrived on a `DAY` (UTC): 2026-01-31")
			asJSON := fs.Bool("json", false, "print an object a line, with kind, tenant, day, rows and bytes")
			asSQL := fs.Bool("sql", false, "print what stands behind FROM in DuckDB")
			return func(ctx context.Context, env *environment, args []string) error {
				if len(args) != 1 || args[0] != "files" {
					fmt.Fprintln(env.stderr, "millrace lake: say files")
					return errUsage
				}
				if *asJSON && *asSQL {
					fmt.Fprintln(env.stderr, "millrace lake files: --json and --sql are two forms, say one")
					return errUsage
				}
				if err := want.check(); err != nil {
					return err
				}
				cfg, err := flags.load()
				if err != nil {
					return err
				}
				return listFiles(ctx, env.stdout, cfg, want, *asJSON, *asSQL)
			}
		}}
}

// lakeFilter chooses files; what is empty is any.
type lakeFilter struct{ kind, tenant, day string }

func (f lakeFilter) check() error {
	if f.kind != "" && !schemas.Kind(f.kind).Stored() {
		var known []string
		for _, k := range schemas.StoredKinds() {
			known = append(known, string(k))
		}
		return fmt.Errorf("there is no kind %q%s: known are %s", f.kind, didYouMean("", f.kind, known), strings.Join(known, ", "))
	}
	if _, err := time.Parse(time.DateOnly, f.day); f.day != "" && err != nil {
		return fmt.Errorf("--day wants a day such as 2026-01-31, got %q", f.day)
	}
	return nil
}

func (f lakeFilter) wants(x lake.File) bool {
	return (f.kind == "" || string(x.Kind) == f.kind) && (f.tenant == "" || x.Tenant == f.tenant) && (f.day == "" || x.Day == f.day)
}

// listedFile is a file as it is printed.
type listedFile struct {
	Path string `json:"path"`
	lake.File
}

// listFiles needs the objects alone, and so no engine.
func listFiles(ctx context.Context, w io.Writer, cfg Config, want lakeFilter, asJSON, asSQL bool) error {
	folder, err := cfg.Objects.folder(cfg.Data)
	if err != nil {
		return err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return fmt.Errorf("find the objects: %w", err)
	}
	if !isFolder(folder) {
		return fmt.Errorf("there is no folder %s of objects: start millrace up first, or name the data folder with --data", folder)
	}
	objects, err := objstore.Folder(folder)
	if err != nil {
		return err
	}
	parts, err := lake.Partitions(ctx, objects)
	if err != nil {
		return err
	}
	var files []listedFile
	for _, p := range parts {
		for c, err := range lake.Commits(ctx, objects, p.TopicID, p.Partition) {
			if err != nil {
				return err
			}
			for _, f := range c.Files {
				if want.wants(f) {
					files = append(files, listedFile{filepath.Join(folder, filepath.FromSlash(f.Key)), f})
				}
			}
		}
	}
	slices.SortFunc(files, func(a, b listedFile) int { return strings.Compare(a.Path, b.Path) })
	switch {
	case asJSON:
		return printJSONLines(w, files)
	case asSQL:
		return printTableFunction(w, files)
	}
	for _, f := range files {
		if _, err := fmt.Fprintln(w, f.Path); err != nil {
			return err
		}
	}
	return nil
}

func printJSONLines(w io.Writer, files []listedFile) error {
	e := json.NewEncoder(w)
	for _, f := range files {
		if err := e.Encode(f); err != nil {
			return fmt.Errorf("print the files: %w", err)
		}
	}
	return nil
}

// printTableFunction prints DuckDB's table function; it takes no empty list.
func printTableFunction(w io.Writer, files []listedFile) error {
	if len(files) == 0 {
		return fmt.Errorf("the lake has no such files yet")
	}
	quoted := make([]string, len(files))
	for i, f := range files {
		quoted[i] = "'" + strings.ReplaceAll(f.Path, "'", "''") + "'"
	}
	_, err := fmt.Fprintf(w, "read_parquet([%s], union_by_name = true)\n", strings.Join(quoted, ", "))
	return err
}
