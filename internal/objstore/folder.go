package objstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/millrace-io/millrace/internal/disk"
)

// staleAfter is the age at which a temporary file belongs to a writer that died.
const staleAfter = time.Hour

// knownFolders bounds the folders that a store remembers as durable; one that was
// forgotten is made durable again.
const knownFolders = 1 << 16

// FolderStore keeps objects as files of a local folder.
type FolderStore struct {
	dir  string
	disk disk.Disk

	mu    sync.Mutex
	known map[string]struct{} // folders whose names are durable
	// writing counts, by folder, the objects that are being written, failed those whose
	// write ended with an error: they may be seen, and not be durable.
	writing, failed map[string]int
}

// Folder opens the store in dir, a folder of this machine, and makes it where it is
// missing.
func Folder(dir string) (*FolderStore, error) { return FolderOn(disk.System().FS, dir) }

// FolderOn is Folder on any file system.
func FolderOn(on vfs.FS, dir string) (*FolderStore, error) {
	s := &FolderStore{dir: on.PathJoin(dir), disk: disk.Disk{FS: on}, known: map[string]struct{}{}, writing: map[string]int{}, failed: map[string]int{}}
	if err := s.disk.MkdirAll(s.dir); err != nil {
		return nil, fmt.Errorf("objects: make %s: %w", dir, err)
	}
	if err := s.sweep(); err != nil {
		return nil, fmt.Errorf("objects: sweep %s: %w", dir, err)
	}
	return s, nil
}

