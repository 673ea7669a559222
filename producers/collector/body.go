package collector

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"

	"github.com/klauspost/compress/zstd"
)

// maxRatio bounds how much larger than its compressed form a body may be: JSON reaches
// some 30, a bomb thousands.
const maxRatio = 200

// ratioFrom is the size below which the ratio is of no interest.
const ratioFrom = 1 << 20

// zstdWindow is the largest window that a frame may have: what RFC 8878 asks every decoder
// to support, and clients that do not know how much comes claim. zstdHeld is what the
// decoder holds for it.
const (
	zstdWindow = 8 << 20
	zstdHeld   = zstdWindow + 256<<10
)

// body is a request's body, unpacked while it is read, within bounds.
type body struct {
	c    *Collector
	room *room
	raw  *counter
	in   io.Reader
	n    int64 // bytes unpacked
	done func()
}

// body opens the request's body; the caller calls done.
func (c *Collector) body(w http.ResponseWriter, r *http.Request, room *room) (*body, error) {
	b := &body{c: c, room: room, raw: &counter{r: http.MaxBytesReader(w, r.Body, c.cfg.MaxBodyBytes)}, done: func() {}}
	b.in = b.raw
	var err error
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		err = b.gzip()
	case "zstd":
		err = b.zstd()
	default:
		err = refuse(http.StatusUnsupportedMediaType, "the content encoding %q is not known; gzip and zstd are", encoding)
	}
	return b, err
}

func (b *body) gzip() error {
	z, err := gzip.NewReader(b.raw)
	if err != nil {
		return refusalOf(err, "the body is not gzip")
	}
	b.in = z
	return nil
}

// zstd reads all of the compressed body before it unpacks any: the window is larger
// than most bodies, and a client that sends slowly would hold it for as long as it likes.
func (b *body) zstd() error {
	var packed bytes.Buffer
	for {
		n, err := io.CopyN(&packed, b.raw, 32<<10)
		if err := b.room.take(n); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return refusalOf(err, "the body cannot be read")
		}
	}
	if err := b.room.take(zstdHeld); err != nil {
		return err
	}
	z, err := zstd.NewReader(bytes.NewReader(packed.Bytes()), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderMaxMemory(uint64(max(zstdWindow, b.c.cfg.MaxBodyBytes))))
	if err != nil {
		return refusalOf(err, "the body is not zstd")
	}
	b.in = z
	b.done = func() {
		z.Close()
		b.room.give(zstdHeld + int64(packed.Len()))
	}
	return nil
}

// Read implements io.Reader. Its errors but io.EOF are refusals.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	b.n += int64(n)
	if b.n > b.c.cfg.MaxBodyBytes || b.n > ratioFrom && b.n > maxRatio*max(1, b.raw.n) {
		return n, refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes, or unpacks to more than %d times its size", b.c.cfg.MaxBodyBytes, maxRatio)
	}
	if full := b.room.take(int64(n)); full != nil {
		return n, full
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = refusalOf(err, "the body cannot be read")
	}
	return n, err
}

// refusalOf is the answer to a body that cannot be read.
func refusalOf(err error, what string) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", large.Limit)
	}
	return refuse(http.StatusBadRequest, "%s: %s", what, err)
}

// counter counts what was read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
