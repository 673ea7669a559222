// Package objstore is the one way to objects: files that are written once, whole, and
// never changed. Folder keeps them in a local folder.
package objstore

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// ErrExists says that an object of that name is there already.
var ErrExists = errors.New("object exists already")

// ErrNotFound says that there is no object of that name.
var ErrNotFound = errors.New("no such object")

// Info says what List found.
type Info struct {
	Key      string
	Bytes    int64
	Modified time.Time
}

// Object is an open object.
type Object interface {
	io.ReaderAt
	io.Closer
	// Size is in bytes.
	Size() int64
}

// Store keeps objects. Keys are slash-separated, relative, without ".." in them.
//
// An object that exists is never replaced, but by Hold: whoever wants to change a thing
// writes another object. What is seen of the store, by Get, Open or List, is durable.
type Store interface {
	// Create writes a new object. It is durable when Create returns nil. Of any number
	// of writers of one key, one gets nil and the others ErrExists.
	Create(ctx context.Context, key string, data []byte) error
	// CreateFunc is Create for an object that is written as a stream.
	CreateFunc(ctx context.Context, key string, write func(io.Writer) error) error
	// Get reads an object whole; ErrNotFound where there is none.
	Get(ctx context.Context, key string) ([]byte, error)
	// Open opens an object for reading at any place; the caller closes it.
	Open(ctx context.Context, key string) (Object, error)
	// List yields the objects whose key begins with prefix, in the order of their keys.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Hold replaces an object by one that keeps its name taken, so that no Create of a
	// writer that comes late makes it anew: what was compacted, or has expired, is emptied
	// so. It is durable when Hold returns nil, may be repeated, and returns ErrNotFound
	// where there is no object. Who has the object open keeps reading what it was.
	Hold(ctx context.Context, key string, data []byte) error
	// Delete removes an object; none there is no error. Only checkpoints, requests and
	// the notes that a further one has made void are ever deleted. A crash of the machine
	// may bring one back.
	Delete(ctx context.Context, key string) error
}