// sweep removes what writers that died have left, and makes durable what they may have
// linked before: those of long ago the file system has brought to the disk by itself.
func (s *FolderStore) sweep() error {
	stale := func(info fs.FileInfo) bool { return time.Since(info.ModTime()) > staleAfter }
	return s.walk("", func(key string, info fs.FileInfo) error {
		switch {
		case info.IsDir() && !stale(info):
			return s.disk.Sync(s.path(key))
		case info.IsDir() || !temporary(key) || !stale(info):
			return nil
		}
		if err := s.disk.Remove(s.path(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// walk calls found for each folder that may hold keys which begin with prefix, and then for
// each file whose key does, in no order, temporary ones among them. What is removed
// meanwhile may be left out.
func (s *FolderStore) walk(prefix string, found func(key string, info fs.FileInfo) error) error {
	var visit func(key string) error
	visit = func(key string) error {
		info, err := s.disk.Stat(s.path(key))
		switch {
		case absent(err):
			return nil
		case err != nil:
			return err
		case !info.IsDir():
			if strings.HasPrefix(key, prefix) {
				return found(key, info)
			}
			return nil
		}
		names, err := s.disk.List(s.path(key))
		if absent(err) {
			return nil
		}
		if err == nil {
			err = found(key, info)
		}
		for _, name := range names {
			at := path.Join(key, name)
			if err == nil && (strings.HasPrefix(at, prefix) || strings.HasPrefix(prefix, at+"/")) {
				err = visit(at)
			}
		}
		return err
	}
	top, _ := path.Split(prefix)
	return visit(path.Clean(top))
}

// temporary says whether a file is one that is being written.
func temporary(key string) bool { return strings.HasPrefix(path.Base(key), disk.TempPrefix) }

// path is the file of a key; "." is the store's folder.
func (s *FolderStore) path(key string) string { return s.disk.PathJoin(s.dir, key) }

func (s *FolderStore) file(key string) (string, error) {
	if key == "" || key != path.Clean(key) || path.IsAbs(key) || key == "." || strings.HasPrefix(key, "../") || key == ".." ||
		temporary(key) || strings.ContainsAny(key, "\\\x00") {
		return "", fmt.Errorf("objects: %q is no key", key)
	}
	return s.path(key), nil
}

// mkdir makes a folder of the store and those above it, and their names durable. A folder
// that is there already counts as durable once this store has made it so: who made it may
// have died before.
func (s *FolderStore) mkdir(dir string) error {
	if dir == s.dir || s.knows(dir) {
		return nil
	}
	if err := s.mkdir(s.disk.PathDir(dir)); err != nil {
		return err
	}
	if err := s.disk.Mkdir(dir); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= knownFolders {
		clear(s.known)
	}
	s.known[dir] = struct{}{}
	return nil
}

// knows says whether a folder is there and durable.
func (s *FolderStore) knows(dir string) bool {
	s.mu.Lock()
	_, known := s.known[dir]
	s.mu.Unlock()
	if !known {
		return false
	}
	_, err := s.disk.Stat(dir)
	return err == nil
}

// Create implements Store.
func (s *FolderStore) Create(ctx context.Context, key string, data []byte) error {
	return s.CreateFunc(ctx, key, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	})
}

// CreateFunc implements Store, by disk.Create.
//
// ErrExists is a promise too: who gets it goes on as if the object were its own. So what
// another has linked is made durable before it is told, as that one may have died first.
func (s *FolderStore) CreateFunc(ctx context.Context, key string, write func(io.Writer) error) error {
	name, err := s.file(key)
	if err != nil {
		return err
	}
	if err := s.create(name, write); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = ErrExists
		}
		return fmt.Errorf("objects: create %s: %w", key, err)
	}
	return ctx.Err()
}

func (s *FolderStore) create(name string, write func(io.Writer) error) error {
	dir := s.disk.PathDir(name)
	if err := s.mkdir(dir); err != nil {
		return err
	}
	if _, err := s.disk.Stat(name); err == nil { // what it takes to write it is spared
		if err := s.disk.Sync(dir); err != nil {
			return err
		}
		return fs.ErrExist
	}
	return s.unsettled(dir, func() error { return s.disk.Create(name, 0o644, write) })
}

// unsettled writes to a folder.
func (s *FolderStore) unsettled(dir string, write func() error) error {
	s.mu.Lock()
	s.writing[dir]++
	s.mu.Unlock()
	err := write()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && !errors.Is(err, fs.ErrExist) {
		s.failed[dir]++
	}
	if s.writing[dir]--; s.writing[dir] == 0 {
		delete(s.writing, dir)
	}
	return err
}

// settle makes durable what was seen of a folder, where it may not be: its writer may have
// failed behind the link, or be about to. Whoever reads an object may destroy others on the
// ground of it, and must not be left with neither.
func (s *FolderStore) settle(dir string) error {
	s.mu.Lock()
	failed, writing := s.failed[dir], s.writing[dir]
	s.mu.Unlock()
	if failed == 0 && writing == 0 {
		return nil
	}
	if err := s.disk.Sync(dir); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed[dir] -= failed; s.failed[dir] <= 0 {
		delete(s.failed, dir)
	}
	return nil
}

// absent is true where a file system says that there is no object of a name: nothing at
// all, a folder, or something below an object.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR)
}

// Get implements Store.
func (s *FolderStore) Get(_ context.Context, key string) ([]byte, error) {
	name, err := s.file(key)
	if err != nil {
		return nil, err
	}
	o, err := s.open(name)
	if err != nil {
		return nil, fmt.Errorf("objects: get %s: %w", key, err)
	}
	data := make([]byte, o.size)
	_, err = io.ReadFull(o, data)
	if err = errors.Join(err, o.Close()); err != nil {
		return nil, fmt.Errorf("objects: get %s: %w", key, err)
	}
	return data, nil
}

type folderObject struct {
	vfs.File
	size int64
}

func (o folderObject) Size() int64 { return o.size }

// Open implements Store.
func (s *FolderStore) Open(_ context.Context, key string) (Object, error) {
	name, err := s.file(key)
	if err != nil {
		return nil, err
	}
	o, err := s.open(name)
	if err != nil {
		return nil, fmt.Errorf("objects: open %s: %w", key, err)
	}
	return o, nil
}

func (s *FolderStore) open(name string) (*folderObject, error) {
	f, err := s.disk.Open(name)
	if absent(err) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = ErrNotFound
	}
	if err == nil {
		err = s.settle(s.disk.PathDir(name))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &folderObject{f, info.Size()}, nil
}

// List implements Store.
func (s *FolderStore) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if top := path.Clean(prefix); path.IsAbs(top) || top == ".." || strings.HasPrefix(top, "../") {
			yield(Info{}, fmt.Errorf("objects: list %q: it leads out of the store", prefix))
			return
		}
		var found []Info
		err := s.walk(prefix, func(key string, info fs.FileInfo) error {
			if info.IsDir() {
				return s.settle(s.path(key))
			}
			if !temporary(key) {
				found = append(found, Info{Key: key, Bytes: info.Size(), Modified: info.ModTime()})
			}
			return ctx.Err()
		})
		if err != nil {
			yield(Info{}, fmt.Errorf("objects: list %s: %w", prefix, err))
			return
		}
		slices.SortFunc(found, func(a, b Info) int { return strings.Compare(a.Key, b.Key) })
		for _, i := range found {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// Hold implements Store, by a rename.
func (s *FolderStore) Hold(ctx context.Context, key string, data []byte) error {
	name, err := s.file(key)
	if err != nil {
		return err
	}
	info, err := s.disk.Stat(name)
	if absent(err) || err == nil && info.IsDir() {
		err = ErrNotFound
	}
	if err == nil {
		err = s.unsettled(s.disk.PathDir(name), func() error { return s.disk.Replace(name, 0o644, data) })
	}
	if err != nil {
		return fmt.Errorf("objects: hold %s: %w", key, err)
	}
	return ctx.Err()
}

// Delete implements Store.
func (s *FolderStore) Delete(_ context.Context, key string) error {
	name, err := s.file(key)
	if err != nil {
		return err
	}
	if err := s.disk.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("objects: delete %s: %w", key, err)
	}
	return nil
}
