package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// row is one row of the table.
type row struct {
	name string
	what string
	// short and long are how many faults, records or seeds there are, counted in unit.
	short, long int
	unit        string
	// apart rows are no part of all: they measure, or run by hand only.
	apart bool
	prove func(*run) error
}

// result is what a round found: a line of the results file.
type result struct {
	Row     string    `json:"row"`
	Round   int       `json:"round"`
	Seed    uint64    `json:"seed"`
	Short   bool      `json:"short"`
	Version string    `json:"version"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	// Faults are those that were injected, by kind; Counts is what else was counted.
	Faults map[string]int `json:"faults"`
	Counts map[string]int `json:"counts,omitempty"`
	// Deployment is the one that was broken; Acknowledged are its events that were, from
	// its first round on. ClickHouse and Parquet are the rows that stand for them there,
	// with those that are derived of them.
	Deployment   string `json:"deployment,omitempty"`
	Acknowledged int    `json:"acknowledged"`
	ClickHouse   int    `json:"clickhouse"`
	Parquet      int    `json:"parquet"`
	// Records are the records of the inputs; each has one verdict in each store, as these
	// were counted.
	Records            int `json:"records"`
	VerdictsClickHouse int `json:"verdicts_clickhouse"`
	VerdictsParquet    int `json:"verdicts_parquet"`
	Lost               int `json:"lost"`
	Doubled            int `json:"doubled"`
	// Torn are rows with another content or verdict than what was sent, and files that
	// cannot be read.
	Torn        int      `json:"torn"`
	Differences []string `json:"differences,omitempty"`
	// Verify is what millrace verify exited with; -1 where it was not asked.
	Verify int `json:"verify"`
	// MaxRSS is the largest resident set of any one process, in MiB, by its sort.
	MaxRSS map[string]int `json:"max_rss_mib,omitempty"`
	// CapRSS is the cap of each sort.
	CapRSS map[string]int `json:"cap_rss_mib,omitempty"`
	Error  string         `json:"error,omitempty"`
}

// holds says whether a round found nothing wrong.
func (r *result) holds() bool {
	if r.Error != "" || r.Lost+r.Doubled+r.Torn > 0 || r.Verify > 0 {
		return false
	}
	for sort, most := range r.CapRSS {
		if r.MaxRSS[sort] > most {
			return false
		}
	}
	return true
}

// run is one row under way.
type run struct {
	ctx      context.Context
	o        *options
	row      row
	dir      string // the row's data
	done     map[int]result
	version  string
	failures int
	results  []result
}

func newRun(ctx context.Context, o *options, w row) (*run, error) {
	r := &run{ctx: ctx, o: o, row: w, done: map[int]result{}, version: described()}
	r.dir = filepath.Join(o.work, fmt.Sprintf("%s-%d", w.name, o.seed))
	if o.short {
		r.dir += "-short"
	}
	all, err := readResults(o.out)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.Row == w.name && e.Seed == o.seed && e.Short == o.short && e.holds() {
			r.done[e.Round] = e
		}
	}
	if len(r.done) == 0 {
		// What is left of a run that no round of was finished would be counted along.
		if err := os.RemoveAll(r.dir); err != nil {
			return nil, err
		}
	}
	return r, os.MkdirAll(r.dir, 0o700)
}

func described() string {
	out, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// size is how much of the row's unit there is to do.
func (r *run) size() int {
	switch {
	case r.o.n > 0:
		return r.o.n
	case r.o.short:
		return r.row.short
	}
	return r.row.long
}

// trial is one round under way.
type trial struct {
	*run
	round  int
	rng    *rand.Rand
	result result
}

func (t *trial) fault(kind string) { t.result.Faults[kind]++ }

// each runs rounds that are not done yet. A round that fails ends the row: the data of
// the next would be counted with what is wrong already.
func (r *run) each(rounds int, round func(*trial) error) error {
	for n := range rounds {
		if e, ok := r.done[n]; ok {
			r.results = append(r.results, e)
			continue
		}
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		t := &trial{run: r, round: n, rng: rand.New(rand.NewPCG(r.o.seed, uint64(n))), result: result{
			Row: r.row.name, Round: n, Seed: r.o.seed, Short: r.o.short, Version: r.version, Began: time.Now().UTC().Truncate(time.Second),
			Faults: map[string]int{}, Counts: map[string]int{}, Verify: -1,
		}}
		began := time.Now()
		err := round(t)
		if r.ctx.Err() != nil {
			return r.ctx.Err() // a round that was cut is begun again
		}
		if err != nil {
			t.result.Error = err.Error()
		}
		t.result.Seconds = time.Since(began).Round(10 * time.Millisecond).Seconds()
		if err := t.keep(); err != nil {
			return err
		}
		if !t.result.holds() {
			r.failures++
			return fmt.Errorf("round %d did not hold", n)
		}
	}
	return nil
}

// keep appends the round to the results file, in one write, and prints it.
func (t *trial) keep() error {
	t.results = append(t.results, t.result)
	line, err := json.Marshal(t.result)
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	f, err := os.OpenFile(t.o.out, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

func (r *run) summary() string {
	total := sum(r.results)
	verdict := "holds"
	if r.failures > 0 || len(r.results) == 0 {
		verdict = "DOES NOT HOLD"
	}
	return fmt.Sprintf("%s: %s. %s, %s, %d acknowledged, %d lost, %d doubled, %d torn, %.0f s, seed %d",
		r.row.name, verdict, plural(len(r.results), "round"), counted(total.Faults), total.Acknowledged, total.Lost, total.Doubled, total.Torn, total.Seconds, r.o.seed)
}

// readResults reads a results file.
func readResults(path string) ([]result, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []result
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for n := 1; lines.Scan(); n++ {
		var e result
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		all = append(all, e)
	}
	return all, lines.Err()
}
