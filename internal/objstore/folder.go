package objstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// tempPrefix begins the names of files that are being written.
const tempPrefix = ".tmp-"

// staleAfter is the age at which a temporary file belongs to a writer that died.
const staleAfter = time.Hour

// FolderStore keeps objects as files of a local folder.
type FolderStore struct{ dir string }

// Folder opens the store in dir and makes the folder where it is missing.
func Folder(dir string) (*FolderStore, error) {
	s := &FolderStore{dir: dir}
	if err := s.mkdir(dir); err != nil {
		return nil, fmt.Errorf("objects: make %s: %w", dir, err)
	}
	return s, s.sweep()
}

// sweep removes what writers that died have left.
func (s *FolderStore) sweep() error {
	return filepath.WalkDir(s.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), tempPrefix) {
			return err
		}
		info, err := d.Info()
		if err == nil && time.Since(info.ModTime()) > staleAfter {
			err = os.Remove(p)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

func (s *FolderStore) file(key string) (string, error) {
	if key == "" || key != path.Clean(key) || path.IsAbs(key) || key == "." || strings.HasPrefix(key, "../") || key == ".." ||
		strings.HasPrefix(path.Base(key), tempPrefix) || strings.ContainsAny(key, "\\\x00") {
		return "", fmt.Errorf("objects: %q is no key", key)
	}
	return filepath.Join(s.dir, filepath.FromSlash(key)), nil
}

// mkdir makes dir and those above it, and makes their names durable.
func (s *FolderStore) mkdir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := s.mkdir(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Create implements Store.
func (s *FolderStore) Create(ctx context.Context, key string, data []byte) error {
	return s.CreateFunc(ctx, key, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	})
}

// CreateFunc implements Store: a temporary file in the same folder, its bytes synced,
// linked to its name, which fails where the name is taken, and the folder synced.
func (s *FolderStore) CreateFunc(ctx context.Context, key string, write func(io.Writer) error) error {
	name, err := s.file(key)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("objects: create %s: %w", key, ErrExists)
	}
	if err := s.create(name, write); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = ErrExists
		}
		return fmt.Errorf("objects: create %s: %w", key, err)
	}
	return ctx.Err()
}

func (s *FolderStore) create(name string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(name)
	if err := s.mkdir(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if e := os.Remove(f.Name()); err == nil {
			err = e
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
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
	if err := os.Link(f.Name(), name); err != nil {
		return err
	}
	return syncDir(dir)
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
	data, err := os.ReadFile(name)
	if absent(err) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("objects: get %s: %w", key, err)
	}
	return data, nil
}

type folderObject struct {
	*os.File
	size int64
}

func (o folderObject) Size() int64 { return o.size }

// Open implements Store.
func (s *FolderStore) Open(_ context.Context, key string) (Object, error) {
	name, err := s.file(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if absent(err) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("objects: open %s: %w", key, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = ErrNotFound
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("objects: open %s: %w", key, err), f.Close())
	}
	return folderObject{f, info.Size()}, nil
}

// List implements Store.
func (s *FolderStore) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if top := path.Clean(prefix); path.IsAbs(top) || top == ".." || strings.HasPrefix(top, "../") {
			yield(Info{}, fmt.Errorf("objects: list %q: it leads out of the store", prefix))
			return
		}
		var found []Info
		top := filepath.Join(s.dir, filepath.FromSlash(path.Dir(prefix+"x")))
		err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
			if absent(err) {
				return nil // none of that prefix, or removed meanwhile
			}
			if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), tempPrefix) {
				return err
			}
			rel, err := filepath.Rel(s.dir, p)
			if err != nil {
				return err
			}
			key := filepath.ToSlash(rel)
			if !strings.HasPrefix(key, prefix) {
				return nil
			}
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			found = append(found, Info{Key: key, Bytes: info.Size(), Modified: info.ModTime()})
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

// Delete implements Store.
func (s *FolderStore) Delete(_ context.Context, key string) error {
	name, err := s.file(key)
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("objects: delete %s: %w", key, err)
	}
	return nil
}
