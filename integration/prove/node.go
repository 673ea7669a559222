package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// patience bounds every wait for something that moves on; a row that needs it has failed.
	patience = 5 * time.Minute
	lookEach = 50 * time.Millisecond
	// restartPause is what a supervisor waits before it starts a process that ended.
	restartPause = 100 * time.Millisecond
)

// node is one process that is started again whenever it ends, as a supervisor does.
type node struct {
	name string
	sort string // whose memory cap it has
	argv []string
	dir  string // its working folder
	log  string // what it prints is appended there
	env  []string
	// engine says that it has an embedded ClickHouse as its child.
	engine bool
	// works says that the process pid has begun to work: it says where it listens.
	works func(pid int) bool
	// isReady says whether the process pid answers.
	isReady func(ctx context.Context, pid int) bool

	mu     sync.Mutex
	cmd    *exec.Cmd
	wanted bool
	ended  int           // how often it ended by itself in its start, as where a server that it needs is away
	failed int           // how often it ended by itself when it had begun to work
	worked int           // the last process that was seen at work
	killed bool          // the present process was sent a signal that ends it
	gone   chan struct{} // closed when the keeper has returned
}

// start begins the process and keeps it running.
func (n *node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wanted {
		return nil
	}
	ended, err := n.begin()
	if err != nil {
		return err
	}
	n.wanted, n.gone = true, make(chan struct{})
	go n.keep(ended)
	return nil
}

// begin starts one process, and returns what is closed when it has ended; n.mu is held.
func (n *node) begin() (chan struct{}, error) {
	out, err := os.OpenFile(n.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	fmt.Fprintf(out, "---- %s %s\n", time.Now().Format("15:04:05.000"), strings.Join(n.argv, " "))
	cmd := exec.Command(n.argv[0], n.argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.dir, out, out
	cmd.Env = append(os.Environ(), n.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", n.name, err)
	}
	n.cmd, n.killed = cmd, false
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its state, which is looked at where it matters
		close(ended)
	}()
	return ended, nil
}

func (n *node) keep(ended chan struct{}) {
	defer close(n.gone)
	for {
		<-ended
		n.mu.Lock()
		if n.wanted && !n.killed {
			if n.cmd.Process.Pid == n.worked {
				n.failed++
			} else {
				n.ended++
			}
			n.mu.Unlock()
			time.Sleep(restartPause)
			n.mu.Lock()
		}
		if !n.wanted {
			n.cmd = nil
			n.mu.Unlock()
			return
		}
		var err error
		if ended, err = n.begin(); err != nil {
			panic(err) // the program was there a moment ago: the machine is out of processes
		}
		n.mu.Unlock()
	}
}

// pid is that of the present process, 0 where there is none.
func (n *node) pid() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return 0
	}
	return n.cmd.Process.Pid
}

// signal sends s; after one that ends the process it is started again.
func (n *node) signal(s syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return fmt.Errorf("%s does not run", n.name)
	}
	if s == syscall.SIGKILL || s == syscall.SIGTERM {
		n.killed = true
	}
	if err := n.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", n.name, err)
	}
	return nil
}

// end sends s and waits until the process has ended; it is not started again.
func (n *node) end(s syscall.Signal) error {
	n.mu.Lock()
	if !n.wanted {
		n.mu.Unlock()
		return nil
	}
	n.wanted = false
	cmd, gone := n.cmd, n.gone
	n.mu.Unlock()
	if n.sort == "kafka" {
		// The last brokers of a cluster wait for a quorum to let them go.
		s = syscall.SIGKILL
	}
	if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", n.name, err)
	}
	select {
	case <-gone:
	case <-time.After(patience):
		_ = cmd.Process.Kill() // it is told below
		<-gone
		return fmt.Errorf("%s does not end within %s", n.name, patience)
	}
	if s == syscall.SIGTERM && cmd.ProcessState.ExitCode() > 0 {
		return fmt.Errorf("%s was asked to end, and ended with %s; its output is in %s", n.name, cmd.ProcessState, n.log)
	}
	return nil
}

// look notes that the present process has begun to work, where it has.
func (n *node) look() {
	pid := n.pid()
	if n.works == nil || pid == 0 || !n.works(pid) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.worked = pid
}

// selfEnded is how often it ended without being told to, in its start and at work.
func (n *node) selfEnded() (starting, working int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ended, n.failed
}

// ready waits until the process that runs answers: not one that was told to end and still
// does.
func (n *node) ready(ctx context.Context) error {
	return await(ctx, func() bool {
		n.mu.Lock()
		ending := n.killed
		n.mu.Unlock()
		return !ending && n.isReady(ctx, n.pid())
	}, func() string {
		return fmt.Sprintf("%s is not ready; its output is in %s", n.name, n.log)
	})
}

// child is the process of the embedded ClickHouse that a millrace has, 0 where it has none.
func (n *node) child() int {
	parent := n.pid()
	if parent == 0 {
		return 0
	}
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent)) // the pattern is sound
	for _, t := range threads {
		data, err := os.ReadFile(t)
		if err != nil {
			continue // the thread ended meanwhile
		}
		for f := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(f); err == nil {
				return pid
			}
		}
	}
	return 0
}

// peak is the largest resident set that a process had, in MiB; 0 where it has ended.
func peak(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB")) // the kernel wrote it
			return kib >> 10
		}
	}
	return 0
}

// folderBytes is the size of a folder's files.
func folderBytes(path string) int {
	total := 0
	_ = filepath.WalkDir(path, func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // what is not there has no bytes
		}
		if info, err := e.Info(); err == nil {
			total += int(info.Size())
		}
		return nil
	})
	return total
}

// announced says where the millrace with this data folder is reached, if it is pid that
// said so.
func announced(data string, pid int) (at struct{ HTTP string }, ok bool) {
	b, err := os.ReadFile(filepath.Join(data, "run.json"))
	if err != nil {
		return at, false
	}
	var said struct {
		PID  int
		HTTP string
	}
	if json.Unmarshal(b, &said) != nil || said.PID != pid {
		return at, false
	}
	at.HTTP = said.HTTP
	return at, true
}

// answers says whether an address answers GET /readyz with 200.
func answers(ctx context.Context, address string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// await looks until ok, for as long as patience lasts; what says what there was instead.
func await(ctx context.Context, ok func() bool, what func() string) error {
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			return fmt.Errorf("within %s: %s", patience, what())
		}
		if err := sleep(ctx, lookEach); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
