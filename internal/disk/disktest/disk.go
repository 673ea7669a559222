// Package disktest plays what a disk does to those who write to it: it loses what was not
// synced when the machine crashes, it fills up, and it breaks.
package disktest

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/vfs"
)

// Disk is a disk in memory. It knows what of it is durable, so that it can be seen as a
// crash would leave it, at any time and while others write to it.
type Disk struct {
	mu      sync.Mutex
	names   map[string]*node // by path; "/" is the root
	durable map[string]*node // the names that were synced
	journal []change         // of names, those that were not synced, in order
	locked  map[string]bool
}

// change gives names to nodes, or takes them, where the node is nil.
type change map[string]*node

// name makes a change; d.mu is held.
func (d *Disk) name(c change) {
	for p, n := range c {
		if n == nil {
			delete(d.names, p)
		} else {
			d.names[p] = n
		}
		if folder := d.names[path.Dir(p)]; folder != nil {
			folder.modified = time.Now()
		}
	}
	d.journal = append(d.journal, c)
}

// settle makes the names of a folder durable; d.mu is held.
func (d *Disk) settle(dir string) {
	left := d.journal[:0]
	for _, c := range d.journal {
		for p, n := range c {
			if path.Dir(p) != dir {
				continue
			}
			if delete(c, p); n == nil {
				delete(d.durable, p)
			} else {
				d.durable[p] = n
			}
		}
		if len(c) > 0 {
			left = append(left, c)
		}
	}
	clear(d.journal[len(left):])
	d.journal = left
}

// node is a file or folder, under any number of names.
type node struct {
	dir      bool
	data     []byte
	synced   []byte // what of data is durable
	lost     bool   // a sync failed: what was written before it is never durable
	modified time.Time
}

var _ vfs.FS = (*Disk)(nil)

// New makes an empty disk.
func New() *Disk {
	root := &node{dir: true}
	return &Disk{names: map[string]*node{"/": root}, durable: map[string]*node{"/": root}, locked: map[string]bool{}}
}

// Keep says what a crash leaves of what was not synced.
type Keep string

const (
	// All leaves everything: the process was killed, and the machine goes on. What was not
	// synced is not durable yet: another crash may take it.
	All Keep = "all"
	// Synced leaves nothing: the machine lost its power, and its disk its cache.
	Synced Keep = "what was synced"
	// Names leaves the names of files, but not their bytes: journals of file systems do so.
	Names Keep = "names"
	// Torn leaves the changes of names up to one of them, as a journal does, and of the bytes
	// a part: of each page of 4 KiB the old or the new, or only what was written first.
	Torn Keep = "a part"
	// Scrambled is Torn with any of the changes of names, as file systems without a journal
	// leave them.
	Scrambled Keep = "a part in no order"
)

const pageBytes = 4096

// Crash returns the disk as a crash leaves it; who writes to d goes on as if nothing had
// happened, and is to be ignored.
func (d *Disk) Crash(keep Keep, random *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	if keep == All {
		return d.fork()
	}
	left := maps.Clone(d.durable)
	switch keep {
	case Names:
		left = d.names
	case Torn:
		for _, c := range d.journal[:random.IntN(len(d.journal)+1)] {
			apply(left, c, func() bool { return true })
		}
	case Scrambled:
		for _, c := range d.journal {
			apply(left, c, func() bool { return random.IntN(2) == 0 })
		}
	}
	after, copies := New(), map[*node]*node{}
	for _, p := range sorted(left) {
		if p == "/" || !reached(left, p) {
			continue
		}
		n := left[p]
		if copies[n] == nil {
			data := n.left(keep, random)
			copies[n] = &node{dir: n.dir, data: data, synced: slices.Clone(data), modified: n.modified}
		}
		after.names[p], after.durable[p] = copies[n], copies[n]
	}
	return after
}

