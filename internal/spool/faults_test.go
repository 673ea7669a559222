package spool

import (
	"errors"
	"io"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/vfs"
)

// fault is what becomes of one operation that writes.
type fault int

const (
	sound fault = iota
	before
	after // it is done, and reported as failed
	half  // a write writes the first half, anything else is as before
)

// faulty is a file system of which any operation that changes something may fail. play is
// asked for each; it says how, and with which error.
type faulty struct {
	vfs.FS
	mu   sync.Mutex
	play func(op, path string) (fault, error)
	dead bool // whoever uses it does no more
}

func (f *faulty) isDead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

func (f *faulty) set(play func(op, path string) (fault, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.play = play
}

func (f *faulty) ask(op, path string) (fault, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.play == nil {
		return sound, nil
	}
	return f.play(op, path)
}

func (f *faulty) do(op, path string, call func() error) error {
	how, err := f.ask(op, path)
	switch how {
	case sound:
		return call()
	case after:
		return errors.Join(call(), err)
	}
	return err
}

func (f *faulty) file(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f, name}, nil
}

func (f *faulty) Create(name string) (vfs.File, error) {
	var file vfs.File
	err := f.do("create", name, func() (err error) { file, err = f.FS.Create(name); return err })
	return f.file(name, file, err)
}

func (f *faulty) OpenReadWrite(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, opts...)
	return f.file(name, file, err)
}

func (f *faulty) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return f.file(name, file, err)
}

func (f *faulty) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if _, err := f.ask("open", name); err != nil {
		return nil, err
	}
	file, err := f.FS.Open(name, opts...)
	return f.file(name, file, err)
}

func (f *faulty) Link(from, to string) error {
	return f.do("link", to, func() error { return f.FS.Link(from, to) })
}

func (f *faulty) Rename(from, to string) error {
	return f.do("rename", to, func() error { return f.FS.Rename(from, to) })
}

func (f *faulty) Remove(name string) error {
	return f.do("remove", name, func() error { return f.FS.Remove(name) })
}

func (f *faulty) MkdirAll(dir string, perm os.FileMode) error {
	return f.do("mkdir", dir, func() error { return f.FS.MkdirAll(dir, perm) })
}

func (f *faulty) Lock(name string) (io.Closer, error) {
	if how, err := f.ask("lock", name); how != sound {
		return nil, err
	}
	return f.FS.Lock(name)
}

type faultyFile struct {
	vfs.File
	fs   *faulty
	name string
}

func (f *faultyFile) Write(b []byte) (int, error) {
	how, err := f.fs.ask("write", f.name)
	switch how {
	case half:
		n, _ := f.File.Write(b[:len(b)/2])
		return n, err
	case before:
		return 0, err
	}
	n, real := f.File.Write(b)
	return n, errors.Join(real, err)
}

func (f *faultyFile) WriteAt(b []byte, at int64) (int, error) {
	how, err := f.fs.ask("write", f.name)
	switch how {
	case half:
		n, _ := f.File.WriteAt(b[:len(b)/2], at)
		return n, err
	case before:
		return 0, err
	}
	n, real := f.File.WriteAt(b, at)
	return n, errors.Join(real, err)
}

func (f *faultyFile) ReadAt(b []byte, at int64) (int, error) {
	if _, err := f.fs.ask("read", f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, at)
}

func (f *faultyFile) Sync() error {
	return f.fs.do("sync", f.name, f.File.Sync)
}
