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
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

// childCommand is the hidden first argument of the processes that bench starts of itself.
const childCommand = "internal-child"

// task is what a turn is given; each kind of turn reads what it needs.
type task struct {
	Broker  string `json:"broker"`
	DSN     string `json:"dsn"`
	Dir     string `json:"dir"`   // the round's folder
	Name    string `json:"name"`  // tells this turn's group, topics, folders from others'
	Count   int    `json:"count"` // records
	Data    string `json:"data"`
	Profile string `json:"profile"` // a file for its CPU profile
}

// result is what a turn measured.
type result struct {
	Count  int     `json:"count"`
	CPU    float64 `json:"cpu"` // seconds, user and system
	System float64 `json:"system"`
	Wall   float64 `json:"wall"` // seconds
	Part   float64 `json:"part"` // what else a turn tells
	// Parts are several such.
	Parts []float64 `json:"parts"`
}

// rate is records a CPU-second.
func (r result) rate() float64 { return float64(r.Count) / r.CPU }

// turns are the processes that bench starts of itself and that end by themselves.
func turns() map[string]func(context.Context, task) (result, error) {
	return map[string]func(context.Context, task) (result, error){
		"bus-fill": busFill, "bus-millrace": busMillrace, "bus-bare": busBare,
		"json-millrace": jsonMillrace, "json-peer": jsonPeer, "codec-millrace": codecMillrace, "codec-peer": codecPeer,
		"sink-fill": sinkFill, "clickhouse-millrace": clickhouseMillrace, "clickhouse-rows": clickhouseRows, "clickhouse-columns": clickhouseColumns,
		"parquet-millrace": parquetMillrace, "parquet-bare": parquetBare,
		"collector-topics": collectorTopics, "collector-spool": collectorSpool, "collector-broker": collectorBroker,
		"gateway-millrace": gatewayMillrace, "gateway-proxy": gatewayProxy, "gateway-portkey": gatewayPortkey,
		"train-millrace": trainMillrace, "predict-millrace": predictMillrace,
	}
}

// runChild is a child's main. A turn prints its result; a server prints where it is and
// serves until its standard input ends.
func runChild(args []string) int {
	if len(args) != 2 {
		return 2
	}
	var err error
	switch args[0] {
	case "broker":
		err = serveBroker()
	case "collector-spool-server":
		err = serveCollector(args[1], true)
	case "collector-broker-server":
		err = serveCollector(args[1], false)
	case "gateway-mock":
		err = serveMock()
	case "gateway-proxy-server":
		err = serveProxy(args[1])
	case "gateway-server":
		err = serveGateway(args[1])
	default:
		err = runTurn(args[0], args[1])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", args[0], err)
		return 1
	}
	return 0
}

func runTurn(name, input string) error {
	var t task
	if err := json.Unmarshal([]byte(input), &t); err != nil {
		return err
	}
	f, ok := turns()[name]
	if !ok {
		return fmt.Errorf("there is no turn %q", name)
	}
	if t.Profile != "" {
		p, err := os.Create(t.Profile)
		if err != nil {
			return err
		}
		defer p.Close()
		if err := pprof.StartCPUProfile(p); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	r, err := f(context.Background(), t)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// turnTimeout bounds a turn: one that takes so long hangs.
const turnTimeout = 5 * time.Minute

// turn runs one turn in a process of its own.
func turn(ctx context.Context, o options, name string, t task) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	if o.profile != "" {
		t.Profile = filepath.Join(o.profile, name+".pprof")
	}
	input, err := json.Marshal(t)
	if err != nil {
		return result{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	cmd := exec.CommandContext(ctx, self, childCommand, name, string(input))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	// A turn that hangs shows where.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) }
	if err := cmd.Run(); err != nil {
		return result{}, fmt.Errorf("turn %s: %w", name, err)
	}
	var r result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return result{}, fmt.Errorf("turn %s: %w", name, err)
	}
	return r, nil
}

// takeTurns runs the named turns once a round, every second round in reverse, so that
// none always comes first, and returns their results by name. begin makes a round's
// task and what ends it.
func takeTurns(ctx context.Context, o options, names []string, begin func(round int) (task, func(), error)) (map[string][]result, error) {
	all := map[string][]result{}
	for round := range o.rounds {
		t, end, err := begin(round)
		if err != nil {
			return nil, err
		}
		for i := range names {
			name := names[i]
			if round%2 == 1 {
				name = names[len(names)-1-i]
			}
			t.Name = fmt.Sprintf("%s-%d", name, round)
			r, err := turn(ctx, o, name, t)
			if err != nil {
				end()
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "round %d of %d, %s: %.2f s of CPU (%.2f in the kernel), %.2f s\n", round+1, o.rounds, name, r.CPU, r.System, r.Wall)
			all[name] = append(all[name], r)
		}
		end()
	}
	return all, nil
}

// rates are those of results.
func rates(results []result) []float64 {
	out := make([]float64, len(results))
	for i, r := range results {
		out[i] = r.rate()
	}
	return out
}

// stopwatch reads this process's CPU time and the wall's.
type stopwatch struct {
	user, system time.Duration
	wall         time.Time
}

func startWatch() stopwatch {
	user, system := cpuTime()
	return stopwatch{user, system, time.Now()}
}

func (s stopwatch) stop(count int) result {
	user, system := cpuTime()
	user, system = user-s.user, system-s.system
	return result{Count: count, CPU: (user + system).Seconds(), System: system.Seconds(), Wall: time.Since(s.wall).Seconds()}
}

// cpuTime is what this process has used, in user and system mode.
func cpuTime() (user, system time.Duration) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it fails for wrong arguments only
	}
	return time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano())
}

// startBroker starts a broker in a process of its own, its log in memory.
func startBroker(ctx context.Context) (addr string, stop func(), err error) {
	return startServer(ctx, "broker", "")
}

// startServer starts a server in a process of its own.
func startServer(ctx context.Context, name, input string) (addr string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, self, childCommand, name, input)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = stdin.Close()
		_ = cmd.Wait() // its end is all that matters
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		stop()
		return "", nil, fmt.Errorf("start %s: %w", name, err)
	}
	addr = strings.TrimSpace(line)
	if addr == "" {
		stop()
		return "", nil, fmt.Errorf("start %s: it ended at once", name)
	}
	return addr, stop, nil
}
