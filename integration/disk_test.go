//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// disk is a small file system of its own.
type disk struct {
	t      *testing.T
	folder string
}

func newDisk(t *testing.T, size int) *disk {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a disk that is full needs a file system of its own, and to mount one needs root")
	}
	folder := t.TempDir()
	if err := syscall.Mount("millrace-test", folder, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("a disk that is full needs a file system of its own: mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return &disk{t: t, folder: folder}
}

func (d *disk) free() int64 {
	d.t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.folder, &s); err != nil {
		d.t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

// fill leaves so many bytes free: a few for whatever else is written meanwhile.
func (d *disk) fill(leave int64) {
	d.t.Helper()
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, megabyte)
	for d.free() > leave {
		if _, err := f.Write(block[:min(int64(len(block)), d.free()-leave)]); err != nil {
			break // the disk is full
		}
	}
}

func (d *disk) empty() {
	d.t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) filler() string { return filepath.Join(d.folder, "filler") }

// TestFullDisk fills the disk under a running millrace while a crowd posts: below its
// reserve first, then to the last byte. Each time it refuses with 503 and when to come
// again, keeps what it acknowledged, and goes on by itself when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d := newDisk(t, 700*megabyte)
	m := up(t, filepath.Join(d.folder, "data"))
	posters := newCrowd(t, m.HTTP)
	moves := func(what string) {
		t.Helper()
		before := posters.count()
		until(t, func() bool { return posters.count() > before+50 }, func() string {
			return fmt.Sprintf("%s: %d events are acknowledged, %d were before; the last refusal was %s\n%s", what, posters.count(), before, posters.full, m.out)
		})
	}
	for _, c := range []struct {
		name  string
		leave int64
	}{{"the reserve", 200 * megabyte}, {"the last byte", 0}} {
		moves("before " + c.name + " is taken")
		posters.mu.Lock()
		posters.full, posters.retryAfter = "", ""
		posters.mu.Unlock()
		d.fill(c.leave)
		until(t, func() bool {
			posters.mu.Lock()
			defer posters.mu.Unlock()
			return strings.Contains(posters.full, "MiB free; make room") && posters.retryAfter == "1"
		}, func() string {
			return fmt.Sprintf("%s is taken: the last 503 is %q, Retry-After %q\n%s", c.name, posters.full, posters.retryAfter, m.out)
		})
		d.fill(c.leave) // what was written meanwhile may have been deleted again
		if status, answer := m.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(answer, "make room") {
			t.Errorf("%s is taken: /readyz says %d %s", c.name, status, answer)
		}
		refused := posters.count()
		status, answer := m.post("/v1/text", "application/json", []byte(`{"id":"refused","text":"refused"}`))
		if status != http.StatusServiceUnavailable {
			t.Errorf("%s is taken: a post is answered %d %s", c.name, status, answer)
		}
		if n := posters.count(); n != refused {
			t.Errorf("%s is taken: %d more events were acknowledged", c.name, n-refused)
		}
		d.empty()
		moves("after " + c.name + " is free again")
	}
	posters.finish()
	posters.check(m)
	m.stop()
}
