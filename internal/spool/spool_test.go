package spool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
)

const folder = "data/spool"

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// memory is a file system in memory that forgets what was not synced.
func memory(t testing.TB) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewStrictMem()
	if err := fs.MkdirAll("data", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syncDir(fs, ""); err != nil {
		t.Fatal(err)
	}
	return fs
}

// small opens a spool whose segments have a few pages.
func small(fs vfs.FS) (*Spool, error) {
	s, err := Open(Config{Dir: folder, MaxBytes: MinBytes}, Deps{FS: fs, Log: quiet()})
	if err == nil {
		s.segment = 8 * page
	}
	return s, err
}

func mustOpen(t testing.TB, fs vfs.FS) *Spool {
	t.Helper()
	s, err := small(fs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// record makes the n-th record: its number, and bytes that follow from it.
func record(n uint64) []byte {
	size := 8 + int(n*7919%(2*page))
	b := make([]byte, size)
	binary.LittleEndian.PutUint64(b, n)
	for i := 8; i < size; i++ {
		b[i] = byte(n) + byte(i)
	}
	return b
}

// number says which record b is; false where it is none, or not whole.
func number(b []byte) (uint64, bool) {
	if len(b) < 8 {
		return 0, false
	}
	n := binary.LittleEndian.Uint64(b)
	return n, bytes.Equal(b, record(n))
}

// drain reads what is there and was not confirmed.
func drain(t testing.TB, r *Reader) (got []uint64, through uint64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for {
		r.s.mu.Lock()
		end := r.s.next
		r.s.mu.Unlock()
		if r.at >= end {
			return got, r.at - 1
		}
		b, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("read from record %d of %d: %v", r.at, end, err)
		}
		for _, rec := range b.Records {
			n, whole := number(rec)
			if !whole {
				t.Fatalf("read a record that is not whole: %d bytes, %.20q", len(rec), rec)
			}
			got = append(got, n)
		}
	}
}

func appendAll(t testing.TB, s *Spool, numbers ...uint64) {
	t.Helper()
	for _, n := range numbers {
		if err := s.Append(t.Context(), record(n)); err != nil {
			t.Fatalf("append record %d: %v", n, err)
		}
	}
}

func sequence(from, to uint64) (all []uint64) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

func TestOrder(t *testing.T) {
	fs := memory(t)
	s := mustOpen(t, fs)
	appendAll(t, s, sequence(1, 40)...)
	r := s.Reader()
	got, _ := drain(t, r)
	if !slices.Equal(got, sequence(1, 40)) {
		t.Errorf("read %d, want 1 to 40", got)
	}
	s.Confirm(25)
	r.Close()
	name := s.Name()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), record(41)); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed spool gives %v", err)
	}
	s = mustOpen(t, fs)
	defer s.Close()
	if s.Name() != name {
		t.Errorf("its name is %s, it was %s", s.Name(), name)
	}
	if n := s.Status().Events; n != 15 {
		t.Errorf("%d events wait, want 15", n)
	}
	appendAll(t, s, sequence(41, 50)...)
	r = s.Reader()
	defer r.Close()
	if got, _ := drain(t, r); !slices.Equal(got, sequence(26, 50)) {
		t.Errorf("after it was opened again it gave %d, want 26 to 50", got)
	}
	s.Confirm(50)
	if err := s.tidyUpSoon(t); err != nil {
		t.Fatal(err)
	}
	names, err := fs.List(folder)
	if err != nil {
		t.Fatal(err)
	}
	segments := slices.DeleteFunc(names, func(n string) bool { return len(n) != len(segmentName(1)) })
	if len(segments) != 1 {
		t.Errorf("after all was confirmed there are %q, want the last segment alone", segments)
	}
}

// tidyUpSoon waits until the keeper has removed what was confirmed.
func (s *Spool) tidyUpSoon(t testing.TB) error {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		left := len(s.segments)
		s.mu.Unlock()
		if left <= 1 {
			return nil
		}
	}
	return errors.New("segments that were confirmed are still there")
}

