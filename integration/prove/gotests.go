package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Some rows are Go tests of the packages, which reach what a process from outside cannot:
// every write of a component, every request of a client, a simulation's schedule. Their
// rounds run those tests and keep what they counted.

// figures are what tests print of themselves: a number and what it counts.
var figures = regexp.MustCompile(`\b([0-9][0-9,]*) (crashes|changes|faults|seeds|inserts|kinds of requests)\b`)

// goTest runs the tests of packages that have one of the names, with variables of their
// own. A name that no test has is an error: what was renamed would be proved no more.
func (t *trial) goTest(names, env, args []string, packages ...string) error {
	pattern := "^(" + strings.Join(names, "|") + ")$"
	arguments := append([]string{"test", "-count=1", "-json", "-timeout=24h", "-run", pattern}, args...)
	cmd := exec.CommandContext(t.ctx, "go", append(arguments, packages...)...)
	cmd.Env = append(os.Environ(), append(env, "MILLRACE="+t.o.bin)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ran := map[string]bool{}
	failed, read := t.readTests(out, ran)
	err = errors.Join(read, cmd.Wait())
	switch {
	case len(failed) > 0:
		t.result.Differences = failed
		return fmt.Errorf("%s failed", plural(len(failed), "test"))
	case err != nil:
		return fmt.Errorf("go test -run %s %s: %w", pattern, strings.Join(packages, " "), err)
	}
	for _, name := range names {
		if !ran[name] {
			return fmt.Errorf("no test of %s is called %s", strings.Join(packages, " "), name)
		}
	}
	return nil
}

// readTests takes in what go test -json prints, and notes which tests ran; it returns those
// that failed, with the end of what they printed.
func (t *trial) readTests(out io.Reader, ran map[string]bool) (failed []string, err error) {
	printed := map[string]*bytes.Buffer{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e struct{ Action, Package, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Test == "" {
			continue // a line of the compiler, or one of a package as a whole
		}
		name := e.Package[strings.LastIndexByte(e.Package, '/')+1:] + "." + e.Test
		b := printed[name]
		if b == nil {
			b = &bytes.Buffer{}
			printed[name] = b
		}
		switch e.Action {
		case "output":
			b.WriteString(e.Output)
			for _, m := range figures.FindAllStringSubmatch(e.Output, -1) {
				n, _ := strconv.Atoi(strings.ReplaceAll(m[1], ",", "")) // the pattern holds a number
				t.result.Counts[m[2]] += n
			}
		case "pass":
			ran[e.Test] = true
			t.result.Counts["tests"]++
		case "fail":
			t.result.Counts["tests"]++
			failed = append(failed, name+": "+lastLines(b.String(), 20))
		}
	}
	return failed, lines.Err()
}

func variable(name string, value any) string { return fmt.Sprintf("%s=%v", name, value) }

// proveCrash crashes each component that writes files at each of its writes, fsyncs and
// renames.
func proveCrash(r *run) error {
	return r.each(1, func(t *trial) error {
		return t.goTest([]string{"TestEveryCrash", "TestCrashEverywhere"}, nil, nil, "./internal/...", "./sinks/...")
	})
}

// proveDisk fills the disk, and breaks it, at each of them; and fills the disk of the real
// program.
func proveDisk(r *run) error {
	return r.each(1, func(t *trial) error {
		return errors.Join(t.goTest([]string{"TestEveryFault", "TestFaultEverywhere"}, nil, nil, "./internal/...", "./sinks/..."),
			t.goTest([]string{"TestFullDisk", "TestSpoolFullDisk"}, nil, []string{"-tags", "integration"}, "./integration"))
	})
}

// proveRequests answers each sort of Kafka request wrongly in each way.
func proveRequests(r *run) error {
	return r.each(1, func(t *trial) error { return t.goTest([]string{"TestRequests"}, nil, nil, "./internal/bus") })
}

// proveInserts cuts the connection to ClickHouse before and after the reply.
func proveInserts(r *run) error {
	const aRound = 500
	return r.rounds(aRound, func(t *trial, inserts int) error {
		return t.goTest([]string{"TestCutInserts"}, []string{variable("MILLRACE_PROVE_INSERTS", inserts), variable("MILLRACE_SEED", t.rng.Uint32())},
			[]string{"-tags", "integration"}, "./integration")
	})
}

// proveSimulation runs seeds of the simulation.
func proveSimulation(r *run) error {
	const aRound = 500
	return r.rounds(aRound, func(t *trial, seeds int) error {
		return t.goTest([]string{"TestSim"}, []string{variable("MILLRACE_SIM_SEEDS", seeds), variable("MILLRACE_SEED", t.rng.Uint32())}, nil, "./internal/sim")
	})
}

// proveDecoders lets the Go fuzzer at each decoder, for so many seconds each, a few of them
// side by side.
func proveDecoders(r *run) error {
	targets, err := fuzzTargets()
	if err != nil {
		return err
	}
	rounds := slices.Collect(slices.Chunk(targets, fuzzLanes))
	return r.each(len(rounds), func(t *trial) error {
		var mu sync.Mutex
		var failed []error
		var lanes sync.WaitGroup
		for _, target := range rounds[t.round] {
			lanes.Go(func() {
				execs, err := target.fuzz(t.ctx, r.size())
				mu.Lock()
				defer mu.Unlock()
				t.result.Faults["seconds of "+target.name] = r.size()
				t.result.Counts["execs"] += execs
				failed = append(failed, err)
			})
		}
		lanes.Wait()
		return errors.Join(failed...)
	})
}

// fuzzLanes is how many decoders are fuzzed side by side, by one worker each.
const fuzzLanes = 6

type fuzzTarget struct{ name, folder string }

// fuzz lets the fuzzer at it and returns how often it called the decoder, by its last line
// of progress.
func (f fuzzTarget) fuzz(ctx context.Context, seconds int) (int, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+f.name+"$",
		"-fuzztime", fmt.Sprintf("%ds", seconds), "-parallel", "1", f.folder).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s in %s: %w\n%s", f.name, f.folder, err, lastLines(string(out), 20))
	}
	execs := 0
	if m := regexp.MustCompile(`execs: (\d+)`).FindAllStringSubmatch(string(out), -1); len(m) > 0 {
		execs, _ = strconv.Atoi(m[len(m)-1][1]) // the pattern is a number
	}
	return execs, nil
}

// fuzzTargets are all of the module's, by package.
func fuzzTargets() ([]fuzzTarget, error) {
	out, err := exec.Command("go", "test", "-json", "-list", "^Fuzz", "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("list the fuzz tests: %w", err)
	}
	var all []fuzzTarget
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var e struct{ Action, Package, Output string }
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Action == "output" && strings.HasPrefix(e.Output, "Fuzz") {
			all = append(all, fuzzTarget{strings.TrimSpace(e.Output), e.Package})
		}
	}
	return all, nil
}
