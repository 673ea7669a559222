package disk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/vfs"
)

// played is a disk with so much room, which notes what it syncs.
func played(room *uint64, synced *[]string) Disk {
	return Disk{
		Usage: func(string) (vfs.DiskUsage, error) { return vfs.DiskUsage{AvailBytes: *room}, nil },
		Sync:  func(dir string) error { *synced = append(*synced, dir); return syncDir(dir) },
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// TestCreate checks that a file is there whole, as who may read it, and durable, and that
// a name that is taken is left alone and made durable too.
func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	room, synced := uint64(1<<40), []string(nil)
	d := played(&room, &synced)
	put := func(text string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
	}
	if err := d.Create(path, 0o600, put("first")); err != nil {
		t.Fatal(err)
	}
	if err := d.Create(path, 0o644, put("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a name that is taken: %v", err)
	}
	if want := []string{dir, dir}; !slices.Equal(synced, want) {
		t.Errorf("synced %v, want %v", synced, want)
	}
	data, err := os.ReadFile(path)
	info, statErr := os.Stat(path)
	if err != nil || statErr != nil || string(data) != "first" || info.Mode() != 0o600 {
		t.Errorf("the file holds %q of mode %s, %v", data, info.Mode(), errors.Join(err, statErr))
	}
	if got := names(t, dir); !slices.Equal(got, []string{"a"}) {
		t.Errorf("there are %v", got)
	}
}

// TestNoRoom fills the disk before a file and in its midst: nothing must be left of it.
func TestNoRoom(t *testing.T) {
	for _, before := range []int{0, 3} {
		dir := t.TempDir()
		room, synced := uint64(1<<40), []string(nil)
		d := played(&room, &synced)
		if before == 0 {
			room = Reserve
		}
		written := 0
		err := d.Create(filepath.Join(dir, "a"), 0o600, func(w io.Writer) error {
			for i := range 10 {
				if i == before {
					room = Reserve
				}
				n, err := w.Write(bytes.Repeat([]byte("x"), askEvery))
				if written += n; err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), dir) || written > (before+1)*askEvery {
			t.Errorf("full after %d MiB: %v, %d MiB were written", before, err, written>>20)
		}
		if got := names(t, dir); len(got) > 0 {
			t.Errorf("full after %d MiB: there are %v", before, got)
		}
	}
}

func TestRoom(t *testing.T) {
	room, synced := uint64(Reserve+1), []string(nil)
	d := played(&room, &synced)
	if err := d.Room("/data"); err != nil {
		t.Error(err)
	}
	room = 7 << 20
	if err := d.Room("/data"); !errors.Is(err, ErrFull) || err.Error() != "the disk is full: that of /data has 7 MiB free; make room" {
		t.Error(err)
	}
	if err := (Disk{Usage: vfs.NewMem().GetDiskUsage}).Room("/"); err != nil {
		t.Errorf("in memory: %v", err)
	}
	if err := System().Room(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no folder: %v", err)
	}
}