// TestShared checks that many callers share an fsync, and that all that they append is
// read, while they do.
func TestShared(t *testing.T) {
	fs := &faulty{FS: memory(t)}
	syncs := 0
	fs.set(func(op, _ string) (fault, error) {
		if op == "sync" {
			syncs++
			time.Sleep(2 * time.Millisecond) // a disk's
		}
		return sound, nil
	})
	registry := prometheus.NewRegistry()
	s, err := Open(Config{Dir: folder, MaxBytes: MinBytes}, Deps{FS: fs, Log: quiet(), Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const callers, each = 50, 20
	var g sync.WaitGroup
	r := s.Reader()
	defer r.Close()
	var got []uint64
	g.Go(func() {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for len(got) < callers*each {
			b, err := r.Next(ctx)
			if err != nil {
				t.Errorf("after %d records: %v", len(got), err)
				return
			}
			for _, rec := range b.Records {
				n, _ := number(rec)
				got = append(got, n)
			}
		}
	})
	for c := range callers {
		g.Go(func() {
			for i := range each {
				if err := s.Append(t.Context(), record(uint64(1+c*each+i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	slices.Sort(got)
	if !slices.Equal(got, sequence(1, callers*each)) {
		t.Errorf("%d records came back, want %d, each once", len(got), callers*each)
	}
	if syncs > callers*each/5 {
		t.Errorf("%d fsyncs for %d records of %d callers: they do not share them", syncs, callers*each, callers)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		switch m := f.GetMetric()[0]; f.GetName() {
		case "millrace_spool_pending_events":
			if v := m.GetGauge().GetValue(); v != callers*each {
				t.Errorf("%s is %v, want %d", f.GetName(), v, callers*each)
			}
		case "millrace_spool_fsync_seconds":
			if n := m.GetHistogram().GetSampleCount(); n == 0 || n > uint64(syncs) {
				t.Errorf("%s has %d samples, there were %d fsyncs", f.GetName(), n, syncs)
			}
		}
	}
	if len(families) != 7 {
		t.Errorf("there are %d metrics, want 7", len(families))
	}
}

func TestTwoOpeners(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": memory(t), "disk": vfs.Default} {
		dir := folder
		if name == "disk" {
			dir = t.TempDir() + "/spool"
		}
		s, err := Open(Config{Dir: dir, MaxBytes: MinBytes}, Deps{FS: fs, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Dir: dir, MaxBytes: MinBytes}, Deps{FS: fs, Log: quiet()}); !errors.Is(err, ErrInUse) {
			t.Errorf("%s: a second opener got %v, want ErrInUse", name, err)
		}
		appendAll(t, s, 1)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, err = Open(Config{Dir: dir, MaxBytes: MinBytes}, Deps{FS: fs, Log: quiet()})
		if err != nil {
			t.Fatalf("%s: after the first was closed: %v", name, err)
		}
		r := s.Reader()
		if got, _ := drain(t, r); !slices.Equal(got, []uint64{1}) {
			t.Errorf("%s: read %d, want 1", name, got)
		}
		r.Close()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFull checks that a spool at its limit refuses, and takes again what there is room
// for once something was confirmed, and that a full disk is the same to whoever appends.
func TestFull(t *testing.T) {
	fs := memory(t)
	s := mustOpen(t, fs)
	defer s.Close()
	s.cfg.MaxBytes = 40 * page
	var n uint64
	var err error
	for err == nil {
		n++
		err = s.Append(t.Context(), record(n))
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("record %d: %v", n, err)
	}
	if b := s.Status().Bytes; b > s.cfg.MaxBytes {
		t.Errorf("it holds %d bytes, it may hold %d", b, s.cfg.MaxBytes)
	}
	r := s.Reader()
	defer r.Close()
	got, through := drain(t, r)
	if !slices.Equal(got, sequence(1, n-1)) {
		t.Errorf("it gave %d, want 1 to %d", got, n-1)
	}
	s.Confirm(through)
	if err := s.tidyUpSoon(t); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, n)
	if err := s.Append(t.Context(), make([]byte, 9*page)); err == nil || errors.Is(err, ErrFull) {
		t.Errorf("a record above the limit gives %v, want an error that says so", err)
	}

	narrow, err := Open(Config{Dir: folder, MaxBytes: MinBytes}, Deps{FS: fullDisk{memory(t)}, Log: quiet()})
	if err != nil {
		t.Fatalf("a full disk: %v", err)
	}
	defer narrow.Close()
	if err := narrow.Append(t.Context(), record(1)); !errors.Is(err, ErrFull) || !errors.Is(narrow.Room(), ErrFull) {
		t.Errorf("a full disk gives %v and %v, want ErrFull", err, narrow.Room())
	}
}

type fullDisk struct{ vfs.FS }

func (fullDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: 1 << 20, TotalBytes: 1 << 30}, nil
}

// TestWaiting checks that what waits for the disk is bounded: whoever comes while it is
// too much waits, as long as its context lasts.
func TestWaiting(t *testing.T) {
	fs := &faulty{FS: memory(t)}
	s, err := Open(Config{Dir: folder, MaxBytes: 8 * MinBytes}, Deps{FS: fs, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	hold := make(chan struct{})
	fs.set(func(op, _ string) (fault, error) {
		if op == "sync" {
			<-hold
		}
		return sound, nil
	})
	answers := make(chan error, 1000)
	taken := 0
	big := make([]byte, 1<<20)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	for err = nil; err == nil; taken++ {
		err = s.Enqueue(ctx, big, func(err error) { answers <- err })
	}
	taken--
	if !errors.Is(err, context.DeadlineExceeded) || taken<<20 > 2*maxWaiting {
		t.Errorf("%d MiB were taken while the disk stood still, then %v; want at most %d and the deadline", taken, err, 2*maxWaiting>>20)
	}
	close(hold)
	for range taken {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}
