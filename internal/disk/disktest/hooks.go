package disktest

import (
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/vfs"
)

// Op is something that is done to a disk and changes it.
type Op string

// The changes.
const (
	OpCreate  Op = "create"
	OpWrite   Op = "write"
	OpSync    Op = "sync"
	OpSyncDir Op = "sync the folder"
	OpLink    Op = "link"
	OpRename  Op = "rename"
	OpRemove  Op = "remove"
	OpMkdir   Op = "mkdir"
)

// FS calls its hooks about every change of a file system.
type FS struct {
	vfs.FS
	// Before is called before each change, by whoever makes it. Where it returns an error,
	// that is returned in its place; half of a write is done then, and of a sync nothing.
	Before func(op Op, path string) error
	// Free, where it is set, is how much room there is.
	Free func() uint64
}

func (f *FS) before(op Op, path string) error {
	if f.Before == nil {
		return nil
	}
	return f.Before(op, path)
}

func (f *FS) do(op Op, path string, change func() error) error {
	if err := f.before(op, path); err != nil {
		return err
	}
	return change()
}

func (f *FS) open(op Op, path string, open func() (vfs.File, error)) (vfs.File, error) {
	if op != "" {
		if err := f.before(op, path); err != nil {
			return nil, err
		}
	}
	file, err := open()
	if err != nil {
		return nil, err
	}
	return &hooked{File: file, fs: f, path: path}, nil
}

// Create implements vfs.FS.
func (f *FS) Create(name string) (vfs.File, error) {
	return f.open(OpCreate, name, func() (vfs.File, error) { return f.FS.Create(name) })
}

// Open implements vfs.FS.
func (f *FS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.open("", name, func() (vfs.File, error) { return f.FS.Open(name, opts...) })
}

// OpenReadWrite implements vfs.FS.
func (f *FS) OpenReadWrite(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	op := Op("")
	if _, err := f.Stat(name); err != nil {
		op = OpCreate
	}
	return f.open(op, name, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, opts...) })
}

// OpenDir implements vfs.FS.
func (f *FS) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &hooked{File: dir, fs: f, path: name, dir: true}, nil
}

// ReuseForWrite implements vfs.FS.
func (f *FS) ReuseForWrite(from, to string) (vfs.File, error) {
	return f.open(OpRename, to, func() (vfs.File, error) { return f.FS.ReuseForWrite(from, to) })
}

// Link implements vfs.FS.
func (f *FS) Link(from, to string) error {
	return f.do(OpLink, to, func() error { return f.FS.Link(from, to) })
}

// Rename implements vfs.FS.
func (f *FS) Rename(from, to string) error {
	return f.do(OpRename, to, func() error { return f.FS.Rename(from, to) })
}

// Remove implements vfs.FS.
func (f *FS) Remove(name string) error {
	return f.do(OpRemove, name, func() error { return f.FS.Remove(name) })
}

// RemoveAll implements vfs.FS.
func (f *FS) RemoveAll(name string) error {
	return f.do(OpRemove, name, func() error { return f.FS.RemoveAll(name) })
}

// MkdirAll implements vfs.FS.
func (f *FS) MkdirAll(dir string, perm fs.FileMode) error {
	return f.do(OpMkdir, dir, func() error { return f.FS.MkdirAll(dir, perm) })
}

// Lock implements vfs.FS.
func (f *FS) Lock(name string) (io.Closer, error) {
	if err := f.before(OpCreate, name); err != nil {
		return nil, err
	}
	return f.FS.Lock(name)
}

// GetDiskUsage implements vfs.FS.
func (f *FS) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	if f.Free == nil {
		return f.FS.GetDiskUsage(path)
	}
	return vfs.DiskUsage{AvailBytes: f.Free()}, nil
}

// hooked is an open file of an FS.
type hooked struct {
	vfs.File
	fs   *FS
	path string
	dir  bool
}

// Write implements vfs.File.
func (h *hooked) Write(b []byte) (int, error) {
	if err := h.fs.before(OpWrite, h.path); err != nil {
		n, _ := h.File.Write(b[:len(b)/2])
		return n, err
	}
	return h.File.Write(b)
}

// WriteAt implements vfs.File.
func (h *hooked) WriteAt(b []byte, at int64) (int, error) {
	if err := h.fs.before(OpWrite, h.path); err != nil {
		n, _ := h.File.WriteAt(b[:len(b)/2], at)
		return n, err
	}
	return h.File.WriteAt(b, at)
}

// Sync implements vfs.File.
func (h *hooked) Sync() error {
	op := OpSync
	if h.dir {
		op = OpSyncDir
	}
	err := h.fs.before(op, h.path)
	if err == nil {
		return h.File.Sync()
	}
	if f, ok := h.File.(*file); ok && !h.dir {
		f.fail()
	}
	return err
}

// SyncData implements vfs.File.
func (h *hooked) SyncData() error { return h.Sync() }

// Chmod says who may read the file, where its file system knows of that.
func (h *hooked) Chmod(perm fs.FileMode) error {
	if f, ok := h.File.(interface{ Chmod(mode fs.FileMode) error }); ok {
		return f.Chmod(perm)
	}
	return nil
}