// fork is another disk that is as d is.
func (d *Disk) fork() *Disk {
	copies := map[*node]*node{nil: nil}
	other := func(n *node) *node {
		if _, ok := copies[n]; !ok {
			c := *n
			c.data, c.synced = slices.Clone(n.data), slices.Clone(n.synced)
			copies[n] = &c
		}
		return copies[n]
	}
	all := func(names map[string]*node) map[string]*node {
		c := make(map[string]*node, len(names))
		for p, n := range names {
			c[p] = other(n)
		}
		return c
	}
	after := &Disk{names: all(d.names), durable: all(d.durable), locked: map[string]bool{}}
	for _, c := range d.journal {
		after.journal = append(after.journal, all(c))
	}
	return after
}

// apply makes those parts of a change that come about.
func apply(names map[string]*node, c change, comes func() bool) {
	for _, p := range sorted(c) { // in order, as the choices come from the seed
		switch n := c[p]; {
		case !comes():
		case n == nil:
			delete(names, p)
		default:
			names[p] = n
		}
	}
}

// reached says whether all folders above a name are there.
func reached(names map[string]*node, p string) bool {
	for p != "/" {
		p = path.Dir(p)
		if n := names[p]; n == nil || !n.dir {
			return false
		}
	}
	return true
}

// left is what a crash leaves of a file's bytes.
func (n *node) left(keep Keep, random *rand.Rand) []byte {
	switch keep {
	case Torn, Scrambled:
		if random.IntN(2) == 0 {
			return n.shuffled(random)
		}
		// As they were written, up to a byte.
		cut := len(n.data)
		if from := common(n.data, n.synced); from < cut {
			cut = from + random.IntN(cut-from+1)
		}
		data := slices.Clone(n.data[:cut])
		if cut < len(n.synced) {
			data = append(data, n.synced[cut:]...)
		}
		return data
	default:
		return slices.Clone(n.synced)
	}
}

// shuffled takes each page as it is or as it was synced; one that was never written is
// zeros where a later one is there.
func (n *node) shuffled(random *rand.Rand) []byte {
	data := slices.Clone(n.synced)
	for at := 0; at < len(n.data); at += pageBytes {
		end := min(at+pageBytes, len(n.data))
		if random.IntN(2) == 0 {
			continue
		}
		if len(data) < end {
			data = append(data, make([]byte, end-len(data))...)
		}
		copy(data[at:end], n.data[at:end])
	}
	return data
}

// common is how many bytes a and b begin with together.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func clean(name string) string { return path.Clean("/" + name) }

