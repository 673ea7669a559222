package state

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble"
	"github.com/klauspost/compress/zstd"

	"github.com/millrace-io/millrace/internal/objstore"
)

// checkpointsKept is how many checkpoints of a partition stay: one may prove
// unreadable, and a zombie's older one may be the last that was written.
const checkpointsKept = 3

// maxEntryBytes bounds a key or value in a checkpoint, against a damaged length.
const maxEntryBytes = 64 << 20

const checkpointMagic = "mrckpt1\n"

var crcTable = crc32.MakeTable(crc32.Castagnoli)

func (p *Partition) checkpointPrefix() string {
	return fmt.Sprintf("checkpoints/%s/%x/%d/", p.stage, p.topicID, p.id)
}

// Checkpoint puts the committed state, marks and position into the object store as one
// object named by the position, and removes all but the furthest three. Two members may
// write the same position: either object will do, since the state at a position is a
// function of the log up to it.
func (p *Partition) Checkpoint(ctx context.Context, store objstore.Store) error {
	snapshot := p.db.pebble.NewSnapshot()
	defer snapshot.Close()
	key := fmt.Sprintf("%s%020d", p.checkpointPrefix(), p.position)
	err := store.CreateFunc(ctx, key, func(w io.Writer) error { return p.writeCheckpoint(w, snapshot) })
	if err != nil && !errors.Is(err, objstore.ErrExists) {
		return fmt.Errorf("state: checkpoint %s: %w", key, err)
	}
	kept, err := p.checkpoints(ctx, store)
	if err != nil {
		return err
	}
	for len(kept) > checkpointsKept {
		if err := store.Delete(ctx, kept[0]); err != nil {
			return fmt.Errorf("state: delete checkpoint %s: %w", kept[0], err)
		}
		kept = kept[1:]
	}
	return nil
}

func (p *Partition) checkpoints(ctx context.Context, store objstore.Store) ([]string, error) {
	var keys []string
	for info, err := range store.List(ctx, p.checkpointPrefix()) {
		if err != nil {
			return nil, fmt.Errorf("state: list checkpoints of %s: %w", p, err)
		}
		keys = append(keys, info.Key)
	}
	return keys, nil
}

func (p *Partition) writeCheckpoint(w io.Writer, snapshot *pebble.Snapshot) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	sum := crc32.New(crcTable)
	out := bufio.NewWriterSize(io.MultiWriter(z, sum), 64<<10)
	if _, err := out.WriteString(checkpointMagic); err != nil {
		return err
	}
	it, err := snapshot.NewIter(&pebble.IterOptions{LowerBound: p.prefix, UpperBound: successor(p.prefix)})
	if err != nil {
		return err
	}
	var head []byte
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()[len(p.prefix):]
		head = binary.AppendUvarint(head[:0], uint64(len(key)))
		head = append(head, key...)
		head = binary.AppendUvarint(head, uint64(len(it.Value())))
		if _, err := out.Write(head); err != nil {
			return errors.Join(err, it.Close())
		}
		if _, err := out.Write(it.Value()); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return err
	}
	// A key of no bytes ends the entries; the sum of all before it follows.
	if err := out.WriteByte(0); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if _, err := z.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32())); err != nil {
		return err
	}
	return z.Close()
}

// Restore replaces the local state by the furthest readable checkpoint that is ahead of
// it, and says whether it did. Unreadable ones are returned as errors that the caller
// reports; an older one, or the local state, then serves.
func (p *Partition) Restore(ctx context.Context, store objstore.Store) (restored bool, damaged []error, err error) {
	keys, err := p.checkpoints(ctx, store)
	if err != nil {
		return false, nil, err
	}
	for i := len(keys) - 1; i >= 0; i-- {
		position, ok := positionOf(keys[i])
		if !ok || position <= p.position {
			break // no checkpoint, or none that is ahead, and so are all before it
		}
		if err := p.load(ctx, store, keys[i]); err != nil {
			damaged = append(damaged, fmt.Errorf("state: load checkpoint %s: %w", keys[i], err))
			continue
		}
		if p.position != position {
			return false, damaged, fmt.Errorf("state: checkpoint %s holds position %d", keys[i], p.position)
		}
		return true, damaged, nil
	}
	return false, damaged, nil
}

// positionOf reads the position out of a checkpoint's key.
func positionOf(key string) (position int64, ok bool) {
	position, err := strconv.ParseInt(key[strings.LastIndexByte(key, '/')+1:], 10, 64)
	return position, err == nil
}

func (p *Partition) load(ctx context.Context, store objstore.Store, key string) error {
	obj, err := store.Open(ctx, key)
	if err != nil {
		return err
	}
	defer obj.Close()
	z, err := zstd.NewReader(io.NewSectionReader(obj, 0, obj.Size()), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	batch := p.db.pebble.NewBatch()
	defer batch.Close()
	if err := batch.DeleteRange(p.prefix, successor(p.prefix), nil); err != nil {
		return err
	}
	if err := readCheckpoint(bufio.NewReaderSize(z, 64<<10), func(k, v []byte) error {
		return batch.Set(append(append([]byte(nil), p.prefix...), k...), v, nil)
	}); err != nil {
		return err
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return err
	}
	return p.reload()
}

// readCheckpoint calls entry for each key and value; nothing it was called with counts
// unless nil is returned.
func readCheckpoint(r *bufio.Reader, entry func(k, v []byte) error) error {
	sum := crc32.New(crcTable)
	in := &summingReader{r: r, sum: sum.Write}
	magic := make([]byte, len(checkpointMagic))
	if _, err := io.ReadFull(in, magic); err != nil {
		return err
	}
	if string(magic) != checkpointMagic {
		return fmt.Errorf("begins with %q, want %q", magic, checkpointMagic)
	}
	for {
		key, err := in.entry()
		if err != nil {
			return err
		}
		if len(key) == 0 {
			break
		}
		value, err := in.entry()
		if err != nil {
			return err
		}
		if err := entry(key, value); err != nil {
			return err
		}
	}
	want := sum.Sum32()
	var got [4]byte
	if _, err := io.ReadFull(r, got[:]); err != nil {
		return err
	}
	if g := binary.BigEndian.Uint32(got[:]); g != want {
		return fmt.Errorf("checksum is %08x, want %08x", g, want)
	}
	return nil
}

// summingReader sums every byte that it hands out.
type summingReader struct {
	r   *bufio.Reader
	sum func([]byte) (int, error)
}

func (s *summingReader) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	_, _ = s.sum(b[:n]) // a hash never fails
	return n, err
}

func (s *summingReader) ReadByte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		_, _ = s.sum([]byte{b})
	}
	return b, err
}

func (s *summingReader) entry() ([]byte, error) {
	n, err := binary.ReadUvarint(s)
	if err != nil {
		return nil, err
	}
	if n > maxEntryBytes {
		return nil, fmt.Errorf("an entry of %d bytes is above the bound of %d", n, maxEntryBytes)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(s, b)
	return b, err
}
