// Command bench measures Millrace beside its peers, on one machine and in one run: what
// is compared takes turns, five times, and medians are given. Each turn is a process of
// its own, so that the garbage of one is not the work of another, and brokers and
// engines are others again, so that their work is nobody's.
//
//	sh integration/bench/run.sh .cache [-full] [-only bus,json] [-rounds 5]
//
// docs/benchmarks.md has the figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/millrace-io/millrace/internal/embedded/clickhouse"
)

// options are those of a run.
type options struct {
	full    bool
	rounds  int
	cache   string // the engine's library, the mails
	data    string // labelled corpora; nothing of it is copied
	program string // the millrace binary
	// profile is a folder for the CPU profiles of turns; empty for none.
	profile string
}

// part is one thing that is measured.
type part struct {
	name string
	run  func(context.Context, options) ([]row, error)
}

func parts() []part {
	return []part{
		{"bus", benchBus}, {"json", benchJSON}, {"clickhouse", benchClickHouse}, {"parquet", benchParquet}, {"collector", benchCollector}, {"gateway", benchGateway},
		{"classifier", benchClassifier}, {"latency", benchLatency}, {"memory", benchMemory},
	}
}

// errSkip says that a part lacks what it needs on this machine.
var errSkip = errors.New("skipped")

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case clickhouse.ChildCommand:
			os.Exit(clickhouse.RunChild(os.Args[2:]))
		case childCommand:
			os.Exit(runChild(os.Args[2:]))
		}
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.BoolVar(&o.full, "full", false, "also what takes minutes: a minute of latency, memory after a million events")
	flag.IntVar(&o.rounds, "rounds", 5, "`TURNS` of each contestant; the medians are given")
	flag.StringVar(&o.cache, "cache", ".cache", "`FOLDER` that make deps filled")
	flag.StringVar(&o.data, "data", "../shared/data", "`FOLDER` of labelled corpora")
	flag.StringVar(&o.program, "millrace", "bin/millrace", "`PATH` of the program")
	flag.StringVar(&o.profile, "profile", "", "`FOLDER` for CPU profiles of the turns")
	only := flag.String("only", "", "`PARTS` to measure, comma separated: "+strings.Join(names(), ", "))
	flag.Parse()
	if o.rounds < 1 || flag.NArg() > 0 {
		return errors.New("usage: bench [-full] [-only PARTS] [-rounds N]; -help lists the flags")
	}
	wanted := names()
	if *only != "" {
		wanted = strings.Split(*only, ",")
	}
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("there is no part %q: known are %s", name, strings.Join(names(), ", "))
		}
	}
	fmt.Printf("%s, %s/%s, %d cores; medians of %d turns.\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.rounds)
	var failed error
	for _, p := range parts() {
		if !slices.Contains(wanted, p.name) {
			continue
		}
		rows, err := p.run(ctx, o)
		printRows(os.Stdout, p.name, rows)
		switch {
		case errors.Is(err, errSkip):
			fmt.Printf("%s: %v\n\n", p.name, err)
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("%s: %w", p.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

func names() []string {
	var all []string
	for _, p := range parts() {
		all = append(all, p.name)
	}
	return all
}
