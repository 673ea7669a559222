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

	"github.com/millrace-io/millrace/internal/disk/disktest"
)

// played is the machine's disk with so much room, which notes the folders that it syncs.
func played(room *uint64, synced *[]string) Disk {
	return Disk{&disktest.FS{
		FS:   System().FS,
		Free: func() uint64 { return *room },
		Before: func(op disktest.Op, path string) error {
			if op == disktest.OpSyncDir {
				*synced = append(*synced, path)
			}
			return nil
		},
	}}
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
	if err := (Disk{vfs.NewMem()}).Room("/"); err != nil {
		t.Errorf("in memory: %v", err)
	}
	if err := System().Room(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no folder: %v", err)
	}
}

// TestModes checks who may read a file: a secret is its owner's alone from its first byte.
func TestModes(t *testing.T) {
	dir := t.TempDir()
	d := System()
	var meanwhile fs.FileMode
	err := d.Create(filepath.Join(dir, "a"), 0o644, func(w io.Writer) error {
		info, err := os.Stat(filepath.Join(dir, names(t, dir)[0]))
		if err == nil {
			meanwhile = info.Mode()
		}
		return errors.Join(err, d.Replace(filepath.Join(dir, "b"), 0o600, []byte("secret")))
	})
	if err != nil || meanwhile != 0o600 {
		t.Errorf("while it is written it is of mode %s, %v; want 0600", meanwhile, err)
	}
	for name, want := range map[string]fs.FileMode{"a": 0o644, "b": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("%s is of mode %s, %v; want %s", name, info.Mode(), err, want)
		}
	}
}
