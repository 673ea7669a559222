// Package disk is how a file is made durable, and how much room must be left for one.
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/vfs"
)

// Reserve is what stays free of a disk. Objects and state are not written into it, so
// that it is left to those that would die of a full disk, or not notice: the state
// store's own log, and the embedded broker's, which takes no inputs long before.
const Reserve = 64 << 20

// ErrFull says that no more than the reserve is free.
var ErrFull = errors.New("the disk is full")

// TempPrefix begins the names of files that are being written.
const TempPrefix = ".tmp-"

// Disk is what is asked of the file system; System is the real one.
type Disk struct {
	// Usage tells of the file system that a folder is on.
	Usage func(dir string) (vfs.DiskUsage, error)
	// Sync makes the names in a folder durable.
	Sync func(dir string) error
}

// System is the disk outside of tests.
func System() Disk { return Disk{Usage: vfs.Default.GetDiskUsage, Sync: syncDir} }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Room returns ErrFull where no more than the reserve is free where dir is. It costs a
// system call of a microsecond: whoever writes asks each time.
func (d Disk) Room(dir string) error {
	usage, err := d.Usage(dir)
	switch {
	case errors.Is(err, vfs.ErrUnsupported):
		return nil // a file system in memory
	case err != nil:
		return fmt.Errorf("measure the disk of %s: %w", dir, err)
	case usage.AvailBytes <= Reserve:
		return fmt.Errorf("%w: that of %s has %d MiB free; make room", ErrFull, dir, usage.AvailBytes>>20)
	}
	return nil
}

// MkdirAll makes dir and those above it, where they are missing, and their names durable.
func (d Disk) MkdirAll(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := d.MkdirAll(filepath.Dir(dir)); err != nil {
		return err
	}
	return d.Mkdir(dir)
}

// Mkdir makes a folder's name durable, and the folder where it is missing: one that is
// there may be of a process that died before it got so far.
func (d Disk) Mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.Sync(filepath.Dir(dir))
}

// Create makes a file whole or not at all: a temporary one in the same folder, its bytes
// synced, linked to its name, and the folder synced. It returns fs.ErrExist where the
// name is taken; the file that has it is then as durable as one of its own.
func (d Disk) Create(path string, perm fs.FileMode, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, TempPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if e := os.Remove(f.Name()); err == nil {
			err = e
		}
	}()
	err = write(&roomy{to: f, room: func() error { return d.Room(dir) }})
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	err = os.Link(f.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// Whoever took the name may have died between its link and this.
	if e := d.Sync(dir); e != nil {
		return e
	}
	return err
}

// askEvery is how much is written between two questions for room.
const askEvery = 1 << 20

// roomy writes only while there is room.
type roomy struct {
	to   io.Writer
	room func() error
	left int // to write before it asks again
}

// Write implements io.Writer.
func (r *roomy) Write(b []byte) (int, error) {
	if r.left <= 0 {
		if err := r.room(); err != nil {
			return 0, err
		}
		r.left = askEvery
	}
	r.left -= len(b)
	return r.to.Write(b)
}