func failed(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

// parent is nil where name's folder is there; d.mu is held, as in all below.
func (d *Disk) parent(op, name string) error {
	switch n := d.names[path.Dir(name)]; {
	case n == nil:
		return failed(op, name, fs.ErrNotExist)
	case !n.dir:
		return failed(op, name, syscall.ENOTDIR)
	}
	return nil
}

func (d *Disk) children(dir string) []string {
	if dir != "/" {
		dir += "/"
	}
	var names []string
	for p := range d.names {
		if rest, ok := strings.CutPrefix(p, dir); ok && rest != "" && !strings.Contains(rest, "/") {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names
}

// Create implements vfs.FS.
func (d *Disk) Create(name string) (vfs.File, error) {
	name = clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.parent("create", name); err != nil {
		return nil, err
	}
	if n := d.names[name]; n != nil && n.dir {
		return nil, failed("create", name, syscall.EISDIR)
	}
	n := &node{modified: time.Now()}
	d.name(change{name: n})
	return &file{disk: d, name: name, node: n, write: true}, nil
}

// Link implements vfs.FS.
func (d *Disk) Link(from, to string) error {
	from, to = clean(from), clean(to)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.parent("link", to); err != nil {
		return err
	}
	switch {
	case d.names[from] == nil:
		return failed("link", from, fs.ErrNotExist)
	case d.names[to] != nil:
		return failed("link", to, fs.ErrExist)
	}
	d.name(change{to: d.names[from]})
	return nil
}

// Open implements vfs.FS.
func (d *Disk) Open(name string, _ ...vfs.OpenOption) (vfs.File, error) {
	name = clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.parent("open", name); err != nil {
		return nil, err
	}
	n := d.names[name]
	if n == nil {
		return nil, failed("open", name, fs.ErrNotExist)
	}
	return &file{disk: d, name: name, node: n}, nil
}

// OpenReadWrite implements vfs.FS.
func (d *Disk) OpenReadWrite(name string, _ ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return d.Create(name)
	}
	if err != nil {
		return nil, err
	}
	f.(*file).write = true
	return f, nil
}

// OpenDir implements vfs.FS.
func (d *Disk) OpenDir(name string) (vfs.File, error) { return d.Open(name) }

// Remove implements vfs.FS.
func (d *Disk) Remove(name string) error {
	name = clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return failed("remove", name, fs.ErrNotExist)
	}
	if len(d.children(name)) > 0 {
		return failed("remove", name, syscall.ENOTEMPTY)
	}
	d.name(change{name: nil})
	return nil
}

// RemoveAll implements vfs.FS.
func (d *Disk) RemoveAll(name string) error {
	name = clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	c := change{}
	for p := range d.names {
		if p == name || strings.HasPrefix(p, name+"/") {
			c[p] = nil
		}
	}
	d.name(c)
	return nil
}

// Rename implements vfs.FS, for files.
func (d *Disk) Rename(from, to string) error {
	from, to = clean(from), clean(to)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.parent("rename", to); err != nil {
		return err
	}
	n := d.names[from]
	switch {
	case n == nil:
		return failed("rename", from, fs.ErrNotExist)
	case n.dir:
		return failed("rename", from, syscall.EISDIR)
	}
	d.name(change{from: nil, to: n})
	return nil
}

// ReuseForWrite implements vfs.FS.
func (d *Disk) ReuseForWrite(from, to string) (vfs.File, error) {
	if err := d.Rename(from, to); err != nil {
		return nil, err
	}
	return d.OpenReadWrite(to)
}

// MkdirAll implements vfs.FS.
func (d *Disk) MkdirAll(dir string, _ fs.FileMode) error {
	dir = clean(dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	for at := 1; at > 0; {
		end := strings.IndexByte(dir[at:], '/')
		name := dir
		if end >= 0 {
			name, at = dir[:at+end], at+end+1
		} else {
			at = 0
		}
		switch n := d.names[name]; {
		case n == nil:
			d.name(change{name: &node{dir: true, modified: time.Now()}})
		case !n.dir:
			return failed("mkdir", name, syscall.ENOTDIR)
		}
	}
	return nil
}

// Lock implements vfs.FS.
func (d *Disk) Lock(name string) (io.Closer, error) {
	name = clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.parent("lock", name); err != nil {
		return nil, err
	}
	if d.locked[name] {
		return nil, failed("lock", name, syscall.EAGAIN)
	}
	d.locked[name] = true
	if d.names[name] == nil {
		d.name(change{name: &node{modified: time.Now()}})
	}
	return closer(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.locked, name)
	}), nil
}

type closer func()

func (c closer) Close() error { c(); return nil }

// List implements vfs.FS.
func (d *Disk) List(dir string) ([]string, error) {
	dir = clean(dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch n := d.names[dir]; {
	case n == nil:
		return nil, failed("list", dir, fs.ErrNotExist)
	case !n.dir:
		return nil, failed("list", dir, syscall.ENOTDIR)
	}
	return d.children(dir), nil
}

// Stat implements vfs.FS.
func (d *Disk) Stat(name string) (fs.FileInfo, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	return f.Stat()
}

// PathBase, PathJoin and PathDir implement vfs.FS.
func (*Disk) PathBase(p string) string { return path.Base(p) }

// PathJoin implements vfs.FS.
func (*Disk) PathJoin(elem ...string) string { return path.Join(elem...) }

// PathDir implements vfs.FS.
func (*Disk) PathDir(p string) string { return path.Dir(p) }

// GetDiskUsage implements vfs.FS: how much room there is is not known.
func (*Disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{}, vfs.ErrUnsupported
}
