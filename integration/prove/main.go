// Command prove shows what Millrace promises, by breaking things: it starts the real
// program and real servers, lets events flow, kills, pauses and cuts what runs, and then
// counts what it was promised by an account of its own. Each row of the table in
// docs/reliability.md is a row here.
//
//	go run ./integration/prove [FLAGS] ROW…|all
//	go run ./integration/prove list
//	go run ./integration/prove report FILE…
//
// Each round appends a line to the results file and prints it; a run that was cut goes on
// behind the rounds that are there, on the same data. It exits with 1 where anything was
// lost, doubled or torn, where verify says so, or where memory went over its cap.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// options are what the flags say.
type options struct {
	short bool
	seed  uint64
	n     int
	out   string
	bin   string
	cache string
	work  string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	var o options
	fs := flag.NewFlagSet("prove", flag.ContinueOnError)
	fs.BoolVar(&o.short, "short", false, "the short form, as in CI")
	fs.Uint64Var(&o.seed, "seed", 0, "what is random is a function of it and the round (default: of the time, or of the results file that is gone on with)")
	fs.IntVar(&o.n, "n", 0, "how many faults, records or seeds, in place of the row's own number")
	fs.StringVar(&o.out, "out", "", "the results file (default WORK/short.jsonl or WORK/long.jsonl)")
	fs.StringVar(&o.bin, "bin", "bin/millrace", "the program to prove")
	fs.StringVar(&o.cache, "cache", ".cache", "the folder of the fetched engines and servers")
	fs.StringVar(&o.work, "work", "bin/prove", "the folder of the rows' data")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case fs.NArg() == 0:
		return errors.New("name rows, or all, list or report")
	case fs.Arg(0) == "list":
		for _, r := range rows {
			fmt.Printf("%-10s %6d / %-9d %-8s %s\n", r.name, r.short, r.long, r.unit, r.what)
		}
		return nil
	case fs.Arg(0) == "report":
		return report("docs/reliability.md", fs.Args()[1:])
	}
	chosen, err := choose(fs.Args())
	if err != nil {
		return err
	}
	if err := o.complete(); err != nil {
		return err
	}
	lock, err := o.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	return proveAll(ctx, &o, chosen)
}

func choose(names []string) ([]row, error) {
	var chosen []row
	for _, name := range names {
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
		switch {
		case name == "all":
			for _, r := range rows {
				if !r.apart {
					chosen = append(chosen, r)
				}
			}
		case i >= 0:
			chosen = append(chosen, rows[i])
		default:
			return nil, fmt.Errorf("there is no row %q: list shows them", name)
		}
	}
	return chosen, nil
}

// complete makes paths absolute, since processes have working folders of their own, and
// finds the seed of the run that is gone on with.
func (o *options) complete() (err error) {
	if o.out == "" {
		o.out = filepath.Join(o.work, "long.jsonl")
		if o.short {
			o.out = filepath.Join(o.work, "short.jsonl")
		}
	}
	for _, path := range []*string{&o.out, &o.bin, &o.cache, &o.work} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if _, err := os.Stat(o.bin); err != nil {
		return fmt.Errorf("there is no program to prove: %w (make build makes it)", err)
	}
	if err := os.MkdirAll(filepath.Dir(o.out), 0o700); err != nil {
		return err
	}
	if o.seed != 0 {
		return nil
	}
	done, err := readResults(o.out)
	if err != nil {
		return err
	}
	if len(done) > 0 {
		o.seed = done[len(done)-1].Seed
		return nil
	}
	o.seed = uint64(time.Now().UnixNano())
	return nil
}

// lock takes the work folder: two runs on the same data would each count what the other
// breaks.
func (o *options) lock() (*os.File, error) {
	if err := os.MkdirAll(o.work, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(o.work, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another run works in %s: %w", o.work, err), f.Close())
	}
	return f, nil
}

// proveAll runs the rows one after the other, all of them, and tells of the failures.
func proveAll(ctx context.Context, o *options, chosen []row) error {
	began := time.Now()
	var failed []string
	for _, w := range chosen {
		if ctx.Err() != nil {
			return errors.New("stopped; the same command goes on")
		}
		r, err := newRun(ctx, o, w)
		if err != nil {
			return err
		}
		err = w.prove(r)
		if err != nil && ctx.Err() == nil {
			fmt.Printf("%s: %v\n", w.name, err)
		}
		if err != nil || r.failures > 0 {
			failed = append(failed, w.name)
		} else if err := os.RemoveAll(r.dir); err != nil { // its rounds are done, and nobody needs gigabytes of their data
			return err
		}
		fmt.Println(r.summary())
	}
	if ctx.Err() != nil {
		return errors.New("stopped; the same command goes on")
	}
	if len(failed) > 0 {
		return fmt.Errorf("%s did not hold (seed %d; what the processes printed is in %s)", strings.Join(failed, ", "), o.seed, o.work)
	}
	fmt.Printf("all hold: %s in %s, seed %d\n", plural(len(chosen), "row"), time.Since(began).Round(time.Second), o.seed)
	return nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
