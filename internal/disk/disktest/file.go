package disktest

import (
	"io"
	"io/fs"
	"path"
	"slices"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/vfs"
)

// file is an open file or folder of a Disk.
type file struct {
	disk     *Disk
	name     string
	node     *node
	write    bool
	read, at int // where the next Read and Write begin
}

// Close implements vfs.File.
func (*file) Close() error { return nil }

// Read implements vfs.File.
func (f *file) Read(b []byte) (int, error) {
	n, err := f.ReadAt(b, int64(f.read))
	f.read += n
	if n > 0 {
		err = nil
	}
	return n, err
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.node.dir {
		return 0, failed("read", f.name, syscall.EISDIR)
	}
	if at >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Write implements vfs.File.
func (f *file) Write(b []byte) (int, error) {
	n, err := f.WriteAt(b, int64(f.at))
	f.at += n
	return n, err
}

// WriteAt implements vfs.File.
func (f *file) WriteAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if !f.write || f.node.dir {
		return 0, failed("write", f.name, syscall.EBADF)
	}
	n := f.node
	if missing := int(at) + len(b) - len(n.data); missing > 0 {
		n.data = append(n.data, make([]byte, missing)...)
	}
	n.modified = time.Now()
	return copy(n.data[at:], b), nil
}

// Sync implements vfs.File.
func (f *file) Sync() error {
	d := f.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if !f.node.dir {
		if !f.node.lost {
			f.node.synced = slices.Clone(f.node.data)
		}
		return nil
	}
	d.settle(f.name)
	return nil
}

// fail makes what was written and not synced lost for good: the next sync says nothing.
func (f *file) fail() {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.node.lost = true
}

// SyncData implements vfs.File.
func (f *file) SyncData() error { return f.Sync() }

// SyncTo implements vfs.File; it promises nothing.
func (*file) SyncTo(int64) (fullSync bool, err error) { return false, nil }

// Preallocate implements vfs.File.
func (*file) Preallocate(_, _ int64) error { return nil }

// Prefetch implements vfs.File.
func (*file) Prefetch(_, _ int64) error { return nil }

// Fd implements vfs.File.
func (*file) Fd() uintptr { return vfs.InvalidFd }

// Stat implements vfs.File.
func (f *file) Stat() (fs.FileInfo, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return info{name: path.Base(f.name), size: int64(len(f.node.data)), dir: f.node.dir, modified: f.node.modified}, nil
}

// info implements fs.FileInfo.
type info struct {
	name     string
	size     int64
	dir      bool
	modified time.Time
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return i.modified }
func (i info) IsDir() bool        { return i.dir }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
