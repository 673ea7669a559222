// Package disk is how a file is made durable, and how much room must be left for one.
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"

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

// Disk makes files durable on a file system: System outside of tests, one that can be
// crashed or fails in them.
type Disk struct{ vfs.FS }

// System is the machine's.
func System() Disk { return Disk{private{vfs.Default}} }

// private is a file system whose new files only their owner may read: a secret is not
// open to others until its mode is set.
type private struct{ vfs.FS }

// Create implements vfs.FS; the name must be free.
func (p private) Create(name string) (vfs.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return p.OpenReadWrite(name)
}

// Sync makes the names in a folder durable.
func (d Disk) Sync(dir string) error {
	f, err := d.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Room returns ErrFull where no more than the reserve is free where dir is. It costs a
// system call of a microsecond: whoever writes asks each time.
func (d Disk) Room(dir string) error {
	usage, err := d.GetDiskUsage(dir)
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

// MkdirAll makes dir and those above it, where they are missing, and their names durable,
// also of those that are there: who made them may have died before, or failed.
func (d Disk) MkdirAll(dir string) error {
	above := d.PathDir(dir)
	if above == dir {
		return nil
	}
	if err := d.MkdirAll(above); err != nil {
		return err
	}
	_, err := d.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return d.Mkdir(dir)
	}
	if err == nil {
		err = d.Sync(above)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil // a folder of the machine's, which nobody like us has made
	}
	return err
}

// Mkdir makes a folder's name durable, and the folder where it is missing: one that is
// there may be of a process that died before it got so far. What is above it is there.
func (d Disk) Mkdir(dir string) error {
	if err := d.FS.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return d.Sync(d.PathDir(dir))
}

// Create makes a file whole or not at all: a temporary one in the same folder, its bytes
// synced, linked to its name, and the folder synced. It returns fs.ErrExist where the
// name is taken; the file that has it is then as durable as one of its own.
func (d Disk) Create(path string, perm fs.FileMode, write func(io.Writer) error) (err error) {
	dir := d.PathDir(path)
	temp, err := d.temp(dir, perm, func(w io.Writer) error {
		return write(&roomy{to: w, room: func() error { return d.Room(dir) }})
	})
	if err != nil {
		return err
	}
	defer func() {
		if e := d.Remove(temp); err == nil {
			err = e
		}
	}()
	err = d.Link(temp, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// Whoever took the name may have died between its link and this.
	if e := d.Sync(dir); e != nil {
		return e
	}
	return err
}

// Replace puts data in place of what a file held: whoever reads it, also after a crash,
// finds all of the old or all of the new, and who has it open keeps the old. It needs no
// room beyond the reserve: what is replaced by little makes room.
func (d Disk) Replace(path string, perm fs.FileMode, data []byte) error {
	dir := d.PathDir(path)
	temp, err := d.temp(dir, perm, func(w io.Writer) error { _, err := w.Write(data); return err })
	if err != nil {
		return err
	}
	if err := d.Rename(temp, path); err != nil {
		return errors.Join(err, d.Remove(temp))
	}
	return d.Sync(dir)
}

// temp writes a file of a name that nobody else has, and syncs its bytes. Where it fails
// there is none.
func (d Disk) temp(dir string, perm fs.FileMode, write func(io.Writer) error) (path string, err error) {
	path = d.PathJoin(dir, fmt.Sprintf("%s%016x", TempPrefix, rand.Uint64()))
	f, err := d.FS.Create(path)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = d.Remove(path) // the first error says more; what stays is swept later
		}
	}()
	err = write(f)
	if err == nil {
		err = chmod(f, perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return path, err
}

// chmod says who may read a file, on a file system that knows of it; one in memory does
// not.
func chmod(f vfs.File, perm fs.FileMode) error {
	if f, ok := f.(interface{ Chmod(mode fs.FileMode) error }); ok {
		return f.Chmod(perm)
	}
	return nil
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
