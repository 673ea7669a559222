package disktest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"

	"github.com/millrace-io/millrace/internal/testvar"
)

// Work is what one process does to a disk. It calls ack once something counts: whatever
// happens afterwards, that must hold.
type Work[A any] func(fs *FS, ack func(A)) error

// Check looks at a disk as the next process finds it, works on with it, and says what does
// not hold of what was acknowledged, or what is there by half.
type Check[A any] func(fs *FS, acked []A) error

// acks are what was acknowledged so far.
type acks[A any] struct {
	mu  sync.Mutex
	all []A
}

func (a *acks[A]) add(x A) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, x)
}

func (a *acks[A]) now() []A {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[:len(a.all):len(a.all)]
}

// Crashes is what EveryCrash plays.
type Crashes struct {
	Seed uint64
	// Keeps are what crashes leave; Journaled or Any.
	Keeps []Keep
	// Tries is how often what leaves a part is played, each time with another part; once by
	// default.
	Tries int
}

// Journaled is what file systems with a journal may leave, Any is what any may.
func Journaled() []Keep { return []Keep{All, Synced, Names, Torn} }

// Any is what any file system may leave.
func Any() []Keep { return append(Journaled(), Scrambled) }

// stride is how far one point that is played lies from the next: all are, and with the race
// detector some.
func stride() int {
	if testvar.Raced {
		return 7
	}
	return 1
}

// end is the point behind the last change.
const end = "end"

// EveryCrash does the work once, and before each change that it makes lets a copy of the
// machine crash, in every way: the check must hold of each. It returns how many changes
// there were.
func EveryCrash[A any](t *testing.T, c Crashes, work Work[A], check Check[A]) (points int) {
	t.Helper()
	var acked acks[A]
	var mu sync.Mutex
	var failures []string
	disk := New()
	crash := func(where string) {
		mu.Lock()
		defer mu.Unlock()
		if points++; points%stride() != 0 && where != end {
			return
		}
		for _, keep := range c.Keeps {
			tries := 1
			if keep == Torn || keep == Scrambled {
				tries = max(c.Tries, 1)
			}
			for try := range tries {
				before := acked.now() // before the copy: what it holds may be more, never less
				random := rand.New(rand.NewPCG(c.Seed+uint64(try)<<32, uint64(points)))
				left := disk.Crash(keep, random)
				err := check(&FS{FS: left}, before)
				if err == nil && keep == All { // the next process has worked with what was not durable
					if err = check(&FS{FS: left.Crash(Synced, random)}, before); err != nil {
						err = fmt.Errorf("behind a second crash, which left what was synced: %w", err)
					}
				}
				if err != nil {
					failures = append(failures, fmt.Sprintf("crash %d, before it would %s, which left %s (try %d, seed %d): %v", points, where, keep, try, c.Seed, err))
				}
			}
		}
	}
	fs := &FS{FS: disk, Before: func(op Op, path string) error {
		crash(fmt.Sprintf("%s %s", op, path))
		return nil
	}}
	if err := work(fs, acked.add); err != nil {
		t.Fatalf("without a fault: %v", err)
	}
	crash(end)
	const shown = 5
	for i, f := range failures {
		if i == shown {
			t.Errorf("and %d more", len(failures)-shown)
			break
		}
		t.Error(f)
	}
	return points
}

// outage is how many changes in a row fail where a fault lasts.
const outage = 10

// EveryFault does the work again and again, and each time lets another of its changes
// fail: alone, or with those that follow. The work tries again, as whoever runs it does,
// and must come to its end; the check must hold then, and behind a crash. A work that
// panics has ended its process. It returns how many changes were made to fail.
func EveryFault[A any](t *testing.T, work Work[A], check Check[A]) (points int) {
	t.Helper()
	random := rand.New(rand.NewPCG(0, 0)) // what is kept is all or what was synced: no choice
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		for _, length := range []int{1, outage} {
			for n := 1; ; n += stride() {
				var acked acks[A]
				var mu sync.Mutex
				seen, where := 0, ""
				disk := New()
				fs := &FS{FS: disk, Before: func(op Op, path string) error {
					mu.Lock()
					defer mu.Unlock()
					if seen++; seen < n || seen >= n+length {
						return nil
					}
					if seen == n {
						where = fmt.Sprintf("%s %s", op, path)
					}
					return &faultError{op, path, errno}
				}}
				err := died(func() error { return work(fs, acked.add) })
				if where == "" {
					break // there are not so many
				}
				points++
				what := fmt.Sprintf("change %d, to %s, and %d more fail with %v", n, where, length-1, errno)
				if err != nil && !errors.Is(err, ErrDied) {
					t.Errorf("%s: %v", what, err)
				}
				for _, keep := range []Keep{All, Synced} {
					if err := check(&FS{FS: disk.Crash(keep, random)}, acked.now()); err != nil {
						t.Errorf("%s; then a crash left %s: %v", what, keep, err)
					}
				}
				if t.Failed() {
					return points
				}
			}
		}
	}
	return points
}

// ErrDied says that the process of a work has ended, as it does where going on would be
// wrong.
var ErrDied = errors.New("the process died")

func died(work func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDied, r)
		}
	}()
	return work()
}

// faultError is what a change that fails returns.
type faultError struct {
	op   Op
	path string
	err  error
}

// Error implements error.
func (e *faultError) Error() string { return fmt.Sprintf("%s %s: %v (played)", e.op, e.path, e.err) }

// Unwrap implements errors.Unwrap.
func (e *faultError) Unwrap() error { return e.err }

// Tries calls step until it does not fail, as often as an outage can make it fail.
func Tries(step func() error) (err error) {
	for range outage + 1 {
		if err = step(); err == nil {
			return nil
		}
	}
	return err
}
